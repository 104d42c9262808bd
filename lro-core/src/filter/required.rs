//! Restrictions that a dialect wants in every filter.

use super::ast::{Argument, Comparable, Expression, ExpressionKind, Operator, Restriction, Span};
use super::error::{FilterErrorKind, Problem};
use super::literal::Literal;
use super::schema::Schema;

/// Looks for every required field on the top level.
pub(crate) fn require(schema: &Schema, expression: Option<&Expression>) -> Result<(), Problem> {
    for (name, field) in schema.fields() {
        if field.required && !expression.is_some_and(|inner| restricts(schema, name, inner)) {
            let message = format!("the filter must restrict `{name}`");
            let span = Span::default();
            return Err(
                Problem::new(FilterErrorKind::RequiredRestriction, span, message)
                    .hint(format!("write `{name} = literal`, joined by AND")),
            );
        }
    }
    Ok(())
}

fn restricts(schema: &Schema, name: &str, expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::And(parts) | ExpressionKind::Sequence(parts) => {
            parts.iter().any(|part| restricts(schema, name, part))
        }
        ExpressionKind::Restriction(restriction) => equals(schema, name, restriction),
        _ => false,
    }
}

fn equals(schema: &Schema, name: &str, restriction: &Restriction) -> bool {
    let (Comparable::Path(field), Argument::Comparable(Comparable::Path(literal))) =
        (&restriction.field, &restriction.argument)
    else {
        return false;
    };
    let [only] = field.segments.as_slice() else {
        return false;
    };
    let is_plain = Literal::new(literal).is_ok_and(|text| matches!(text.wildcard(), Ok(None)));
    restriction.operator == Operator::Equal
        && is_plain
        && schema
            .field(&only.text)
            .is_some_and(|(found, _)| found == name)
}
