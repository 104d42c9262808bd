//! The command line.

mod globals;
mod help;
mod steps;
mod until;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::complete;
use crate::config::duration;
pub(crate) use globals::Globals;
use help::{
    CANCEL, COMPLETE, COMPLETION, CONFIG, DELETE, EXAMPLES, EXAMPLES_AND_CODES, FILTER, GET, LIST,
    RESUBMIT, START, STEPS, WAIT, WATCH,
};

pub(crate) use steps::{Complete, Steps, StepsCommand};
pub(crate) use until::Until;

/// The command line for every google.longrunning server
///
/// Lists, watches, waits for, starts, cancels and deletes long-running operations of any server
/// that offers google.longrunning.Operations over gRPC.
#[derive(Debug, Parser)]
#[command(
    name = "lro",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = EXAMPLES_AND_CODES,
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List operations, newest first
    #[command(visible_alias = "ls", after_help = LIST)]
    List(List),
    /// Show operations as they are now
    #[command(after_help = GET)]
    Get(Get),
    /// Explain one operation for people: times, progress, metadata, result, next steps
    #[command(after_help = "Examples:\n  lro describe operations/42\n  lro describe @latest")]
    Describe(Describe),
    /// Wait until operations are done, and print their responses
    #[command(after_help = WAIT)]
    Wait(Wait),
    /// Wait, and show each change
    #[command(after_help = WATCH)]
    Watch(Watch),
    /// Ask the server to cancel operations, and wait for their end
    #[command(after_help = CANCEL)]
    Cancel(Cancel),
    /// Delete the records of operations, which stops nothing on most servers
    #[command(after_help = DELETE)]
    Delete(Delete),
    /// Start an operation by calling its method
    #[command(after_help = START)]
    Start(Start),
    /// Count operations by state, up to a bound
    #[command(
        after_help = "Examples:\n  lro count\n  lro count --filter 'labels.batch = \"nightly\"'"
    )]
    Count(Count),
    /// The methods that start operations, with their types
    #[command(
        after_help = "Examples:\n  lro methods\n  lro methods --descriptor-set api.pb -o json"
    )]
    Methods,
    /// The services of the server
    #[command(after_help = "Examples:\n  lro services")]
    Services,
    /// Check what this server can do: TLS, reflection, the calls of operations, the clock
    #[command(after_help = "Examples:\n  lro doctor -p prod\n  lro doctor --json")]
    Doctor {
        /// The same as -o json
        #[arg(long)]
        json: bool,
    },
    /// The settings and the profiles
    #[command(subcommand, after_help = CONFIG)]
    Config(Config),
    /// Print a completion script
    #[command(after_help = COMPLETION)]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
        /// A script that knows the options only, and never calls the program
        #[arg(long)]
        r#static: bool,
    },
    /// Write man pages into a folder
    #[command(after_help = "Examples:\n  lro man /usr/local/share/man/man1")]
    Man {
        /// The folder, which must exist
        folder: PathBuf,
    },
    /// Start ended operations again with the same request; needs lro.v1.Inspection
    #[command(after_help = RESUBMIT)]
    Resubmit(Resubmit),
    /// The workers of the process that answers; needs lro.v1.Inspection
    #[command(after_help = "Examples:\n  lro workers\n  lro workers -o json")]
    Workers,
    /// The recorded steps of an operation: what it has done, and waits for; needs lro.v1.Steps
    #[command(
        after_help = STEPS,
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true
    )]
    Steps(Steps),
    /// Give a promise of an operation its value, or an error; needs lro.v1.Steps
    #[command(after_help = COMPLETE)]
    Complete(Complete),
    /// The filter language, and the fields of this server's metadata and responses
    #[command(after_help = FILTER)]
    Filter,
    /// Print the version
    #[command(hide = true)]
    Version,
    /// Show the operations of the server in a browser
    #[command(
        after_help = "Examples:\n  lro ui\n  lro ui -p prod --read-only --listen 127.0.0.1:8080"
    )]
    Ui(Ui),
}

#[derive(Args, Debug)]
pub(crate) struct Ui {
    /// The loopback address on which the browser reaches the command; port 0 is a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,
    /// Only show: without buttons that cancel, resubmit or delete
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// How to treat names that the server does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfMissing {
    /// An error: exit code 6
    #[default]
    Error,
    /// Ask again until there is one
    Wait,
    /// Treated as done
    Ok,
}

/// A state, as far as the wire tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateArg {
    Pending,
    Running,
    Cancelling,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// A filter for the server (AIP-160)
    #[arg(long, value_name = "FILTER", add = complete::filters())]
    pub(crate) filter: Option<String>,
    /// A filter that the command evaluates itself (AIP-160), for servers that do not filter
    #[arg(long = "where", value_name = "FILTER", add = complete::filters())]
    pub(crate) local: Option<String>,
    /// Only operations in these states
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATE,..")]
    pub(crate) state: Vec<StateArg>,
    /// Only operations created within this time
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) since: Option<Duration>,
    /// How many operations at most
    #[arg(long, default_value = "50", value_name = "N")]
    pub(crate) limit: NonZeroUsize,
    /// All operations
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Continue where an earlier list ended
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
    /// How many operations to look through at most where the server does not filter
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) scan: usize,
    /// The columns of the table: state, name, type, method, progress, age, by, created, ended, error
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,..", add = complete::columns())]
    pub(crate) columns: Vec<String>,
    /// Show the list as it changes, until Ctrl-C: on a screen, or as a line for each change
    #[arg(long, conflicts_with = "page_token")]
    pub(crate) watch: bool,
    /// How often --watch reads the list of a server that does not tell of changes
    #[arg(long, value_parser = duration, default_value = "2s", value_name = "TIME", requires = "watch")]
    pub(crate) interval: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The operations
    #[arg(required = true, value_name = "NAME", add = complete::names())]
    pub(crate) names: Vec<String>,
    /// How to treat names that the server does not have
    #[arg(long, value_enum, default_value_t)]
    pub(crate) if_missing: IfMissing,
}

#[derive(Args, Debug)]
pub(crate) struct Describe {
    /// The operation
    #[arg(add = complete::names())]
    pub(crate) name: String,
    /// Also show the request, where the server tells it
    #[arg(long)]
    pub(crate) show_request: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// The operations
    #[arg(value_name = "NAME", required_unless_present = "filter", add = complete::names())]
    pub(crate) names: Vec<String>,
    /// All operations that match this filter of the server's now
    #[arg(long, value_name = "FILTER", conflicts_with = "names", add = complete::filters())]
    pub(crate) filter: Option<String>,
    /// With --filter: also those that match later, until none of them runs any more
    #[arg(long, requires = "filter")]
    pub(crate) follow: bool,
    /// The end of the wait: `done`; `cancelled`, which makes a cancelled operation a success; or a filter
    /// (AIP-160), which the command evaluates itself
    #[arg(long, default_value = "done", value_name = "done|cancelled|FILTER")]
    pub(crate) until: Until,
    /// How long to wait; the operation is not cancelled
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// End with the first operation that is done
    #[arg(long)]
    pub(crate) any: bool,
    /// Ask the server to cancel what is not done at the --timeout
    #[arg(long, requires = "timeout")]
    pub(crate) cancel_on_timeout: bool,
    /// How to treat names that the server does not have
    #[arg(long, value_enum, default_value_t)]
    pub(crate) if_missing: IfMissing,
}

#[derive(Args, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) wait: Wait,
    /// Tell which fields of the metadata change, from what to what
    #[arg(long)]
    pub(crate) changes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Bulk {
    /// The operations
    #[arg(value_name = "NAME", required_unless_present = "filter", add = complete::names())]
    pub(crate) names: Vec<String>,
    /// All operations that match this filter of the server's now, after a preview
    #[arg(long, value_name = "FILTER", conflicts_with = "names", add = complete::filters())]
    pub(crate) filter: Option<String>,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask; with --filter this needs --expect
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// How many operations must match, or nothing is done
    #[arg(long, value_name = "N")]
    pub(crate) expect: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) bulk: Bulk,
    /// Do not wait for the end
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait for the end
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Why, at most 256 bytes: sent as the header lro-reason, which servers may record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) bulk: Bulk,
    /// Why, at most 256 bytes: sent as the header lro-reason, which servers may record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Start {
    /// The method, as Service/Method
    #[arg(add = complete::methods())]
    pub(crate) method: String,
    /// Fields of the request
    #[arg(value_name = "FIELD=VALUE", conflicts_with = "data", add = complete::fields())]
    pub(crate) fields: Vec<String>,
    /// The request as JSON: the text itself, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON")]
    pub(crate) data: Option<String>,
    /// Print a request with all fields and end
    #[arg(long, conflicts_with_all = ["wait", "data", "fields"])]
    pub(crate) template: bool,
    /// Edit the request in $VISUAL or $EDITOR before it is sent
    #[arg(long, conflicts_with_all = ["template", "data", "fields"])]
    pub(crate) edit: bool,
    /// Wait for the end, and end like `lro wait`
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_parser = duration, value_name = "TIME", requires = "wait")]
    pub(crate) timeout: Option<Duration>,
    /// The field `request_id` of the request (AIP-155) [default: a random UUID, where it has the field]
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Count {
    /// A filter for the server (AIP-160)
    #[arg(long, value_name = "FILTER", add = complete::filters())]
    pub(crate) filter: Option<String>,
    /// How many operations to look through at most
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(crate) bound: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Resubmit {
    /// The operations, which have ended
    #[arg(required = true, value_name = "NAME", add = complete::names())]
    pub(crate) names: Vec<String>,
    /// Edit each request in $VISUAL or $EDITOR before it is sent
    #[arg(long)]
    pub(crate) edit: bool,
    /// Wait for the end, and end like `lro wait`
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_parser = duration, value_name = "TIME", requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show the settings in effect
    View {
        /// Say where each value comes from
        #[arg(long)]
        show_origin: bool,
    },
    /// Use a profile from now on
    Use {
        /// The profile
        #[arg(add = complete::profiles())]
        name: String,
    },
    /// Set a value of the profile
    Set {
        /// The setting, such as server or tls.ca
        #[arg(add = complete::keys())]
        key: String,
        /// Its value; several for headers and descriptor_sets
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Print the path of the configuration file
    Path,
}
