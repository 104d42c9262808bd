//! The operations of a set that are below one parent.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

/// How many operations a page is to have. Many servers give fewer.
const PAGE_SIZE: i32 = 1_000;
/// A round may take this part of the calls that asking for each operation would.
const GAIN: usize = 4;
const PAGES_MIN: usize = 2;

#[derive(Debug)]
pub(super) struct Parent {
    pub(super) names: HashSet<Arc<str>>,
    /// The operations that wait for a call of their own.
    pub(super) queue: VecDeque<Arc<str>>,
    pub(super) has_turn: bool,
    /// Whether the next page must be fetched.
    pub(super) wants_page: bool,
    /// Whether lists are what tells of the operations.
    pub(super) lists: bool,
    /// Which round it is, or was.
    pub(super) round: u64,
    /// From when on it may be listed; `None`: never.
    pub(super) may_list: Option<Instant>,
    /// When the next round begins.
    pub(super) next: Option<Instant>,
    /// Which parent it is: others may have had the name.
    pub(super) epoch: u64,
    pub(super) page_token: String,
    pub(super) page_size: i32,
    pub(super) since: Instant,
    /// How many pages this round has asked for.
    pub(super) pages: usize,
    /// How many operations there were when the round began.
    pub(super) wanted: usize,
    /// How many operations this round has not shown yet.
    pub(super) unseen: usize,
    pub(super) rounds_without_news: u32,
    pub(super) errors: u32,
    pub(super) crowded: u32,
}

impl Parent {
    pub(super) fn new(may_list: bool, epoch: u64, now: Instant) -> Self {
        Self {
            names: HashSet::new(),
            queue: VecDeque::new(),
            has_turn: false,
            wants_page: false,
            lists: false,
            round: 1,
            may_list: may_list.then_some(now),
            next: None,
            epoch,
            page_token: String::new(),
            page_size: PAGE_SIZE,
            since: now,
            pages: 0,
            wanted: 0,
            unseen: 0,
            rounds_without_news: 0,
            errors: 0,
            crowded: 0,
        }
    }

    pub(super) fn page_limit(&self) -> usize {
        (self.wanted / GAIN).max(PAGES_MIN)
    }
}
