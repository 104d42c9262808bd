//! Replacements for constructs of other query languages.

use prost_reflect::Kind;

use super::ast::{
    Argument, Call, Comparable, Expression, ExpressionKind, Operator, Path, Restriction,
};
use super::error::{FilterErrorKind, Problem, shown};
use super::resolve::{self, StepField, Target};
use super::schema::Schema;

/// A text that stands alone, where nothing is declared to search in.
pub(crate) fn alone(schema: &Schema, path: &Path) -> Problem {
    let text = path.to_string();
    let short = shown(&text);
    let message =
        format!("`{short}` stands alone, but it takes a field, an operator and a literal");
    let problem = Problem::new(FilterErrorKind::NoSearchFields, path.span, message);
    match text.as_str() {
        "and" | "&&" | "&" => return problem.hint("write AND"),
        "or" | "||" | "|" => return problem.hint("write OR"),
        "not" => return problem.hint("write NOT"),
        _ => {}
    }
    match resolve::resolve(schema, path) {
        Ok(target) if is_boolean(&target) => problem.hint(format!("write `{short} = true`")),
        Ok(_) => problem.hint(format!(
            "write `{short}:*` to ask whether it is set, or compare it with a literal"
        )),
        Err(_) => problem.hint("write `field = literal`, such as `done = true`"),
    }
}

fn is_boolean(target: &Target) -> bool {
    match target {
        Target::Done | Target::Step(StepField::Waiting | StepField::Blocked) => true,
        Target::InPayload(_, routes) => routes.iter().all(|route| {
            let leaf = &route.leaf;
            !leaf.is_list() && matches!(leaf.kind(), Kind::Bool)
        }),
        _ => false,
    }
}

/// One of several terms with nothing but white space between them, where a word or a sign beside
/// it is an operator elsewhere.
pub(crate) fn in_sequence(problem: Problem, parts: &[Expression], index: usize) -> Problem {
    if problem.kind != FilterErrorKind::NoSearchFields {
        return problem;
    }
    // `name ~ x` are three literals, and `name =~ x` is a comparison and a literal.
    let next = parts.get(index + 1).and_then(bare);
    let own = parts.get(index).and_then(bare);
    let before = index.checked_sub(1).and_then(|index| parts.get(index));
    let (field, sign) = match (own, next, before.map(|part| &part.kind)) {
        (Some(field), Some(sign), _) if instead(&sign).is_some() => (field, sign),
        (_, _, Some(ExpressionKind::Restriction(restriction))) => {
            match (&restriction.field, &restriction.argument) {
                (Comparable::Path(field), Argument::Comparable(Comparable::Path(sign))) => {
                    (field.to_string(), sign.to_string())
                }
                _ => return problem,
            }
        }
        _ => return problem,
    };
    let Some(instead) = instead(&sign) else {
        return problem;
    };
    let (field, sign) = (shown(&field), shown(&sign));
    problem.hint(format!(
        "there is no operator `{sign}`; write `{}`",
        instead.replace("field", &field)
    ))
}

/// The text of a term that is one.
fn bare(part: &Expression) -> Option<String> {
    match &part.kind {
        ExpressionKind::Global(Comparable::Path(path)) => Some(path.to_string()),
        _ => None,
    }
}

/// The replacement for an operator of another language.
fn instead(sign: &str) -> Option<&'static str> {
    Some(match sign.to_ascii_lowercase().as_str() {
        "~" | "~=" | "~~" | "~*" | "like" | "ilike" | "contains" | "matches" => {
            "field = \"*part*\""
        }
        "startswith" | "starts_with" => "field = \"start*\"",
        "endswith" | "ends_with" => "field = \"*end\"",
        "eq" | "is" | "equals" => "field = literal",
        "ne" | "neq" | "isnot" => "field != literal",
        "lt" => "field < literal",
        "le" | "lte" => "field <= literal",
        "gt" => "field > literal",
        "ge" | "gte" => "field >= literal",
        "in" => "field = (a OR b)",
        "has" | "exists" => "field:*",
        _ => return None,
    })
}

/// A comparison whose left side names no field.
pub(crate) fn on_the_left(problem: Problem, schema: &Schema, restriction: &Restriction) -> Problem {
    let Argument::Comparable(Comparable::Path(right)) = &restriction.argument else {
        return problem;
    };
    if resolve::resolve(schema, right).is_err() {
        return problem;
    }
    let operator = match restriction.operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        same => same,
    };
    let (field, literal) = (right.to_string(), restriction.field.to_string());
    problem.hint(format!(
        "the field stands on the left: write `{} {} {}`",
        shown(&field),
        operator.as_str(),
        shown(&literal)
    ))
}

/// A call: there are no functions.
pub(crate) fn no_function(call: &Call) -> Problem {
    let names: Vec<&str> = call.name.iter().map(|name| name.text.as_str()).collect();
    let name = names.join(".");
    let argument = match call.arguments.as_slice() {
        [only] => only.to_string(),
        _ => String::new(),
    };
    let argument = shown(&argument);
    let message = format!("there is no function `{}`", shown(&name));
    let problem = Problem::new(FilterErrorKind::UnknownFunction, call.span, message);
    match name.to_ascii_lowercase().as_str() {
        "and" | "or" | "not" => problem.hint("put white space before the parenthesis"),
        "timestamp" | "duration" | "date" | "string" | "int" | "bool" | "double" => {
            problem.hint(format!("write the literal alone: `{argument}`"))
        }
        "has" | "exists" => problem.hint(format!("write `{argument}:*`")),
        "now" => problem.hint("write the time, such as \"2024-01-02T03:04:05Z\""),
        _ => problem.hint("there are no functions; write `field = literal`"),
    }
}
