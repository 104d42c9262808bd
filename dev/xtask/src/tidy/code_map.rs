//! ARCHITECTURE.md's code map has every crate, and every file that it names is there.

use super::Findings;
use super::repo::Repo;

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn check(repo: &Repo) -> Findings {
    let text = repo.text(MAP).unwrap_or_default();
    let Some((_, map)) = text.split_once("\n## Code map\n") else {
        return vec![format!("{MAP} has no section `Code map`")];
    };
    let map = map.split("\n## ").next().unwrap_or_default();
    let mut findings = Vec::new();
    for this in &repo.crates {
        let heading = format!("\n### `{}`", this.dir);
        if !map.contains(&heading) {
            findings.push(format!("{MAP}: the code map has no heading `{}`", this.dir));
        }
    }
    let mut dir = "";
    for line in map.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            dir = heading.split('`').next().unwrap_or_default();
            if !repo.crates.iter().any(|this| this.dir == dir) {
                findings.push(format!("{MAP}: `{dir}` is no crate"));
            }
        }
        // Modules stand at the beginning of a list item: "* `worker`, `run`: what they do".
        let Some(item) = line.strip_prefix("* ") else {
            continue;
        };
        let modules = item.split(':').next().unwrap_or_default();
        for module in modules.split('`').skip(1).step_by(2) {
            if !is_there(repo, dir, module) {
                findings.push(format!("{MAP}: `{dir}` has no module or file `{module}`"));
            }
        }
    }
    findings
}

/// A path with a dot or a slash is one from the crate's folder; a bare word is a module.
fn is_there(repo: &Repo, dir: &str, module: &str) -> bool {
    let starts = match module.contains(['.', '/']) {
        true => [format!("{dir}/{module}"), format!("{dir}/{module}")],
        false => [
            format!("{dir}/src/{module}.rs"),
            format!("{dir}/src/{module}/"),
        ],
    };
    let there = |path: &str| starts.iter().any(|start| path.starts_with(&**start));
    repo.files.iter().any(|file| there(&file.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repo::Crate;

    #[test]
    fn crates_and_modules_that_are_missing_are_found() {
        let check = |text: &str, found: &[&str]| {
            let mut repo = Repo::of_files(&[
                (MAP, text),
                ("lro-core/src/state.rs", ""),
                ("lro-core/src/pb/a.rs", ""),
                ("lro-core/proto/a.proto", ""),
            ]);
            repo.crates = vec![Crate {
                dir: "lro-core".to_owned(),
                ..Crate::default()
            }];
            let findings = check(&repo);
            assert_eq!(findings.len(), found.len(), "{text}: {findings:?}");
            for (finding, found) in findings.iter().zip(found) {
                assert!(finding.contains(found), "{finding}");
            }
        };
        let with =
            |lines: &str| format!("# A\n\n## Code map\n\n{lines}\n\n## Next\n\n* `none`: a\n");
        check("# A\n", &["no section"]);
        check(&with(""), &["no heading `lro-core`"]);
        check(
            &with("### `lro-core`: it\n\n* `state`, `pb`: as `Said`\n* `proto/`: too"),
            &[],
        );
        check(
            &with("### `lro-core`\n\n* `status`: a\n* `protos/`: b"),
            &["`status`", "`protos/`"],
        );
        check(
            &with("### `lro-core`\n### `lro-none`"),
            &["`lro-none` is no crate"],
        );
    }
}
