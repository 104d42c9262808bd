//! Random programs of bodies with sagas and children.

use crate::random::Random;

/// The body of one operation, the same in every run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) parts: Vec<Part>,
    /// Whether the body fails after all parts.
    pub(super) fails: bool,
}

/// A part of a body.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Step,
    /// In milliseconds.
    Sleep(u64),
    Saga(Saga),
    /// Two sagas side by side, in scopes of their own.
    Sagas(Box<[Saga; 2]>),
    /// At most `limit` of them at a time.
    Children {
        limit: usize,
        children: Vec<Child>,
    },
    /// A child against a sleep, in milliseconds.
    Race(Child, u64),
    /// A child of which the body drops the call a time in milliseconds after its start, if it has not ended.
    Dropped(Child, u64),
    /// A checkpoint that forgets the steps, and cancels children that were dropped.
    Epoch,
    /// The first attempt ends here, and asks for another one.
    Again,
}

/// Another operation that the body starts.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) id: u64,
    pub(super) is_left: bool,
    /// In milliseconds.
    pub(super) timeout: Option<u64>,
    /// Whether the body continues if the child fails.
    pub(super) is_forgiven: bool,
}

/// A saga and its block.
#[derive(Clone, Debug)]
pub(super) struct Saga {
    /// Which of the operation.
    pub(super) id: String,
    pub(super) scope: Option<String>,
    /// The key of its row.
    pub(super) row: String,
    pub(super) deeds: Vec<Deed>,
    pub(super) end: BlockEnd,
    /// Whether the body continues if the saga is undone.
    pub(super) is_forgiven: bool,
}

/// A part of a block.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Step(SagaStep),
    /// Steps side by side, at most `limit` at a time.
    Beside {
        limit: Option<usize>,
        steps: Vec<SagaStep>,
    },
    /// A step without an undo.
    Plain(String),
    Sleep(String, u64),
    /// A child with an undo.
    Child(Child),
    /// A child without an undo.
    PlainChild(Child),
    /// A step with an undo, against a sleep.
    Race(SagaStep, u64),
    /// A child with an undo, against a sleep.
    ChildRace(Child, u64),
}

/// A step with an undo.
#[derive(Clone, Debug)]
pub(super) struct SagaStep {
    pub(super) name: String,
    /// Whether its closure fails for good.
    pub(super) fails: bool,
    /// Whether the block continues then.
    pub(super) is_forgiven: bool,
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockEnd {
    Keeps,
    Fails,
    Panics,
    /// Some runs fail, until one has succeeded.
    Moody,
    /// The first attempt asks for another one.
    Again,
    /// Every attempt asks for another one.
    NeverDone,
}

/// A number of attempts that no operation uses up.
pub(super) const MANY: u32 = 50;

/// How many attempts the operations of a run have.
pub(super) fn max_attempts(seed: u64) -> u32 {
    Random::new(seed, 71).pick(&[3, MANY, MANY])
}

/// The most generations of a family.
const GENERATIONS: u64 = 3;

/// Mixes numbers into one.
pub(super) fn mix(seed: u64, id: u64, text: &str) -> u64 {
    let bytes = text.bytes().map(u64::from);
    let mixed = bytes.fold(seed ^ id.rotate_left(32), |sum, byte| {
        Random::new(sum, byte + 1).next()
    });
    Random::new(mixed, 60).next()
}

/// Adds a value to the sum of a body.
pub(super) fn add(sum: u64, value: u64) -> u64 {
    sum.wrapping_mul(31).wrapping_add(value)
}

/// Draws the parts of one body.
struct Draw {
    random: Random,
    seed: u64,
    id: u64,
    generation: u64,
    /// The number of sagas without a scope since the last epoch.
    sagas: u32,
}

impl Program {
    pub(super) fn new(seed: u64, id: u64, generation: u64) -> Self {
        let mut draw = Draw {
            random: Random::new(seed, mix(seed, id, "program")),
            seed,
            id,
            generation,
            sagas: 0,
        };
        let most = [5, 4, 3][generation.clamp(1, GENERATIONS) as usize - 1];
        let count = draw.random.between(1, most);
        let parts = (0..count).map(|number| draw.part(number)).collect();
        Self {
            parts,
            fails: draw.random.per_mille(150),
        }
    }

    /// All children that it may start.
    pub(super) fn children(&self) -> Vec<&Child> {
        let mut children = Vec::new();
        for part in &self.parts {
            match part {
                Part::Children { children: all, .. } => children.extend(all),
                Part::Race(child, _) | Part::Dropped(child, _) => children.push(child),
                _ => {}
            }
        }
        let sagas = self.sagas(0).into_iter();
        let deeds = sagas.flat_map(|(saga, _)| &saga.deeds);
        children.extend(deeds.filter_map(|deed| match deed {
            Deed::Child(child) | Deed::PlainChild(child) | Deed::ChildRace(child, _) => Some(child),
            _ => None,
        }));
        children
    }

    /// Its sagas, and whether each belongs to this epoch.
    pub(super) fn sagas(&self, epoch: u32) -> Vec<(&Saga, bool)> {
        let mut sagas = Vec::new();
        let mut passed = 0;
        for part in &self.parts {
            match part {
                Part::Saga(saga) => sagas.push((saga, passed == epoch)),
                Part::Sagas(both) => sagas.extend(both.iter().map(|it| (it, passed == epoch))),
                Part::Epoch => passed += 1,
                _ => {}
            }
        }
        sagas
    }
}

impl Draw {
    fn part(&mut self, number: u64) -> Part {
        let has_children = self.generation < GENERATIONS;
        match self.random.below(12) {
            0 => Part::Step,
            1 => Part::Sleep(self.pause()),
            2..6 => {
                let scope = self.random.per_mille(500).then(|| format!("part{number}"));
                Part::Saga(self.saga(number, scope))
            }
            6 => {
                let mut side = |side| self.saga(number, Some(format!("{side}{number}")));
                Part::Sagas(Box::new([side("left"), side("right")]))
            }
            7 | 8 if has_children => {
                let count = self.random.between(1, 4);
                Part::Children {
                    limit: self.random.between(1, 4) as usize,
                    children: (0..count)
                        .map(|at| self.child(&format!("{number}/{at}")))
                        .collect(),
                }
            }
            9 if has_children => {
                let child = self.child(&format!("{number}"));
                let pause = self.pause();
                match self.random.per_mille(500) {
                    true => Part::Race(child, pause),
                    false => Part::Dropped(child, self.random.pick(&[0, 100, 600])),
                }
            }
            10 => {
                self.sagas = 0;
                Part::Epoch
            }
            11 => Part::Again,
            _ => Part::Step,
        }
    }

    fn pause(&mut self) -> u64 {
        self.random.pick(&[0, 200, 900, 1_500, 7_000, 20_000])
    }

    fn child(&mut self, at: &str) -> Child {
        let name = format!("child/{at}");
        Child {
            id: mix(self.seed, self.id, &name),
            name,
            is_left: self.random.per_mille(200),
            timeout: self
                .random
                .per_mille(150)
                .then(|| self.random.pick(&[50, 2_000, 20_000])),
            is_forgiven: self.random.per_mille(400),
        }
    }

    fn saga(&mut self, number: u64, scope: Option<String>) -> Saga {
        let id = format!("{number}/{}", scope.as_deref().unwrap_or("saga"));
        let row = match &scope {
            Some(scope) => format!("{scope}/saga"),
            None => {
                self.sagas += 1;
                match self.sagas {
                    1 => "saga".to_owned(),
                    count => format!("saga#{count}"),
                }
            }
        };
        // A block that panics must have opened its saga.
        let mut deeds = vec![Deed::Step(SagaStep {
            fails: false,
            ..self.step(&format!("{id}/first"))
        })];
        let count = self.random.below(4);
        deeds.extend((0..count).map(|at| self.deed(&format!("{id}/{at}"))));
        Saga {
            id,
            scope,
            row,
            deeds,
            end: self.random.pick(&[
                BlockEnd::Keeps,
                BlockEnd::Keeps,
                BlockEnd::Keeps,
                BlockEnd::Fails,
                BlockEnd::Fails,
                BlockEnd::Panics,
                BlockEnd::Moody,
                BlockEnd::Again,
                match max_attempts(self.seed) {
                    MANY => BlockEnd::Fails,
                    _ => BlockEnd::NeverDone,
                },
            ]),
            is_forgiven: self.random.per_mille(500),
        }
    }

    fn step(&mut self, at: &str) -> SagaStep {
        SagaStep {
            name: format!("step/{at}"),
            fails: self.random.per_mille(120),
            is_forgiven: self.random.per_mille(500),
        }
    }

    fn deed(&mut self, at: &str) -> Deed {
        let has_children = self.generation < GENERATIONS;
        match self.random.below(10) {
            0..3 => Deed::Step(self.step(at)),
            3 => {
                let count = self.random.between(2, 5);
                Deed::Beside {
                    limit: self.random.pick(&[None, Some(1), Some(2)]),
                    steps: (0..count)
                        .map(|side| self.step(&format!("{at}/{side}")))
                        .collect(),
                }
            }
            4 => Deed::Plain(format!("plain/{at}")),
            5 => Deed::Sleep(format!("sleep/{at}"), self.pause()),
            6 | 7 if has_children => Deed::Child(self.child(at)),
            8 if has_children => Deed::PlainChild(self.child(at)),
            9 if has_children && self.random.per_mille(500) => {
                Deed::ChildRace(self.child(at), self.pause())
            }
            9 => Deed::Race(self.step(at), self.pause()),
            _ => Deed::Step(self.step(at)),
        }
    }
}
