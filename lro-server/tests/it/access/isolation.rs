//! Two tenants, random calls: neither learns anything of the other.

use std::collections::BTreeMap;

use lro_core::pb::{ListOperationsRequest, operation::Result as Ended};
use lro_core::store::MemoryStore;
use lro_server::access::{Access, OperationsRpc};
use lro_server::{Operations, ServiceSettings};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{Answer, As, Policies, SERVICE, Server};
use crate::access::transport::ISOLATION_CALLS;

const TENANTS: [&str; 2] = ["ada", "bob"];

/// How many operations a tenant has at most; then it deletes.
const OPERATIONS_MAX: usize = 40;

#[tokio::test]
async fn tenants_with_parents_of_their_own_are_isolated() {
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let builder = Operations::builder(MemoryStore::new()).bind(users);
    let server = Server::new(builder.authorizer(Policies::tenants()).build());
    let counts = Run::new(server, "users/").go(1).await;
    for wanted in [
        "started",
        "own",
        "refused",
        "listed",
        "foreign token",
        "foreign parent",
    ] {
        assert!(counts[wanted] > 100, "{wanted}: {counts:?}");
    }
}

#[tokio::test]
async fn tenants_that_share_a_parent_are_isolated_by_who_started() {
    let mut policies =
        Policies::new(|call| Ok(Access::allowed_if(call.method() != OperationsRpc::List)));
    policies.operation = Box::new(|call, it| it.principal() == call.principal().name());
    let builder = Operations::builder(MemoryStore::new()).authorizer(policies);
    let counts = Run::new(Server::new(builder.build()), "").go(2).await;
    for wanted in ["started", "own", "refused", "key held by the other"] {
        assert!(counts[wanted] > 100, "{wanted}: {counts:?}");
    }
}

struct Run {
    server: Server,
    /// The prefix of a tenant's name in its parent; empty if all have one parent.
    prefix: &'static str,
    random: Random,
    /// By tenant, the operations it has.
    names: [Vec<String>; 2],
    tokens: [Vec<String>; 2],
    counts: BTreeMap<&'static str, usize>,
}

impl Run {
    fn new(server: Server, prefix: &'static str) -> Self {
        Self {
            server,
            prefix,
            random: Random(0),
            names: [Vec::new(), Vec::new()],
            tokens: [Vec::new(), Vec::new()],
            counts: BTreeMap::new(),
        }
    }

    async fn go(mut self, seed: u64) -> BTreeMap<&'static str, usize> {
        let calls = std::env::var("LRO_ISOLATION_CALLS");
        let calls = calls.map_or(ISOLATION_CALLS, |calls| calls.parse().unwrap());
        println!("seed {seed}, {calls} calls");
        self.random = Random(seed);
        for _ in 0..calls {
            let tenant = self.random.below(2);
            match self.random.below(10) {
                0 | 1 => self.start(tenant).await,
                2 | 3 => self.list(tenant).await,
                4 => self.guess(tenant).await,
                5 | 6 => self.own(tenant).await,
                _ => self.foreign(tenant).await,
            }
        }
        println!("0 leaks: {:?}", self.counts);
        self.counts
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn parent(&self, tenant: usize) -> String {
        match self.prefix {
            "" => String::new(),
            prefix => format!("{prefix}{}", TENANTS[tenant]),
        }
    }

    fn name(&self, tenant: usize, id: &str) -> String {
        match self.parent(tenant) {
            parent if parent.is_empty() => format!("operations/{id}"),
            parent => format!("{parent}/operations/{id}"),
        }
    }

    fn method(&mut self) -> OperationsRpc {
        [
            OperationsRpc::Get,
            OperationsRpc::Wait,
            OperationsRpc::Cancel,
            OperationsRpc::Delete,
        ][self.random.below(4)]
    }

    /// Starts with ids and keys that the other uses too.
    async fn start(&mut self, tenant: usize) {
        let full = self.names[tenant].len() >= OPERATIONS_MAX;
        if full {
            let name = self.names[tenant].swap_remove(0);
            let who = As(TENANTS[tenant]);
            self.server
                .call(who, OperationsRpc::Cancel, &name)
                .await
                .unwrap();
            self.server
                .call(who, OperationsRpc::Delete, &name)
                .await
                .unwrap();
        }
        let elsewhere = !self.prefix.is_empty() && self.random.below(8) == 0;
        let target = if elsewhere { 1 - tenant } else { tenant };
        let parent = format!("parent={}", self.parent(target));
        let extra = match self.random.below(4) {
            0 => format!("request_id=r{}", self.random.below(50)),
            1 => format!("exclusive_key=k{}", self.random.below(6)),
            2 => format!("operation_id={}{}", TENANTS[tenant], self.random.below(50)),
            _ => "color=red".to_owned(),
        };
        let answer = self.server.start(TENANTS[tenant], &[&parent, &extra]).await;
        let other = 1 - tenant;
        match answer {
            Ok(started) => {
                assert!(!elsewhere, "started in a foreign parent");
                let name = started.name().to_owned();
                assert!(!self.names[other].contains(&name), "got {name} by {extra}");
                if !self.names[tenant].contains(&name) {
                    self.names[tenant].push(name);
                }
                self.count("started");
            }
            Err(error) => {
                self.says_nothing_of(other, &error, &parent);
                match error.code() {
                    Code::PermissionDenied => assert!(elsewhere, "{error}"),
                    Code::AlreadyExists => assert!(extra.starts_with("operation_id")),
                    Code::Aborted => {
                        assert!(extra.starts_with("exclusive_key"));
                        if !error.message().contains("operations/") {
                            self.count("key held by the other");
                        }
                    }
                    _ => panic!("{error}"),
                }
            }
        }
    }

    async fn own(&mut self, tenant: usize) {
        let Some(name) = self.random.pick(&self.names[tenant]).cloned() else {
            return;
        };
        let method = self.method();
        let who = As(TENANTS[tenant]);
        if method == OperationsRpc::Delete {
            // So that nothing of it is left, its request id and its key included.
            let cancelled = self.server.call(who, OperationsRpc::Cancel, &name).await;
            cancelled.unwrap();
        }
        let answer = self.server.call(who, method, &name).await.unwrap();
        if let Answer::Operation(operation) = answer {
            assert_eq!(operation.name, name);
            assert!(!matches!(operation.result, Some(Ended::Response(_))));
        }
        if method == OperationsRpc::Delete {
            self.names[tenant].retain(|it| *it != name);
        }
        self.count("own");
    }

    /// Whatever is tried with the other's operation is answered as if there were none.
    async fn foreign(&mut self, tenant: usize) {
        let other = 1 - tenant;
        let Some(name) = self.random.pick(&self.names[other]).cloned() else {
            return;
        };
        let method = self.method();
        let who = As(TENANTS[tenant]);
        let there = self.server.call(who, method, &name).await.unwrap_err();
        // An unused id of the same length.
        let id = name.rsplit_once('/').unwrap().1;
        let absent_id: String = id.chars().map(|_| 'z').collect();
        let absent = self.name(other, &absent_id);
        let not_there = self.server.call(who, method, &absent).await.unwrap_err();
        same(&there, &name, &not_there, &absent);
        assert_eq!(there.code(), Code::PermissionDenied);
        self.count("refused");
    }

    /// Plausible names, and texts that are not names.
    async fn guess(&mut self, tenant: usize) {
        let id = format!("{}{}", TENANTS[1 - tenant], self.random.below(50));
        let parent = self.parent(1 - tenant);
        let guesses = [
            self.name(tenant, &id),
            self.name(1 - tenant, &id),
            format!("users/-/operations/{id}"),
            format!("users/*/operations/{id}"),
            format!("{parent}/../operations/{id}"),
            format!("{parent}/operations/{id}/"),
            format!("operations/{id}"),
            format!("{parent}%2Foperations%2F{id}"),
            format!("{}/operations/operations/{id}", self.parent(tenant)),
            String::new(),
        ];
        let name = self.random.pick(&guesses).unwrap().clone();
        let method = self.method();
        let answer = self.server.call(As(TENANTS[tenant]), method, &name).await;
        let error = answer.unwrap_err();
        self.says_nothing_of(1 - tenant, &error, &name);
        self.count("guessed");
    }

    /// Lists own, foreign and open parents, with own and foreign tokens.
    async fn list(&mut self, tenant: usize) {
        let other = 1 - tenant;
        let own = self.parent(tenant);
        let parents = [
            own.clone(),
            own.clone(),
            format!("{own}/operations"),
            self.parent(other),
            "users/-".to_owned(),
            "-/-".to_owned(),
            "users".to_owned(),
            String::new(),
            "operations".to_owned(),
        ];
        let name = self.random.pick(&parents).unwrap().clone();
        let holder = self.random.below(2);
        let token = match self.random.below(2) {
            0 => String::new(),
            _ => self
                .random
                .pick(&self.tokens[holder])
                .cloned()
                .unwrap_or_default(),
        };
        let filters = [
            "",
            "done = false",
            &format!("name = \"users/{}/*\"", TENANTS[other]),
        ];
        let filter = (*self.random.pick(&filters).unwrap()).to_owned();
        let request = ListOperationsRequest {
            name: name.clone(),
            filter,
            page_size: 3,
            page_token: token.clone(),
            return_partial_success: false,
        };
        let foreign_token = !token.is_empty() && holder == other;
        if foreign_token {
            self.count("foreign token");
        }
        match self.server.list(As(TENANTS[tenant]), request).await {
            Ok(list) => {
                assert!(
                    !self.prefix.is_empty() && name.starts_with(&own),
                    "listed {name}"
                );
                assert!(!foreign_token, "a foreign token was good");
                for operation in &list.operations {
                    assert!(
                        self.names[tenant].contains(&operation.name),
                        "{operation:?}"
                    );
                }
                if !list.next_page_token.is_empty() {
                    let tokens = &mut self.tokens[tenant];
                    tokens.push(list.next_page_token);
                    let excess = tokens.len().saturating_sub(20);
                    tokens.drain(..excess);
                }
                self.count("listed");
            }
            Err(error) => {
                self.says_nothing_of(other, &error, &name);
                if !name.starts_with(&own) {
                    self.count("foreign parent");
                }
            }
        }
    }

    /// An error holds no name of the other's, unless the caller has just said it.
    fn says_nothing_of(&self, other: usize, error: &Status, said: &str) {
        let shown = format!(
            "{} {}",
            error.message(),
            String::from_utf8_lossy(error.details())
        );
        for name in &self.names[other] {
            assert!(
                !shown.contains(&**name) || said.contains(&**name),
                "{shown}"
            );
        }
    }
}

/// The same code, text and details, but for the name.
fn same(one: &Status, name: &str, two: &Status, other: &str) {
    assert_eq!(one.code(), two.code());
    assert_eq!(one.message().replace(name, other), two.message());
    assert_eq!(one.details().len(), two.details().len());
    let (one, two) = (one.get_error_details(), two.get_error_details());
    let (info, other_info) = (one.error_info().unwrap(), two.error_info().unwrap());
    assert_eq!(info.reason, other_info.reason);
    for (key, value) in &info.metadata {
        assert_eq!(value.replace(name, other), other_info.metadata[key]);
    }
    let (resource, other_resource) = (one.resource_info().unwrap(), two.resource_info().unwrap());
    assert_eq!(
        resource.resource_name.replace(name, other),
        other_resource.resource_name
    );
    assert_eq!(resource.owner, other_resource.owner);
    assert_eq!(resource.description, other_resource.description);
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        match from.len() {
            0 => None,
            len => from.get(self.below(len)),
        }
    }
}
