//! Literals for fields of payloads, by type.

use prost_reflect::{FieldDescriptor, Kind, MapKey};

use super::ast::Operator;
use super::condition::Comparison;
use super::error::{FilterErrorKind, Problem};
use super::literal::Literal;
use super::payload::{Alternative, Step, ValueTest};
use super::route::{Route, is_time, message_field};
use super::schema::Formats;
use super::text::TextTest;
use super::typed;

/// The condition on the field at the end of the route.
pub(crate) fn alternative(
    mut route: Route,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<Alternative, Problem> {
    if route.through_repeated && operator != Operator::Has {
        return Err(Problem::new(
            FilterErrorKind::TraverseRepeated,
            literal.span,
            "only `:` looks into a repeated field",
        )
        .hint("write `field:literal` to ask for an element"));
    }
    let field = route.leaf.clone();
    let test = if field.is_list() {
        in_list(&field, operator, literal, formats)?
    } else if field.is_map() {
        in_map(&mut route, operator, literal)?
    } else if operator == Operator::Has && literal.is_star() {
        ValueTest::Present
    } else {
        let kind = field.kind();
        match kind.as_message() {
            Some(message) if !is_time(message) => {
                match typed::on_message(operator, literal, formats)? {
                    typed::OnMessage::Set(true) => ValueTest::Present,
                    typed::OnMessage::Set(false) => ValueTest::Absent,
                    typed::OnMessage::Field(name) => {
                        let inner = message_field(message, name, literal.span)?;
                        route.steps.push(Step::Field(inner));
                        ValueTest::Present
                    }
                }
            }
            _ => scalar(&kind, operator, literal, formats)?,
        }
    };
    Ok(Alternative {
        message: route.message,
        steps: route.steps,
        test,
    })
}

fn in_list(
    field: &FieldDescriptor,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<ValueTest, Problem> {
    if operator != Operator::Has {
        return Err(typed::bad_operator(operator, literal, "a repeated field").hint("use `:`"));
    }
    if literal.is_star() {
        return Ok(ValueTest::Present);
    }
    let test = match field.kind() {
        Kind::Message(message) if !is_time(&message) => {
            return Err(literal
                .expected("a scalar element")
                .hint("name a field of the elements before the `:`"));
        }
        kind => scalar(&kind, operator, literal, formats)?,
    };
    Ok(ValueTest::Element(Box::new(test)))
}

fn in_map(route: &mut Route, operator: Operator, literal: &Literal) -> Result<ValueTest, Problem> {
    if operator != Operator::Has {
        return Err(typed::bad_operator(operator, literal, "a map").hint("name a key after a dot"));
    }
    if literal.is_star() {
        return Ok(ValueTest::Present);
    }
    let kind = route.leaf.kind();
    let key = kind
        .as_message()
        .map(|entry| entry.map_entry_key_field().kind());
    let integer = |kind: &Kind| -> Result<i128, Problem> {
        let (min, max) = integer_range(kind).unwrap_or((0, 0));
        literal.integer(min, max)
    };
    let beyond = || literal.expected("a key of the map");
    let key = match key {
        None | Some(Kind::String) => {
            literal.not_empty()?;
            let test: TextTest = literal.key(Comparison::Equal)?;
            return Ok(ValueTest::MapKey(test));
        }
        Some(Kind::Bool) => MapKey::Bool(literal.boolean()?),
        Some(kind @ (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32)) => {
            MapKey::I32(integer(&kind)?.try_into().map_err(|_| beyond())?)
        }
        Some(kind @ (Kind::Uint32 | Kind::Fixed32)) => {
            MapKey::U32(integer(&kind)?.try_into().map_err(|_| beyond())?)
        }
        Some(kind @ (Kind::Uint64 | Kind::Fixed64)) => {
            MapKey::U64(integer(&kind)?.try_into().map_err(|_| beyond())?)
        }
        Some(kind) => MapKey::I64(integer(&kind)?.try_into().map_err(|_| beyond())?),
    };
    route.steps.push(Step::Key(key));
    Ok(ValueTest::Present)
}

/// Of one value: `:` is `=`.
fn scalar(
    kind: &Kind,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<ValueTest, Problem> {
    let comparison = typed::comparison(operator);
    Ok(match kind {
        Kind::String => ValueTest::Text(typed::text(operator, literal, formats)?),
        Kind::Bool => {
            let equal = typed::equality(operator, literal, "a boolean")?;
            ValueTest::Bool(literal.boolean()? == equal)
        }
        Kind::Enum(descriptor) => {
            let equal = typed::equality(operator, literal, "an enum")?;
            let number = literal.enumeration(descriptor)?;
            ValueTest::Enum { number, equal }
        }
        Kind::Double => ValueTest::Float(comparison, literal.double()?),
        Kind::Float => ValueTest::Float(comparison, literal.float()?),
        Kind::Bytes => {
            return Err(typed::bad_operator(operator, literal, "bytes").hint("only `:*` does"));
        }
        Kind::Message(message) => {
            if literal.is_null(formats) {
                return match operator {
                    Operator::Equal => Ok(ValueTest::Absent),
                    Operator::NotEqual => Ok(ValueTest::Present),
                    _ => Err(typed::bad_operator(operator, literal, "null").hint("use = or !=")),
                };
            }
            let nanos = match message.full_name() {
                "google.protobuf.Duration" => literal.duration()?,
                _ => literal.timestamp(formats)?,
            };
            ValueTest::Nanos(comparison, nanos)
        }
        kind => {
            let (min, max) = integer_range(kind).unwrap_or((0, 0));
            ValueTest::Integer(comparison, literal.integer(min, max)?)
        }
    })
}

fn integer_range(kind: &Kind) -> Option<(i128, i128)> {
    Some(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        Kind::Uint64 | Kind::Fixed64 => (0, u64::MAX.into()),
        _ => return None,
    })
}
