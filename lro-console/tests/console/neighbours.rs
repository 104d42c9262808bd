//! From one operation to the next, in the order and with the filter of the list.

use std::time::Duration;

use http::StatusCode;
use lro_console::Console;

use crate::fixture::{Fixture, get};

/// The name of the operation that a link leads to; `None` at the end of the list.
async fn step(console: &Console, name: &str, to: &str, list: &str) -> Option<String> {
    let page = get(console, &format!("/neighbour?name={name}&to={to}&{list}")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let location = page.location().to_owned();
    assert!(location.ends_with(list), "{location}");
    let there = get(console, location.strip_prefix('.').unwrap()).await;
    assert_eq!(there.status, StatusCode::OK, "{}", there.text);
    let is_end = there.text.contains(&format!("No {to} one in this list."));
    assert_eq!(location.contains(&format!("end={to}")), is_end);
    let name = location.split("name=").nth(1).unwrap();
    let name = name.split('&').next().unwrap();
    (!is_end).then(|| name.to_owned())
}

async fn walk(console: &Console, from: &str, to: &str, list: &str) -> Vec<String> {
    let mut names = vec![from.to_owned()];
    while let Some(next) = step(console, names.last().unwrap(), to, list).await {
        names.push(next);
    }
    names
}

#[tokio::test]
async fn links_lead_through_the_list_that_one_came_from() {
    let fixture = Fixture::new();
    let (mut pending, mut all) = (Vec::new(), Vec::new());
    for number in 0..70_u64 {
        let name = match number % 3 {
            0 => fixture.running(1, 8).await,
            _ => fixture.pending().await,
        };
        if number % 3 != 0 {
            pending.insert(0, name.to_string());
        }
        all.insert(0, name.to_string());
        // Several at the same time, then a second, an hour, and days later.
        let pause = [0, 0, 1, 3_600, 200_000][number as usize % 5];
        fixture.clock.advance(Duration::from_secs(pause));
    }
    let console = fixture.console();
    for (list, names) in [("", &all), ("state=pending", &pending)] {
        let older = walk(&console, &names[0], "older", list).await;
        assert_eq!(older, *names, "{list}");
        let newer = walk(&console, names.last().unwrap(), "newer", list).await;
        assert!(newer.iter().rev().eq(names), "{list}: {newer:?}");
    }
    // The list's own links remember it, and so does the way back.
    let list = get(&console, "/?state=pending&filter=labels.team+%3D+data").await;
    let link = "&amp;filter=labels.team%20%3D%20data&amp;state=pending\"";
    assert!(list.text.contains(link), "{}", list.text);
    let path = format!("/operation?name={}&state=pending", pending[0]);
    let page = get(&console, &path).await;
    assert!(page.text.contains("id=\"back\" href=\"./?state=pending\""));
    // An operation that has left the list leads on from its place.
    let beside = step(&console, &all[2], "older", "state=pending").await;
    assert!(beside.is_some_and(|name| pending.contains(&name)));
    let missing = get(&console, "/neighbour?name=operations/none&to=older").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
