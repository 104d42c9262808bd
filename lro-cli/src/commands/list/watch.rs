//! `lro list --watch`: the list as it changes, on a screen or as a stream of changes.

mod screen;
mod stream;

use std::time::Duration;

use lro_core::inspection::{RecordView, WatchOperationsRequest, WatchOperationsResponse};
use tokio::time::{Instant, sleep_until};
use tonic::Streaming;

use super::{Listing, combined};
use crate::args::List;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::signals::Signals;
use crate::inspection::Inspection;
use crate::output::Output;
use crate::shown::Shown;
use screen::Screen;
use stream::Changes;

/// How often the list is read where the server tells of changes: for what it does not tell.
const TOLD: Duration = Duration::from_secs(30);
/// How far apart two reads are at least.
const APART: Duration = Duration::from_millis(250);
/// How often the ages on the screen are written anew.
const TICK: Duration = Duration::from_secs(1);

/// The operations that a read has found.
pub(super) struct Page {
    operations: Vec<Shown>,
    /// Whether there are no more.
    is_all: bool,
}

enum View<'a> {
    Screen(Screen<'a>),
    Changes(Changes<'a>),
}

pub(super) async fn run(
    context: &Context,
    args: &List,
    output: &Output,
    columns: &[&'static str],
) -> Result<Exit, Failure> {
    if *output == Output::Json {
        return Err(Failure::usage("a list that changes is no single document")
            .advise("write -o ndjson for an object for each change"));
    }
    let terminal = &context.terminal;
    let is_screen = output.is_for_people() && terminal.stdout_is_terminal;
    let mut view = if is_screen && !context.prefers_lines() {
        View::Screen(Screen::open(context, output, columns)?)
    } else {
        View::Changes(Changes::new(context, output))
    };
    let exit = look(context, args, output, &mut view).await;
    if let View::Screen(screen) = view {
        screen.close()?;
    }
    exit
}

/// Reads the list again and again, until a signal comes.
async fn look(
    context: &Context,
    args: &List,
    output: &Output,
    view: &mut View<'_>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::new();
    let mut tick = tokio::time::interval(TICK);
    let inspection = Inspection::of(context).await?;
    let mut hints = Hints::new(inspection.clone(), context, args);
    let shown = inspection.filter(|_| output.is_for_people());
    let mut failures = 0;
    loop {
        let began = Instant::now();
        hints.open().await;
        let read = tokio::select! {
            exit = signals.next() => return Ok(exit),
            read = read(context, args, shown.clone()) => read,
        };
        match read {
            Ok(page) => {
                failures = 0;
                view.show(page)?;
            }
            Err(failure) if failure.exit() == Exit::Unknown && failures < context.retry_errors => {
                failures += 1;
                let text = format!("retrying after: {}", failure.summary());
                context.terminal.say(&text);
            }
            Err(failure) => return Err(failure),
        }
        let pause = if hints.are_told() && failures == 0 {
            TOLD
        } else {
            args.interval.max(APART)
        };
        let mut next = began + pause;
        loop {
            tokio::select! {
                exit = signals.next() => return Ok(exit),
                () = hints.next() => next = next.min(Instant::now().max(began + APART)),
                () = sleep_until(next) => break,
                _ = tick.tick() => view.tick()?,
            }
        }
    }
}

async fn read(
    context: &Context,
    args: &List,
    inspection: Option<Inspection>,
) -> Result<Page, Failure> {
    let mut list = Listing::new(context, args, inspection)?;
    let limit = if args.all {
        usize::MAX
    } else {
        args.limit.get()
    };
    let mut operations = Vec::new();
    while operations.len() < limit && !list.ended {
        let page = list.next(limit - operations.len()).await?;
        operations.extend(page);
    }
    Ok(Page {
        operations,
        is_all: list.ended,
    })
}

impl View<'_> {
    fn show(&mut self, page: Page) -> Result<(), Failure> {
        match self {
            Self::Screen(screen) => screen.show(page),
            Self::Changes(changes) => changes.show(&page),
        }
    }

    fn tick(&mut self) -> Result<(), Failure> {
        match self {
            Self::Screen(screen) => screen.draw(),
            Self::Changes(_) => Ok(()),
        }
    }
}

/// Changes that the inspection service tells of, where the server has it. They say that the list may
/// differ, and the list says how.
struct Hints {
    inspection: Option<Inspection>,
    request: WatchOperationsRequest,
    stream: Option<Streaming<WatchOperationsResponse>>,
    /// When it may be opened again.
    next: Instant,
}

impl Hints {
    fn new(inspection: Option<Inspection>, context: &Context, args: &List) -> Self {
        let request = WatchOperationsRequest {
            parent: context.parent(),
            filter: combined(args, None),
            view: RecordView::Summary.into(),
            only_changes: true,
            ..Default::default()
        };
        Self {
            inspection,
            request,
            stream: None,
            next: Instant::now(),
        }
    }

    fn are_told(&self) -> bool {
        self.stream.is_some()
    }

    /// Opens the stream, unless it is open or was tried just now. Without it the list is read more
    /// often.
    async fn open(&mut self) {
        if self.stream.is_some() || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + TOLD;
        if let Some(inspection) = &self.inspection {
            self.stream = inspection.watch(self.request.clone()).await.ok();
        }
    }

    /// Waits for a hint. Cancel safe.
    async fn next(&mut self) {
        match &mut self.stream {
            Some(stream) => {
                if !matches!(stream.message().await, Ok(Some(_))) {
                    // Whatever happened since it ended is in the list.
                    self.stream = None;
                }
            }
            None => std::future::pending().await,
        }
    }
}
