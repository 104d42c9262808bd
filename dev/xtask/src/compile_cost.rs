//! `cargo xtask compile-cost`: the compile time of typed operations, against
//! tonic-prost-build and handlers written by hand on the same proto.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How many operation rpcs the service has.
const SIZES: [usize; 3] = [1, 10, 100];
/// The least of this number of runs counts, for whatever else the machine does only adds to it.
const RUNS: usize = 5;

/// A crate whose compilation is timed.
struct Subject {
    /// The folder, and the crate's name.
    name: &'static str,
    dependencies: &'static [&'static str],
    source: fn(usize) -> String,
}

const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "plain",
        dependencies: &[],
        source: include_generated,
    },
    Subject {
        name: "typed",
        dependencies: &[],
        source: include_generated,
    },
    Subject {
        name: "handwritten",
        dependencies: &["plain"],
        source: handwritten,
    },
    Subject {
        name: "attribute",
        dependencies: &["typed"],
        source: attribute,
    },
];

/// Measures, and prints the table of lro-build's documentation.
///
/// # Errors
///
/// When a scratch crate cannot be written or does not build.
pub(crate) fn run() -> Result<()> {
    let root = &crate::root();
    let home = std::env::temp_dir().join(format!("lro-compile-cost-{}", std::process::id()));
    let rows = SIZES.iter().map(|size| {
        eprintln!("==> {size} rpcs");
        measure(root, &home, *size)
    });
    let rows: Result<Vec<Row>> = rows.collect();
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("remove {}", home.display()))?;
    }
    println!("{}", table(&rows?));
    Ok(())
}

/// The least times for a service of one size.
struct Row {
    size: usize,
    generation: [Duration; 2],
    compilation: [Duration; SUBJECTS.len()],
}

fn measure(root: &Path, home: &Path, size: usize) -> Result<Row> {
    write(root, home, size)?;
    let cargo = || {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command
            .current_dir(home)
            .env("CARGO_TARGET_DIR", home.join("target"))
            // The size of the code is what is measured, and not what is left from the last run.
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("RUSTFLAGS")
            .stdout(Stdio::null());
        command
    };
    succeed(cargo().args(["build", "--quiet", "--package", "generate"]))?;
    let generate = home.join("target/debug/generate");
    let mut generation = [Duration::MAX; 2];
    let mut compilation = [Duration::MAX; SUBJECTS.len()];
    for _ in 0..RUNS {
        for (kind, best) in ["plain", "typed"].into_iter().zip(&mut generation) {
            let out = home.join(kind).join("src");
            let mut command = Command::new(&generate);
            command.current_dir(home).arg(kind).arg(&out);
            *best = (*best).min(timed(&mut command)?);
        }
    }
    let mut build = cargo();
    build.args(["build", "--quiet"]);
    for subject in &SUBJECTS {
        build.args(["--package", subject.name]);
    }
    succeed(&mut build)?;
    for _ in 0..RUNS {
        for (subject, best) in SUBJECTS.iter().zip(&mut compilation) {
            let source = home.join(subject.name).join("src/lib.rs");
            // A newer file is a changed file to cargo.
            fs::write(&source, (subject.source)(size))?;
            let mut build = cargo();
            build.args(["build", "--quiet", "--package", subject.name]);
            *best = (*best).min(timed(&mut build)?);
        }
    }
    Ok(Row {
        size,
        generation,
        compilation,
    })
}

fn write(root: &Path, home: &Path, size: usize) -> Result<()> {
    let put = |path: &str, text: &str| -> Result<()> {
        let path = home.join(path);
        let dir = path.parent().context("a file has a folder")?;
        fs::create_dir_all(dir)?;
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    let workspace: toml::Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let version = |name: &str| -> Result<String> {
        let known = &workspace["workspace"]["dependencies"];
        let entry = known
            .get(name)
            .with_context(|| format!("no version of {name}"))?;
        let version = entry.get("version").unwrap_or(entry);
        Ok(version.as_str().context("a version is text")?.to_owned())
    };
    let (tonic, prost) = (version("tonic")?, version("prost")?);
    let ours = |name: &str| format!("{name} = {{ path = {:?} }}\n", root.join(name));
    let package = |name: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n"
        )
    };

    let mut members = vec!["generate"];
    members.extend(SUBJECTS.iter().map(|subject| subject.name));
    put(
        "Cargo.toml",
        &format!(
            "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n"
        ),
    )?;
    if !home.join("Cargo.lock").exists() {
        // The versions that this workspace is tested with.
        fs::copy(root.join("Cargo.lock"), home.join("Cargo.lock"))?;
    }
    put("service.proto", &proto(size))?;
    let generate = package("generate")
        + &ours("lro-build")
        + &format!(
            "prost-types = \"{prost}\"\nprotox = \"{}\"\ntonic-prost-build = \"{tonic}\"\n",
            version("protox")?
        );
    put("generate/Cargo.toml", &generate)?;
    put("generate/src/main.rs", &generator(root))?;
    for subject in SUBJECTS {
        let features = "\"codegen\", \"channel\", \"router\", \"server\"";
        let mut manifest = package(subject.name)
            + &ours("lro-core")
            + &ours("lro-server")
            + &format!(
                "prost = \"{prost}\"\nprost-types = \"{prost}\"\ntonic-prost = \"{tonic}\"\n\
                 tonic = {{ version = \"{tonic}\", features = [{features}] }}\n"
            );
        for name in subject.dependencies {
            writeln!(manifest, "{name} = {{ path = \"../{name}\" }}")?;
        }
        put(&format!("{}/Cargo.toml", subject.name), &manifest)?;
        let source = (subject.source)(size);
        put(&format!("{}/src/lib.rs", subject.name), &source)?;
    }
    Ok(())
}

/// A service with this many operation rpcs, each with messages of its own.
fn proto(size: usize) -> String {
    let mut text = "syntax = \"proto3\";\n\npackage cost.v1;\n\n\
        import \"google/longrunning/operations.proto\";\n\nservice Cost {\n"
        .to_owned();
    for index in 0..size {
        text += &format!(
            "  // Runs number {index}.\n  \
             rpc Run{index}(Run{index}Request) returns (google.longrunning.Operation) {{\n    \
             option (google.longrunning.operation_info) = {{\n      \
             response_type: \"Run{index}Response\"\n      metadata_type: \"Run{index}Metadata\"\n    \
             }};\n  }}\n"
        );
    }
    text += "}\n";
    for index in 0..size {
        text += &format!(
            "\nmessage Run{index}Request {{\n  string parent = 1;\n  string request_id = 2;\n}}\n\
             \nmessage Run{index}Response {{\n  string name = 1;\n}}\n\
             \nmessage Run{index}Metadata {{\n  int32 done = 1;\n}}\n"
        );
    }
    text
}

/// Generates `<argument 1>` into the folder `<argument 2>`.
fn generator(root: &Path) -> String {
    let google = root.join("lro-build/proto");
    format!(
        r#"fn main() -> Result<(), Box<dyn std::error::Error>> {{
    let arguments: Vec<String> = std::env::args().collect();
    let (kind, out) = (&arguments[1], &arguments[2]);
    if kind == "typed" {{
        lro_build::configure()
            .out_dir(out)
            .compile_protos(&["service.proto"], &["."])?;
    }} else {{
        let set = protox::compile(["service.proto"], [".", {google:?}])?;
        tonic_prost_build::configure()
            .out_dir(out)
            .extern_path(".google.longrunning", "::lro_core::pb")
            .extern_path(".google.rpc", "::lro_core::pb::rpc")
            .extern_path(".google.api", "::google_api")
            .compile_fds(set)?;
    }}
    Ok(())
}}
"#
    )
}

fn include_generated(_: usize) -> String {
    "include!(\"cost.v1.rs\");\n".to_owned()
}

/// The least that a service can do: it answers with an operation, and runs nothing.
fn handwritten(size: usize) -> String {
    let mut text = "use lro_core::pb::Operation;\nuse plain::cost_server::{Cost, CostServer};\n\
        use tonic::{Request, Response, Status};\n\npub struct Service;\n\n\
        #[tonic::async_trait]\nimpl Cost for Service {\n"
        .to_owned();
    for index in 0..size {
        text += &format!(
            "    async fn run{index}(&self, request: Request<plain::Run{index}Request>) \
             -> Result<Response<Operation>, Status> {{\n        \
             let name = request.into_inner().parent;\n        \
             Ok(Response::new(Operation {{ name, ..Default::default() }}))\n    }}\n"
        );
    }
    text + "}\n\npub fn routes(service: Service) -> tonic::service::Routes {\n    \
        tonic::service::Routes::new(CostServer::new(service))\n}\n"
}

/// The same rpcs, which start operations and run them.
fn attribute(size: usize) -> String {
    let mut text = "use std::sync::Arc;\n\n\
        use lro_server::{OperationContext, Operations, Worker, WorkerBuilder, long_running};\n\
        use tonic::Status;\nuse typed::cost_server::CostServer;\n\n\
        pub struct Service {\n    operations: Operations,\n}\n\n\
        #[long_running]\nimpl typed::cost_server::Cost for Service {\n"
        .to_owned();
    for index in 0..size {
        text += &format!(
            "    #[long_running]\n    \
             async fn run{index}(&self, request: typed::Run{index}Request, \
             operation: OperationContext<typed::Run{index}Metadata>) \
             -> Result<typed::Run{index}Response, Status> {{\n        \
             operation.set_metadata(typed::Run{index}Metadata {{ done: 1 }});\n        \
             Ok(typed::Run{index}Response {{ name: request.parent }})\n    }}\n"
        );
    }
    text + "}\n\npub fn routes(service: Arc<Service>) -> tonic::service::Routes {\n    \
        tonic::service::Routes::new(CostServer::from_arc(service))\n}\n\n\
        pub fn worker(service: Arc<Service>) -> WorkerBuilder {\n    \
        Worker::builder(&service.operations).host(service.clone())\n}\n"
}

fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    succeed(command)?;
    Ok(began.elapsed())
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let mut table = "| operation rpcs | generation: tonic-prost-build | lro-build | \
        rustc on it: tonic-prost-build | lro-build | handlers: by hand | `#[long_running]` |\n\
        | --: | --: | --: | --: | --: | --: | --: |\n"
        .to_owned();
    for Row {
        size,
        generation: [plain, typed],
        compilation: [plain_code, typed_code, by_hand, by_attribute],
    } in rows
    {
        let cells = [
            (plain, None),
            (typed, Some(plain)),
            (plain_code, None),
            (typed_code, Some(plain_code)),
            (by_hand, None),
            (by_attribute, Some(by_hand)),
        ];
        let cells = cells.map(|(time, yardstick)| cell(*time, yardstick.copied()));
        table += &format!("| {size} | {} |\n", cells.join(" | "));
    }
    table
}

/// `0.52 s`, and how many times the yardstick that is.
fn cell(time: Duration, yardstick: Option<Duration>) -> String {
    let seconds = time.as_secs_f64();
    let text = if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    };
    match yardstick {
        Some(yardstick) => format!("{text} ({:.2}x)", seconds / yardstick.as_secs_f64()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_how_much_more_it_is() {
        let (plain, typed) = (Duration::from_millis(40), Duration::from_millis(50));
        assert_eq!(cell(plain, None), "40 ms");
        assert_eq!(cell(typed, Some(plain)), "50 ms (1.25x)");
        assert_eq!(cell(Duration::from_millis(1_250), None), "1.25 s");
    }

    #[test]
    fn the_table_has_a_line_for_each_size() {
        let second = Duration::from_secs(1);
        let row = Row {
            size: 7,
            generation: [second; 2],
            compilation: [second; SUBJECTS.len()],
        };
        let table = table(&[row]);
        assert!(table.ends_with(
            "| 7 | 1.00 s | 1.00 s (1.00x) | 1.00 s | 1.00 s (1.00x) | 1.00 s | 1.00 s (1.00x) |\n"
        ));
    }

    #[test]
    fn a_service_has_as_many_rpcs_as_it_should() {
        assert_eq!(proto(10).matches("  rpc ").count(), 10);
        assert_eq!(attribute(10).matches("async fn").count(), 10);
        assert_eq!(handwritten(10).matches("async fn").count(), 10);
    }
}
