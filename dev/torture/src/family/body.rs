//! The bodies of parents and children.

use std::time::Duration;

use lro_server::steps::{Saga, Step};
use lro_server::{HandlerError, OperationContext, Operations, StartOptions, long_running};
use tonic::{Request, Status};
use uuid::Uuid;

use super::plot::{ChildPlot, Plot};
use crate::ledger::Ledger;
use crate::pb::families_server::Families as Service;
use crate::pb::{self, ExportMetadata, GrowRequest, RaiseRequest, Raised};
use crate::server::rows;

/// The children of a parent, and how many of them are awaited at a time.
pub(super) const CHILDREN: usize = 3;
const AT_ONCE: usize = 2;

/// Between an effect and its record.
const PAUSE: Duration = Duration::from_millis(6);

/// How long a parent waits to be cancelled: long enough to be suspended.
const HOLD: Duration = Duration::from_millis(1_200);

/// How long a parent waits for a child that does not end.
const PATIENCE: Duration = Duration::from_millis(300);

/// The sleeps of children: the last one is long enough to suspend them.
const GROWTHS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(15),
    Duration::from_millis(60),
    Duration::from_millis(1_050),
];

/// The longest sleep.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// The service.
#[derive(Debug)]
pub(crate) struct Families {
    operations: Operations,
    ledger: Ledger,
}

impl Families {
    pub(crate) fn new(operations: &Operations, ledger: Ledger) -> Self {
        Self {
            operations: operations.clone(),
            ledger,
        }
    }

    async fn named(
        &self,
        request: &Request<RaiseRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        Ok(StartOptions::new().operation_id(&request.get_ref().id))
    }
}

#[long_running]
impl pb::families_server::Families for Families {
    #[long_running(
        response = Raised,
        metadata = ExportMetadata,
        prepare = Self::named,
        max_attempts = 1_000_000
    )]
    async fn raise(
        &self,
        request: RaiseRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<Raised, HandlerError> {
        let plot = Plot::of(&request.plot);
        let plot = plot.ok_or_else(|| Status::invalid_argument("there is no such plot"))?;
        let (id, saga) = (&*request.id, operation.saga());
        self.ledger.note("run", id, "-", operation.fence())?;
        let parent = Member::new(self, id, &saga);
        let raised = saga.run(async {
            parent.makes("first").await?;
            let children = (0..CHILDREN).map(|number| parent.child(number, plot.child(number)));
            let children = operation.all(AT_ONCE, children).await?;
            for (number, child) in children.iter().enumerate() {
                parent.passes(&format!("child/{number}"), child.sum)?;
            }
            parent.makes("last").await?;
            match plot {
                Plot::Fail => return Err(Status::failed_precondition(id).into()),
                Plot::Cancel => operation.sleep("hold", HOLD).await?,
                Plot::Whole | Plot::Rebel | Plot::Late => {}
            }
            Ok(Raised {
                sum: children.iter().map(|child| child.sum).sum(),
            })
        });
        raised.await
    }

    #[long_running(response = Raised, metadata = ExportMetadata, max_attempts = 1_000_000)]
    async fn grow(
        &self,
        request: GrowRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<Raised, HandlerError> {
        let plot = ChildPlot::of(&request.plot);
        let plot = plot.ok_or_else(|| Status::invalid_argument("there is no such plot"))?;
        let (id, saga) = (&*request.id, operation.saga());
        self.ledger.note("run", id, "-", operation.fence())?;
        let child = Member::new(self, id, &saga);
        let growth = GROWTHS[(rows(id) % GROWTHS.len() as u64) as usize];
        let grown = saga.run(async {
            let mut sum = child.makes("made").await?;
            operation.sleep("growth", growth).await?;
            match plot {
                ChildPlot::Grow => {}
                ChildPlot::Fail => return Err(Status::failed_precondition(id).into()),
                ChildPlot::Hold => operation.sleep("hold", FOR_EVER).await?,
                ChildPlot::Deep => {
                    let grandchild = child.child(0, ChildPlot::Grow).await?;
                    child.passes("child/0", grandchild.sum)?;
                    sum += grandchild.sum;
                }
            }
            Ok(Raised { sum })
        });
        grown.await
    }
}

/// A parent or a child, which notes what it does.
struct Member<'s, 'a> {
    families: &'a Families,
    id: &'a str,
    saga: &'s Saga<'a, ExportMetadata>,
}

impl<'s, 'a> Member<'s, 'a> {
    fn new(families: &'a Families, id: &'a str, saga: &'s Saga<'a, ExportMetadata>) -> Self {
        Self { families, id, saga }
    }

    /// A step, whose effect and undo are notes.
    async fn makes(&self, call: &'static str) -> Result<u64, Status> {
        let (ledger, id) = (&self.families.ledger, self.id);
        let effect = move || async move {
            let value = u64::from(Uuid::new_v4().as_fields().0) + 1;
            ledger.note("effect", id, call, value)?;
            // A kill between the effect and its record runs the closure again.
            tokio::time::sleep(PAUSE).await;
            Ok::<u64, Status>(value)
        };
        let undo = move |made: Option<u64>| async move {
            ledger.note("undo", id, call, made.unwrap_or_default())?;
            tokio::time::sleep(PAUSE).await;
            Ok::<(), Status>(())
        };
        let value = self.saga.step(call, effect, undo).await?;
        self.passes(call, value)?;
        Ok(value)
    }

    /// A child, whose start and undo are notes.
    fn child(&self, number: usize, plot: ChildPlot) -> Step<'a, Raised> {
        let (families, id) = (self.families, self.id);
        let call = format!("child/{number}");
        let start = {
            let call = call.clone();
            move |request_id: String| {
                let call = call.clone();
                async move {
                    let request = GrowRequest {
                        id: child_id(id, &call),
                        plot: plot.as_str().to_owned(),
                        request_id: match sends_request_ids(id) {
                            true => request_id.clone(),
                            false => String::new(),
                        },
                    };
                    families.ledger.note("ask", id, &call, &request_id)?;
                    let started = Service::grow(families, Request::new(request)).await?;
                    let name = started.get_ref().name();
                    families.ledger.note("start", id, &call, name)?;
                    Ok::<_, Status>(started)
                }
            }
        };
        let undo = {
            let call = call.clone();
            move |child: Option<Raised>| {
                let call = call.clone();
                async move {
                    let sum = child.map_or(0, |child| child.sum);
                    families.ledger.note("undo", id, &call, sum)?;
                    tokio::time::sleep(PAUSE).await;
                    Ok::<(), Status>(())
                }
            }
        };
        let child = self.saga.child(call, &families.operations, start, undo);
        match plot {
            ChildPlot::Hold => child.timeout(PATIENCE),
            _ => child,
        }
    }

    /// The body has got a result.
    fn passes(&self, call: &str, value: u64) -> Result<(), Status> {
        self.families.ledger.note("pass", self.id, call, value)
    }
}

/// The id of a child among the notes.
pub(super) fn child_id(parent: &str, call: &str) -> String {
    format!("{parent}.{call}")
}

/// Whether the children of that parent have request ids of their own. The others have only their steps.
fn sends_request_ids(id: &str) -> bool {
    rows(id).is_multiple_of(2)
}
