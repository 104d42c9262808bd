//! One comparison, with a literal of the field's type.

use super::ast::Operator;
use super::condition::{
    Comparison, Condition, NumberField, OptionalField, Predicate, StepCondition, TimeField,
};
use super::error::{FilterErrorKind, Problem};
use super::literal::Literal;
use super::payload::{Alternative, PayloadCondition, PayloadField, ValueTest};
use super::resolve::{self, STEP_KINDS, StepField, Target};
use super::route::{payload_field, worst};
use super::schema::Formats;
use super::text::{TextTest, Wildcard};
use super::values;
use crate::clock::Timestamp;
use crate::store::{OperationState, StepKind};

const NANOS_PER_MICRO: i128 = 1_000;

/// The predicate of `target operator literal`.
pub(crate) fn predicate(
    target: &Target,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<Predicate, Problem> {
    let Target::PayloadType(payload) = target else {
        return condition(target, operator, literal, formats).map(Predicate::Condition);
    };
    let of_type = |test| {
        Predicate::Condition(Condition::PayloadType {
            payload: *payload,
            test,
        })
    };
    if operator == Operator::Has && literal.is_star() {
        return Ok(of_type(TextTest::any()));
    }
    equality(operator, literal, "a type")?;
    // The host says where the type could be found, not which one it is.
    let name = literal.after_last_slash();
    let test = text(operator, &name, formats)?;
    if operator == Operator::Has && !formats.contains && name.is_simple_name() {
        // Of a message in any package.
        let suffix = TextTest::Like {
            pattern: Wildcard::Suffix(format!(".{}", name.name())),
            negated: false,
        };
        return Ok(Predicate::Or(vec![of_type(test), of_type(suffix)]));
    }
    Ok(of_type(test))
}

/// The test of a text. `:` is `=`, or tests for a substring.
pub(crate) fn text(
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<TextTest, Problem> {
    if operator == Operator::Has {
        literal.not_empty()?;
        if formats.contains {
            return literal.part();
        }
    }
    literal.text(comparison(operator))
}

fn condition(
    target: &Target,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<Condition, Problem> {
    let present = operator == Operator::Has && literal.is_star();
    Ok(match target {
        Target::Text(field) => Condition::Text {
            field: *field,
            test: if present {
                TextTest::not_empty()
            } else {
                text(operator, literal, formats)?
            },
        },
        Target::Number(field) if present => Condition::Number {
            field: *field,
            comparison: Comparison::NotEqual,
            value: 0,
        },
        Target::Number(field) => number(*field, operator, literal)?,
        Target::Done if present => Condition::Done(true),
        Target::Done => {
            let equal = equality(operator, literal, "a boolean")?;
            Condition::Done(literal.boolean()? == equal)
        }
        Target::State(_) if present => Condition::Constant(true),
        Target::State(values) => {
            let equal = equality(operator, literal, "an enum")?;
            let index = literal.choice(values.iter().map(|(name, _)| name.as_str()))?;
            let chosen = values.get(index).map_or(&[][..], |(_, states)| states);
            let states = OperationState::ALL.into_iter();
            Condition::State(states.filter(|s| chosen.contains(s) == equal).collect())
        }
        Target::Time(field) => time(*field, operator, literal, formats, present)?,
        Target::Error => match on_message(operator, literal, formats)? {
            OnMessage::Set(set) => Condition::Set {
                field: OptionalField::Error,
                set,
            },
            OnMessage::Field(name) => match resolve::error_field(name, literal.span)? {
                Target::Text(field) => Condition::Text {
                    field,
                    test: TextTest::not_empty(),
                },
                _ => Condition::Number {
                    field: NumberField::ErrorCode,
                    comparison: Comparison::NotEqual,
                    value: 0,
                },
            },
        },
        Target::Labels => match operator {
            Operator::Has => {
                literal.not_empty()?;
                Condition::LabelKey(literal.key(Comparison::Equal)?)
            }
            _ => {
                return Err(bad_operator(operator, literal, "a map")
                    .hint("name a key after a dot, as in labels.env = prod"));
            }
        },
        Target::Label(key) => Condition::Label {
            key: key.clone(),
            test: if present {
                TextTest::any()
            } else {
                text(operator, literal, formats)?
            },
        },
        Target::Payload(payload, _) if present || operator != Operator::Has => {
            whole_payload(*payload, operator, literal, formats)?
        }
        Target::Payload(payload, messages) => {
            let routes = payload_field(*payload, messages, literal.name(), literal.span)?;
            let alternatives = routes.into_iter().map(|route| Alternative {
                message: route.message,
                steps: route.steps,
                test: ValueTest::Present,
            });
            Condition::Payload(PayloadCondition::new(*payload, alternatives.collect()))
        }
        Target::InPayload(payload, routes) => {
            let (mut alternatives, mut problems) = (Vec::new(), Vec::new());
            for route in routes {
                match values::alternative(route.clone(), operator, literal, formats) {
                    Ok(alternative) => alternatives.push(alternative),
                    Err(problem) => problems.push(problem),
                }
            }
            if alternatives.is_empty()
                && let Some(problem) = worst(problems)
            {
                return Err(problem);
            }
            Condition::Payload(PayloadCondition::new(*payload, alternatives))
        }
        Target::Step(field) => Condition::Step(step(*field, operator, literal, formats, present)?),
        // `predicate` has taken it.
        Target::PayloadType(payload) => Condition::PayloadType {
            payload: *payload,
            test: text(operator, literal, formats)?,
        },
    })
}

fn step(
    field: StepField,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
    present: bool,
) -> Result<StepCondition, Problem> {
    let boolean = || Ok(literal.boolean()? == equality(operator, literal, "a boolean")?);
    match field {
        StepField::Blocked if present => Ok(StepCondition::Blocked(true)),
        // An operation that waits has a key and a kind that it waits for.
        _ if present => Ok(StepCondition::Waiting(true)),
        StepField::Waiting => boolean().map(StepCondition::Waiting),
        StepField::Blocked => boolean().map(StepCondition::Blocked),
        StepField::Key | StepField::Kind if comparison(operator) != Comparison::Equal => Err(
            bad_operator(operator, literal, "what an operation waits for")
                .hint("it may wait for several: use =, with NOT before the field to negate"),
        ),
        StepField::Key => text(operator, literal, formats).map(StepCondition::Key),
        StepField::Kind => {
            let index = literal.choice(STEP_KINDS.iter().map(|(name, _)| *name))?;
            let kind = STEP_KINDS
                .get(index)
                .map_or(StepKind::Step, |(_, kind)| *kind);
            Ok(StepCondition::Kind(kind))
        }
    }
}

fn number(field: NumberField, operator: Operator, literal: &Literal) -> Result<Condition, Problem> {
    let number = match field {
        NumberField::ErrorCode => match literal.code() {
            Some(code) => {
                equality(operator, literal, "the name of a code")?;
                code.into()
            }
            None => literal
                .integer(i32::MIN.into(), i32::MAX.into())
                .map_err(|problem| {
                    problem.hint("write the number or the name of a code, such as 5 or NOT_FOUND")
                })?,
        },
        NumberField::Attempt => literal.integer(0, u32::MAX.into())?,
    };
    Ok(Condition::Number {
        field,
        comparison: comparison(operator),
        // Both ranges are within that of i64.
        value: i64::try_from(number).unwrap_or(i64::MAX),
    })
}

fn time(
    field: TimeField,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
    present: bool,
) -> Result<Condition, Problem> {
    let set = |set| match field {
        TimeField::Create | TimeField::Update => Condition::Constant(set),
        _ => Condition::Set {
            field: OptionalField::Time(field),
            set,
        },
    };
    if present {
        return Ok(set(true));
    }
    if literal.is_null(formats) {
        return match operator {
            Operator::Equal => Ok(set(false)),
            Operator::NotEqual => Ok(set(true)),
            _ => Err(bad_operator(operator, literal, "null").hint("use = or !=")),
        };
    }
    let nanos = literal.timestamp(formats)?;
    let (micros, between) = (
        nanos.div_euclid(NANOS_PER_MICRO),
        nanos.rem_euclid(NANOS_PER_MICRO) != 0,
    );
    // Records hold whole microseconds: a time between two of them equals none, and what is before
    // it is at most the earlier one.
    let comparison = match comparison(operator) {
        Comparison::Equal if between => return Ok(Condition::Constant(false)),
        Comparison::NotEqual if between => return Ok(set(true)),
        Comparison::Less if between => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual if between => Comparison::Greater,
        other => other,
    };
    Ok(Condition::Time {
        field,
        comparison,
        // The years 1 to 9999 are within the range of i64.
        value: Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
    })
}

fn whole_payload(
    payload: PayloadField,
    operator: Operator,
    literal: &Literal,
    formats: Formats,
) -> Result<Condition, Problem> {
    let field = match payload {
        PayloadField::Metadata => OptionalField::Metadata,
        PayloadField::Response => OptionalField::Response,
    };
    match on_message(operator, literal, formats)? {
        OnMessage::Set(set) => Ok(Condition::Set { field, set }),
        OnMessage::Field(_) => Err(bad_operator(operator, literal, "a message")
            .hint("a message takes `:`, `= null` and `!= null`")),
    }
}

/// A comparison with a message.
pub(crate) enum OnMessage<'a> {
    /// Whether it is set.
    Set(bool),
    /// Whether it has this field.
    Field(&'a str),
}

pub(crate) fn on_message<'a>(
    operator: Operator,
    literal: &'a Literal,
    formats: Formats,
) -> Result<OnMessage<'a>, Problem> {
    match operator {
        Operator::Has if literal.is_star() => Ok(OnMessage::Set(true)),
        Operator::Has => Ok(OnMessage::Field(literal.name())),
        Operator::Equal if literal.is_null(formats) => Ok(OnMessage::Set(false)),
        Operator::NotEqual if literal.is_null(formats) => Ok(OnMessage::Set(true)),
        _ => Err(bad_operator(operator, literal, "a message")
            .hint("a message takes `:`, `= null` and `!= null`")),
    }
}

pub(crate) fn comparison(operator: Operator) -> Comparison {
    match operator {
        Operator::Equal | Operator::Has => Comparison::Equal,
        Operator::NotEqual => Comparison::NotEqual,
        Operator::Less => Comparison::Less,
        Operator::LessOrEqual => Comparison::LessOrEqual,
        Operator::Greater => Comparison::Greater,
        Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
    }
}

/// For what has no order: whether it must be equal.
pub(crate) fn equality(operator: Operator, literal: &Literal, what: &str) -> Result<bool, Problem> {
    match comparison(operator) {
        Comparison::Equal => Ok(true),
        Comparison::NotEqual => Ok(false),
        _ => Err(bad_operator(operator, literal, what).hint("use = or !=")),
    }
}

pub(crate) fn bad_operator(operator: Operator, literal: &Literal, what: &str) -> Problem {
    let message = format!("{what} does not take `{}`", operator.as_str());
    Problem::new(FilterErrorKind::BadOperator, literal.span, message)
}
