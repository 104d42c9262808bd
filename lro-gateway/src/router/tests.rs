use super::*;

const BINDINGS: &[(&str, &str)] = &[
    ("GET", "/v1/{name=depots/*/parcels/*}"),
    ("POST", "/v1/{name=depots/*/parcels/*}:recall"),
    ("GET", "/v1/tree/{path=**}"),
    ("GET", "/v1/tree/{path=**}:stat"),
    ("GET", "/v1/trail/{path=**}/history"),
    ("GET", "/v1/pairs/{a}/{b}"),
    ("POST", "/v1/pairs/{a}/{b}"),
    ("GET", "/v1/pairs/main/{b}"),
    ("GET", "/v1/pairs/{a}/open"),
    ("*", "/v1/echo/{path}"),
    ("GET", "/v1/echo/fixed"),
    ("GET", "/v2/{name=operations/**}"),
    ("GET", "/v2/{name=**/operations/*}"),
];

/// The binding that is found, or the methods that are, or nothing.
fn find(method: &str, path: &str) -> String {
    let mut router = Router::default();
    for (method, template) in BINDINGS {
        let template_of = Template::parse(template).unwrap();
        assert!(router.add(method, &template_of, *template).is_ok());
    }
    let path = Path::new(path).unwrap();
    match router.find(method, &path) {
        Found::Binding(template, matched) => {
            let matched: Vec<String> = matched.iter().map(|taken| taken.join("+")).collect();
            format!("{template} {}", matched.join(" "))
        }
        Found::OtherMethods(methods) => format!("{methods:?}"),
        Found::Nothing => "nothing".to_owned(),
    }
}

/// gateway:13 gateway:14 gateway:15 gateway:16 gateway:18 gateway:19 gateway:20 gateway:21
#[test]
fn the_most_specific_binding_is_found() {
    for (method, path, expected) in [
        (
            "GET",
            "/v1/depots/n/parcels/p",
            "/v1/{name=depots/*/parcels/*} v1 depots n parcels p",
        ),
        (
            "POST",
            "/v1/depots/n/parcels/p:recall",
            "/v1/{name=depots/*/parcels/*}:recall v1 depots n parcels p",
        ),
        (
            "POST",
            "/v1/depots/n/parcels/a:b:recall",
            "/v1/{name=depots/*/parcels/*}:recall v1 depots n parcels a:b",
        ),
        (
            "GET",
            "/v1/depots/n/parcels/p:copy",
            "/v1/{name=depots/*/parcels/*} v1 depots n parcels p:copy",
        ),
        (
            "GET",
            "/v1/depots/n/parcels/p:",
            "/v1/{name=depots/*/parcels/*} v1 depots n parcels p:",
        ),
        ("GET", "/v1/tree", "/v1/tree/{path=**} v1 tree "),
        ("GET", "/v1/tree:stat", "/v1/tree/{path=**}:stat v1 tree "),
        ("GET", "/v1/tree/a/b/c", "/v1/tree/{path=**} v1 tree a+b+c"),
        (
            "GET",
            "/v1/tree/a:stat/c",
            "/v1/tree/{path=**} v1 tree a:stat+c",
        ),
        (
            "GET",
            "/v1/trail/a/b/history",
            "/v1/trail/{path=**}/history v1 trail a+b history",
        ),
        (
            "GET",
            "/v1/trail/history/history",
            "/v1/trail/{path=**}/history v1 trail history history",
        ),
        (
            "GET",
            "/v1/pairs/main/x",
            "/v1/pairs/main/{b} v1 pairs main x",
        ),
        (
            "GET",
            "/v1/pairs/main/open",
            "/v1/pairs/main/{b} v1 pairs main open",
        ),
        (
            "GET",
            "/v1/pairs/x/open",
            "/v1/pairs/{a}/open v1 pairs x open",
        ),
        (
            "POST",
            "/v1/pairs/main/x",
            "/v1/pairs/{a}/{b} v1 pairs main x",
        ),
        ("PURGE", "/v1/echo/x", "/v1/echo/{path} v1 echo x"),
        ("PURGE", "/v1/echo/fixed", "/v1/echo/{path} v1 echo fixed"),
        ("GET", "/v1/echo/fixed", "/v1/echo/fixed v1 echo fixed"),
        (
            "GET",
            "/v2/operations/7",
            "/v2/{name=operations/**} v2 operations 7",
        ),
        (
            "GET",
            "/v2/a/b/operations/7",
            "/v2/{name=**/operations/*} v2 a+b operations 7",
        ),
        (
            "GET",
            "/v2/operations/a/operations/7",
            "/v2/{name=operations/**} v2 operations a+operations+7",
        ),
    ] {
        assert_eq!(find(method, path), expected, "{method} {path}");
    }
}

/// gateway:22 gateway:26 gateway:27 gateway:30
#[test]
fn another_method_of_a_known_path_differs_from_an_unknown_path() {
    for (method, path, expected) in [
        ("GET", "/v1/depots/n/parcels/p:recall", r#"{"POST"}"#),
        ("POST", "/v1/depots/n/parcels/p:Recall", r#"{"GET"}"#),
        ("POST", "/v1/depots/n/parcels/p%3Arecall", r#"{"GET"}"#),
        ("get", "/v1/tree/a", r#"{"GET"}"#),
        ("PUT", "/v1/pairs/main/x", r#"{"GET", "POST"}"#),
        ("GET", "/v1/Depots/n/parcels/p", "nothing"),
        ("GET", "/v1/depots/n/parcels", "nothing"),
        ("GET", "/v1/trail/history", "nothing"),
        ("GET", "/", "nothing"),
    ] {
        assert_eq!(find(method, path), expected, "{method} {path}");
    }
}

/// gateway:17
#[test]
fn an_empty_segment_never_matches() {
    for path in [
        "/v1/depots//parcels/p",
        "/v1/depots/n/parcels/p/",
        "//v1/tree",
        "/v1/tree/",
        "/v1/depots/n/parcels/:recall",
        "/v1/tree/:stat",
        "/v1/tree//:stat",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(find(method, path), "nothing", "{method} {path}");
        }
    }
}

/// gateway:10
#[test]
fn a_second_binding_of_one_shape_gives_the_first() {
    let template = |text| Template::parse(text).unwrap();
    let mut router = Router::default();
    router
        .add("GET", &template("/v1/{name=depots/*}"), 1)
        .unwrap();
    router
        .add("DELETE", &template("/v1/{name=depots/*}"), 2)
        .unwrap();
    router
        .add("GET", &template("/v1/{name=depots/*}:look"), 3)
        .unwrap();
    assert_eq!(
        router.add("GET", &template("/v1/depots/{depot}"), 4),
        Err(&1)
    );
}
