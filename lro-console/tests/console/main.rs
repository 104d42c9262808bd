//! The console over operations in every state.
//!
//! Tests and checks cite the groups of the console's test plan, as `console:3`:
//!
//! 1. Each page at the root and below a prefix, kept or stripped, in light, dark and forced colours: no
//!    violation of accessibility, no error in the browser's console, one host in its requests.
//! 2. Rows appear, move and end without a reload; after the end of the server nothing is missed.
//! 3. Cancel, delete and resubmit by mouse and by keys; refused; by two at once; after a change.
//! 4. Actions on several take those that were shown, and none that came later.
//! 5. Hostile texts stay texts.
//! 6. No page of another site changes anything.
//! 7. Eight tabs over HTTP/1.1 load; behind a proxy that buffers, a page polls within 3 s.
//! 8. Ages follow the clock of the server, in any time zone.
//! 9. All but live updates works without scripts.
//! 10. Pages and changes cost a bounded number of calls of the store, however many operations it has.
//! 11. Each state of a page says in words what it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod browser;
mod fixture;
mod isolation;
mod lists;
mod live;
mod neighbours;
mod overview;
mod pages;
mod process;
#[cfg(feature = "remote")]
mod remote;
mod resubmit;
mod safety;
mod shared;
mod sign_in;
mod sites;
mod steps;
mod store_calls;
