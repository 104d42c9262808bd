//! From the syntax tree to typed conditions.

use std::collections::BTreeSet;

use super::ast::{Argument, Comparable, Expression, ExpressionKind, Operator, Path, Restriction};
use super::condition::{Condition, Predicate};
use super::error::{FilterErrorKind, Problem, shown};
use super::literal::{Literal, choices};
use super::resolve::{self, Target};
use super::schema::{Formats, Schema};
use super::typed::condition;

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
            ExpressionKind::And(parts) | ExpressionKind::Sequence(parts) => {
                Ok(Predicate::And(each(parts)?))
            }
            ExpressionKind::Or(parts) => Ok(Predicate::Or(each(parts)?)),
            ExpressionKind::Not(inner) => Ok(Predicate::Not(Box::new(self.expression(inner)?))),
            ExpressionKind::Restriction(restriction) => self.restriction(restriction),
            ExpressionKind::Global(Comparable::Call(call)) => Err(unknown_function(call)),
            ExpressionKind::Global(Comparable::Path(path)) => self.search(path),
        }
    }

    fn restriction(&mut self, restriction: &Restriction) -> Result<Predicate, Problem> {
        let path = match &restriction.field {
            Comparable::Path(path) => path,
            Comparable::Call(call) => return Err(unknown_function(call)),
        };
        let target = resolve::resolve(self.schema, path)?;
        let default = Formats::default();
        let formats = match self.declared(path) {
            None => &default,
            Some((name, field)) => {
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
                    return Err(Problem::new(
                        FilterErrorKind::RepeatedRestriction,
                        path.span,
                        message,
                    ));
                }
                &field.formats
            }
        };
        argument(
            &target,
            restriction.operator,
            &restriction.argument,
            formats,
        )
        .map_err(|problem| problem.on_operator(restriction.operator_span))
    }

    fn declared(&self, path: &Path) -> Option<(&'a str, &'a super::schema::Field)> {
        self.schema.field(&path.segments.first()?.text)
    }

    /// A bare literal.
    fn search(&self, path: &Path) -> Result<Predicate, Problem> {
        let fields = self.schema.search();
        if fields.is_empty() {
            let text = path.to_string();
            let problem = Problem::new(
                FilterErrorKind::NoSearchFields,
                path.span,
                format!(
                    "`{}` stands alone, but it takes a field, an operator and a literal",
                    shown(&text)
                ),
            );
            return Err(match text.as_str() {
                "and" | "&&" | "&" => problem.hint("write AND"),
                "or" | "||" | "|" => problem.hint("write OR"),
                "not" => problem.hint("write NOT"),
                "done" => problem.hint("write `done = true`"),
                _ => problem,
            });
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
    formats: &Formats,
) -> Result<Predicate, Problem> {
    match argument {
        Argument::Composite(inner) => distribute(target, operator, inner, formats),
        Argument::Comparable(Comparable::Call(call)) => Err(unknown_function(call)),
        Argument::Comparable(Comparable::Path(path)) => {
            condition(target, operator, &Literal::new(path)?, formats).map(Predicate::Condition)
        }
    }
}

fn distribute(
    target: &Target,
    operator: Operator,
    expression: &Expression,
    formats: &Formats,
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
        ExpressionKind::Global(Comparable::Call(call)) => Err(unknown_function(call)),
        ExpressionKind::Global(Comparable::Path(path)) => {
            condition(target, operator, &Literal::new(path)?, formats).map(Predicate::Condition)
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

fn unknown_function(call: &super::ast::Call) -> Problem {
    let names: Vec<&str> = call.name.iter().map(|name| name.text.as_str()).collect();
    let name = names.join(".");
    let message = format!("there is no function `{}`", shown(&name));
    let problem = Problem::new(FilterErrorKind::UnknownFunction, call.span, message);
    match name.as_str() {
        "AND" | "OR" | "NOT" => problem.hint("put white space before the parenthesis"),
        _ => problem,
    }
}
