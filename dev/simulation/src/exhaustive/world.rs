//! The small world.

/// A worker's hold on one operation, or its last message on the way to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Hold {
    #[default]
    Nothing,
    Runs {
        generation: u8,
        fence: u8,
    },
    Says {
        generation: u8,
        fence: u8,
        words: u8,
    },
}

/// One name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) generation: u8,
    /// Which of the known records it has now.
    pub(super) record: Option<u16>,
}

/// Small, because there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) places: [Place; 2],
    pub(super) workers: [[Hold; 2]; 3],
    pub(super) flying: [Option<(u8, Hold)>; 2],
    /// The end of a child that its parent has not learnt yet.
    pub(super) late: Option<u16>,
}

impl World {
    /// Puts words on their way, if there is room.
    pub(super) fn fly(&mut self, words: (u8, Hold), most: usize) -> bool {
        if self.flying.contains(&Some(words)) {
            return true;
        }
        let free = self.flying.iter_mut().take(most).find(|it| it.is_none());
        free.map(|it| *it = Some(words)).is_some()
    }

    /// Workers are all alike, and so are words on their way: which is which makes no difference.
    pub(super) fn in_order(mut self) -> Self {
        self.workers.sort_unstable();
        self.flying.sort_unstable_by(|a, b| b.cmp(a));
        self
    }
}
