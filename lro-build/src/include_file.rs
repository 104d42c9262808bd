//! One file that includes all others, each in the module of its package.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_build::Module;

/// The file's text; and into the code of a package goes what shares a module with it.
///
/// A message `a.b.Cluster` with nested types has a module, which is also the module of a package
/// `a.b.cluster`: there they meet.
pub(crate) fn text(modules: &mut [(Module, String)]) -> String {
    let mut top: Vec<Vec<String>> = vec![];
    let mut shared: BTreeMap<(usize, Vec<String>), Vec<Vec<String>>> = BTreeMap::new();
    for (module, _) in modules.iter() {
        let parts: Vec<String> = module.parts().map(str::to_owned).collect();
        match host(modules, &parts) {
            Some((index, depth)) => {
                let start = modules[index].0.len();
                let path = parts[start..start + depth].to_vec();
                shared.entry((index, path)).or_default().push(parts);
            }
            None => top.push(parts),
        }
    }
    // The deepest first, so that what was found is still where it was.
    for ((index, path), packages) in shared.iter().rev() {
        let (module, code) = &mut modules[*index];
        let before = module.len() + path.len();
        if let Some((at, _)) = find(code, path) {
            let mut out = String::new();
            tree(&mut out, packages, before, path.len());
            code.insert_str(at, &out);
        }
    }
    let mut out = String::new();
    tree(&mut out, &top, 0, 0);
    out
}

/// The package whose code has a module that this package is in, and how deep in it.
fn host(modules: &[(Module, String)], parts: &[String]) -> Option<(usize, usize)> {
    (0..parts.len()).rev().find_map(|length| {
        let index = modules
            .iter()
            .position(|(module, _)| module.parts().eq(&parts[..length]))?;
        let rest = &parts[length..];
        let depth = (1..=rest.len())
            .rev()
            .find(|depth| find(&modules[index].1, &rest[..*depth]).is_some())?;
        Some((index, depth))
    })
}

/// The begin and the end of what is in a module of the formatted code.
fn find(code: &str, path: &[String]) -> Option<(usize, usize)> {
    let (mut start, mut end) = (0, code.len());
    for (depth, name) in path.iter().enumerate() {
        let indent = " ".repeat(depth * 4);
        let head = format!("{indent}pub mod {name} {{\n");
        let inner = &code[start..end];
        let at = if inner.starts_with(&head) {
            0
        } else {
            inner.find(&format!("\n{head}"))? + 1
        };
        start += at + head.len();
        end = start + code[start..end].find(&format!("\n{indent}}}\n"))? + 1;
    }
    Some((start, end))
}

// Input:  [a.v1, a.v1.b]
// Output: pub mod a { pub mod v1 { include!("a.v1.rs"); pub mod b { include!("a.v1.b.rs"); } } }
fn tree(out: &mut String, packages: &[Vec<String>], skip: usize, depth: usize) {
    let mut open: Vec<&str> = vec![];
    for package in packages {
        let parts: Vec<&str> = package.iter().skip(skip).map(String::as_str).collect();
        let shared = open.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        close(out, &mut open, shared, depth);
        for part in parts.into_iter().skip(shared) {
            open.push(part);
            // A crate may deny what is missing, or public in a private module.
            let path = package[..skip + open.len()].join(".").replace("r#", "");
            let depth = depth + open.len() - 1;
            line(out, depth, &format!("/// The protos of `{path}`."));
            if depth == 0 {
                line(out, depth, "#[allow(unreachable_pub)]");
            }
            line(out, depth, &format!("pub mod {part} {{"));
        }
        let file = Module::from_parts(package.iter().cloned()).to_file_name_or("_");
        line(out, depth + open.len(), &format!("include!({file:?});"));
    }
    close(out, &mut open, 0, depth);
}

fn close(out: &mut String, open: &mut Vec<&str>, length: usize, depth: usize) {
    while open.len() > length {
        open.pop();
        line(out, depth + open.len(), "}");
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = depth * 4);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use prost_build::Module;

    use super::text;

    fn modules(packages: &[(&str, &str)]) -> Vec<(Module, String)> {
        packages
            .iter()
            .map(|(package, code)| {
                let module = Module::from_protobuf_package_name(package);
                (module, (*code).to_owned())
            })
            .collect()
    }

    #[test]
    fn packages_become_modules() {
        let packages = ["", "a.type", "a.v1", "a.v1.b", "b"].map(|package| (package, ""));
        expect![[r#"
            include!("_.rs");
            /// The protos of `a`.
            #[allow(unreachable_pub)]
            pub mod a {
                /// The protos of `a.type`.
                pub mod r#type {
                    include!("a.r#type.rs");
                }
                /// The protos of `a.v1`.
                pub mod v1 {
                    include!("a.v1.rs");
                    /// The protos of `a.v1.b`.
                    pub mod b {
                        include!("a.v1.b.rs");
                    }
                }
            }
            /// The protos of `b`.
            #[allow(unreachable_pub)]
            pub mod b {
                include!("b.rs");
            }
        "#]]
        .assert_eq(&text(&mut modules(&packages)));
    }

    /// report:M3
    #[test]
    fn a_package_shares_the_module_of_nested_types() {
        let code = "pub struct Cluster {}\npub mod cluster {\n    pub mod node {\n        pub enum \
                    Kind {}\n    }\n}\n";
        let mut modules = modules(&[
            ("a", code),
            ("a.b", ""),
            ("a.cluster", ""),
            ("a.cluster.node", ""),
            ("a.cluster.v1", ""),
        ]);
        expect![[r#"
            /// The protos of `a`.
            #[allow(unreachable_pub)]
            pub mod a {
                include!("a.rs");
                /// The protos of `a.b`.
                pub mod b {
                    include!("a.b.rs");
                }
            }
        "#]]
        .assert_eq(&text(&mut modules));
        expect![[r#"
            pub struct Cluster {}
            pub mod cluster {
                include!("a.cluster.rs");
                /// The protos of `a.cluster.v1`.
                pub mod v1 {
                    include!("a.cluster.v1.rs");
                }
                pub mod node {
                    include!("a.cluster.node.rs");
                    pub enum Kind {}
                }
            }
        "#]]
        .assert_eq(&modules[0].1);
    }
}
