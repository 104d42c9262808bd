use super::*;
use crate::tidy::repo::Dependency;

fn repo(name: &str, dependencies: &[(&str, DependencyKind)]) -> Repo {
    let mut crates: Vec<Crate> = ROWS
        .iter()
        .map(|row| Crate {
            name: row.name.to_owned(),
            ..Crate::default()
        })
        .collect();
    let this = crates.iter_mut().find(|this| this.name == name);
    this.unwrap().dependencies = dependencies
        .iter()
        .map(|(name, kind)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
            requirement: "*".to_owned(),
        })
        .collect();
    Repo {
        crates,
        ..Repo::default()
    }
}

#[test]
fn forbidden_arrows_are_found() {
    use DependencyKind::{Build, Development, Normal};
    for (from, to, kind) in [
        ("lro-core", "lro-server", Normal),
        ("lro-core", "tokio", Normal),
        ("lro-core", "lro-sqlite", Development),
        ("lro-server", "lro-client", Normal),
        ("lro-client", "lro-server", Normal),
        ("lro-client", "rusqlite", Normal),
        ("lro-sqlite", "lro-server", Normal),
        ("lro-sqlite", "lro-server", Development),
        ("lro-sqlite", "lro-client", Development),
        ("lro-server", "serde_json", Normal),
        ("lro-build", "lro-core", Normal),
        ("lro-build", "lro-server", Development),
        ("lro-server", "lro-build", Build),
    ] {
        let findings = check(&repo(from, &[(to, kind)]));
        assert_eq!(findings.len(), 1, "{from} -> {to}: {findings:?}");
        assert!(findings[0].contains(to), "{findings:?}");
    }
}

#[test]
fn allowed_arrows_are_not() {
    use DependencyKind::{Build, Development, Normal};
    for (from, to, kind) in [
        ("lro-server", "lro-core", Normal),
        ("lro-server", "lro-sqlite", Development),
        ("lro-client", "lro-server", Development),
        ("lro-core", "tokio", Development),
        ("lro-core", "prost", Normal),
        ("lro-sqlite", "rusqlite", Normal),
        ("archiver", "lro-build", Build),
        ("lro-build", "lro-core", Development),
    ] {
        assert_eq!(check(&repo(from, &[(to, kind)])), [""; 0], "{from} -> {to}");
    }
}

#[test]
fn the_table_and_the_workspace_name_the_same_crates() {
    let mut repo = repo("lro-core", &[]);
    repo.crates[0].name = "lro-unheard-of".to_owned();
    let findings = check(&repo);
    assert!(
        findings[0].contains("lro-unheard-of has no row"),
        "{findings:?}"
    );
    assert!(findings[1].contains("a row for lro-core"), "{findings:?}");
}
