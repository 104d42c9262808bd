//! The workers of the process, and their slots.

use lro_core::Timestamp;
use lro_core::inspection::{ListWorkersResponse, Worker};
use maud::{Markup, html};
use tonic::Status;

use super::super::parts::age;
use crate::source::time;
use crate::text::{short_method, short_name, visible};

/// The most workers, and the most methods of one, that are shown.
const MAX_SHOWN: usize = 50;

/// The section.
pub(super) fn workers(answer: &Result<ListWorkersResponse, Status>, now: Timestamp) -> Markup {
    html! {
        section #workers data-part {
            h2 { "Workers of this process" }
            @match answer {
                Ok(answer) if answer.workers.is_empty() => p.quiet {
                    "None: "
                    @if answer.store_is_shared { "workers of other processes run the operations." }
                    @else { "operations that start now wait for one." }
                },
                Ok(answer) => {
                    (table(&answer.workers))
                    p.quiet {
                        "This process only"
                        @if let Some(as_of) = time(answer.as_of.as_ref()) { ", as of " (age(as_of, now)) }
                        "."
                        @if answer.store_is_shared { " Other processes may run workers on the same store." }
                    }
                },
                Err(status) => p.note { "The workers are missing: " (visible(status.message())) },
            }
        }
    }
}

fn table(workers: &[Worker]) -> Markup {
    html! {
        div.scroll.plain role="region" aria-label="Workers" tabindex="0" {
            table.overview.blocks {
                caption.unseen { "Workers and their slots" }
                thead { tr {
                    th scope="col" { "Worker" }
                    th scope="col" { "Standing" }
                    th.number scope="col" { "Slots in use" }
                    th scope="col" { "Methods" }
                } }
                tbody {
                    @for worker in workers.iter().take(MAX_SHOWN) {
                        @let used = worker.slots.saturating_sub(worker.free_slots).max(0);
                        tr {
                            th.method scope="row" title=(visible(&worker.worker)) { code { (short_name(&worker.worker, 8)) } }
                            td { (standing(worker)) }
                            td.number {
                                progress max=(worker.slots.max(1)) value=(used) aria-label="Slots in use" {}
                                " " (used) " of " (worker.slots)
                            }
                            td.methods {
                                @for (at, method) in worker.methods.iter().take(MAX_SHOWN).enumerate() {
                                    @if at > 0 { ", " }
                                    span title=(visible(&method.method)) { (visible(short_method(&method.method))) }
                                    @if method.slots > 0 {
                                        span.quiet { " " (method.slots.saturating_sub(method.free_slots).max(0)) " of " (method.slots) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn standing(worker: &Worker) -> Markup {
    html! {
        @if worker.stalled { b { "stalled: a body blocks its runtime" } }
        @else if worker.draining { "draining: it claims nothing more" }
        @else if worker.trying_alone { "tries one operation alone" }
        @else { "serving" }
    }
}
