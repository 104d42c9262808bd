use super::condition::{Condition, Predicate};
use crate::record::OperationRecord;

/// A filter in two parts, whose conjunction is the filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// What the store answers itself, joined by AND.
    pub pushed: Vec<Predicate>,
    /// What is left for [`Split::residual_matches`], joined by AND.
    pub residual: Vec<Predicate>,
}

impl Split {
    /// Whether nothing is left, so that a store may trust its own answer.
    pub fn is_exact(&self) -> bool {
        self.residual.is_empty()
    }

    /// Whether an operation that passes what was pushed matches the filter.
    pub fn residual_matches(&self, record: &OperationRecord) -> bool {
        Predicate::all(&self.residual, record)
    }
}

impl Predicate {
    /// Parts it into what a store can answer and the rest.
    ///
    /// `can` says which single conditions the store answers exactly; a part with any other
    /// condition stays in the rest as a whole. Since every node is true or false, `NOT (a OR b)` is
    /// two parts and `NOT NOT a` is `a`.
    pub fn split(&self, can: impl Fn(&Condition) -> bool) -> Split {
        let mut split = Split::default();
        for part in self.conjuncts() {
            if part.every(&can) {
                split.pushed.push(part);
            } else {
                split.residual.push(part);
            }
        }
        split
    }

    /// The parts that are all true exactly when it is true.
    pub fn conjuncts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        self.collect(false, &mut parts);
        parts
    }

    fn collect(&self, negated: bool, parts: &mut Vec<Self>) {
        match (self, negated) {
            (Self::Not(inner), _) => inner.collect(!negated, parts),
            (Self::And(inner), false) | (Self::Or(inner), true) => {
                for part in inner {
                    part.collect(negated, parts);
                }
            }
            // What is always true is no part.
            (Self::Condition(Condition::Constant(value)), _) if *value != negated => {}
            (_, false) => parts.push(self.clone()),
            (_, true) => parts.push(Self::Not(Box::new(self.clone()))),
        }
    }

    fn every(&self, can: &impl Fn(&Condition) -> bool) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.every(can)),
            Self::Not(inner) => inner.every(can),
            Self::Condition(condition) => can(condition),
        }
    }
}
