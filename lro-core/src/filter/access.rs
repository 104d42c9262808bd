//! Access paths to the operations that a filter may match, for stores with indexes.

use super::condition::{Comparison, Condition, Predicate, TextField};
use super::known::Known;
use super::text::TextTest;
use crate::store::OperationState;

/// A label that an operation must have.
///
/// ```
/// use lro_core::filter::{Filter, Schema};
///
/// let filter = Filter::parse("labels.env = prod", &Schema::default())?;
/// let needs = filter.predicate().label_needs();
/// assert_eq!(needs[0][0].key, "env");
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LabelNeed {
    /// Its key, in the Unicode normal form C.
    pub key: String,
    /// The test of its value; `None`: any value.
    pub test: Option<TextTest>,
}

impl Predicate {
    /// The parts that are all true exactly when it is true. Since every node is true or false,
    /// `NOT (a OR b)` is two parts and `NOT NOT a` is `a`.
    pub fn conjuncts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        self.collect(false, &mut parts);
        parts
    }

    /// Labels of which every operation that matches has at least one: a list for each of the
    /// [`conjuncts`](Self::conjuncts) that asks for labels.
    ///
    /// ```
    /// # use lro_core::filter::{Filter, Schema};
    /// let text = "NOT (done = true OR NOT (labels.env = prod OR labels:team))";
    /// let filter = Filter::parse(text, &Schema::default())?;
    /// let needs = filter.predicate().label_needs();
    /// let keys: Vec<_> = needs[0].iter().map(|need| need.key.as_str()).collect();
    /// assert_eq!((needs.len(), keys), (1, vec!["env", "team"]));
    /// # Ok::<(), lro_core::filter::FilterError>(())
    /// ```
    pub fn label_needs(&self) -> Vec<Vec<LabelNeed>> {
        self.needs_of_parts(&label_need)
    }

    /// Tests of which every operation that matches satisfies at least one by the name of its parent operation: a
    /// list for each of the [`conjuncts`](Self::conjuncts) that asks for one. So an operation without a parent does
    /// not match if there is a list.
    ///
    /// ```
    /// # use lro_core::filter::{Filter, Schema};
    /// let text = "parent_operation = \"operations/1\" AND done = true";
    /// let filter = Filter::parse(text, &Schema::default())?;
    /// let needs = filter.predicate().parent_operation_needs();
    /// assert!(needs[0][0].accepts("operations/1"));
    /// # Ok::<(), lro_core::filter::FilterError>(())
    /// ```
    pub fn parent_operation_needs(&self) -> Vec<Vec<TextTest>> {
        self.needs_of_parts(&|condition| match condition {
            Condition::Text {
                field: TextField::ParentOperation,
                test,
            } => Some(test.clone()),
            _ => None,
        })
    }

    fn needs_of_parts<N: Clone>(&self, need: &impl Fn(&Condition) -> Option<N>) -> Vec<Vec<N>> {
        let parts = self.conjuncts();
        let needs = parts.iter().map(|part| part.needs(false, need));
        needs.flatten().collect()
    }

    /// The states in which an operation of this method may match, each with whether it then matches
    /// for certain. `None` for the method: of any.
    pub fn states_of(&self, method: Option<&str>) -> Vec<(OperationState, bool)> {
        let verdicts = OperationState::ALL.into_iter().map(|state| {
            let known = Known {
                method,
                state: Some(state),
            };
            (state, self.verdict(&known))
        });
        verdicts
            .filter(|(_, verdict)| *verdict != Some(false))
            .map(|(state, verdict)| (state, verdict == Some(true)))
            .collect()
    }

    /// Whether an index by method and state may leave operations out: some state cannot match, or
    /// methods are named.
    pub fn restricts_states(&self) -> bool {
        self.names_method() || self.states_of(None).len() < OperationState::ALL.len()
    }

    fn collect(&self, negated: bool, parts: &mut Vec<Self>) {
        match (self, negated) {
            (Self::Not(inner), _) => inner.collect(!negated, parts),
            (Self::And(inner), false) | (Self::Or(inner), true) => {
                for part in inner {
                    part.collect(negated, parts);
                }
            }
            // A condition that is always true is omitted.
            (Self::Condition(Condition::Constant(value)), _) if *value != negated => {}
            (_, false) => parts.push(self.clone()),
            (_, true) => parts.push(Self::Not(Box::new(self.clone()))),
        }
    }

    /// The needs of which every operation that matches has one, where a condition says which.
    fn needs<N: Clone>(
        &self,
        negated: bool,
        need: &impl Fn(&Condition) -> Option<N>,
    ) -> Option<Vec<N>> {
        match (self, negated) {
            (Self::Not(inner), _) => inner.needs(!negated, need),
            // Any of them is needed: the first that says which.
            (Self::And(parts), false) | (Self::Or(parts), true) => {
                parts.iter().find_map(|part| part.needs(negated, need))
            }
            (Self::Or(parts), false) | (Self::And(parts), true) => {
                let needs = parts.iter().map(|part| part.needs(negated, need));
                let needs: Option<Vec<_>> = needs.collect();
                needs
                    .filter(|needs| !needs.is_empty())
                    .map(|it| it.concat())
            }
            (Self::Condition(condition), false) => need(condition).map(|need| vec![need]),
            (Self::Condition(_), true) => None,
        }
    }

    fn names_method(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::names_method),
            Self::Not(inner) => inner.names_method(),
            Self::Condition(condition) => {
                let field = TextField::Method;
                matches!(condition, Condition::Text { field: named, .. } if *named == field)
            }
        }
    }
}

fn label_need(condition: &Condition) -> Option<LabelNeed> {
    match condition {
        Condition::Label { key, test } => Some(LabelNeed {
            key: key.clone(),
            test: Some(test.clone()),
        }),
        Condition::LabelKey(TextTest::Compare {
            comparison: Comparison::Equal,
            value: key,
        }) => Some(LabelNeed {
            key: key.clone(),
            test: None,
        }),
        _ => None,
    }
}
