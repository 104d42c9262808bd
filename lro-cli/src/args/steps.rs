//! The arguments of `lro steps` and `lro complete`.

use clap::{Args, Subcommand};

use crate::complete;

#[derive(Args, Debug)]
pub(crate) struct Steps {
    /// The operation
    #[arg(required = true, value_name = "NAME", add = complete::names())]
    pub(crate) name: Option<String>,
    /// Also show the recorded values, which needs a permission of its own
    #[arg(long)]
    pub(crate) values: bool,
    #[command(subcommand)]
    pub(crate) command: Option<StepsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StepsCommand {
    /// Remove recorded steps of an operation that waits: it runs them, and their effects, again
    Forget {
        /// The operation
        #[arg(add = complete::names())]
        name: String,
        /// The steps, as `lro steps NAME -o name` writes them
        #[arg(required = true, value_name = "STEP")]
        keys: Vec<String>,
        /// Also those that were recorded after the first of them: a body that repeats a step before
        /// recorded ones is blocked
        #[arg(long)]
        later: bool,
    },
    /// Run an operation that is blocked at once, rather than after its pause
    Unblock {
        /// The operation
        #[arg(add = complete::names())]
        name: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// The operation
    #[arg(add = complete::names())]
    pub(crate) name: String,
    /// The promise, such as `approved` or `escalation/approved`
    #[arg(add = complete::promises())]
    pub(crate) promise: String,
    /// The value as JSON: the text itself, @FILE, or - for stdin
    #[arg(value_name = "JSON", required_unless_present = "error")]
    pub(crate) value: Option<String>,
    /// The type of the value: the full name of a message, or bool, string, bytes, int32, int64, uint32,
    /// uint64, float, double or empty [default: the declared one, or that of its `@type`; bool for true and false]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) of_type: Option<String>,
    /// An error in place of a value
    #[arg(long, value_name = "CODE:MESSAGE", conflicts_with_all = ["value", "of_type"])]
    pub(crate) error: Option<String>,
}
