//! `lro ui`: a browser that follows the link.

use lro_cli::exit::Exit;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Lro;
use crate::support::live::Live;

/// The whole answer to a GET.
async fn get(address: &str, path: &str, cookie: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Follows the link, and looks at the list and an operation.
async fn visit(link: &str, name: &str) -> [String; 2] {
    let (address, path) = link
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let closed = get(address, "", "").await;
    assert!(closed.starts_with("HTTP/1.1 401"), "{closed}");
    let entered = get(address, path, "").await;
    assert!(entered.starts_with("HTTP/1.1 303"), "{entered}");
    let cookie = entered.split("set-cookie: ").nth(1).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let list = get(address, "", cookie).await;
    let operation = get(address, &format!("operation?name={name}"), cookie).await;
    [list, operation]
}

#[tokio::test]
async fn a_browser_sees_what_the_server_tells() {
    let mut lives = Live::inspected().await;
    let inspected = lives.remove(0);
    let standard = Live::start(None).await;
    for (live, tells_records) in [(inspected, true), (standard, false)] {
        let lro = Lro::to(&live.url()).variable("LRO_PROGRESS", "none");
        let started = lro.run("start Exporter/Export tables=users -q").await;
        let name = started.stdout.trim().to_owned();
        lro.run(&format!("wait {name} -q")).await;
        let visitor = async |link: &str| {
            let [list, operation] = visit(link, &name).await;
            assert!(list.contains(&name) && list.contains("SUCCEEDED"), "{list}");
            assert_eq!(list.contains("data-count"), tells_records, "{list}");
            // The server reflects its types.
            assert!(operation.contains("tables_exported"), "{operation}");
            let lacks = "The server tells only what google.longrunning has";
            assert_eq!(operation.contains(lacks), !tells_records);
        };
        lro.while_serving("ui", visitor).await;
    }
}

#[tokio::test]
async fn only_this_machine_reaches_the_page() {
    let refused = Lro::to("localhost:1").run("ui --listen 0.0.0.0:0").await;
    assert_eq!(refused.exit, Exit::Usage);
    assert!(
        refused.stderr.contains("with your credentials"),
        "{refused:?}"
    );
}
