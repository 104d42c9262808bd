//! Calls that the sources of a crate never make.

use super::Findings;
use super::code::{code_without_tests, is_test_path, lines_with};
use super::repo::Repo;

/// Words that do not occur in the code below a folder, tests aside.
struct Rule {
    below: &'static str,
    except: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        below: "",
        except: &["lro-core/src/clock.rs"],
        words: &[
            "SystemTime::now",
            "Utc::now",
            "OffsetDateTime::now",
            "Uuid::now_v7",
        ],
        reason: "the wall clock is read in lro-core/src/clock.rs only; take a `Clock`",
    },
    Rule {
        below: "lro-core/src/",
        except: &[],
        words: &[
            "tokio::",
            "thread::spawn",
            "thread::Builder",
            "std::net",
            "std::fs",
            "std::process",
            "TcpStream",
            "TcpListener",
            "UnixStream",
            "Instant::now",
        ],
        reason: "lro-core starts no task, opens no socket or file and measures no time",
    },
    Rule {
        below: "lro-macros/src/",
        except: &[],
        words: &["std::fs", "std::env", "std::process", "std::net"],
        reason: "lro-macros turns tokens into tokens",
    },
    Rule {
        below: "lro-build/src/",
        except: &[],
        words: &["std::process", "Command::new", "std::net"],
        reason: "lro-build starts no process: no protoc is needed",
    },
];

/// The only roots of absolute paths in lro-macros, and so in what it expands to. `lro_server` is
/// the default of the argument `crate`, to which `__private` is appended.
const MACRO_ROOTS: &[&str] = &["core", "lro_server"];

pub(super) fn check(repo: &Repo) -> Findings {
    let sources = repo
        .files_with(".rs")
        .filter(|file| !is_test_path(&file.path));
    let mut findings = Vec::new();
    for file in sources {
        let code = code_without_tests(&file.text);
        for rule in RULES {
            let except = rule.except.contains(&&*file.path);
            if except || !file.path.starts_with(rule.below) {
                continue;
            }
            for word in rule.words {
                findings.extend(
                    lines_with(&code, word)
                        .map(|line| format!("{}:{line}: `{word}`: {}", file.path, rule.reason)),
                );
            }
        }
        if file.path.starts_with("lro-macros/src/") {
            check_roots(&file.path, &code, &mut findings);
        }
    }
    findings
}

fn check_roots(path: &str, code: &str, findings: &mut Findings) {
    for (at, line) in code.lines().enumerate() {
        for root in roots(line).filter(|root| !MACRO_ROOTS.contains(root)) {
            findings.push(format!(
                "{path}:{}: `::{root}`: expanded code names only `__private` of lro-server, \
                 `::core` and the user's own types",
                at + 1
            ));
        }
    }
}

/// The first segments of the absolute paths in a line of code.
fn roots(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("::").filter_map(|(at, _)| {
        let before = line[..at].trim_end();
        let goes_on = before.ends_with(|c: char| c.is_alphanumeric() || "_*)]:".contains(c))
            || before.ends_with('>') && !before.ends_with("->") && !before.ends_with("=>");
        let after = &line[at + 2..];
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
        let root = &after[..end.unwrap_or(after.len())];
        (!goes_on && !root.is_empty()).then_some(root)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, found: &[&str]) {
        let findings = check(&Repo::of_files(&[(path, text)]));
        assert_eq!(findings.len(), found.len(), "{path}: {findings:?}");
        for (finding, found) in findings.iter().zip(found) {
            assert!(finding.contains(found), "{finding}");
        }
    }

    #[test]
    fn the_wall_clock() {
        let read = "fn now() -> SystemTime { SystemTime::now() }";
        check_one(
            "lro-server/src/operations.rs",
            read,
            &["operations.rs:1: `SystemTime::now`"],
        );
        check_one(
            "examples/archiver/src/main.rs",
            "Uuid::now_v7()",
            &["Uuid::now_v7"],
        );
        check_one("lro-core/src/clock.rs", read, &[]);
        check_one("lro-core/src/name.rs", &format!("// {read}"), &[]);
        check_one(
            "lro-core/src/name.rs",
            &format!("#[cfg(test)] mod tests {{ {read} }}"),
            &[],
        );
    }

    #[test]
    fn tasks_sockets_and_processes() {
        check_one(
            "lro-core/src/memory.rs",
            "\ntokio::spawn(a())",
            &["memory.rs:2: `tokio::`"],
        );
        check_one(
            "lro-core/src/memory.rs",
            "std::thread::spawn(a)",
            &["thread::spawn"],
        );
        check_one(
            "lro-core/src/memory.rs",
            "use std::net::IpAddr;",
            &["std::net"],
        );
        check_one("lro-server/src/worker.rs", "tokio::spawn(a())", &[]);
        check_one(
            "lro-build/src/protos.rs",
            "Command::new(a)",
            &["Command::new"],
        );
        check_one("lro-macros/src/check.rs", "std::fs::read(a)", &["std::fs"]);
    }

    #[test]
    fn roots_of_expanded_paths() {
        let path = "lro-macros/src/expand.rs";
        for good in [
            "quote! { fn a() -> ::core::result::Result<#b, #private::Status> }",
            "quote! { #(#module::)* methods::#marker }",
            "quote! { <#marker as #private::LongRunningMethod>::Response }",
            "quote! { #krate::__private }",
            "parse_quote!(::lro_server)",
            "Vec::<Member>::new()",
        ] {
            check_one(path, good, &[]);
        }
        check_one(path, "quote! { ::tonic::Status }", &["`::tonic`"]);
        check_one(
            path,
            "quote! { fn a() -> ::std::sync::Arc<B> }",
            &["`::std`"],
        );
        check_one(
            path,
            "quote! { A<::lro_core::Operation> }",
            &["`::lro_core`"],
        );
        check_one("lro-macros/src/tests/expansion.rs", "::tonic::Status", &[]);
    }
}
