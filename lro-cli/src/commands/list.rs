//! `lro list`: a page of operations or all of them.

mod watch;

use std::collections::HashMap;

use lro_core::inspection::{ListOperationsRequest, OperationRecord, RecordView};
use lro_core::{Timestamp, pb};
use tonic::{Code, Status};

use crate::args::{List, StateArg};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::local_filter::LocalFilter;
use crate::output::Output;
use crate::show;
use crate::shown::{Shown, State};

/// How many operations a call asks for where the server does not filter.
const SCAN_PAGE: usize = 500;

pub(crate) async fn run(context: &Context, args: &List) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let columns = show::columns(&args.columns)?;
    if !columns.is_empty() && !output.is_for_people() {
        return Err(Failure::usage("--columns is for tables")
            .advise("write -o 'value(FIELD,..)' for chosen fields"));
    }
    if args.watch {
        return watch::run(context, args, &output, &columns).await;
    }
    // Scripts get what every server has, without a further call.
    let inspection = if output.is_for_people() {
        Inspection::of(context).await?
    } else {
        None
    };
    let mut list = Listing::new(context, args, inspection)?;
    let limit = if args.all {
        usize::MAX
    } else {
        args.limit.get()
    };
    let mut shown: Vec<Shown> = Vec::new();
    let mut count = 0;
    while count < limit && !list.ended {
        let page = list.next(limit - count).await?;
        count += page.len();
        for operation in page {
            // Forms that need no other row are written as they come.
            match &output {
                Output::Ndjson
                | Output::Name
                | Output::Value(_)
                | Output::Token
                | Output::History => {
                    show::write(context, &output, &[operation], "")?;
                }
                _ => shown.push(operation),
            }
        }
    }
    match &output {
        Output::Table | Output::Wide if !columns.is_empty() => {
            show::table(context, &shown, &columns, output == Output::Wide)?;
        }
        Output::Table | Output::Wide if shown.is_empty() => {
            let is_filtered = !list.filter.is_empty() || args.local.is_some();
            let which = if is_filtered { "such " } else { "" };
            context
                .terminal
                .say(&format!("There are no {which}operations."));
        }
        Output::Table | Output::Wide => show::write(context, &output, &shown, "")?,
        Output::Json => show::write(context, &output, &shown, &list.token)?,
        _ => {}
    }
    if !list.ended {
        let again = list.command();
        context.terminal.say(&format!("There are more: {again}"));
    }
    Ok(Exit::Done)
}

/// A list under way. Where the server does not take the filter of `--state` and `--since`, the
/// command checks each operation itself; it does so in any case, for servers that ignore filters.
struct Listing<'a> {
    context: &'a Context,
    args: &'a List,
    since: Option<Timestamp>,
    /// The user's filter with what `--state` and `--since` add.
    filter: String,
    /// Whether the server filters by all of it.
    pushed: bool,
    token: String,
    scanned: usize,
    ended: bool,
    /// The filter of `--where`.
    local: Option<LocalFilter>,
    /// The inspection service, as long as it answers.
    inspection: Option<Inspection>,
    /// Its records of the operations of the latest page.
    records: HashMap<String, OperationRecord>,
}

impl<'a> Listing<'a> {
    fn new(
        context: &'a Context,
        args: &'a List,
        inspection: Option<Inspection>,
    ) -> Result<Self, Failure> {
        let local = args.local.as_deref().map(LocalFilter::new).transpose()?;
        let since = args.since.map(|since| context.now().saturating_sub(since));
        let filter = combined(args, since);
        Ok(Self {
            context,
            args,
            since,
            pushed: filter != args.filter.clone().unwrap_or_default(),
            filter,
            token: args.page_token.clone().unwrap_or_default(),
            scanned: 0,
            ended: false,
            local,
            inspection,
            records: HashMap::new(),
        })
    }

    /// The operations of the next page that match, at most `limit`. The token behind it leads to
    /// exactly what follows them.
    async fn next(&mut self, limit: usize) -> Result<Vec<Shown>, Failure> {
        let shower = self.context.shower()?;
        let local = self.is_local();
        let size = if local { limit.max(SCAN_PAGE) } else { limit };
        let page = self.page(size).await?;
        self.scanned += page.operations.len();
        let mut kept = Vec::new();
        let mut cut = None;
        for (index, operation) in page.operations.into_iter().enumerate() {
            if kept.len() == limit {
                cut = Some(index);
                break;
            }
            if !self.matches(&operation) {
                continue;
            }
            let record = self.records.remove(&operation.name);
            let shown = shower.show(operation).await?.with_record(record);
            let matches = match &self.local {
                Some(filter) => filter.matches(self.context, &shown)?,
                None => true,
            };
            if matches {
                kept.push(shown);
            }
        }
        if let Some(length) = cut {
            // The same page again, just as long as what was taken of it, has the token that is wanted.
            self.scanned = self.scanned.saturating_sub(size.min(self.scanned));
            let page = self.page(length).await?;
            self.advance(page.next_page_token)?;
            return Ok(kept);
        }
        self.advance(page.next_page_token)?;
        if local && self.scanned >= self.args.scan && !self.ended && kept.len() < limit {
            let terminal = &self.context.terminal;
            terminal.say(&format!(
                "note: looked through {} operations (--scan), which the server does not filter",
                self.scanned
            ));
            terminal.say(&format!("There are more: {}", self.command()));
            self.ended = true;
        }
        Ok(kept)
    }

    fn advance(&mut self, token: String) -> Result<(), Failure> {
        if !token.is_empty() && token == self.token {
            return Err(
                Failure::new(Exit::Unknown, "the server gives the same page token again")
                    .server(&self.context.server()),
            );
        }
        self.ended = token.is_empty();
        self.token = token;
        Ok(())
    }

    /// A page of the inspection service if there is one, and of the standard otherwise: an error is
    /// the standard's to tell.
    async fn inspected(&mut self, size: usize) -> Option<pb::ListOperationsResponse> {
        let request = ListOperationsRequest {
            parent: self.context.parent(),
            filter: self.filter.clone(),
            page_size: i32::try_from(size.clamp(1, 1_000)).unwrap_or(1_000),
            page_token: self.token.clone(),
            view: RecordView::Full.into(),
        };
        let Ok(page) = self.inspection.as_ref()?.list(request).await else {
            self.inspection = None;
            return None;
        };
        let mut operations = Vec::new();
        self.records.clear();
        for mut record in page.operations {
            let operation = record.operation.take().unwrap_or_default();
            self.records.insert(operation.name.clone(), record);
            operations.push(operation);
        }
        Some(pb::ListOperationsResponse {
            operations,
            next_page_token: page.next_page_token,
            unreachable: Vec::new(),
        })
    }

    async fn page(&mut self, size: usize) -> Result<pb::ListOperationsResponse, Failure> {
        if let Some(page) = self.inspected(size).await {
            return Ok(page);
        }
        let answer = self.context.page(&self.filter, size, &self.token).await;
        let status = match answer {
            Ok(page) => return Ok(page),
            Err(status) => status,
        };
        let users = self.args.filter.clone().unwrap_or_default();
        let is_first = self.scanned == 0;
        if self.pushed && is_first && refuses_filter(&status) && self.can_check() {
            self.pushed = false;
            self.filter.clone_from(&users);
            let terminal = &self.context.terminal;
            terminal.note(
                "note: the server does not filter by state or time; lro looks through the list",
            );
            let again = self.context.page(&self.filter, size, &self.token).await;
            return again.map_err(|status| self.failed(&status));
        }
        Err(self.failed(&status))
    }

    fn failed(&self, status: &Status) -> Failure {
        let failure = self.context.unlisted(status, &self.filter);
        if self.token.is_empty() || self.scanned == 0 {
            return failure;
        }
        failure.advise(format!("continue with: {}", self.command()))
    }

    fn is_local(&self) -> bool {
        let checks = !self.args.state.is_empty() || self.since.is_some();
        self.local.is_some() || (!self.pushed && checks)
    }

    /// Whether the wire tells what was asked for: it does not tell states of ours.
    fn can_check(&self) -> bool {
        let ours = [StateArg::Pending, StateArg::Cancelling];
        !self.args.state.iter().any(|state| ours.contains(state))
    }

    fn matches(&self, operation: &pb::Operation) -> bool {
        let state = State::of(operation);
        let states = &self.args.state;
        if !states.is_empty() && !states.iter().any(|it| wire(*it) == state) {
            return false;
        }
        let (Some(since), false) = (self.since, self.pushed) else {
            return true;
        };
        // Without its types only the name may tell when it was created.
        let bare = Shown {
            state,
            operation: operation.clone(),
            json: String::new(),
            tree: serde_json::Value::Null,
            progress: None,
            opaque: Vec::new(),
            broken: false,
            record: self.records.get(&operation.name).cloned().map(Box::new),
        };
        match bare.created() {
            Some(created) => created >= since,
            None => {
                let terminal = &self.context.terminal;
                terminal.note("note: operations that do not tell when they were created are kept");
                true
            }
        }
    }

    /// The command that continues here.
    fn command(&self) -> String {
        let mut words = vec!["list".to_owned()];
        let mut add = |flag: &str, value: &str| {
            words.push(flag.to_owned());
            words.push(quoted(value));
        };
        if self.since.is_some() && self.pushed {
            // The time of `--since` moves, and a page token belongs to one filter.
            add("--filter", &self.filter);
        } else {
            if let Some(filter) = &self.args.filter {
                add("--filter", filter);
            }
            if !self.args.state.is_empty() {
                add("--state", &names(&self.args.state));
            }
        }
        if let Some(filter) = &self.args.local {
            add("--where", filter);
        }
        words.push(format!("--page-token={}", quoted(&self.token)));
        self.context.again(&words.join(" "))
    }
}

/// The filter of all options. `running` is every state before the end, as on the wire.
fn combined(args: &List, since: Option<Timestamp>) -> String {
    let mut parts = Vec::new();
    if !args.state.is_empty() {
        let states = args.state.iter().map(|state| match state {
            StateArg::Running => "done = false".to_owned(),
            state => format!("state = {}", names(&[*state]).to_uppercase()),
        });
        parts.push(states.collect::<Vec<_>>().join(" OR "));
    }
    if let Some(since) = since
        && let Ok(at) = jiff::Timestamp::from_microsecond(since.as_micros())
    {
        parts.push(format!("create_time >= \"{at}\""));
    }
    let users = args.filter.as_deref().unwrap_or_default();
    if parts.is_empty() {
        return users.to_owned();
    }
    if !users.trim().is_empty() {
        parts.insert(0, users.to_owned());
    }
    if let [only] = &*parts {
        return only.clone();
    }
    let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
    parts.join(" AND ")
}

fn wire(state: StateArg) -> State {
    match state {
        StateArg::Pending | StateArg::Running | StateArg::Cancelling => State::Running,
        StateArg::Succeeded => State::Succeeded,
        StateArg::Failed => State::Failed,
        StateArg::Cancelled => State::Cancelled,
    }
}

fn names(states: &[StateArg]) -> String {
    use clap::ValueEnum as _;
    let names = states.iter().filter_map(StateArg::to_possible_value);
    names
        .map(|it| it.get_name().to_owned())
        .collect::<Vec<_>>()
        .join(",")
}

fn refuses_filter(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::Unimplemented)
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&it);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}
