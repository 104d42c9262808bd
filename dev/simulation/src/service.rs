//! The service that the nodes host: one method, whose bodies do what their job says.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::OnCrash;
use lro_core::{LongRunningMethod, MetadataOf, RequestOf, ResponseOf, pack};
use lro_server::registration::{Host, MethodOptions, Registration};
use lro_server::{HandlerError, OperationContext, Operations};
use prost::Name;
use tonic::Status;

use crate::durable;
use crate::families;
use crate::link::Link;
use crate::model::digest;
use crate::plan::Plan;
use crate::random::Random;
use crate::script::{self, Step};
use crate::world::Body;

/// The job of an operation.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Job {
    /// Which job: its steps are drawn from it.
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// How it is to end: see [`Kind`].
    #[prost(uint64, tag = "2")]
    pub(crate) kind: u64,
    /// The steps of its body, if they are not drawn.
    #[prost(message, repeated, tag = "3")]
    pub(crate) steps: Vec<Step>,
    /// Whether its body makes durable calls, which are drawn.
    #[prost(bool, tag = "4")]
    pub(crate) is_durable: bool,
    /// Which generation of a family it is: 0 of none.
    #[prost(uint64, tag = "5")]
    pub(crate) generation: u64,
}

/// The result of a job.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    /// Which run of the body has made it.
    #[prost(uint64, tag = "1")]
    pub(crate) token: u64,
    /// The same from every run.
    #[prost(uint64, tag = "2")]
    pub(crate) sum: u64,
}

/// How far it is.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Progress {
    /// Which report this is: no two are the same.
    #[prost(uint64, tag = "1")]
    pub(crate) token: u64,
}

/// The checkpoint of a job.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Saved {
    /// How often something was saved.
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
}

macro_rules! named {
    ($($message:ident),+) => {$(
        impl Name for $message {
            const NAME: &'static str = stringify!($message);
            const PACKAGE: &'static str = "simulation";
        }
    )+};
}
named!(Job, Answer, Progress, Saved);

/// The rpc.
#[derive(Debug)]
pub(crate) enum Method {}

impl LongRunningMethod for Method {
    type Request = Job;
    type Response = Answer;
    type Metadata = Progress;
    const PATH: &'static str = "/simulation.Service/Run";
}
impl RequestOf<Method> for Job {}
impl ResponseOf<Method> for Answer {}
impl MetadataOf<Method> for Progress {}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With a response, soon.
    Quick,
    /// With a response, after several leases.
    Long,
    /// With an error.
    Fails,
    /// With the wish to run again.
    Retries,
    /// In a panic, the first time.
    Panics,
    /// When it is cancelled, and then with a response.
    Heeds,
    /// Never.
    Forever,
}

impl Kind {
    /// All of them, the frequent ones more than once.
    pub(crate) const ALL: [Self; 10] = [
        Self::Quick,
        Self::Quick,
        Self::Quick,
        Self::Long,
        Self::Fails,
        Self::Retries,
        Self::Retries,
        Self::Panics,
        Self::Heeds,
        Self::Forever,
    ];
}

thread_local! {
    static OPTIONS: RefCell<MethodOptions> = RefCell::new(MethodOptions::new());
}

/// Sets how the method is run from now on, on this thread.
pub(crate) fn set_options(plan: &Plan) {
    let on_crash = match plan.policy.abort_on_crash {
        true => OnCrash::Abort,
        false => OnCrash::Resume,
    };
    let options = MethodOptions::new()
        .max_attempts(plan.policy.max_attempts)
        .on_crash(on_crash)
        .retain(plan.retain)
        .cancel_grace(plan.cancel_grace)
        .timeout(plan.timeout);
    OPTIONS.with(|it| *it.borrow_mut() = options);
}

/// The implementation on one node.
#[derive(Debug)]
pub(crate) struct Service {
    /// The node's way to the store, which knows the node and the run.
    pub(crate) link: Link,
    /// The operations of the node, for children.
    pub(crate) operations: Operations,
}

/// Stands for the generated server type.
#[derive(Debug)]
pub(crate) enum Server {}

impl Host<Server> for Service {
    fn register(registration: &mut Registration<Self>) {
        let options = OPTIONS.with(|it| it.borrow().clone());
        registration.method::<Method, Job, Answer, Progress, _, _, _>(options, body);
    }
}

/// Notes the end of a run, also when its future is dropped.
struct Noted {
    link: Link,
    index: usize,
}

impl Noted {
    fn change(&self, change: impl FnOnce(&mut Body)) {
        if let Some(body) = self.link.world().notes().bodies.get_mut(self.index) {
            change(body);
        }
    }
}

impl Noted {
    /// The body received a cancellation.
    fn cancelled(&self) {
        let now = self.link.world().now();
        self.change(|body| body.cancelled = Some(now));
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let now = self.link.world().now();
        self.change(|body| {
            body.ended.get_or_insert(now);
        });
    }
}

async fn body(
    service: Arc<Service>,
    job: Job,
    operation: OperationContext<Progress>,
) -> Result<Answer, HandlerError> {
    let link = &service.link;
    let noted = begin(link, &job, &operation)?;
    let work = work(&service, &noted, &job, &operation);
    let ended = tokio::select! {
        biased;
        () = link.dead().cancelled() => std::future::pending().await,
        ended = work => ended,
    };
    let again_after = ended.as_ref().err().filter(|error| error.is_retryable());
    let again_after = again_after.map(|_| pause_of(&job));
    let response = ended.as_ref().ok().map(|answer| digest(&pack(answer)));
    noted.change(|body| {
        body.again_after = again_after;
        body.response = response;
    });
    ended
}

fn begin(
    link: &Link,
    job: &Job,
    operation: &OperationContext<Progress>,
) -> Result<Noted, HandlerError> {
    let world = link.world();
    let name = operation.name().as_str().to_owned();
    let restored = match job.is_durable || job.generation > 0 {
        // Its checkpoints are those of its parts.
        true => 0,
        false => operation.restore::<Saved>()?.map_or(0, |saved| saved.count),
    };
    let begun = world.now();
    let mut notes = world.notes();
    let saved = notes.saved.get(&name).copied().unwrap_or(0);
    notes.trace((begun, &name, restored));
    notes.bodies.push(Body {
        name: name.clone(),
        node: link.node(),
        life: link.life(),
        attempt: operation.attempt(),
        fence: operation.fence(),
        begun,
        ended: None,
        response: None,
        metadata: None,
        again_after: None,
        cancelled: None,
    });
    let index = notes.bodies.len() - 1;
    drop(notes);
    // On a slow clock, a body may begin so late that it is not the last one any more.
    if restored < saved && world.plan.nodes[link.node()].is_punctual() {
        let what = format!("{name} resumes from {restored}, although {saved} was saved");
        world.violation("checkpoint", what);
    }
    Ok(Noted {
        link: link.clone(),
        index,
    })
}

pub(crate) fn pause_of(job: &Job) -> Duration {
    Duration::from_millis(job.id % 5 * 700)
}

async fn work(
    service: &Service,
    noted: &Noted,
    job: &Job,
    operation: &OperationContext<Progress>,
) -> Result<Answer, HandlerError> {
    let link = &service.link;
    let world = link.world();
    if job.generation > 0 {
        return families::follow(service, job, operation).await;
    }
    if job.is_durable {
        return durable::follow(link, job, operation).await;
    }
    if !job.steps.is_empty() {
        script::follow(link, &job.steps, operation).await?;
        let token = world.notes().number();
        return Ok(Answer { token, sum: 0 });
    }
    let kind = Kind::ALL[(job.kind % Kind::ALL.len() as u64) as usize];
    let stream = 1_000 + job.id * 100 + u64::from(operation.attempt());
    let mut random = Random::new(world.plan.seed, stream);
    let lease = u64::try_from(world.plan.lease.as_millis()).unwrap_or(0);
    let steps = random.below(6);
    for _ in 0..steps {
        match random.below(3) {
            0 => sleep(random.below(if kind == Kind::Long { 2 * lease } else { 400 })).await,
            1 => {
                let progress = Progress {
                    token: world.notes().number(),
                };
                let metadata = Some(digest(&pack(&progress)));
                operation.set_metadata(progress);
                noted.change(|body| body.metadata = metadata);
            }
            _ => save(link, operation).await?,
        }
    }
    let answer = Answer {
        token: world.notes().number(),
        sum: 0,
    };
    match kind {
        Kind::Quick => Ok(answer),
        Kind::Long => {
            sleep(random.below(3 * lease)).await;
            Ok(answer)
        }
        Kind::Fails => Err(Status::failed_precondition("as requested").into()),
        Kind::Retries if random.per_mille(700) => {
            let status = Status::unavailable("as requested");
            Err(HandlerError::retry(status).after(pause_of(job)))
        }
        Kind::Retries => Ok(answer),
        // Without the panic hook, which would print.
        Kind::Panics if operation.attempt() == 1 => std::panic::resume_unwind(Box::new("planned")),
        Kind::Panics => Ok(answer),
        Kind::Heeds => {
            operation.cancelled().await;
            noted.cancelled();
            sleep(random.below(1_500)).await;
            Ok(answer)
        }
        Kind::Forever => {
            let cancelled = async {
                operation.cancelled().await;
                noted.cancelled();
                std::future::pending::<()>().await;
            };
            cancelled.await;
            Ok(answer)
        }
    }
}

/// Saves one more checkpoint.
pub(crate) async fn save(
    link: &Link,
    operation: &OperationContext<Progress>,
) -> Result<(), HandlerError> {
    let count = operation.restore::<Saved>()?.map_or(0, |saved| saved.count) + 1;
    match operation.checkpoint(&Saved { count }).await {
        Ok(()) => {
            let mut notes = link.world().notes();
            let name = operation.name().as_str().to_owned();
            let saved = notes.saved.entry(name).or_default();
            *saved = (*saved).max(count);
            Ok(())
        }
        Err(status) if status.code() == tonic::Code::Unavailable => Ok(()),
        Err(status) => Err(status.into()),
    }
}

/// Sleeps.
pub(crate) async fn sleep(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
