//! The protos of a table of cases.

use std::collections::BTreeSet;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;

/// Compiles protos, given by their names and texts, with those of google below `lro-build/proto`.
pub(crate) fn compile(protos: &[(String, String)]) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    for (name, text) in protos {
        let file = folder.path().join(name);
        let parent = file.parent().ok_or("a proto without a folder")?;
        std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
    }
    let google = concat!(env!("CARGO_MANIFEST_DIR"), "/../lro-build/proto");
    let mut compiler = protox::Compiler::new([folder.path(), google.as_ref()])
        .map_err(|error| error.to_string())?;
    compiler.include_imports(true);
    let names = protos.iter().map(|(name, _)| name);
    compiler
        .open_files(names)
        .map_err(|error| error.to_string())?;
    // Errors have details of these types.
    compiler
        .open_files(["google/rpc/error_details.proto"])
        .map_err(|error| error.to_string())?;
    Ok(compiler.encode_file_descriptor_set())
}

/// The same set with no annotation on any rpc.
pub(crate) fn without_rules(encoded: &[u8]) -> Result<Vec<u8>, String> {
    let mut set = FileDescriptorSet::decode(encoded).map_err(|error| error.to_string())?;
    let methods = set
        .file
        .iter_mut()
        .flat_map(|file| &mut file.service)
        .flat_map(|service| &mut service.method);
    for method in methods {
        method.options = None;
    }
    Ok(set.encode_to_vec())
}

/// A proto with one rpc, `t.Service/Call`, whose request has the fields of a template's variables.
pub(crate) fn for_template(template: &str) -> String {
    let mut paths = BTreeSet::new();
    for variable in template.split('{').skip(1) {
        let path = variable.split(['=', '}']).next().unwrap_or_default();
        let is_name = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if path.split('.').all(is_name) {
            paths.insert(path.split('.').map(str::to_owned).collect::<Vec<_>>());
        }
    }
    let message = message("Request", &paths.into_iter().collect::<Vec<_>>());
    format!(
        "syntax = \"proto3\";\npackage t;\n{message}\nservice Service {{ rpc Call(Request) returns (Request); }}\n"
    )
}

fn message(name: &str, paths: &[Vec<String>]) -> String {
    let firsts: BTreeSet<&String> = paths.iter().filter_map(|path| path.first()).collect();
    let mut text = format!("message {name} {{\n");
    for (number, first) in (1..).zip(firsts) {
        let below: Vec<Vec<String>> = (paths.iter())
            .filter(|path| path.first() == Some(first) && path.len() > 1)
            .map(|path| path[1..].to_vec())
            .collect();
        if below.is_empty() {
            text.push_str(&format!("string {first} = {number};\n"));
        } else {
            let inner = format!("M{first}");
            text.push_str(&message(&inner, &below));
            text.push_str(&format!("{inner} {first} = {number};\n"));
        }
    }
    text.push_str("}\n");
    text
}
