//! One file that includes all others, each in the module of its package.

use std::fmt::Write;

use prost_build::Module;

// Input:  [a.v1, a.v1.b]
// Output: pub mod a { pub mod v1 { include!("a.v1.rs"); pub mod b { include!("a.v1.b.rs"); } } }
pub(crate) fn text<'a>(modules: impl Iterator<Item = &'a Module>) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = vec![];
    for module in modules {
        let parts: Vec<&str> = module.parts().collect();
        let shared = open.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        close(&mut out, &mut open, shared);
        for part in parts.into_iter().skip(shared) {
            line(&mut out, open.len(), &format!("pub mod {part} {{"));
            open.push(part);
        }
        let include = format!("include!({:?});", module.to_file_name_or("_"));
        line(&mut out, open.len(), &include);
    }
    close(&mut out, &mut open, 0);
    out
}

fn close(out: &mut String, open: &mut Vec<&str>, depth: usize) {
    while open.len() > depth {
        open.pop();
        line(out, open.len(), "}");
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

    #[test]
    fn packages_become_modules() {
        let packages = ["", "a.type", "a.v1", "a.v1.b", "b"];
        let modules = packages.map(Module::from_protobuf_package_name);
        expect![[r#"
            include!("_.rs");
            pub mod a {
                pub mod r#type {
                    include!("a.r#type.rs");
                }
                pub mod v1 {
                    include!("a.v1.rs");
                    pub mod b {
                        include!("a.v1.b.rs");
                    }
                }
            }
            pub mod b {
                include!("b.rs");
            }
        "#]]
        .assert_eq(&text(modules.iter()));
    }
}
