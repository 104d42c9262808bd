//! Profiles, origins, completions and man pages: nothing that needs a server.

use expect_test::expect;
use lro_cli::exit::Exit;

use crate::support::Lro;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn lro(&self) -> Lro {
        let path = self.0.path().join("lro/config.toml");
        Lro::to("")
            .variable("LRO_CONFIG", path.to_str().unwrap())
            .variable("LRO_RETRY_ERRORS", "")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.0.path().join("lro/config.toml")).unwrap()
    }

    fn shown(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "~/.config")
    }
}

#[tokio::test]
async fn settings_are_written_and_shown_with_their_origin() {
    let folder = Folder::new();
    let lro = folder.lro();
    for words in [
        "config set server https://ops.example.com -p prod",
        "config set tls.ca ca.pem -p prod",
        "config set read_only true -p prod",
        "config set headers 'x-team: blue' 'x-key: s3cret' -p prod",
        "config set retry_errors 7 -p prod",
        "config use prod",
    ] {
        let ran = lro.run(words).await;
        assert_eq!(ran.exit, Exit::Done, "{words}: {ran:?}");
    }
    expect![[r#"
        profile = "prod"
        [profiles.prod]
        server = "https://ops.example.com"
        read_only = true
        headers = ["x-team: blue", "x-key: s3cret"]
        retry_errors = 7

        [profiles.prod.tls]
        ca = "ca.pem"
    "#]]
    .assert_eq(&folder.text());
    let lro = lro
        .variable("LRO_PARENT", "projects/p")
        .variable("LRO_TOKEN", "t0ken");
    let session = lro
        .session("config view --show-origin --rpc-timeout 3s")
        .await;
    assert!(
        !session.contains("s3cret") && !session.contains("t0ken"),
        "{session}"
    );
    expect![[r#"
        $ lro config view --show-origin --rpc-timeout 3s
        profile       prod
        file          ~/.config/lro/config.toml
        server        https://ops.example.com             profile prod
        parent        projects/p                          environment LRO_PARENT
        tls.ca        ca.pem                              profile prod
        headers       x-team: <hidden> ; x-key: <hidden>  profile prod
        reflection    auto                                default
        progress      auto                                default
        color         auto                                default
        rpc_timeout   3s                                  flag
        retry_errors  7                                   profile prod
        concurrency   16                                  default
        read_only     true                                profile prod
        token         <set>                               environment LRO_TOKEN
    "#]]
    .assert_eq(&folder.shown(&session));
}

#[tokio::test]
async fn comments_of_the_file_stay() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.path().join("lro")).unwrap();
    let path = folder.0.path().join("lro/config.toml");
    std::fs::write(
        &path,
        "# mine\n[profiles.a] # first\nserver = 'http://x:1'\n",
    )
    .unwrap();
    let ran = folder.lro().run("config set server http://y:2 -p a").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(
        folder.text(),
        "# mine\n[profiles.a] # first\nserver = \"http://y:2\"\n"
    );
}

#[tokio::test]
async fn mistakes_name_what_was_meant() {
    let folder = Folder::new();
    let lro = folder.lro();
    for (words, said) in [
        ("config set sever x", "did you mean `server`?"),
        ("config set read_only maybe", "write `true` or `false`"),
        ("config use prd", "there is no profile `prd`"),
        ("list -p prd", "there is no profile `prd`"),
    ] {
        let ran = lro.run(words).await;
        assert_eq!(ran.exit, Exit::Usage, "{words}: {ran:?}");
        assert!(ran.stderr.contains(said), "{words}: {ran:?}");
    }
    std::fs::create_dir(folder.0.path().join("lro")).unwrap();
    let path = folder.0.path().join("lro/config.toml");
    std::fs::write(&path, "[profiles.a]\nsever = 'http://x:1'\n").unwrap();
    let ran = lro.run("list").await;
    assert_eq!(ran.exit, Exit::Fault, "{ran:?}");
    expect![[r#"
        error: cannot read ~/.config/lro/config.toml
          TOML parse error at line 2, column 1
            |
          2 | sever = 'http://x:1'
            | ^^^^^
          unknown field `sever`, expected one of `server`, `parent`, `tls`, `token_file`, `token_command`, `headers`, `quota_project`, `descriptor_sets`, `reflection`, `output`, `progress`, `color`, `time`, `rpc_timeout`, `retry_errors`, `concurrency`, `read_only`, `progress_fields`
          did you mean `server`?
    "#]].assert_eq(&folder.shown(&ran.stderr));
}

#[tokio::test]
async fn every_command_has_help_with_examples() {
    let lro = Lro::to("");
    let help = lro.run("--help").await;
    assert_eq!(help.exit, Exit::Done);
    let commands = [
        "list",
        "get",
        "describe",
        "wait",
        "watch",
        "cancel",
        "delete",
        "start",
        "count",
        "methods",
        "services",
        "doctor",
        "config",
        "completion",
        "man",
        "resubmit",
        "workers",
        "filter",
    ];
    for command in commands {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}"
        );
        let help = lro.run(&format!("{command} --help")).await;
        assert_eq!(help.exit, Exit::Done, "{command}");
        assert!(help.stdout.contains("Examples:\n  "), "{command}");
    }
    assert!(help.stdout.contains("Exit codes:"));
    for words in ["--version", "version"] {
        let version = lro.run(words).await;
        let expected = concat!("lro ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(version.stdout, expected);
    }
    let filter = lro.run("help filter").await;
    assert!(
        filter.stdout.contains("OR binds tighter than AND"),
        "{filter:?}"
    );
}

#[tokio::test]
async fn completions_and_man_pages_are_generated() {
    let lro = Lro::to("");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = lro.run(&format!("completion {shell}")).await;
        assert_eq!(script.exit, Exit::Done);
        assert!(script.stdout.contains("COMPLETE"), "{shell}");
        let script = lro.run(&format!("completion {shell} --static")).await;
        assert!(script.stdout.contains("describe"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = lro.run(&format!("man {}", folder.path().display())).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let page = std::fs::read_to_string(folder.path().join("lro-wait.1")).unwrap();
    assert!(page.contains("\\-\\-timeout"), "{page}");
    let ran = lro.run("man /nonexistent/folder").await;
    assert_eq!(ran.exit, Exit::Fault, "{ran:?}");
}

#[tokio::test]
async fn what_an_unreachable_server_offers_is_not_known() {
    for words in ["resubmit operations/1", "workers"] {
        let ran = Lro::to("http://127.0.0.1:1").run(words).await;
        assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    }
}

/// Without TLS no C is compiled: no crate in the tree builds any.
#[test]
fn without_tls_no_c_is_compiled() {
    let tree = |features: &str| {
        let arguments = [
            "tree",
            "--locked",
            "--offline",
            "-e",
            "normal,build",
            "--prefix",
            "none",
        ];
        let output = std::process::Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .arg(features)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let builds_c = |tree: &str| {
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        let compilers = ["cc", "cmake", "ring", "aws-lc-sys", "openssl-sys"];
        let found: Vec<String> = names
            .filter(|it| compilers.contains(it))
            .map(str::to_owned)
            .collect();
        found
    };
    assert_eq!(
        builds_c(&tree("--no-default-features")),
        Vec::<String>::new()
    );
    // The test sees what there is.
    assert!(builds_c(&tree("--all-features")).contains(&"cc".to_owned()));
}
