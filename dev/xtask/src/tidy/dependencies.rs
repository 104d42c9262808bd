//! Licences, banned crates and crates that may have one version only, as deny.toml says.
//!
//! Without the network, and without cargo-deny, which reads the same file.

use std::collections::BTreeSet;

use toml::Value;

use super::Findings;
use super::licenses::Expression;
use super::repo::Repo;

pub(super) fn check(repo: &Repo) -> Findings {
    let rules = repo.text("deny.toml").map(str::parse::<toml::Table>);
    let Some(Ok(rules)) = rules else {
        return vec!["deny.toml cannot be read".to_owned()];
    };
    let mut findings = check_licenses(repo, &rules);
    findings.extend(check_bans(repo, &rules));
    findings
}

fn check_licenses(repo: &Repo, rules: &toml::Table) -> Findings {
    let allowed: BTreeSet<&str> = list(rules, "licenses", "allow")
        .filter_map(Value::as_str)
        .collect();
    let mut findings = Vec::new();
    for built in &repo.built {
        let name = format!("{} {}", built.name, built.version);
        let Some(license) = &built.license else {
            findings.push(format!("{name} states no licence"));
            continue;
        };
        match Expression::parse(license) {
            None => findings.push(format!("{name}: `{license}` is no licence expression")),
            Some(expression) if expression.is_met(&|one| allowed.contains(one)) => {}
            Some(_) => findings.push(format!(
                "{name}: deny.toml does not allow the licence `{license}`"
            )),
        }
    }
    findings
}

fn check_bans(repo: &Repo, rules: &toml::Table) -> Findings {
    let mut findings = Vec::new();
    for ban in list(rules, "bans", "deny") {
        let (Some(name), Some(reason)) = (text(ban, "crate"), text(ban, "reason")) else {
            findings.push(format!(
                "deny.toml: `{ban}` names no crate, or gives no reason"
            ));
            continue;
        };
        let once = ban.get("deny-multiple-versions").and_then(Value::as_bool) == Some(true);
        let versions: Vec<&str> = repo
            .locked
            .iter()
            .filter(|(locked, _)| locked == name)
            .map(|(_, version)| &**version)
            .collect();
        match versions[..] {
            [] => {}
            [_] if once => {}
            _ if once => findings.push(format!(
                "Cargo.lock has {name} {}: {reason}",
                versions.join(" and ")
            )),
            _ => findings.push(format!("Cargo.lock has {name}: {reason}")),
        }
    }
    findings
}

fn list<'a>(rules: &'a toml::Table, table: &str, key: &str) -> impl Iterator<Item = &'a Value> {
    let list = rules.get(table).and_then(|table| table.get(key));
    list.and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repo::Built;

    const RULES: &str = r#"
        [licenses]
        allow = ["Apache-2.0", "MIT"]
        [bans]
        deny = [
            { crate = "sqlx", reason = "two drivers" },
            { crate = "prost", deny-multiple-versions = true, reason = "its types meet" },
        ]
    "#;

    fn findings(license: Option<&str>, locked: &[(&str, &str)]) -> Findings {
        let own = |text: &str| text.to_owned();
        check(&Repo {
            built: vec![Built {
                name: own("one"),
                version: own("1.0.0"),
                license: license.map(own),
            }],
            locked: locked
                .iter()
                .map(|(name, version)| (own(name), own(version)))
                .collect(),
            ..Repo::of_files(&[("deny.toml", RULES)])
        })
    }

    #[test]
    fn licences() {
        assert_eq!(findings(Some("GPL-3.0-only OR MIT"), &[]), [""; 0]);
        assert!(findings(Some("GPL-3.0-only"), &[])[0].contains("does not allow"));
        assert!(findings(Some("MIT AND GPL-3.0-only"), &[])[0].contains("does not allow"));
        assert!(findings(Some("MIT OR"), &[])[0].contains("is no licence expression"));
        assert!(findings(None, &[])[0].contains("states no licence"));
    }

    #[test]
    fn banned_and_doubled_crates() {
        let good = [("prost", "0.14.4"), ("syn", "2.0.0"), ("syn", "3.0.0")];
        assert_eq!(findings(Some("MIT"), &good), [""; 0]);
        let doubled = [("prost", "0.13.0"), ("prost", "0.14.4")];
        assert_eq!(
            findings(Some("MIT"), &doubled),
            ["Cargo.lock has prost 0.13.0 and 0.14.4: its types meet"]
        );
        assert_eq!(
            findings(Some("MIT"), &[("sqlx", "0.9.0")]),
            ["Cargo.lock has sqlx: two drivers"]
        );
    }

    #[test]
    fn rules_that_cannot_be_read() {
        assert_eq!(check(&Repo::default()), ["deny.toml cannot be read"]);
        let repo = Repo::of_files(&[("deny.toml", "bans.deny = ['sqlx']")]);
        assert!(check(&repo)[0].contains("names no crate"));
    }
}
