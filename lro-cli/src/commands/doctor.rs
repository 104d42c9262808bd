//! `lro doctor`: what a server can, by calls that change nothing.

use std::time::Duration;

use lro_core::inspection::CountOperationsRequest;
use lro_core::{Timestamp, pb};
use tonic::{Code, Status};

use crate::connect::ConnectFault;
use crate::connect::dial::Handshake;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::{Inspection, time};
use crate::output::{Output, age};

/// A name that no server has.
const NOTHING: &str = "operations/lro-doctor-asks-for-nothing";

/// How far apart the clocks may be: ages and `--since` are wrong by that much.
const APART: Duration = Duration::from_secs(2);
/// How many names of a certificate are shown.
const MAX_NAMES: usize = 3;
/// From how many days on nothing has to be done about a certificate.
const SOON: u64 = 14;

/// One line of the report.
struct Finding {
    what: &'static str,
    /// `ok`, `no`, `?` or `fail`.
    verdict: &'static str,
    text: String,
}

fn finding(what: &'static str, verdict: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        what,
        verdict,
        text: text.into(),
    }
}

pub(crate) async fn run(context: &Context, is_json: bool) -> Result<Exit, Failure> {
    let output = match is_json {
        true => Output::Json,
        false => context.output(Output::Table)?,
    };
    let mut findings = Vec::new();
    let (connection, reachable) = connection(context).await;
    findings.push(connection);
    findings.push(token(context).await);
    let mut exit = if reachable { Exit::Done } else { Exit::Unknown };
    if reachable {
        findings.push(reflection(context).await);
        let (inspection, time) = inspection(context).await;
        let (calls, newest, seen) = calls(context).await;
        findings.extend(calls);
        findings.push(inspection);
        findings.push(time.unwrap_or_else(|| clock(context, newest.as_ref())));
        exit = seen;
    }
    let terminal = &context.terminal;
    match output {
        Output::Table | Output::Wide => {
            for it in &findings {
                let line = format!("{:<11} {:<4} {}", it.what, it.verdict, it.text);
                terminal.line(line.trim_end())?;
            }
        }
        Output::Json | Output::Ndjson => {
            let all = findings.iter().map(
                |it| serde_json::json!({ "what": it.what, "verdict": it.verdict, "text": it.text }),
            );
            let all: Vec<_> = all.collect();
            let server = context.server();
            let document = serde_json::json!({ "server": server, "findings": all });
            terminal.json(&document.to_string())?;
        }
        _ => {
            return Err(Failure::usage(
                "the report is written as table, json or ndjson",
            ));
        }
    }
    Ok(exit)
}

async fn connection(context: &Context) -> (Finding, bool) {
    let target = &context.connection.target;
    match context.connection.dialer.probe().await {
        Ok(Some(handshake)) => (tls(&handshake, context.now()), true),
        Ok(None) => {
            let text = if target.is_private() {
                format!("not used: {target} is on this machine")
            } else {
                "not used: others on the way can read everything".to_owned()
            };
            (finding("tls", "no", text), true)
        }
        Err(fault) => {
            let advice = fault
                .advice
                .first()
                .map(|it| format!("; {it}"))
                .unwrap_or_default();
            (
                finding("connection", "fail", format!("{fault}{advice}")),
                false,
            )
        }
    }
}

/// The version, and the certificate's names and time left.
fn tls(handshake: &Handshake, now: Timestamp) -> Finding {
    let mut parts = vec![handshake.version.clone()];
    if let Some(certificate) = &handshake.certificate {
        let names = &certificate.names;
        parts.extend(names.iter().take(MAX_NAMES).cloned());
        if names.len() > MAX_NAMES {
            parts.push(format!("and {} more names", names.len() - MAX_NAMES));
        }
        let left = certificate.expires.since(now);
        let days = left.as_secs() / (24 * 60 * 60);
        parts.push(match days {
            0 => format!("{} left: renew the certificate", age(left)),
            1 => "1 day left: renew the certificate".to_owned(),
            2..SOON => format!("{days} days left: renew the certificate"),
            _ => format!("{days} days left"),
        });
    }
    finding("tls", "ok", parts.join(", "))
}

async fn token(context: &Context) -> Finding {
    let tokens = &context.connection.tokens;
    if !tokens.is_some() {
        return finding("auth", "no", "no token");
    }
    match tokens.valid_for().await {
        Ok(Some(seconds)) => {
            let left = age(Duration::from_secs(seconds.max(0).unsigned_abs()));
            finding(
                "auth",
                "ok",
                format!("bearer token from {tokens}, expires in {left}"),
            )
        }
        Ok(None) => finding("auth", "ok", format!("bearer token from {tokens}")),
        Err(status) => finding("auth", "fail", status.message()),
    }
}

async fn reflection(context: &Context) -> Finding {
    match context.types.services().await {
        Ok(Some(services)) => {
            let version = context.types.reflection_version().unwrap_or_default();
            finding(
                "reflection",
                "ok",
                format!("{version}, {} services", services.len()),
            )
        }
        Ok(None) => finding(
            "reflection",
            "no",
            "unknown types are shown as base64; give --descriptor-set to decode them",
        ),
        Err(failure) => finding("reflection", "fail", failure.summary()),
    }
}

/// The answers to the calls of operations. The exit code is that of a server that cannot be used.
async fn calls(context: &Context) -> (Vec<Finding>, Option<pb::Operation>, Exit) {
    let mut findings = Vec::new();
    let began = tokio::time::Instant::now();
    let got = context.operations.get(NOTHING).await;
    let round_trip = began.elapsed();
    let exit = match &got {
        Err(status) => match Exit::of_call(status.code()) {
            exit @ (Exit::Denied | Exit::Unknown | Exit::Unimplemented) => exit,
            _ => Exit::Done,
        },
        Ok(_) => Exit::Done,
    };
    findings.push(verdict(
        "Get",
        got.as_ref().map(|_| ()),
        &format!("{} ms", round_trip.as_millis()),
    ));
    let listed = context.page("", 1, "").await;
    let text = match &listed {
        Ok(page) if page.operations.is_empty() => "no operations".to_owned(),
        Ok(_) => String::new(),
        Err(_) if context.parent().is_empty() => "may need --parent".to_owned(),
        Err(_) => String::new(),
    };
    findings.push(verdict("List", listed.as_ref().map(|_| ()), &text));
    let waited = context
        .operations
        .wait(NOTHING, Duration::from_millis(1))
        .await;
    findings.push(match &waited {
        Err(status) if status.code() == Code::Unimplemented => {
            finding("Wait", "no", "waiting polls: 0.5 s to 10 s")
        }
        answer => verdict("Wait", answer.as_ref().map(|_| ()), ""),
    });
    findings.push(finding("Cancel", "?", "not tried: it changes something"));
    findings.push(finding("Delete", "?", "not tried: it changes something"));
    let filtered = context.page("done = true AND done = false", 1, "").await;
    findings.push(match filtered {
        Ok(page) if page.operations.is_empty() => match &listed {
            Ok(all) if !all.operations.is_empty() => finding("filter", "ok", "AIP-160"),
            _ => finding("filter", "?", "taken, but there is nothing to filter"),
        },
        Ok(_) => finding("filter", "no", "ignored: lists show everything"),
        Err(status) => finding("filter", "no", said(&status)),
    });
    let newest = listed.ok().and_then(|it| it.operations.into_iter().next());
    (findings, newest, exit)
}

/// Whether the server has the inspection service; and how far apart the clocks are, which it tells.
async fn inspection(context: &Context) -> (Finding, Option<Finding>) {
    let what = "inspection";
    let service = match Inspection::of(context).await {
        Ok(Some(service)) => service,
        Ok(None) => {
            let text = "methods, callers, attempts and workers are not told";
            return (finding(what, "no", text), None);
        }
        Err(failure) => return (finding(what, "fail", failure.summary()), None),
    };
    let request = CountOperationsRequest {
        parent: context.parent(),
        max_examined: 1,
        ..Default::default()
    };
    let before = context.now();
    match service.count(request).await {
        Ok(counts) => {
            let after = context.now();
            let half = after.since(before) / 2;
            let there = time(counts.as_of.as_ref());
            let apart = there.map(|there| {
                let here = before.saturating_add(half);
                let (apart, word) = if there > here {
                    (there.since(here), "ahead")
                } else {
                    (here.since(there), "behind")
                };
                let text = format!("{:.1} s {word}", apart.as_secs_f64());
                let verdict = if apart > APART { "fail" } else { "ok" };
                finding("clock", verdict, format!("the server's is {text}"))
            });
            (finding(what, "ok", crate::inspection::SERVICE), apart)
        }
        Err(status) => (finding(what, "?", said(&status)), None),
    }
}

/// Whether the server's clock agrees, as far as the newest operation tells.
fn clock(context: &Context, newest: Option<&pb::Operation>) -> Finding {
    let now = context.now();
    let created = newest.map(|operation| crate::shown::created_by_name(&operation.name));
    match created.flatten() {
        Some(created) if created > now => {
            let ahead = age(created.since(now));
            finding(
                "clock",
                "fail",
                format!("the server's clock is at least {ahead} ahead"),
            )
        }
        Some(_) => finding("clock", "ok", "not behind the newest operation"),
        None => finding("clock", "?", "no operation tells the server's time"),
    }
}

fn verdict(what: &'static str, answer: Result<(), &Status>, text: &str) -> Finding {
    match answer {
        Ok(()) => finding(what, "ok", text),
        // The name is one that no server has: that it says so is what was asked for.
        Err(status) if status.code() == Code::NotFound => finding(what, "ok", text),
        Err(status) => match status.code() {
            Code::Unimplemented => finding(what, "no", "not offered"),
            Code::InvalidArgument => finding(what, "?", format!("{} {text}", said(status)).trim()),
            _ => finding(what, "fail", said(status)),
        },
    }
}

fn said(status: &Status) -> String {
    if let Some(fault) = ConnectFault::of(status) {
        return fault.to_string();
    }
    let code = crate::exit::code_name(status.code() as i32);
    match status.message() {
        "" => code,
        message => format!("{code}: {message}"),
    }
}
