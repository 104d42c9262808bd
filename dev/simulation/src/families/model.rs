//! The specification of the outcome of a program.

use super::program::{BlockEnd, Child, Deed, Part, Program, Saga, SagaStep, add, mix};

/// The outcome of a run without faults, cancellations and timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Sum(u64),
    Fails,
    /// It depends on the run.
    Unknown,
}

/// The outcome of the program of a job.
pub(super) fn expected(program: &Program, seed: u64, id: u64, generation: u64) -> Expected {
    let model = Model {
        seed,
        id,
        generation,
    };
    model.body(program)
}

/// The specification of a body.
struct Model {
    seed: u64,
    id: u64,
    generation: u64,
}

/// Why a body does not continue.
enum Stopped {
    Fails,
    Unknown,
}

impl Model {
    fn body(&self, program: &Program) -> Expected {
        let mut sum = 0;
        for (number, part) in program.parts.iter().enumerate() {
            match self.part(number, part) {
                Ok(value) => sum = add(sum, value),
                Err(Stopped::Fails) => return Expected::Fails,
                Err(Stopped::Unknown) => return Expected::Unknown,
            }
        }
        match program.fails {
            true => Expected::Fails,
            false => Expected::Sum(sum),
        }
    }

    fn value(&self, name: &str) -> u64 {
        mix(self.seed, self.id, name)
    }

    fn part(&self, number: usize, part: &Part) -> Result<u64, Stopped> {
        match part {
            Part::Step => Ok(self.value(&format!("step/{number}"))),
            Part::Saga(saga) => self.saga(saga),
            Part::Sagas(both) => match (self.saga(&both[0]), self.saga(&both[1])) {
                (Ok(left), Ok(right)) => Ok(add(left, right)),
                (Err(Stopped::Unknown), _) | (_, Err(Stopped::Unknown)) => Err(Stopped::Unknown),
                _ => Err(Stopped::Fails),
            },
            Part::Children { children, .. } => {
                let mut sum = 0;
                let mut stopped = None;
                for child in children {
                    match self.child(child) {
                        Ok(value) => sum = add(sum, value),
                        // Another one may have failed for certain, and none may tell.
                        Err(Stopped::Unknown) => return Err(Stopped::Unknown),
                        Err(Stopped::Fails) => stopped = Some(Stopped::Fails),
                    }
                }
                stopped.map_or(Ok(sum), Err)
            }
            Part::Sleep(_) | Part::Race(..) | Part::Dropped(..) | Part::Epoch | Part::Again => {
                Ok(0)
            }
        }
    }

    fn child(&self, child: &Child) -> Result<u64, Stopped> {
        if child.timeout.is_some() {
            return Ok(0);
        }
        let generation = self.generation + 1;
        let program = Program::new(self.seed, child.id, generation);
        match expected(&program, self.seed, child.id, generation) {
            Expected::Sum(sum) => Ok(sum),
            Expected::Fails if child.is_forgiven => Ok(1),
            Expected::Fails => Err(Stopped::Fails),
            Expected::Unknown => Err(Stopped::Unknown),
        }
    }

    fn saga(&self, saga: &Saga) -> Result<u64, Stopped> {
        match self.block(saga) {
            Err(Stopped::Fails) if saga.is_forgiven => Ok(3),
            ended => ended,
        }
    }

    fn block(&self, saga: &Saga) -> Result<u64, Stopped> {
        let mut sum = 0;
        for deed in &saga.deeds {
            let value = match deed {
                Deed::Step(step) => self.step(step)?,
                Deed::Beside { steps, .. } => {
                    let mut sum = 0;
                    for step in steps {
                        sum = add(sum, self.step(step)?);
                    }
                    sum
                }
                Deed::Plain(name) => self.value(name),
                Deed::Child(child) | Deed::PlainChild(child) => self.child(child)?,
                Deed::Sleep(..) | Deed::Race(..) | Deed::ChildRace(..) => 0,
            };
            sum = add(sum, value);
        }
        match saga.end {
            BlockEnd::Keeps | BlockEnd::Again => Ok(sum),
            BlockEnd::Fails | BlockEnd::Panics => Err(Stopped::Fails),
            BlockEnd::Moody | BlockEnd::NeverDone => Err(Stopped::Unknown),
        }
    }

    fn step(&self, step: &SagaStep) -> Result<u64, Stopped> {
        match (step.fails, step.is_forgiven) {
            (false, _) => Ok(self.value(&step.name)),
            (true, true) => Ok(2),
            (true, false) => Err(Stopped::Fails),
        }
    }
}
