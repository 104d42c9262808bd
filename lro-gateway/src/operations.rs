//! The bindings of `google.longrunning.Operations`, and those of lro.v1 where it is described.

use lro_core::ParentPattern;
use prost_reflect::DescriptorPool;

use crate::rules::{HttpRule, Rules};

/// The service of operations.
const SERVICE: &str = "google.longrunning.Operations";

/// The paths of an rpc.
#[derive(Clone, Copy)]
enum Paths {
    /// Of one operation, with a verb.
    Operation,
    /// Of a list of operations, with a verb.
    List,
    /// Of all operations, with a verb.
    Whole,
}

/// An rpc, its HTTP method, its paths, and the verb behind them.
type Bound = (&'static str, &'static str, Paths, &'static str);

const OPERATIONS: &[Bound] = &[
    (
        "google.longrunning.Operations.ListOperations",
        "GET",
        Paths::List,
        "",
    ),
    (
        "google.longrunning.Operations.GetOperation",
        "GET",
        Paths::Operation,
        "",
    ),
    (
        "google.longrunning.Operations.DeleteOperation",
        "DELETE",
        Paths::Operation,
        "",
    ),
    (
        "google.longrunning.Operations.CancelOperation",
        "POST",
        Paths::Operation,
        ":cancel",
    ),
    (
        "google.longrunning.Operations.WaitOperation",
        "POST",
        Paths::Operation,
        ":wait",
    ),
];

/// Their annotations bind names without a parent below `/v1`.
const OPERATORS: &[Bound] = &[
    (
        "lro.v1.Steps.ListSteps",
        "GET",
        Paths::Operation,
        ":listSteps",
    ),
    (
        "lro.v1.Steps.CompletePromise",
        "POST",
        Paths::Operation,
        ":completePromise",
    ),
    (
        "lro.v1.Steps.ForgetSteps",
        "POST",
        Paths::Operation,
        ":forgetSteps",
    ),
    ("lro.v1.Steps.Unblock", "POST", Paths::Operation, ":unblock"),
    (
        "lro.v1.Inspection.DescribeOperation",
        "GET",
        Paths::Operation,
        ":describe",
    ),
    (
        "lro.v1.Inspection.ResubmitOperation",
        "POST",
        Paths::Operation,
        ":resubmit",
    ),
    (
        "lro.v1.Inspection.ListOperations",
        "GET",
        Paths::Whole,
        ":listRecords",
    ),
    (
        "lro.v1.Inspection.WatchOperations",
        "GET",
        Paths::Whole,
        ":watchRecords",
    ),
    (
        "lro.v1.Inspection.CountOperations",
        "GET",
        Paths::Whole,
        ":count",
    ),
    (
        "lro.v1.Inspection.ListMethods",
        "GET",
        Paths::Whole,
        ":listMethods",
    ),
    (
        "lro.v1.Inspection.ListWorkers",
        "GET",
        Paths::Whole,
        ":listWorkers",
    ),
];

/// The places where operations are bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperationsBindings {
    /// Path templates of one operation, `/v1/{name=users/*/operations/*}`.
    operations: Vec<String>,
    /// Path templates of a list, `/v1/{name=users/*}/operations`.
    lists: Vec<String>,
    /// Path templates of all operations, `/v1/operations`.
    wholes: Vec<String>,
}

impl OperationsBindings {
    /// Binds the operations of these parents below a prefix; those of any parent if there are none.
    pub(crate) fn bind(&mut self, prefix: &str, parents: &[ParentPattern]) {
        let whole = format!("{prefix}/operations");
        if !self.wholes.contains(&whole) {
            self.wholes.push(whole);
        }
        let mut add = |one: &str, list: &str| {
            self.operations.push(format!("{prefix}/{{name={one}}}"));
            self.lists.push(format!("{prefix}{list}"));
        };
        if parents.is_empty() {
            add("operations/**", "/{name=operations}");
            add("**/operations/*", "/{name=**}/operations");
        }
        for parent in parents {
            match parent.as_str() {
                "" => add("operations/*", "/{name=operations}"),
                parent => add(
                    &format!("{parent}/operations/*"),
                    &format!("/{{name={parent}}}/operations"),
                ),
            }
        }
    }

    /// Adds rules for the rpcs that have none. Without any binding and any rule of the service, its
    /// operations are bound below `/v1`.
    pub(crate) fn add_to(mut self, types: &DescriptorPool, rules: &mut Rules) {
        let has_rules = rules.keys().any(|rpc| rpc.starts_with(SERVICE));
        if self.operations.is_empty() {
            if has_rules {
                return;
            }
            self.bind("/v1", &[]);
        }
        let is_described = |rpc: &str| {
            let (service, _) = rpc.rsplit_once('.').unwrap_or_default();
            types.get_service_by_name(service).is_some()
        };
        let described = OPERATORS.iter().filter(|(rpc, ..)| is_described(rpc));
        for (rpc, method, paths, verb) in OPERATIONS.iter().chain(described) {
            let paths = match paths {
                Paths::Operation => &self.operations,
                Paths::List => &self.lists,
                Paths::Whole => &self.wholes,
            };
            let mut bound = paths.iter().map(|path| {
                let rule = HttpRule::new(*method, format!("{path}{verb}"));
                if *method == "POST" {
                    rule.body("*")
                } else {
                    rule
                }
            });
            if let Some(first) = bound.next() {
                let rule = bound.fold(first, HttpRule::additional_binding);
                rules.entry((*rpc).to_owned()).or_insert(rule);
            }
        }
    }
}
