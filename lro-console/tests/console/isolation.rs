//! Two tenants, random requests: neither learns anything of the other by the console.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use lro_console::Console;
use lro_core::OperationName;
use lro_core::store::Command;
use lro_server::ServiceSettings;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use tonic::Status;
use tower::ServiceExt as _;

use crate::fixture::{Fixture, Page, body_of, send};

const TENANTS: [&str; 2] = ["ada", "bob"];
const REQUESTS: usize = 2_000;
const MAX_OPERATIONS: usize = 30;

/// A caller may do anything with what is below its name, and is no operator.
#[derive(Debug)]
struct Tenants;

#[tonic::async_trait]
impl Authorizer for Tenants {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let user = caller.header("user");
        user.map(Principal::new)
            .ok_or_else(|| Status::unauthenticated("no user"))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        let own = format!("users/{}", call.principal().name());
        Ok(Access::allowed_if(call.parent().as_str() == own))
    }
}

/// guarantee:R20
#[tokio::test(start_paused = true)]
async fn tenants_are_isolated() {
    let users = ServiceSettings::new("exporter.v1.Exporter").parent("users/*".parse().unwrap());
    let fixture = Fixture::with(|builder| builder.bind(users).authorizer(Tenants));
    let console = fixture.console().allow_host("ops.example");
    let run = Run {
        fixture,
        console,
        random: 1,
        names: [Vec::new(), Vec::new()],
        ended: [0, 0],
        counts: BTreeMap::new(),
    };
    let counts = run.go().await;
    for wanted in [
        "list", "numbers", "file", "foreign", "action", "event", "overview",
    ] {
        assert!(counts[wanted] > 50, "{wanted}: {counts:?}");
    }
}

struct Run {
    fixture: Fixture,
    console: Console,
    random: u64,
    /// By tenant, the operations it has.
    names: [Vec<OperationName>; 2],
    ended: [usize; 2],
    counts: BTreeMap<&'static str, usize>,
}

impl Run {
    async fn go(mut self) -> BTreeMap<&'static str, usize> {
        for _ in 0..REQUESTS {
            let tenant = self.below(2);
            self.fixture.clock.advance(Duration::from_secs(3));
            // Shared counts may be ten seconds old.
            tokio::time::advance(Duration::from_secs(11)).await;
            match self.below(8) {
                0 => self.start(tenant).await,
                1 | 2 => self.pages(tenant).await,
                3 => self.numbers(tenant).await,
                4 => self.foreign(tenant).await,
                5 => self.act(tenant).await,
                6 => self.events(tenant).await,
                _ => self.overview(tenant).await,
            }
        }
        println!("0 leaks: {:?}", self.counts);
        self.counts
    }

    /// Some end at once, so that there is a past to tell.
    async fn start(&mut self, tenant: usize) {
        if self.names[tenant].len() >= MAX_OPERATIONS {
            return;
        }
        let user = TENANTS[tenant];
        let mut new = self.fixture.new_operation();
        let id = self.below(1 << 30);
        new.name = format!("users/{user}/operations/{user}-{id}")
            .parse()
            .unwrap();
        new.origin.principal = user.into();
        new.labels
            .insert(format!("label_{user}"), format!("value-{user}"));
        let name = self.fixture.start(new).await;
        if self.below(2) == 0 {
            self.fixture.update(&name, Command::cancel()).await;
            self.ended[tenant] += 1;
        }
        self.names[tenant].push(name);
    }

    /// Lists, files and completions of own, foreign and open parents.
    async fn pages(&mut self, tenant: usize) {
        let own = format!("users/{}", TENANTS[tenant]);
        let foreign = format!("users/{}", TENANTS[1 - tenant]);
        let parents = [&*own, &own, &own, &foreign, "users/-", "-/-", "users", ""];
        let parent = parents[self.below(parents.len())];
        let pages = ["", "export", "fields", "counts"];
        let page = pages[self.below(pages.len())];
        let filters = [
            "",
            "state%20%3D%20PENDING",
            &format!("name%20%3D%20%22{foreign}%2A%22"),
        ];
        let filter = filters[self.below(filters.len())];
        let format = ["csv", "ndjson"][self.below(2)];
        let path = format!("/{page}?parent={parent}&filter={filter}&format={format}&rows=5");
        let answer = self.get(tenant, &path).await;
        self.says_nothing(tenant, &answer, &[&foreign]);
        let is_own = parent == own;
        assert_eq!(
            answer.status == StatusCode::OK,
            is_own,
            "{path}: {}",
            answer.text
        );
        self.note(if page == "export" { "file" } else { "list" });
    }

    /// The numbers of a tenant are those of its own operations.
    async fn numbers(&mut self, tenant: usize) {
        let path = format!("/counts?parent=users/{}", TENANTS[tenant]);
        let answer = self.get(tenant, &path).await;
        let counts: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let all = self.names[tenant].len().to_string();
        assert_eq!(counts["counts"][""], *all, "{}", answer.text);
        self.note("numbers");
    }

    /// The page of the other's operation is that of one that there is not.
    async fn foreign(&mut self, tenant: usize) {
        let Some(name) = self.pick(1 - tenant) else {
            return;
        };
        let (parent, id) = name.as_str().rsplit_once('/').unwrap();
        let absent = format!("{parent}/{}", "z".repeat(id.len()));
        for page in ["operation", "operation.json"] {
            let there = self.get(tenant, &format!("/{page}?name={name}")).await;
            let not_there = self.get(tenant, &format!("/{page}?name={absent}")).await;
            assert_eq!(there.status, StatusCode::FORBIDDEN);
            assert_eq!(there.text.replace(name.as_str(), &absent), not_there.text);
        }
        let uid = uuid::Uuid::nil();
        for action in ["cancel", "delete", "resubmit"] {
            for page in ["/confirm", "/act"] {
                let of = |name: &str| format!("{uid} {name}");
                let there = self.post(tenant, page, action, &of(name.as_str())).await;
                let not_there = self.post(tenant, page, action, &of(&absent)).await;
                assert_eq!(there.status, not_there.status);
                // But for the form's own number.
                let there = there.text.replace(name.as_str(), &absent);
                assert_eq!(there.len(), not_there.text.len(), "{there}");
            }
        }
        self.note("foreign");
    }

    /// Own operations are cancelled and deleted.
    async fn act(&mut self, tenant: usize) {
        let Some(name) = self.pick(tenant) else {
            return;
        };
        let page = self.get(tenant, &format!("/operation?name={name}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        self.says_nothing(tenant, &page, &[]);
        let chosen = page.text.split("name=\"operation\" value=\"").nth(1);
        let chosen = chosen.unwrap().split('"').next().unwrap().to_owned();
        let deleted = self.post(tenant, "/act", "delete", &chosen).await;
        assert_eq!(deleted.status, StatusCode::SEE_OTHER, "{}", deleted.text);
        self.names[tenant].retain(|it| *it != name);
        self.note("action");
    }

    /// A tab receives its own rows, and none when it asks for those of the other.
    async fn events(&mut self, tenant: usize) {
        let (Some(own), Some(foreign)) = (self.pick(tenant), self.pick(1 - tenant)) else {
            return;
        };
        let rows = [format!(" {own}"), format!(" {foreign}")];
        let form = [("operation", &*rows[0])];
        let answer = self.form(tenant, "/rows", &form).await;
        assert_eq!(answer.status, StatusCode::OK);
        self.says_nothing(tenant, &answer, &[]);
        let both = [("operation", &*rows[0]), ("operation", &*rows[1])];
        let answer = self.form(tenant, "/rows", &both).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        self.says_nothing(tenant, &answer, &[foreign.as_str()]);

        let request = Request::post("/events")
            .header("user", TENANTS[tenant])
            .header(HOST, "ops.example")
            .header("sec-fetch-site", "same-origin");
        let parent = format!("users/{}", TENANTS[tenant]);
        let form = [
            ("operation", &*rows[0]),
            ("newest_name", own.as_str()),
            ("parent", &parent),
        ];
        let stream = self
            .console
            .clone()
            .oneshot(request.body(body_of(&form)).unwrap());
        let mut stream = stream.await.unwrap().into_body();
        let mut seen = String::new();
        // The rows of the other may change meanwhile.
        self.start(1 - tenant).await;
        while !seen.contains("event: rows") {
            let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
            seen.push_str(std::str::from_utf8(&frame).unwrap());
        }
        let other = TENANTS[1 - tenant];
        assert!(!seen.contains(other), "{seen}");
        self.note("event");
    }

    /// Neither rates nor times of others, and no numbers but one's own.
    async fn overview(&mut self, tenant: usize) {
        let path = format!("/overview?parent=users/{}", TENANTS[tenant]);
        let page = self.get(tenant, &path).await;
        assert_eq!(page.status, StatusCode::OK);
        self.says_nothing(tenant, &page, &[]);
        assert!(!page.text.contains("sparkline") && !page.text.contains("Run p50"));
        let foreign = format!("/overview?parent=users/{}", TENANTS[1 - tenant]);
        assert_eq!(
            self.get(tenant, &foreign).await.status,
            StatusCode::FORBIDDEN
        );
        self.note("overview");
    }

    /// No text of the other, unless the request has it.
    fn says_nothing(&self, tenant: usize, page: &Page, said: &[&str]) {
        let mut text = page.text.clone();
        for said in said {
            text = text.replace(said, "");
        }
        let other = TENANTS[1 - tenant];
        for secret in [
            format!("{other}-"),
            format!("label_{other}"),
            format!("value-{other}"),
        ] {
            assert!(!text.contains(&secret), "{secret}: {text}");
        }
    }

    async fn get(&self, tenant: usize, path: &str) -> Page {
        let request = Request::get(path)
            .header("user", TENANTS[tenant])
            .header(HOST, "ops.example");
        send(&self.console, request.body(Full::default()).unwrap()).await
    }

    async fn post(&self, tenant: usize, path: &str, action: &str, chosen: &str) -> Page {
        let form = [("action", action), ("operation", chosen), ("once", "1")];
        self.form(tenant, path, &form).await
    }

    async fn form(&self, tenant: usize, path: &str, form: &[(&str, &str)]) -> Page {
        let request = Request::post(path)
            .header("user", TENANTS[tenant])
            .header(HOST, "ops.example")
            .header("sec-fetch-site", "same-origin");
        send(&self.console, request.body(body_of(form)).unwrap()).await
    }

    fn pick(&mut self, tenant: usize) -> Option<OperationName> {
        match self.names[tenant].len() {
            0 => None,
            len => {
                let at = self.below(len);
                Some(self.names[tenant][at].clone())
            }
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
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
