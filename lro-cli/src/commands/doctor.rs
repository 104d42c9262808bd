//! `lro doctor`: what a server can, by calls that change nothing.

use std::time::Duration;

use tonic::{Code, Status};

use crate::connect::ConnectFault;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, age};

/// A name that no server has.
const NOTHING: &str = "operations/lro-doctor-asks-for-nothing";

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

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let mut findings = Vec::new();
    let (connection, reachable) = connection(context).await;
    findings.push(connection);
    findings.push(token(context).await);
    let mut exit = if reachable { Exit::Done } else { Exit::Unknown };
    if reachable {
        findings.push(reflection(context).await);
        let (calls, seen) = calls(context).await;
        findings.extend(calls);
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
        Ok(Some(handshake)) => (finding("tls", "ok", handshake.version), true),
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
async fn calls(context: &Context) -> (Vec<Finding>, Exit) {
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
    findings.push(clock(
        context,
        listed.as_ref().ok().and_then(|it| it.operations.first()),
    ));
    (findings, exit)
}

/// Whether the server's clock agrees, as far as the newest operation tells.
fn clock(context: &Context, newest: Option<&lro_core::pb::Operation>) -> Finding {
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
