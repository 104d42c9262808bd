use super::*;

fn services(
    settings: impl IntoIterator<Item = (&'static str, &'static [&'static str])>,
) -> Services {
    let settings = settings.into_iter().map(|(name, parents)| {
        let settings = ServiceSettings::new(name);
        let parents = parents.iter().map(|it| it.parse().unwrap());
        parents.fold(settings, ServiceSettings::parent)
    });
    Services::new(settings.collect(), &BTreeSet::new())
}

fn names(services: &Services, parent: &str) -> Vec<String> {
    let parent = parent.parse().unwrap();
    let below = services.below(&parent).into_iter();
    below.map(|it| it.name().to_owned()).collect()
}

/// spec:81 spec:85
#[test]
fn a_parent_belongs_to_the_services_that_bind_it() {
    let all = services([
        ("a.A", &[] as &[_]),
        ("b.B", &["users/*"]),
        ("c.C", &["users/*", "projects/*/locations/*"]),
    ]);
    for (parent, expected) in [
        ("", &["a.A"] as &[_]),
        ("operations", &["a.A"]),
        ("users/u", &["b.B", "c.C"]),
        ("users/u/operations", &["b.B", "c.C"]),
        ("users/-", &["b.B", "c.C"]),
        ("projects/p/locations/-", &["c.C"]),
        ("-/p/locations/-", &[]),
        ("-/-", &[]),
        ("users/u/v", &[]),
        ("projects/p", &[]),
    ] {
        assert_eq!(names(&all, parent), expected, "{parent}");
    }
}

#[test]
fn a_start_has_to_fit_its_service() {
    let all = services([("a.A", &["users/*"] as &[_])]);
    let name = "users/u/operations/1".parse().unwrap();
    assert_eq!(all.of_start("/a.A/Export", &name).unwrap().name(), "a.A");
    let error = all.of_start("/b.B/Export", &name).unwrap_err();
    assert_eq!(error.code(), tonic::Code::Internal);
    assert!(error.message().contains("OperationsBuilder::bind"));
    let name = "operations/1".parse().unwrap();
    let error = all.of_start("/a.A/Export", &name).unwrap_err();
    assert_eq!(error.code(), tonic::Code::Internal);
    assert!(error.message().contains("users/*/operations/*"), "{error}");
    let open = services([]);
    assert!(open.of_start("/b.B/Export", &name).is_ok());
}

#[test]
fn a_path_names_its_service() {
    assert_eq!(service_of("/a.b.C/D"), "a.b.C");
    assert_eq!(service_of("a"), "a");
    assert_eq!(service_of(""), "");
}

#[test]
fn any_one_scope_suffices_and_reading_needs_less() {
    let service = ServiceSettings::new("a.A")
        .scopes(["cloud-platform", "genomics"])
        .read_only_scopes(["genomics.readonly"]);
    for (scopes, reads, writes) in [
        (&["cloud-platform"] as &[&str], true, true),
        (&["other", "genomics"], true, true),
        (&["genomics.readonly"], true, false),
        (&["genomics.readonl"], false, false),
        (&[], false, false),
    ] {
        let principal = Principal::new("p").with_scopes(scopes.iter().copied());
        assert_eq!(service.admits_scopes(&principal, true), reads, "{scopes:?}");
        assert_eq!(
            service.admits_scopes(&principal, false),
            writes,
            "{scopes:?}"
        );
    }
    assert!(!service.admits_scopes(&Principal::new("p"), true));
    assert!(ServiceSettings::new("a.A").admits_scopes(&Principal::new("p"), false));
}

fn with_lists(settings: [(&'static str, &'static str, Option<usize>); 2]) -> Services {
    let settings = settings.map(|(name, parent, max_page_size)| {
        let mut settings = ServiceSettings::new(name).parent(parent.parse().unwrap());
        settings.list_policy = max_page_size.map(|max| ListPolicy::default().max_page_size(max));
        settings
    });
    let policy = ListPolicy::default().max_page_size(1);
    Services::new(settings.into(), &BTreeSet::new()).with_lists(policy, &Schema::default())
}

#[test]
fn a_list_is_as_its_services_say_if_they_agree() {
    for (a, b, list, max, mixed) in [
        (
            ("users/*", Some(2)),
            ("projects/*", Some(3)),
            "users/u",
            2,
            false,
        ),
        (
            ("users/*", Some(2)),
            ("projects/*", Some(3)),
            "projects/-",
            3,
            false,
        ),
        (
            ("users/*", Some(2)),
            ("projects/*", None),
            "projects/-",
            1,
            false,
        ),
        (
            ("users/*", Some(2)),
            ("users/*", Some(2)),
            "users/u",
            2,
            false,
        ),
        (
            ("users/*", Some(2)),
            ("users/*", Some(3)),
            "users/u",
            1,
            true,
        ),
        (
            ("users/*", Some(2)),
            ("users/*", Some(3)),
            "users/-",
            1,
            true,
        ),
        (("users/*", Some(2)), ("users/*", None), "users/u", 1, true),
        (("users/*", None), ("users/*", None), "users/u", 1, false),
        // One of them has such a parent, and the other all.
        (
            ("users/u", Some(2)),
            ("users/*", Some(3)),
            "users/u",
            1,
            true,
        ),
        (
            ("users/u", Some(2)),
            ("users/*", Some(3)),
            "users/v",
            3,
            true,
        ),
        (
            ("users/u", Some(2)),
            ("users/*", Some(3)),
            "users/-",
            3,
            true,
        ),
        // A name of no service.
        (
            ("users/*", Some(2)),
            ("projects/*", Some(3)),
            "folders/f",
            1,
            false,
        ),
    ] {
        let all = with_lists([("a.A", a.0, a.1), ("b.B", b.0, b.1)]);
        let policy = all.list_policy(&list.parse().unwrap());
        assert_eq!(policy.max_page_size, Some(max), "{a:?} {b:?}: {list}");
        assert_eq!(!all.mixed_lists().is_empty(), mixed, "{a:?} {b:?}");
    }
}

#[test]
fn a_service_without_lists_affects_no_other() {
    let mut all = with_lists([("a.A", "users/*", Some(2)), ("b.B", "users/*", Some(3))]);
    assert_eq!(all.mixed_lists().len(), 1);
    all.settings[1].without.insert(OperationsRpc::List);
    assert_eq!(all.mixed_lists().len(), 0);
    let policy = all.list_policy(&"users/u".parse().unwrap());
    assert_eq!(policy.max_page_size, Some(2));
}
