//! The program's commands: what they print, and how they end.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::fs::File;
use std::io::Read as _;
use std::process::{Output, Stdio};

use nix::pty::openpty;
use support::Folders;
use support::process::{ServerProcess, archiver, command};

fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line of a failure.
fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, b"", "{output:?}");
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr.trim_end().strip_prefix("error: ");
    line.unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim_start_matches(':')
        .trim()
}

#[test]
fn the_demo_prints_the_result() {
    let folders = Folders::new();
    let source = folders.small("My Source");
    let output = archiver(&["demo", source.to_str().unwrap()]);
    let text = succeeded(&output);
    assert!(
        field(&text, "name").starts_with("archives/my-source-"),
        "{text}"
    );
    let path = field(&text, "path");
    assert_eq!(field(&text, "sha256"), support::tree::sha256(path.as_ref()));
    assert!(field(&text, "files").starts_with("1 "), "{text}");
    assert!(field(&text, "bytes").starts_with("9 "), "{text}");
    support::tree::assert_unpacks_to(path.as_ref(), &source);
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.contains("packing: 100%, 1/1 files"), "{progress}");
    let data = std::path::Path::new(path).ancestors().nth(2).unwrap();
    std::fs::remove_dir_all(data).unwrap();
}

#[test]
fn the_demo_has_a_bar_on_a_terminal() {
    let folders = Folders::new();
    let source = folders.small("source");
    let terminal = openpty(None, None).unwrap();
    let mut child = command()
        .arg("demo")
        .arg(&source)
        .stdin(Stdio::null())
        .stdout(terminal.slave.try_clone().unwrap())
        .stderr(terminal.slave)
        .spawn()
        .unwrap();
    // It ends with an error when the other end is closed.
    let mut bytes = Vec::new();
    let _ = File::from(terminal.master).read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("packing\u{1b}["), "{text:?}");
    let path = field(&text, "path");
    let data = std::path::Path::new(path).ancestors().nth(2).unwrap();
    std::fs::remove_dir_all(data).unwrap();
}

#[test]
fn commands_work_on_a_server() {
    let folders = Folders::new();
    let server = ServerProcess::start(&folders.data(), &[]);
    let run = |args: &[&str]| archiver(&[args, &["--server", &server.url]].concat());
    let source = folders.small("source");
    let source = source.to_str().unwrap();

    let operation = succeeded(&run(&["create", source, "--name", "one", "--no-wait"]));
    let operation = operation.trim_end();
    assert!(operation.starts_with("operations/"), "{operation}");
    let waited = succeeded(&run(&["wait", operation]));
    assert_eq!(field(&waited, "name"), "archives/one");
    assert_eq!(succeeded(&run(&["get", "one"])), waited);
    assert_eq!(succeeded(&run(&["get", "archives/one"])), waited);
    let got = succeeded(&run(&["get", operation]));
    assert_eq!(got, format!("{operation}  archives/one  done\n"));
    assert_eq!(succeeded(&run(&["list", "--operations"])), got);

    let created = succeeded(&run(&["create", source, "--name", "two"]));
    assert_eq!(field(&created, "sha256"), field(&waited, "sha256"));
    let listed = succeeded(&run(&["list"]));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.starts_with("archives/one  1 files  "), "{listed}");

    let verified = succeeded(&run(&["verify", "one"]));
    assert!(
        verified.starts_with("archives/one is sound\n"),
        "{verified}"
    );
    assert_eq!(
        succeeded(&run(&["delete", "one"])),
        "deleted archives/one\n"
    );
    let missing = failed(&run(&["get", "one"]), 1);
    assert_eq!(missing, "there is no archive `archives/one`");

    let endless = folders.endless("endless");
    let endless = run(&["create", endless.to_str().unwrap(), "--no-wait"]);
    let endless = succeeded(&endless);
    let endless = endless.trim_end();
    let cancelled = succeeded(&run(&["cancel", endless]));
    assert_eq!(cancelled, format!("asked to cancel {endless}\n"));
    let output = run(&["wait", endless]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stderr.lines().last().unwrap();
    let expected = format!("error: operation `{endless}` was cancelled");
    assert!(last.starts_with(&expected), "{stderr}");
}

#[test]
fn mistakes_are_one_line() {
    let folders = Folders::new();
    let data = folders.data();
    let server = ServerProcess::start(&data, &[]);
    let run = |args: &[&str]| archiver(&[args, &["--server", &server.url]].concat());

    let missing = failed(&run(&["create", "/nowhere/at/all"]), 1);
    assert_eq!(missing, "source /nowhere/at/all does not exist");
    let bad_id = failed(&run(&["create", "/", "--name", "A B"]), 1);
    assert!(bad_id.starts_with("archive_id: give 1 to 63"), "{bad_id}");
    let no_name = failed(&run(&["wait", "nonsense"]), 1);
    assert!(no_name.contains("operations/{id}"), "{no_name}");
    let unknown = failed(&run(&["cancel", "operations/unknown"]), 1);
    assert!(unknown.contains("operations/unknown"), "{unknown}");
    assert_eq!(succeeded(&run(&["list", "--operations"])), "");

    let data = data.to_str().unwrap();
    let in_use = failed(
        &archiver(&["serve", "--listen", "127.0.0.1:0", "--data", data]),
        1,
    );
    assert!(in_use.starts_with("cannot start the server: "), "{in_use}");
    assert!(in_use.contains("operations.db"), "{in_use}");

    let url = "http://127.0.0.1:1";
    let unreachable = failed(&archiver(&["list", "--server", url]), 1);
    let expected = format!("cannot reach a server at {url}: ");
    assert!(unreachable.starts_with(&expected), "{unreachable}");
    failed(&archiver(&["list", "--server", "no url"]), 1);
    failed(&archiver(&["demo", "/nowhere/at/all"]), 1);

    let usage = failed(&archiver(&["create"]), 2);
    assert!(usage.contains("<SOURCE_DIR>"), "{usage}");
    failed(&archiver(&[]), 2);
    failed(&archiver(&["pack"]), 2);
    failed(&archiver(&["serve", "--listen", "here", "--data", "x"]), 2);
    let help = archiver(&["--help"]);
    assert!(succeeded(&help).contains("demo"));
}
