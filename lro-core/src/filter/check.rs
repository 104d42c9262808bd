//! From the syntax tree to typed conditions.

use std::collections::BTreeSet;

use super::advice;
use super::ast::{Argument, Comparable, Expression, ExpressionKind, Operator, Path, Restriction};
use super::condition::{Condition, Predicate};
use super::error::{FilterErrorKind, Problem};
use super::literal::{Literal, choices};
use super::resolve::{self, Target};
use super::schema::{Formats, Schema};
use super::typed::predicate;

/// Checks an expression against the schema.
pub(crate) fn check(schema: &Schema, expression: &Expression) -> Result<Predicate, Problem> {
    let mut checker = Checker {
        schema,
        seen: BTreeSet::new(),
    };
    checker.expression(expression)
}

struct Checker<'a> {
    schema: &'a Schema,
    /// The declared fields that were restricted.
    seen: BTreeSet<&'a str>,
}

impl<'a> Checker<'a> {
    fn expression(&mut self, expression: &Expression) -> Result<Predicate, Problem> {
        let mut each = |parts: &[Expression]| -> Result<Vec<Predicate>, Problem> {
            parts.iter().map(|part| self.expression(part)).collect()
        };
        match &expression.kind {
            ExpressionKind::And(parts) => Ok(Predicate::And(each(parts)?)),
            ExpressionKind::Or(parts) => Ok(Predicate::Or(each(parts)?)),
            ExpressionKind::Sequence(parts) => {
                let parts = parts.iter().enumerate().map(|(index, part)| {
                    let problem = |problem| advice::in_sequence(problem, parts, index);
                    self.expression(part).map_err(problem)
                });
                parts.collect::<Result<_, _>>().map(Predicate::And)
            }
            ExpressionKind::Not(inner) => Ok(Predicate::Not(Box::new(self.expression(inner)?))),
            ExpressionKind::Restriction(restriction) => self.restriction(restriction),
            ExpressionKind::Global(Comparable::Call(call)) => Err(advice::no_function(call)),
            ExpressionKind::Global(Comparable::Path(path)) => self.search(path),
        }
    }

    fn restriction(&mut self, restriction: &Restriction) -> Result<Predicate, Problem> {
        let path = match &restriction.field {
            Comparable::Path(path) => path,
            Comparable::Call(call) => return Err(advice::no_function(call)),
        };
        let target = resolve::resolve(self.schema, path)
            .map_err(|problem| advice::on_the_left(problem, self.schema, restriction))?;
        let mut formats = Formats::default();
        if let Some((name, field)) = self.declared(path) {
            let operator = restriction.operator;
            if let Some(allowed) = &field.operators
                && !allowed.contains(&operator)
            {
                let names: Vec<&str> = allowed.iter().map(|one| one.as_str()).collect();
                let message = format!("`{name}` does not take `{}`", operator.as_str());
                let span = restriction.operator_span;
                return Err(Problem::new(FilterErrorKind::BadOperator, span, message)
                    .hint(choices("it takes", &names)));
            }
            let composite = matches!(restriction.argument, Argument::Composite(_));
            let again = !self.seen.insert(name);
            if field.once && (again || composite) {
                let message = format!("`{name}` may be restricted once only");
                let span = path.span;
                return Err(
                    Problem::new(FilterErrorKind::RepeatedRestriction, span, message).hint(
                        format!("write `{name}` in one comparison, with one literal"),
                    ),
                );
            }
            formats = field.formats;
        }
        let names = path.segments.iter().map(|segment| segment.text.as_str());
        formats.contains |= self.schema.colon_contains(&names.collect::<Vec<_>>());
        let operator = restriction.operator;
        argument(&target, operator, &restriction.argument, formats)
            .map_err(|problem| problem.on_operator(restriction.operator_span))
    }

    fn declared(&self, path: &Path) -> Option<(&'a str, &'a super::schema::Field)> {
        self.schema.field(&path.segments.first()?.text)
    }

    /// A bare literal.
    fn search(&self, path: &Path) -> Result<Predicate, Problem> {
        let fields = self.schema.search();
        if fields.is_empty() {
            return Err(advice::alone(self.schema, path));
        }
        let test = Literal::new(path)?.search()?;
        let conditions = fields.iter().map(|field| {
            Predicate::Condition(Condition::Text {
                field: *field,
                test: test.clone(),
            })
        });
        Ok(Predicate::Or(conditions.collect()))
    }
}

/// The right side; parentheses are distributed over the comparison.
fn argument(
    target: &Target,
    operator: Operator,
    argument: &Argument,
    formats: Formats,
) -> Result<Predicate, Problem> {
    match argument {
        Argument::Composite(inner) => distribute(target, operator, inner, formats),
        Argument::Comparable(Comparable::Call(call)) => Err(advice::no_function(call)),
        Argument::Comparable(Comparable::Path(path)) => {
            predicate(target, operator, &Literal::new(path)?, formats)
        }
    }
}

fn distribute(
    target: &Target,
    operator: Operator,
    expression: &Expression,
    formats: Formats,
) -> Result<Predicate, Problem> {
    let inner = |part: &Expression| distribute(target, operator, part, formats);
    match &expression.kind {
        ExpressionKind::And(parts) | ExpressionKind::Sequence(parts) => {
            let parts: Result<_, _> = parts.iter().map(inner).collect();
            parts.map(Predicate::And)
        }
        ExpressionKind::Or(parts) => {
            let parts: Result<_, _> = parts.iter().map(inner).collect();
            parts.map(Predicate::Or)
        }
        ExpressionKind::Not(part) if is_negative_number(expression, part) => Err(Problem::new(
            FilterErrorKind::TypeMismatch,
            expression.span,
            "within parentheses `-` negates a comparison, which is not what `-` before a number \
             looks like",
        )
        .hint("write NOT to negate, or compare with the number outside of the parentheses")),
        ExpressionKind::Not(part) => Ok(Predicate::Not(Box::new(inner(part)?))),
        ExpressionKind::Global(Comparable::Call(call)) => Err(advice::no_function(call)),
        ExpressionKind::Global(Comparable::Path(path)) => {
            predicate(target, operator, &Literal::new(path)?, formats)
        }
        ExpressionKind::Restriction(restriction) => Err(Problem::new(
            FilterErrorKind::NestedRestriction,
            restriction.operator_span,
            "a comparison cannot stand inside the argument of another",
        )
        .hint("put only literals into parentheses after an operator")),
    }
}

/// Whether it is `-1`, and not `NOT 1` or `-"1"`: by the grammar a negation, by its looks a number.
fn is_negative_number(negation: &Expression, part: &Expression) -> bool {
    let ExpressionKind::Global(Comparable::Path(path)) = &part.kind else {
        return false;
    };
    let close = part.span.start == negation.span.start + 1;
    let first = path.segments.first();
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    close && first.is_some_and(|first| !first.quoted && digit(&first.text))
}
