//! Two tenants, random calls: neither learns anything of the other by inspection.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use lro_core::inspection as pb;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::steps_server::Steps as _;
use lro_core::store::MemoryStore;
use lro_server::inspection::{InspectionService, StepsService};
use lro_server::{Operations, ServiceSettings, Worker};
use tonic::{Code, Status};

use crate::access::fixture::{As, Policies, SERVICE};
use crate::inspection::{name_of, service};
use crate::support::{Exporter, exported};

const TENANTS: [&str; 2] = ["ada", "bob"];
const CALLS: usize = 10_000;
const MAX_OPERATIONS: usize = 30;

/// guarantee:R20
#[tokio::test]
async fn tenants_are_isolated() {
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let builder = Operations::builder(MemoryStore::new()).bind(users);
    let operations = builder.authorizer(Policies::tenants()).build();
    let exporter = Exporter::new(&operations, async |_, _| {
        std::future::pending::<()>().await;
        Ok(exported(1))
    });
    // Of the two slots for the method, one tenant may hold both.
    let worker = Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    let run = Run {
        inspection: service(&operations),
        steps: operations.clone().into(),
        step_tokens: [String::new(), String::new()],
        exporter,
        random: 1,
        names: [Vec::new(), Vec::new()],
        tokens: [Vec::new(), Vec::new()],
        counts: BTreeMap::new(),
        operations,
    };
    let counts = run.go().await;
    for wanted in [
        "described",
        "refused",
        "listed",
        "counted",
        "watched",
        "foreign",
        "steps listed",
    ] {
        assert!(counts[wanted] > 100, "{wanted}: {counts:?}");
    }
    worker.drain().await;
}

struct Run {
    operations: Operations,
    inspection: InspectionService,
    steps: StepsService,
    step_tokens: [String; 2],
    exporter: std::sync::Arc<Exporter>,
    random: u64,
    names: [Vec<String>; 2],
    tokens: [Vec<String>; 2],
    counts: BTreeMap<&'static str, usize>,
}

impl Run {
    async fn go(mut self) -> BTreeMap<&'static str, usize> {
        for _ in 0..CALLS {
            let tenant = self.below(2);
            match self.below(9) {
                0 => self.start(tenant).await,
                1 => self.describe(tenant).await,
                2 => self.foreign(tenant).await,
                3 => self.list(tenant).await,
                4 => self.count(tenant).await,
                5 => self.watch(tenant).await,
                6 => self.end(tenant).await,
                7 => self.steps(tenant).await,
                _ => self.operate(tenant).await,
            }
        }
        println!("0 leaks: {:?}", self.counts);
        self.counts
    }

    async fn start(&mut self, tenant: usize) {
        use exporter::pb::exporter_server::Exporter as ExporterRpc;
        if self.names[tenant].len() >= MAX_OPERATIONS {
            return;
        }
        let tables = vec![
            format!("parent=users/{}", TENANTS[tenant]),
            format!("exclusive_key={}{}", TENANTS[tenant], self.below(1_000)),
        ];
        let request = As(TENANTS[tenant]).request(exporter::pb::ExportRequest { tables });
        match ExporterRpc::export(&*self.exporter, request).await {
            Ok(started) => self.names[tenant].push(started.into_inner().name().to_owned()),
            Err(error) => assert_eq!(error.code(), Code::Aborted, "{error}"),
        }
    }

    async fn end(&mut self, tenant: usize) {
        if self.names[tenant].is_empty() {
            return;
        }
        let at = self.below(self.names[tenant].len());
        let name = self.names[tenant][at].parse().unwrap();
        self.operations.cancel(&name).await.unwrap();
        if self.below(2) == 0 {
            self.operations.delete(&name).await.unwrap();
            self.names[tenant].swap_remove(at);
        }
    }

    async fn describe(&mut self, tenant: usize) {
        let Some(name) = self.pick(tenant) else {
            return;
        };
        let request = pb::DescribeOperationRequest {
            name: name.clone(),
            unredacted: false,
        };
        let request = As(TENANTS[tenant]).request(request);
        let record = self.inspection.describe_operation(request).await.unwrap();
        self.owns(tenant, record.get_ref());
        assert_eq!(name_of(record.get_ref()), name);
        self.note("described");
    }

    /// The other's operation is answered as one that there is not, by every rpc that takes a name.
    async fn foreign(&mut self, tenant: usize) {
        let Some(name) = self.pick(1 - tenant) else {
            return;
        };
        let (parent, id) = name.rsplit_once('/').unwrap();
        let absent: String = id.chars().map(|_| 'z').collect();
        let absent = format!("{parent}/{absent}");
        let there = self.refusals(tenant, &name).await;
        let not_there = self.refusals(tenant, &absent).await;
        for (there, not_there) in there.iter().zip(&not_there) {
            assert_eq!(there.code(), Code::PermissionDenied);
            assert_eq!(there.code(), not_there.code());
            assert_eq!(there.message().replace(&name, &absent), not_there.message());
            assert_eq!(there.details().len(), not_there.details().len());
        }
        self.note("foreign");
    }

    /// The other's page tokens, and what needs a permission, give nothing.
    async fn steps(&mut self, tenant: usize) {
        let Some(name) = self.pick(tenant) else {
            return;
        };
        let who = As(TENANTS[tenant]);
        let request = pb::ListStepsRequest {
            name: name.clone(),
            page_token: self.step_tokens[1 - tenant].clone(),
            ..Default::default()
        };
        match self.steps.list_steps(who.request(request)).await {
            Ok(_) => assert_eq!(self.step_tokens[1 - tenant], ""),
            Err(error) => self.says_nothing(tenant, &error),
        }
        let promise = format!("p{}", self.below(4));
        let value = TENANTS[tenant].to_owned();
        let of = name.parse().unwrap();
        match self.operations.complete(&of, &promise, &value).await {
            Err(error) if error.code() == Code::FailedPrecondition => return,
            completed => completed.unwrap(),
        }
        let request = pb::ListStepsRequest {
            name,
            page_size: 1,
            ..Default::default()
        };
        let listed = self.steps.list_steps(who.request(request)).await.unwrap();
        let listed = listed.into_inner();
        assert!(listed.steps.len() <= 1 && listed.total_size <= 4);
        if !listed.next_page_token.is_empty() {
            self.step_tokens[tenant] = listed.next_page_token;
        }
        self.note("steps listed");
    }

    async fn refusals(&self, tenant: usize, name: &str) -> [Status; 8] {
        let who = As(TENANTS[tenant]);
        let name = name.to_owned();
        let describe = who.request(pb::DescribeOperationRequest {
            name: name.clone(),
            unredacted: self.random.is_multiple_of(2),
        });
        let watch = who.request(pb::WatchOperationsRequest {
            names: vec![name.clone()],
            ..Default::default()
        });
        let resubmit = who.request(pb::ResubmitOperationRequest {
            name: name.clone(),
            ..Default::default()
        });
        let steps = who.request(pb::ListStepsRequest {
            name: name.clone(),
            page_token: self.step_tokens[1 - tenant].clone(),
            ..Default::default()
        });
        let values = who.request(pb::ListStepsRequest {
            name: name.clone(),
            view: pb::list_steps_request::View::Full.into(),
            ..Default::default()
        });
        let forget = who.request(pb::ForgetStepsRequest {
            name: name.clone(),
            keys: vec!["p0".into()],
        });
        let unblock = who.request(pb::UnblockRequest { name: name.clone() });
        let complete = who.request(pb::CompletePromiseRequest {
            name,
            promise: "p0".into(),
            outcome: None,
        });
        [
            self.inspection
                .describe_operation(describe)
                .await
                .unwrap_err(),
            self.inspection.watch_operations(watch).await.err().unwrap(),
            self.inspection
                .resubmit_operation(resubmit)
                .await
                .unwrap_err(),
            self.steps.list_steps(steps).await.unwrap_err(),
            self.steps.list_steps(values).await.unwrap_err(),
            self.steps.complete_promise(complete).await.unwrap_err(),
            self.steps.forget_steps(forget).await.unwrap_err(),
            self.steps.unblock(unblock).await.unwrap_err(),
        ]
    }

    fn parent(&mut self, tenant: usize) -> String {
        let own = format!("users/{}", TENANTS[tenant]);
        let other = format!("users/{}", TENANTS[1 - tenant]);
        match self.below(6) {
            0 => other,
            1 => "users/-".to_owned(),
            2 => String::new(),
            _ => own,
        }
    }

    fn is_own(tenant: usize, parent: &str) -> bool {
        parent == format!("users/{}", TENANTS[tenant])
    }

    async fn list(&mut self, tenant: usize) {
        let parent = self.parent(tenant);
        let from = self.below(2);
        let page_token = match self.below(2) {
            0 => String::new(),
            _ => self.tokens[from].last().cloned().unwrap_or_default(),
        };
        let foreign_token = !page_token.is_empty() && from != tenant;
        let request = pb::ListOperationsRequest {
            parent: parent.clone(),
            page_size: 3,
            page_token,
            view: pb::RecordView::Full.into(),
            ..Default::default()
        };
        let request = As(TENANTS[tenant]).request(request);
        match self.inspection.list_operations(request).await {
            Ok(page) => {
                assert!(Self::is_own(tenant, &parent) && !foreign_token, "{parent}");
                let page = page.into_inner();
                for record in &page.operations {
                    self.owns(tenant, record);
                }
                self.tokens[tenant].push(page.next_page_token);
                self.tokens[tenant].retain(|token| !token.is_empty());
                self.note("listed");
            }
            Err(error) => self.says_nothing(tenant, &error),
        }
    }

    async fn count(&mut self, tenant: usize) {
        let parent = self.parent(tenant);
        let request = pb::CountOperationsRequest {
            parent: parent.clone(),
            ..Default::default()
        };
        let request = As(TENANTS[tenant]).request(request);
        match self.inspection.count_operations(request).await {
            Ok(counts) => {
                assert!(Self::is_own(tenant, &parent), "{parent}");
                let own = i64::try_from(self.names[tenant].len()).unwrap();
                assert_eq!(counts.get_ref().total, own);
                self.note("counted");
            }
            Err(error) => self.says_nothing(tenant, &error),
        }
    }

    async fn watch(&mut self, tenant: usize) {
        let parent = self.parent(tenant);
        let request = pb::WatchOperationsRequest {
            parent: parent.clone(),
            ..Default::default()
        };
        let request = As(TENANTS[tenant]).request(request);
        match self.inspection.watch_operations(request).await {
            Ok(messages) => {
                assert!(Self::is_own(tenant, &parent), "{parent}");
                let begin = messages.into_inner().next().await.unwrap().unwrap();
                for record in &begin.operations {
                    self.owns(tenant, record);
                }
                assert_eq!(begin.operations.len(), self.names[tenant].len());
                self.note("watched");
            }
            Err(error) => self.says_nothing(tenant, &error),
        }
    }

    /// Facts about both are for operators.
    async fn operate(&mut self, tenant: usize) {
        let who = As(TENANTS[tenant]);
        let workers = self
            .inspection
            .list_workers(who.request(pb::ListWorkersRequest {}));
        self.says_nothing(tenant, &workers.await.unwrap_err());
        let methods = self
            .inspection
            .list_methods(who.request(pb::ListMethodsRequest {}));
        self.says_nothing(tenant, &methods.await.unwrap_err());
    }

    /// A record is the tenant's own, and says nothing of load, holders and workers.
    fn owns(&self, tenant: usize, record: &pb::OperationRecord) {
        assert!(self.names[tenant].iter().any(|it| it == name_of(record)));
        assert_eq!(record.principal, TENANTS[tenant]);
        assert!(record.lease.as_ref().is_none_or(|it| it.worker.is_empty()));
        assert!(record.attempts.iter().all(|it| it.worker.is_empty()));
        if let Some(waiting) = &record.waiting {
            use lro_core::inspection::waiting::Cause;
            let known = [Cause::Queued, Cause::Stopping];
            assert!(known.contains(&waiting.cause()), "{waiting:?}");
            assert!(!waiting.explanation.contains(TENANTS[1 - tenant]));
        }
    }

    fn says_nothing(&mut self, tenant: usize, error: &Status) {
        let shown = format!("{error} {}", String::from_utf8_lossy(error.details()));
        let other = &self.names[1 - tenant];
        assert!(!other.iter().any(|name| shown.contains(&**name)), "{shown}");
        self.note("refused");
    }

    fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn pick(&mut self, tenant: usize) -> Option<String> {
        match self.names[tenant].len() {
            0 => None,
            len => {
                let at = self.below(len);
                Some(self.names[tenant][at].clone())
            }
        }
    }

    /// splitmix64.
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}
