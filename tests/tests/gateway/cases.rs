//! A table of cases: its format, and how a case is run.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lro_core::store::{NewOperation, OperationStore as _};
use lro_gateway::{Gateway, GatewayBuilder, HttpRule};
use lro_json::{ReadOptions, WriteOptions};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _};
use serde_json::Value;

use crate::backend::{Asked, Backend};
use crate::expectations::{check_metadata, check_response};
use crate::format::{check_format, known};
use crate::protos;
use crate::server::{send_http2, serve};
use crate::wire::{Sent, send};

/// The outcome of a table.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) passed: usize,
    /// A line for each case that failed, its id first.
    pub(crate) failures: Vec<String>,
}

/// Runs a table of cases. An error is one of the table.
pub(crate) async fn run(table: &str) -> Result<Report, String> {
    let table: Value = serde_json::from_str(table).map_err(|error| error.to_string())?;
    known(
        &table,
        "table",
        &["about", "protos", "extra_rules", "cases"],
    )?;
    let mut report = Report {
        passed: 0,
        failures: Vec::new(),
    };
    let server = Server::new(&table)?;
    let mut listening: BTreeMap<String, SocketAddr> = BTreeMap::new();
    for case in list(&table["cases"]) {
        check_format(case)?;
        let id = case["id"].as_str().ok_or("a case without an id")?;
        let outcome = if case.get("template").is_some() || case.get("bindings").is_some() {
            server.start_case(case)
        } else {
            let settings = case.get("server").unwrap_or(&Value::Null).to_string();
            let address = match listening.get(&settings) {
                Some(address) => *address,
                None => {
                    let address = server.listen(case.get("server")).await?;
                    listening.insert(settings, address);
                    address
                }
            };
            server.request_case(case, address).await
        };
        match outcome {
            Ok(()) => report.passed += 1,
            Err(reason) => report.failures.push(format!("{id}: {reason}")),
        }
    }
    Ok(report)
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The gateways of a table, and the backend behind them.
struct Server {
    descriptor_set: Vec<u8>,
    types: DescriptorPool,
    backend: Backend,
    extra_rules: BTreeMap<String, HttpRule>,
}

impl Server {
    fn new(table: &Value) -> Result<Self, String> {
        let files = table["protos"].as_object().ok_or("no protos")?;
        let files: Vec<_> = (files.iter())
            .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
            .collect();
        let descriptor_set = protos::compile(&files)?;
        let types = DescriptorPool::decode(&*descriptor_set).map_err(|error| error.to_string())?;
        Ok(Self {
            backend: Backend::new(types.clone()),
            types,
            descriptor_set,
            extra_rules: rules(list(&table["extra_rules"])),
        })
    }

    fn builder(&self) -> GatewayBuilder {
        let mut builder =
            Gateway::builder(self.backend.service()).file_descriptor_set(&*self.descriptor_set);
        for (rpc, rule) in &self.extra_rules {
            builder = builder.rule(rpc, rule.clone());
        }
        builder
    }

    /// A case that only asks whether a gateway starts.
    fn start_case(&self, case: &Value) -> Result<(), String> {
        let built = match case.get("template").and_then(Value::as_str) {
            Some(template) => {
                let proto = protos::for_template(template);
                let set = protos::compile(&[("t.proto".to_owned(), proto)])?;
                Gateway::builder(self.backend.service())
                    .file_descriptor_set(set)
                    .rule("t.Service/Call", HttpRule::new("GET", template))
                    .build()
            }
            None => {
                let set = protos::without_rules(&self.descriptor_set)?;
                let mut builder = Gateway::builder(self.backend.service()).file_descriptor_set(set);
                for (rpc, rule) in rules(list(&case["bindings"])) {
                    builder = builder.rule(&rpc, rule);
                }
                builder.build()
            }
        };
        match (built, case["expect"]["valid"].as_bool()) {
            (Ok(_), Some(true)) | (Err(_), Some(false)) => Ok(()),
            (Ok(_), _) => Err("started".to_owned()),
            (Err(error), _) => Err(format!("did not start: {error}")),
        }
    }

    /// Serves a gateway on a port of its own: gRPC by its content type, and the rest by the gateway.
    async fn listen(&self, settings: Option<&Value>) -> Result<SocketAddr, String> {
        let mut builder = self.builder();
        for origin in settings.map_or(&[][..], |settings| list(&settings["cors"])) {
            builder = builder.allow_origin(origin.as_str().unwrap_or_default());
        }
        let gateway = builder.build().map_err(|error| error.to_string())?;
        serve(gateway, self.backend.service()).await
    }

    async fn request_case(&self, case: &Value, address: SocketAddr) -> Result<(), String> {
        let backend = case
            .get("backend")
            .cloned()
            .unwrap_or_else(|| serde_json::json!({}));
        self.backend.begin(&backend);
        let address = match case["needs"].as_str() {
            Some("operations") => self.operations().await?,
            _ => address,
        };
        let sent = sent(&case["request"])?;
        let is_grpc = sent.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && value.starts_with(b"application/grpc")
        });
        let received = if is_grpc {
            send_http2(address, &sent).await
        } else {
            send(address, &sent).await
        };
        let received = received.map_err(|error| error.to_string())?;
        let expect = &case["expect"];
        check_response(expect, &received)?;
        // Only this backend records calls, and a deadline cuts off a call that was made.
        let is_answer = expect["status"] == 200 && expect.get("rpc").is_none();
        let is_ours = case["needs"] != "operations"
            && !is_answer
            && !is_grpc
            && backend.get("delay_ms").is_none();
        if is_ours {
            self.check_call(expect.get("rpc"), self.backend.asked())?;
        }
        Ok(())
    }

    /// A gateway in front of real operations, with `operations/7` under way.
    async fn operations(&self) -> Result<SocketAddr, String> {
        let store = lro_core::store::MemoryStore::new();
        let name = "operations/7".parse().map_err(|_| "no name")?;
        let operation = NewOperation::new(
            uuid::Uuid::now_v7(),
            name,
            "/depot.v1.Depot/SendParcel",
            Default::default(),
        );
        let started = store
            .start(vec![operation])
            .await
            .map_err(|error| error.to_string())?;
        if started.iter().any(Result::is_err) {
            return Err("the operation did not start".to_owned());
        }
        let operations = lro_server::Operations::new(store);
        let routes = tonic::service::Routes::new(operations.service());
        let mut builder =
            Gateway::builder(routes.clone()).file_descriptor_set(&*self.descriptor_set);
        for (rpc, rule) in &self.extra_rules {
            builder = builder.rule(rpc, rule.clone());
        }
        let gateway = builder.build().map_err(|error| error.to_string())?;
        serve(gateway, self.backend.service()).await
    }

    fn check_call(&self, expected: Option<&Value>, asked: Option<Asked>) -> Result<(), String> {
        let (expected, asked) = match (expected, asked) {
            (None, None) => return Ok(()),
            (None, Some(asked)) => return Err(format!("called {}", asked.method)),
            (Some(expected), None) => {
                return Err(format!("did not call {}", text(expected, "method")));
            }
            (Some(expected), Some(asked)) => (expected, asked),
        };
        if asked.method != text(expected, "method") {
            return Err(format!("called {}", asked.method));
        }
        if let Some(json) = expected.get("request_json") {
            let descriptor = asked.message.descriptor();
            let options = ReadOptions::new().types(self.types.clone());
            let expected = options
                .read(&descriptor, json.to_string().as_bytes())
                .map_err(|error| error.to_string())?;
            let write = |message: &DynamicMessage| {
                WriteOptions::new()
                    .types(self.types.clone())
                    .write(message)
                    .map(|written| written.json)
            };
            let (got, wanted) = (write(&asked.message), write(&expected));
            if got != wanted {
                return Err(format!("the rpc got {got:?}"));
            }
        }
        check_metadata(expected, &asked.metadata)
    }
}

/// The rules of a list of bindings; several of one rpc are one rule with additional bindings.
fn rules(bindings: &[Value]) -> BTreeMap<String, HttpRule> {
    let mut rules: BTreeMap<String, HttpRule> = BTreeMap::new();
    for binding in bindings {
        let rule = HttpRule::new(text(binding, "method"), text(binding, "path"))
            .body(text(binding, "body"))
            .response_body(text(binding, "response_body"));
        let rpc = text(binding, "rpc").to_owned();
        let rule = match rules.remove(&rpc) {
            Some(first) => first.additional_binding(rule),
            None => rule,
        };
        rules.insert(rpc, rule);
    }
    rules
}

fn sent(request: &Value) -> Result<Sent, String> {
    let mut headers = Vec::new();
    for pair in list(&request["headers"]) {
        let [name, value] = list(pair) else {
            return Err("headers are pairs".to_owned());
        };
        headers.push((
            name.as_str().unwrap_or_default().to_owned(),
            value.as_str().unwrap_or_default().as_bytes().to_vec(),
        ));
    }
    let body = if let Some(body) = request["body"].as_str() {
        body.as_bytes().to_vec()
    } else if let Some(body) = request["body_base64"].as_str() {
        STANDARD.decode(body).map_err(|error| error.to_string())?
    } else if let [head, unit, count, tail] = list(&request["body_repeat"]) {
        let count = usize::try_from(count.as_u64().unwrap_or_default()).unwrap_or_default();
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{}{}{}", part(head), part(unit).repeat(count), part(tail)).into_bytes()
    } else {
        Vec::new()
    };
    Ok(Sent {
        method: text(request, "method").to_owned(),
        path: text(request, "path").to_owned(),
        headers,
        body,
    })
}
