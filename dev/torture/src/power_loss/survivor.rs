//! The contents of a disk after a power loss.

use std::collections::BTreeMap;

use super::disk::{Event, FileId, Image, overwrite};
use crate::random::Random;

/// The unit of a disk's writes.
const SECTOR: usize = 512;

/// A disk on its way through the events of a life: what is safe, and what may be lost.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    names: BTreeMap<String, FileId>,
    files: BTreeMap<FileId, Bytes>,
    /// Names made or removed since the directory was last synced.
    unsynced_names: Vec<(String, Option<FileId>)>,
    /// The last group that was handed to the store.
    pub(crate) submitted: usize,
    /// The last group of which a call was answered.
    pub(crate) answered: usize,
    /// Whether syncs do nothing: a disk that lies.
    lying: bool,
}

#[derive(Debug, Default)]
struct Bytes {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    enters_directory: bool,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, data: Box<[u8]> },
    Truncate { len: usize },
}

/// How a power loss treats what was not synced.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// All of it is lost.
    DropAll,
    /// All of it has arrived: it was only the process that died.
    KeepAll,
    /// Each sector has its own fate: torn and in any order. This percentage of them arrives.
    Sectors(u64),
    /// The newer half has arrived, the older has not.
    NewestFirst,
}

impl Replay {
    /// Begins with the disk that a life began with.
    pub(crate) fn of(image: &Image, lying: bool) -> Self {
        let mut replay = Self {
            lying,
            ..Self::default()
        };
        for (file, (name, bytes)) in image.iter().enumerate() {
            replay.names.insert(name.clone(), file);
            let bytes = Bytes {
                synced: bytes.clone(),
                ..Bytes::default()
            };
            replay.files.insert(file, bytes);
        }
        replay
    }

    /// Advances by one event.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Create {
                file,
                name,
                enters_directory,
            } => {
                let bytes = Bytes {
                    enters_directory,
                    ..Bytes::default()
                };
                self.files.insert(file, bytes);
                self.unsynced_names.push((name, Some(file)));
            }
            Event::Write { file, offset, data } => {
                let change = Change::Write { offset, data };
                self.files.entry(file).or_default().unsynced.push(change);
            }
            Event::Truncate { file, len } => {
                let change = Change::Truncate { len };
                self.files.entry(file).or_default().unsynced.push(change);
            }
            Event::Sync { .. } if self.lying => {}
            Event::Sync { file } => {
                let bytes = self.files.entry(file).or_default();
                for change in bytes.unsynced.drain(..) {
                    change.apply(&mut bytes.synced);
                }
                if std::mem::take(&mut bytes.enters_directory) {
                    self.sync_directory();
                }
            }
            Event::Delete { name, sync } => {
                self.unsynced_names.push((name, None));
                if sync && !self.lying {
                    self.sync_directory();
                }
            }
            Event::Submitted(group) => self.submitted = group,
            Event::Answered(group) => self.answered = self.answered.max(group),
        }
    }

    fn sync_directory(&mut self) {
        for (name, file) in self.unsynced_names.drain(..) {
            enter(&mut self.names, name, file);
        }
    }

    /// The image that is found when the power comes back.
    pub(crate) fn lose_power(&self, random: &mut Random) -> Image {
        let mood = match random.below(8) {
            0 => Mood::DropAll,
            1 => Mood::KeepAll,
            2 => Mood::NewestFirst,
            3 => Mood::Sectors(10),
            4 => Mood::Sectors(90),
            _ => Mood::Sectors(50),
        };
        let mut names = self.names.clone();
        for (name, file) in &self.unsynced_names {
            if mood.keeps(random) {
                enter(&mut names, name.clone(), *file);
            }
        }
        names
            .into_iter()
            .filter_map(|(name, file)| Some((name, self.files.get(&file)?.survive(mood, random))))
            .collect()
    }
}

fn enter(names: &mut BTreeMap<String, FileId>, name: String, file: Option<FileId>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

impl Mood {
    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Self::DropAll => false,
            Self::KeepAll => true,
            Self::Sectors(percent) => random.percent(percent),
            Self::NewestFirst => random.percent(50),
        }
    }
}

impl Bytes {
    fn survive(&self, mood: Mood, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let half = random.index(self.unsynced.len());
        for (at, change) in self.unsynced.iter().enumerate() {
            match mood {
                Mood::DropAll => {}
                Mood::KeepAll => change.apply(&mut bytes),
                Mood::NewestFirst if at >= half => change.apply(&mut bytes),
                Mood::NewestFirst => {}
                Mood::Sectors(percent) => change.apply_torn(&mut bytes, percent, random),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => overwrite(bytes, *offset, data),
            Self::Truncate { len } => bytes.resize(*len, 0),
        }
    }

    /// Each sector arrives or not; now and then one arrives as garbage.
    fn apply_torn(&self, bytes: &mut Vec<u8>, percent: u64, random: &mut Random) {
        let Self::Write { offset, data } = self else {
            if random.percent(percent) {
                self.apply(bytes);
            }
            return;
        };
        let mut at = 0;
        while at < data.len() {
            let start = offset + at;
            let len = (SECTOR - start % SECTOR).min(data.len() - at);
            if random.percent(percent) {
                match random.percent(2) {
                    true => overwrite(bytes, start, &random.bytes(len)),
                    false => overwrite(bytes, start, &data[at..at + len]),
                }
            }
            at += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(byte: u8) -> Event {
        let data = vec![byte; 1_024].into();
        Event::Write {
            file: 0,
            offset: 0,
            data,
        }
    }

    #[test]
    fn synced_data_stays_and_the_rest_is_torn() {
        let mut replay = Replay::of(&Image::from([("a".into(), vec![0; 1_024])]), false);
        replay.apply(write(1));
        replay.apply(Event::Sync { file: 0 });
        replay.apply(write(2));
        let mut random = Random::new(1);
        let mut seen = [0; 4];
        for _ in 0..500 {
            let image = replay.lose_power(&mut random);
            let new: Vec<_> = image["a"].chunks(512).map(|it| it == [2; 512]).collect();
            assert!(image["a"].iter().filter(|byte| **byte == 0).count() < 30);
            seen[usize::from(new[0]) * 2 + usize::from(new[1])] += 1;
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }
}
