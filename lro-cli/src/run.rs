//! From arguments to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, Command};
use crate::commands;
use crate::config::Settings;
use crate::connect::Target;
use crate::context::Context;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Fields;
use crate::terminal::Terminal;

/// Runs the command with the arguments and the environment of this process.
#[must_use]
pub fn main() -> ExitCode {
    match crate::complete::answer() {
        Ok(false) => {}
        Ok(true) => return Exit::Done.into(),
        Err(error) => {
            eprintln!("error: cannot complete: {error}");
            return Exit::Fault.into();
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return Exit::Fault.into();
        }
    };
    let exit = runtime.block_on(run(std::env::args_os(), Environment::of_process()));
    // A blocked read of stdin does not keep the process.
    runtime.shutdown_background();
    exit.into()
}

/// Runs the command in an environment; the first argument is the program's name.
///
/// ```
/// use lro_cli::environment::{Environment, Stream};
/// use lro_cli::exit::Exit;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let environment = Environment {
///     stdout: Stream::plain(std::io::sink()),
///     stderr: Stream::plain(std::io::sink()),
///     ..Environment::of_process()
/// };
/// let exit = lro_cli::run(["lro", "get", "42"], environment).await;
/// assert_eq!(exit, Exit::Usage);
/// # }
/// ```
pub async fn run<A>(arguments: A, mut environment: Environment) -> Exit
where
    A: IntoIterator<Item: Into<OsString> + Clone>,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &mut environment),
    };
    let settings = Settings::resolve(&cli.globals, &environment, makes_profile(&cli.command));
    let colour = match &settings {
        Ok(settings) => settings
            .word("color", &["auto", "always", "never"])
            .map(str::to_owned),
        Err(_) => Ok("auto".to_owned()),
    };
    let shown = colour.clone().unwrap_or_else(|_| "auto".to_owned());
    let globals = &cli.globals;
    let terminal = Terminal::new(&mut environment, &shown, globals.quiet, globals.verbose);
    let terminal = Arc::new(terminal);
    let done = async {
        let settings = settings?;
        colour?;
        match cli.command {
            Command::Config(command) => {
                commands::config::run(&command, &settings, globals, &environment, &terminal)
            }
            Command::Completion { shell, r#static } => {
                commands::generate::completion(shell, r#static, &terminal)
            }
            Command::Version => {
                let version = concat!("lro ", env!("CARGO_PKG_VERSION"));
                terminal.line(version).map(|()| Exit::Done)
            }
            Command::Man { folder } => commands::generate::man(&folder, &terminal),
            command => {
                let context = Context::new(globals, environment, settings, terminal.clone())?;
                dispatch(&context, command).await
            }
        }
    };
    match done.await {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.is_silent() {
                terminal.fail(&failure);
            }
            failure.exit()
        }
    }
}

/// Whether the arguments and the settings of a run are ones that the command can read. Nothing is
/// sent, and nothing is written.
///
/// ```
/// use lro_cli::environment::Environment;
///
/// let environment = Environment::of_process();
/// assert!(lro_cli::accepts(["lro", "list", "-s", "localhost:1"], &environment));
/// assert!(!lro_cli::accepts(["lro", "list", "-s", "localhost:1", "-o", "jsno"], &environment));
/// ```
pub fn accepts<A>(arguments: A, environment: &Environment) -> bool
where
    A: IntoIterator<Item: Into<OsString> + Clone>,
{
    let Ok(cli) = Cli::try_parse_from(arguments) else {
        return false;
    };
    let Ok(settings) = Settings::resolve(&cli.globals, environment, true) else {
        return false;
    };
    let server = Target::parse(settings.text("server").unwrap_or_default());
    let output = settings.text("output").map(Output::parse).transpose();
    let fields = settings
        .text("progress_fields")
        .map(Fields::parse)
        .transpose();
    let timeout = settings.duration("rpc_timeout");
    server.is_ok() && output.is_ok() && fields.is_ok() && timeout.is_ok()
}

/// Whether the command may name a profile that does not exist yet.
fn makes_profile(command: &Command) -> bool {
    use crate::args::Config;
    matches!(
        command,
        Command::Config(Config::Set { .. } | Config::Path | Config::Use { .. })
    )
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    let is_history = context.settings.text("output") == Some("history");
    if is_history && !matches!(command, Command::Steps(_)) {
        return Err(Failure::usage("only `lro steps` writes histories"));
    }
    match command {
        Command::List(args) => commands::list::run(context, &args).await,
        Command::Get(args) => commands::get::run(context, &args).await,
        Command::Describe(args) => commands::describe::run(context, &args).await,
        Command::Wait(args) => commands::wait::wait(context, &args).await,
        Command::Watch(args) => commands::wait::watch(context, &args).await,
        Command::Cancel(args) => commands::bulk::cancel(context, &args).await,
        Command::Delete(args) => commands::bulk::delete(context, &args).await,
        Command::Start(args) => commands::start::run(context, &args).await,
        Command::Count(args) => commands::count::run(context, &args).await,
        Command::Methods => commands::methods::methods(context).await,
        Command::Services => commands::methods::services(context).await,
        Command::Doctor { json } => commands::doctor::run(context, json).await,
        Command::Resubmit(args) => commands::resubmit::run(context, &args).await,
        Command::Workers => commands::workers::run(context).await,
        Command::Steps(args) => commands::steps::run(context, &args).await,
        Command::Complete(args) => commands::complete::run(context, &args).await,
        Command::Filter => commands::filter::run(context).await,
        Command::Ui(args) => commands::ui::run(context, &args).await,
        // Answered before there is a connection.
        Command::Config(_)
        | Command::Completion { .. }
        | Command::Man { .. }
        | Command::Version => Ok(Exit::Fault),
    }
}

/// Help and the version are data; everything else that clap says is an error of usage.
fn usage(error: &clap::Error, environment: &mut Environment) -> Exit {
    let text = error.render().to_string();
    let is_data = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let (stream, exit) = if is_data {
        (&mut environment.stdout, Exit::Done)
    } else {
        (&mut environment.stderr, Exit::Usage)
    };
    let text = crate::neutral::lines(&text);
    let written = stream
        .writer
        .write_all(text.as_bytes())
        .and_then(|()| stream.writer.flush());
    match written {
        Ok(()) => exit,
        Err(_) => Exit::Fault,
    }
}
