//! The bindings of `google.longrunning.Operations`.

use lro_core::ParentPattern;

use crate::rules::{HttpRule, Rules};

/// The service of operations.
const SERVICE: &str = "google.longrunning.Operations";

/// The places where operations are bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperationsBindings {
    /// Path templates of one operation, `/v1/{name=users/*/operations/*}`.
    operations: Vec<String>,
    /// Path templates of a list, `/v1/{name=users/*}/operations`.
    lists: Vec<String>,
}

impl OperationsBindings {
    /// Binds the operations of these parents below a prefix; those of any parent if there are none.
    pub(crate) fn bind(&mut self, prefix: &str, parents: &[ParentPattern]) {
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
    pub(crate) fn add_to(mut self, rules: &mut Rules) {
        let has_rules = rules.keys().any(|rpc| rpc.starts_with(SERVICE));
        if self.operations.is_empty() {
            if has_rules {
                return;
            }
            self.bind("/v1", &[]);
        }
        let mut add = |rpc: &str, method: &str, paths: &[String], verb: &str| {
            let mut bound = paths.iter().map(|path| {
                let rule = HttpRule::new(method, format!("{path}{verb}"));
                if method == "POST" {
                    rule.body("*")
                } else {
                    rule
                }
            });
            if let Some(first) = bound.next() {
                let rule = bound.fold(first, HttpRule::additional_binding);
                rules.entry(format!("{SERVICE}.{rpc}")).or_insert(rule);
            }
        };
        add("ListOperations", "GET", &self.lists, "");
        add("GetOperation", "GET", &self.operations, "");
        add("DeleteOperation", "DELETE", &self.operations, "");
        add("CancelOperation", "POST", &self.operations, ":cancel");
        add("WaitOperation", "POST", &self.operations, ":wait");
    }
}
