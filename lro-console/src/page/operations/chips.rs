//! The states as links, each with the number of its operations within a bound.

use http::{Response, StatusCode};
use lro_core::inspection::CountOperationsResponse;
use lro_core::inspection::operation_record::State;
use lro_core::store::OperationState;
use lro_core::{ParentPattern, Timestamp};
use maud::{Markup, html};
use tonic::Status;
use tonic::body::Body;

use super::wanted::{CHIPS, Wanted};
use crate::answer;
use crate::page::fault::http_status;
use crate::page::parts::{glyph, word};
use crate::route::Visit;
use crate::source::time;
use crate::text::{bounded, rfc3339};

/// The number for each chip, in their order, and since when it holds.
pub(super) struct Numbers {
    texts: [String; CHIPS.len()],
    as_of: Option<Timestamp>,
}

/// The numbers for the filter of the visitor, whatever its chip.
///
/// # Errors
///
/// Those of the source, such as UNIMPLEMENTED where the server does not count.
pub(super) async fn numbers(
    visit: &Visit,
    wanted: &Wanted,
    parent: &ParentPattern,
) -> Result<Numbers, Status> {
    let source = &visit.settings.source;
    let counts = source.counts(&visit.visitor, parent, &wanted.filter);
    Ok(Numbers::of(&counts.await?, source.now()))
}

impl Numbers {
    fn of(counts: &CountOperationsResponse, now: Timestamp) -> Self {
        let text = |states: &[State]| {
            let groups = counts.counts.iter();
            let groups = groups.filter(|it| states.is_empty() || states.contains(&it.state()));
            let (mut sum, mut exact) = (0_u64, true);
            for group in groups {
                sum = sum.saturating_add(u64::try_from(group.count).unwrap_or_default());
                exact &= group.exact;
            }
            // A state of which none was found may have some that were not looked at.
            bounded(
                sum,
                counts.exact || (exact && sum > 0 && !states.is_empty()),
            )
        };
        Self {
            texts: [
                text(&[]),
                text(&[State::Pending]),
                text(&[State::Running, State::Cancelling]),
                text(&[State::Failed]),
                text(&[State::Succeeded]),
                text(&[State::Cancelled]),
            ],
            // The clock of the store may be ahead.
            as_of: time(counts.as_of.as_ref()).map(|as_of| as_of.min(now)),
        }
    }
}

/// The chips. Numbers that the server does not tell are left out.
pub(super) fn chips(wanted: &Wanted, numbers: Option<&Numbers>) -> Markup {
    html! {
        nav.chips aria-label="States" {
            @for (at, (key, label, _)) in CHIPS.iter().enumerate() {
                a href=(wanted.link(key, "")) aria-current=[(wanted.chip == *key).then_some("true")] data-chip=(key) {
                    @if let Some(state) = sign(key) { span.glyph data-state=(word(state)) aria-hidden="true" { (glyph(state)) } " " }
                    (label)
                    @if let Some(numbers) = numbers { " " span.count data-count=(key) { (numbers.texts[at]) } }
                }
            }
            @if let Some(as_of) = numbers.and_then(|numbers| numbers.as_of) {
                span.quiet #counted { "counted " time datetime=(rfc3339(as_of)) data-age { "now" } }
            }
            @if wanted.token.is_empty() { a #new.new href=(wanted.link(wanted.chip, "")) hidden { "new operations" } }
        }
    }
}

/// The state whose sign a chip has.
fn sign(chip: &str) -> Option<OperationState> {
    Some(match chip {
        "pending" => OperationState::Pending,
        "running" => OperationState::Running,
        "failed" => OperationState::Failed,
        "succeeded" => OperationState::Succeeded,
        "cancelled" => OperationState::Cancelled,
        _ => return None,
    })
}

/// The numbers as JSON, for a page that stays open.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let wanted = Wanted::of(&visit.query);
    let numbers = match wanted.parent(&visit.settings.parent) {
        Ok(parent) => numbers(visit, &wanted, &parent).await,
        Err(status) => Err(status),
    };
    let (status, json) = match &numbers {
        Ok(numbers) => {
            let texts = CHIPS.iter().zip(&numbers.texts);
            let texts: serde_json::Map<_, _> = texts
                .map(|((key, ..), text)| ((*key).to_owned(), text.clone().into()))
                .collect();
            let as_of = numbers.as_of.map(rfc3339);
            let json = serde_json::json!({ "counts": texts, "as_of": as_of });
            (StatusCode::OK, json)
        }
        Err(status) => {
            let json = serde_json::json!({ "error": status.message() });
            (http_status(status.code()), json)
        }
    };
    let mut response = answer::whole("application/json", json.to_string().into(), &visit.headers);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use lro_core::inspection::OperationCount;

    use super::*;

    fn count(state: State, count: i64, exact: bool) -> OperationCount {
        OperationCount {
            state: state.into(),
            count,
            exact,
            ..OperationCount::default()
        }
    }

    #[test]
    fn each_chip_has_the_number_of_its_states() {
        let mut counts = CountOperationsResponse {
            counts: vec![
                count(State::Running, 90, true),
                count(State::Cancelling, 6, true),
                count(State::Succeeded, 9_874, false),
            ],
            exact: false,
            ..CountOperationsResponse::default()
        };
        let texts = Numbers::of(&counts, Timestamp::EPOCH).texts;
        assert_eq!(texts, ["9,000+", "0+", "96", "0+", "9,000+", "0+"]);
        counts.exact = true;
        counts.counts[2].exact = true;
        let texts = Numbers::of(&counts, Timestamp::EPOCH).texts;
        assert_eq!(texts, ["9,970", "0", "96", "0", "9,874", "0"]);
    }
}
