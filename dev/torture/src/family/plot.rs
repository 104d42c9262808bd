//! The plots of families.

use crate::random::Random;

/// The plot of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    /// It succeeds.
    Whole,
    /// It fails after its children have succeeded.
    Fail,
    /// A client may cancel it.
    Cancel,
    /// One of its children fails.
    Rebel,
    /// One of its children does not end in time.
    Late,
}

/// The plot of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildPlot {
    /// It succeeds.
    Grow,
    /// It succeeds after a child of its own.
    Deep,
    /// It fails.
    Fail,
    /// It never ends.
    Hold,
}

impl Plot {
    const ALL: [Self; 5] = [
        Self::Whole,
        Self::Fail,
        Self::Cancel,
        Self::Rebel,
        Self::Late,
    ];

    /// One for a new family.
    pub(super) fn any(random: &mut Random) -> Self {
        Self::ALL[random.index(Self::ALL.len())]
    }

    /// That of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plot| plot.as_str() == name)
    }

    /// As the request says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Rebel => "rebel",
            Self::Late => "late",
        }
    }

    /// The plot of one of the children.
    pub(super) fn child(self, number: usize) -> ChildPlot {
        match (self, number) {
            (Self::Rebel, 1) => ChildPlot::Fail,
            (Self::Late, 1) => ChildPlot::Hold,
            (_, 2) => ChildPlot::Deep,
            _ => ChildPlot::Grow,
        }
    }
}

impl ChildPlot {
    /// That of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let all = [Self::Grow, Self::Deep, Self::Fail, Self::Hold];
        all.into_iter().find(|plot| plot.as_str() == name)
    }

    /// As the request says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Grow => "grow",
            Self::Deep => "deep",
            Self::Fail => "fail",
            Self::Hold => "hold",
        }
    }
}
