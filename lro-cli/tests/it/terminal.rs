//! The binary on a pseudo-terminal: bars, resizes and Ctrl-C.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use expect_test::expect;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::support::fake::{Fake, Script, Step};
use crate::support::live::Live;
use crate::support::types::{running, succeeded};

/// How long a test waits for the screen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command on a terminal.
struct Terminal {
    master: Box<dyn portable_pty::MasterPty + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that was written.
    bytes: Vec<u8>,
}

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();

fn columns_of(columns: u16) -> NonZero<u16> {
    NonZero::new(columns).unwrap()
}

fn size(columns: u16) -> PtySize {
    PtySize {
        rows: 24,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

impl Terminal {
    fn start(server: &str, words: &str, columns: u16, variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(columns)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lro"));
        command.args(shlex::split(words).unwrap());
        command.env_clear();
        for (name, value) in [
            ("LRO_SERVER", server),
            ("LRO_CONFIG", "/nonexistent"),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("NO_COLOR", "1"),
        ] {
            command.env(name, value);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            output,
            screen: vt100::Parser::new(ROWS, columns_of(columns), 0),
            bytes: Vec::new(),
        }
    }

    /// Reads until the screen is as it should be.
    fn until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.rows();
            if is_there(&screen) {
                return screen;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.bytes.extend(bytes);
                }
                Err(error) => panic!("no {what} ({error}):\n{screen}"),
            }
        }
    }

    /// The rows of the screen, without the spaces at their ends.
    fn rows(&self) -> String {
        let screen = self.screen.screen();
        let (_, columns) = screen.size();
        let rows = screen
            .rows(0, columns.get())
            .map(|row| row.trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n")
    }

    fn resize(&mut self, columns: u16) {
        self.master.resize(size(columns)).unwrap();
        self.screen.screen_mut().set_size(ROWS, columns_of(columns));
    }

    fn exit(mut self) -> (u32, String) {
        let status = self.child.wait().unwrap();
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(5)) {
            self.screen.process(&bytes);
            self.bytes.extend(bytes);
        }
        (status.exit_code(), self.rows())
    }
}

const E41D: &str = "operations/0197c2aa-0000-7000-8000-00000000e41d";
const NINE_C: &str = "operations/0197c29f-0000-7000-8000-000000009c02";

fn two() -> Script {
    let first = r#"{"tablesDone":5,"tablesTotal":8,"current":"orders"}"#;
    let second = r#"{"tablesDone":1,"tablesTotal":11,"current":"users"}"#;
    Script::new()
        .operation(running(E41D, first))
        .operation(running(NINE_C, second))
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_survive_a_resize_and_ctrl_c_ends_the_watching_only() {
    let server = Fake::start(two()).await;
    let url = server.url.clone();
    let watching = tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(&url, "watch ..e41d ..9c02", 80, &[]);
        let screen = terminal.until("bars", |it| it.contains(" 62 %") && it.contains("  9 %"));
        let lines: Vec<&str> = screen.lines().filter(|line| line.contains('%')).collect();
        assert_eq!(
            lines.iter().map(|it| it.trim_end()).collect::<Vec<_>>(),
            [
                "…e41d  [######----]  62 %  5 of 8 tables · orders",
                "…9c02  [#---------]   9 %  1 of 11 tables · users",
            ]
        );
        // Too narrow for the text: cut, and never wrapped.
        terminal.resize(30);
        let before = terminal.bytes.len();
        let screen = terminal.until("redrawn bars", |it| {
            it.lines().filter(|line| line.contains('%')).count() == 2
                && it.lines().all(|line| !line.starts_with("tables"))
        });
        assert!(before > 0 && screen.contains("…e41d"), "{screen}");
        terminal.resize(80);
        terminal.keys.write_all(b"\x03").unwrap();
        terminal.until("the command to continue", |it| {
            it.contains("Continue: lro watch")
        });
        terminal.exit()
    });
    let (code, screen) = watching.await.unwrap();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("Still running on the server."), "{screen}");
    let calls = server.calls();
    assert!(
        calls
            .iter()
            .all(|it| it.starts_with("get") || it.starts_with("list")),
        "{calls:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_watching_only() {
    for (words, command) in [
        ("wait ..e41d", "lro wait operations/0197c2aa"),
        (
            "wait --filter 'done = false' --follow",
            "lro wait --filter 'done = false' --follow",
        ),
        (
            "watch ..e41d --changes --until 'metadata.tables_done = 8' --any -o ndjson",
            "lro watch operations/0197c2aa-0000-7000-8000-00000000e41d \
             --until 'metadata.tables_done = 8' --any --changes -o ndjson",
        ),
    ] {
        let server = Fake::start(two()).await;
        let url = server.url.clone();
        let watching = tokio::task::spawn_blocking(move || {
            let mut terminal = Terminal::start(&url, words, 200, &[]);
            terminal.until("a bar", |it| it.contains(" 62 %"));
            let id = terminal.child.process_id().unwrap().to_string();
            let killed = std::process::Command::new("kill")
                .args(["-TERM", &id])
                .status();
            assert!(killed.unwrap().success());
            terminal.exit()
        });
        let (code, screen) = watching.await.unwrap();
        assert_eq!(code, 143, "{screen}");
        let told = format!("Still running on the server. Continue: {command}");
        assert!(screen.contains(&told), "{screen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_ends_full_and_the_response_follows() {
    let name = "operations/1";
    let steps = vec![
        Step(
            Ok(running(name, r#"{"tablesDone":1,"tablesTotal":2}"#)),
            None,
        ),
        Step(
            Ok(succeeded(
                name,
                r#"{"tablesDone":2,"tablesTotal":2}"#,
                r#"{"rows":"7"}"#,
            )),
            None,
        ),
    ];
    let server = Fake::start(Script::new().steps(name, steps)).await;
    let url = server.url.clone();
    let waiting = tokio::task::spawn_blocking(move || {
        Terminal::start(&url, "watch operations/1", 80, &[]).exit()
    });
    let (code, screen) = waiting.await.unwrap();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("[##########] 100 %  2 of 2 tables"),
        "{screen}"
    );
    assert!(screen.contains("{\"rows\":\"7\"}"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_waited_for_leaves_its_name_a_full_bar_and_the_response() {
    let live = Live::start(None).await;
    let url = live.url();
    let starting = tokio::task::spawn_blocking(move || {
        let words = "start Exporter/Export tables=users tables=orders --wait";
        Terminal::start(&url, words, 80, &[]).exit()
    });
    let (code, screen) = starting.await.unwrap();
    assert_eq!(code, 0, "{screen}");
    let name = screen.split(' ').next().unwrap();
    assert!(name.starts_with("operations/"), "{screen}");
    let took = screen.lines().nth(1).and_then(|row| row.rsplit(' ').next());
    let took = took.unwrap();
    assert!(
        took.trim_end_matches('s').parse::<u32>().is_ok(),
        "{screen}"
    );
    let screen = screen.replace(name, "operations/ID");
    expect![[r#"
        operations/ID started
        [##########] 100 %  2 of 2 tables                       Ns
        {"tablesExported":2,"rows":"81234"}"#]]
    .assert_eq(screen.replacen(&format!("{took}\n"), "Ns\n", 1).trim_end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_reader_gets_lines_and_no_frames() {
    let name = "operations/1";
    let server = || async {
        let steps = vec![
            Step(
                Ok(running(name, r#"{"tablesDone":1,"tablesTotal":2}"#)),
                None,
            ),
            Step(Ok(succeeded(name, "{}", "{}")), None),
        ];
        Fake::start(Script::new().steps(name, steps)).await
    };
    for variable in ["ACCESSIBLE", "CI"] {
        let server = server().await;
        let url = server.url.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let mut terminal = Terminal::start(&url, "watch operations/1", 80, &[(variable, "1")]);
            terminal.until("the end", |it| it.contains("SUCCEEDED after"));
            let bytes = terminal.bytes.clone();
            (terminal.exit(), bytes)
        });
        let ((code, screen), bytes) = waiting.await.unwrap();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("RUNNING 1 of 2 tables"), "{screen}");
        assert!(
            !bytes.contains(&0x1b),
            "{variable}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_has_a_screen_of_its_own_and_leaves_the_last_table() {
    let server = Fake::start(two()).await;
    let (url, script) = (server.url.clone(), server.script.clone());
    let watching = tokio::task::spawn_blocking(move || {
        let words = "list --watch --interval 250ms";
        let mut terminal = Terminal::start(&url, words, 80, &[]);
        let screen = terminal.until("both rows", |it| {
            it.contains("…e41d") && it.contains("…9c02")
        });
        assert!(screen.contains("2 operations. Ctrl-C ends"), "{screen}");
        assert!(screen.contains("[######----] 62 %"), "{screen}");
        let done = succeeded(E41D, r#"{"tablesDone":8,"tablesTotal":8}"#, "{}");
        script.lock().unwrap().set(done);
        terminal.until("the end of one", |it| it.contains("SUCCEEDED"));
        // Too narrow: columns go, and no line wraps.
        terminal.resize(40);
        let screen = terminal.until("a narrow table", |it| {
            it.contains("SUCCEEDED") && !it.contains("AGE")
        });
        assert!(
            screen.lines().all(|line| line.chars().count() <= 40),
            "{screen}"
        );
        terminal.resize(80);
        terminal.keys.write_all(b"\x03").unwrap();
        terminal.exit()
    });
    let (code, screen) = watching.await.unwrap();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.starts_with("  STATE "), "{screen}");
    assert!(screen.contains("SUCCEEDED"), "{screen}");
}
