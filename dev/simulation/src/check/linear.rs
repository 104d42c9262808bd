//! Per-operation linearizability: is there an order of the calls, each between its invocation and
//! its answer, in which the [model](crate::model) gives the answers that were seen?
//!
//! The search is the one of Wing and Gong with the memory that Lowe added: it never tries the same
//! set of calls with the same state twice. A call whose answer was lost may have happened at any
//! time after its invocation, or never. Between two calls the store may have expired a lease or
//! removed a finished operation: the search tries those, too.

use std::collections::HashSet;

use lro_core::store::{Change, OperationState, Refusal};

use crate::model::{Act, Op, Policy};

/// The request of a caller about one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// To be made; `born_claimed` when a worker asked for it at once.
    Start {
        /// As this one.
        uid: u128,
        /// With this metadata.
        metadata: Option<u64>,
        /// Whether it is claimed in the same commit.
        born_claimed: bool,
    },
    /// To be changed: this one, or whichever has the name.
    Act(Act, Option<u128>),
    /// To be shown; hidden ones are not.
    Get,
    /// Learned on the side, hidden or not.
    Look,
}

/// The answer that the caller received.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Nothing: the answer was lost.
    Unknown,
    /// The operation.
    Seen(Op),
    /// The same, on a list: without its checkpoint.
    Listed(Op),
    /// That there is none.
    Absent,
    /// That there is one.
    Present,
    /// That there is one which has not ended.
    Unfinished,
    /// The state after a change.
    Updated(Change, OperationState, u64),
    /// That it was refused.
    Refused(Refusal),
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it was made: a number that only grows.
    pub invoked: u64,
    /// When it was answered.
    pub returned: u64,
    /// The request.
    pub input: Input,
    /// The answer.
    pub output: Output,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There is such an order.
    Linearizable,
    /// There is none; this many calls could be ordered at most.
    Violation(usize),
    /// The search was given up.
    Undecided,
}

/// The maximum number of steps of a search.
const STEPS_MAX: usize = 2_000_000;

/// Checks the calls about one name.
pub fn check(calls: &[Call], policy: Policy) -> Finding {
    let calls: Vec<_> = calls.iter().filter(|call| call.matters()).collect();
    let mut search = Search {
        calls: &calls,
        policy,
        tried: HashSet::new(),
        steps: 0,
        best: 0,
    };
    let known = calls
        .iter()
        .filter(|call| call.output != Output::Unknown)
        .count();
    let mut done = Done(vec![0; calls.len().div_ceil(64)]);
    match search.go(&mut done, &None, known) {
        true => Finding::Linearizable,
        false if search.steps >= STEPS_MAX => Finding::Undecided,
        false => Finding::Violation(search.best),
    }
}

impl Call {
    /// A call that changes nothing and was not answered says nothing.
    fn matters(&self) -> bool {
        let silent = matches!(
            self.input,
            Input::Get | Input::Look | Input::Act(Act::Renew(_, None), _)
        );
        !(silent && self.output == Output::Unknown)
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn has(&self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    fn flip(&mut self, index: usize) {
        self.0[index / 64] ^= 1 << (index % 64);
    }
}

struct Search<'a> {
    calls: &'a [&'a Call],
    policy: Policy,
    tried: HashSet<(Done, Option<Op>)>,
    steps: usize,
    best: usize,
}

impl Search<'_> {
    fn go(&mut self, done: &mut Done, op: &Option<Op>, left: usize) -> bool {
        if left == 0 {
            return true;
        }
        self.steps += 1;
        if self.steps >= STEPS_MAX || !self.tried.insert((done.clone(), op.clone())) {
            return false;
        }
        self.best = self.best.max(self.calls.len().saturating_sub(left));
        let first_return = (0..self.calls.len())
            .filter(|index| !done.has(*index) && self.calls[*index].output != Output::Unknown)
            .map(|index| self.calls[index].returned)
            .min()
            .unwrap_or(u64::MAX);
        // Answered calls first: those without an answer are tried when nothing else explains.
        for unknown in [false, true] {
            for index in 0..self.calls.len() {
                let call = self.calls[index];
                let is_unknown = call.output == Output::Unknown;
                if is_unknown != unknown || done.has(index) || call.invoked > first_return {
                    continue;
                }
                for before in self.meanwhile(op.as_ref()) {
                    let Some(after) = step(before, call, self.policy) else {
                        continue;
                    };
                    if is_unknown && after == *op {
                        continue;
                    }
                    done.flip(index);
                    let left = left - usize::from(!is_unknown);
                    if self.go(done, &after, left) {
                        return true;
                    }
                    done.flip(index);
                }
            }
        }
        false
    }

    /// The operation as it is, and as the store may have made it by itself.
    fn meanwhile(&self, op: Option<&Op>) -> Vec<Option<Op>> {
        let mut ways = vec![op.cloned()];
        let Some(op) = op else { return ways };
        for act in [Act::Expire, Act::ExpireShared] {
            let mut expired = op.clone();
            match expired.act(act, self.policy) {
                Ok(Change::Removed) => ways.push(None),
                Ok(_) => {
                    if expired.verdict.is_some() {
                        ways.push(None);
                    }
                    if !ways.contains(&Some(expired.clone())) {
                        ways.push(Some(expired));
                    }
                }
                Err(_) if op.verdict.is_some() => ways.push(None),
                Err(_) => {}
            }
        }
        ways
    }
}

/// The state after the call, if the model gives that answer.
fn step(op: Option<Op>, call: &Call, policy: Policy) -> Option<Option<Op>> {
    let unknown = call.output == Output::Unknown;
    match (call.input, op) {
        (
            Input::Start {
                uid,
                metadata,
                born_claimed,
            },
            None,
        ) => {
            let mut op = Op::new(uid, metadata);
            if born_claimed {
                op.act(Act::Claim, policy).ok()?;
            }
            (unknown || call.output == Output::Seen(op.clone())).then_some(Some(op))
        }
        (Input::Start { .. }, Some(op)) => {
            (unknown || call.output == Output::Present).then_some(Some(op))
        }
        (Input::Get, None) => (call.output == Output::Absent).then_some(None),
        (Input::Get, Some(op)) => {
            let fits = match &call.output {
                Output::Absent => op.deleted,
                Output::Seen(seen) => !op.deleted && *seen == op,
                Output::Listed(seen) => !op.deleted && *seen == op.public_part(),
                _ => false,
            };
            fits.then_some(Some(op))
        }
        (Input::Look, op) => {
            let fits = match &call.output {
                Output::Seen(seen) => op.as_ref() == Some(seen),
                Output::Present => op.is_some(),
                Output::Unfinished => op.as_ref().is_some_and(|op| op.verdict.is_none()),
                Output::Absent => op.is_none(),
                _ => false,
            };
            fits.then_some(op)
        }
        (Input::Act(Act::Claim, _), None) => unknown.then_some(None),
        (Input::Act(..), None) => {
            (unknown || call.output == Output::Refused(Refusal::NotFound)).then_some(None)
        }
        // A holder's command for a former operation of the name.
        (Input::Act(_, Some(uid)), Some(op)) if uid != op.uid => {
            (unknown || call.output == Output::Refused(Refusal::NotFound)).then_some(Some(op))
        }
        (Input::Act(act, _), Some(before)) => {
            let mut op = before.clone();
            match op.act(act, policy) {
                Ok(change) => {
                    let fits = match &call.output {
                        Output::Unknown => true,
                        Output::Seen(seen) => *seen == op,
                        Output::Updated(seen, state, revision) => {
                            (*seen, *state, *revision) == (change, op.state, op.revision)
                        }
                        _ => false,
                    };
                    fits.then_some((change != Change::Removed).then_some(op))
                }
                Err(refusal) => {
                    (unknown || call.output == Output::Refused(refusal)).then_some(Some(before))
                }
            }
        }
    }
}
