//! Durable calls of bodies: steps and sleeps, whose results a later run of the body gets again.

mod all;
mod answer;
mod body;
mod call;
mod child;
mod closure;
mod context;
mod epoch;
mod fault;
mod first;
mod hooks;
mod in_block;
mod in_closure;
mod journal;
mod name;
mod outgoing;
mod read;
mod retry;
mod rules;
mod saga;
mod step;
mod unreached;
mod wait;
mod wakes;
mod work;
mod write;

pub use all::All;
pub use child::{ChildServer, OnCancel};
pub use closure::StepGuard;
pub use first::{Either, First};
pub use name::StepName;
pub use retry::Retry;
pub use rules::StepOrder;
pub use saga::Saga;
pub use step::Step;

pub(crate) use body::{Polled, StepsBody};
pub(crate) use call::status;
pub(crate) use child::{
    NAMED, Starting, begin_naming, child_unknown, end_naming, forgotten_children, stop_children,
};
#[cfg(feature = "testing")]
pub(crate) use closure::Closure;
pub(crate) use fault::promise_timed_out;
pub(crate) use journal::Journal;
pub(crate) use read::read_rows;
pub(crate) use rules::{DeclaredPromise, StepRules, check_value};
pub(crate) use saga::incomplete;
pub(crate) use unreached::unreached;
pub(crate) use wait::StoreClock;
pub(crate) use write::refused;
