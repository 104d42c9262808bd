use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use walkdir::WalkDir;

use crate::archive::{
    Checkpoint, Control, Destination, Error, Options, Plan, Progress, Start, Summary, pack,
};

/// A source and a place for archives.
pub(super) struct Fixture {
    temporary: TempDir,
}

impl Fixture {
    pub(super) fn empty() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        for name in ["source", "archives", "unpacked"] {
            fs::create_dir(temporary.path().join(name)).unwrap();
        }
        Self { temporary }
    }

    /// With a little of everything.
    pub(super) fn full() -> Self {
        let fixture = Self::empty();
        let long = "n".repeat(255);
        fixture.write("a/small", b"hello");
        fixture.write("a/empty", b"");
        fixture.write("a/blocks", &noise(1, 1024));
        fixture.write("large", &noise(2, 9_000));
        fixture.write("zeros", &[0; 5_000]);
        fixture.write(&long, b"long name");
        fixture.write(
            format!("{long}/deeper/{long}/x").replacen('n', "d", 1),
            b"long path",
        );
        fixture.write(OsStr::from_bytes(b"not-utf8-\xff\xfe"), b"bytes");
        fixture.write(OsStr::from_bytes(&[0xff; 150]), b"long and not utf-8");
        fixture.write("odd \\ name\n\"'", b"odd");
        fs::create_dir_all(fixture.source().join("empty/inner")).unwrap();
        symlink("a/small", fixture.source().join("link")).unwrap();
        symlink("./a//../nowhere", fixture.source().join("link-odd")).unwrap();
        symlink(
            format!("/{long}/{long}"),
            fixture.source().join("link-long"),
        )
        .unwrap();
        for (path, mode) in [
            ("a/small", 0o755),
            ("large", 0o400),
            ("empty/inner", 0o1700),
        ] {
            let permissions = Permissions::from_mode(mode);
            fs::set_permissions(fixture.source().join(path), permissions).unwrap();
        }
        for (i, path) in ["zeros", "a/empty", "a"].iter().enumerate() {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_123 * i as u64);
            let file = File::open(fixture.source().join(path)).unwrap();
            file.set_modified(time).unwrap();
        }
        fixture
    }

    pub(super) fn source(&self) -> PathBuf {
        self.temporary.path().join("source")
    }

    pub(super) fn unpacked(&self) -> PathBuf {
        self.temporary.path().join("unpacked")
    }

    pub(super) fn destination(&self, name: &str) -> Destination {
        Destination::new(self.temporary.path().join("archives"), name).unwrap()
    }

    /// Writes a file of the source, and its directories.
    pub(super) fn write(&self, path: impl AsRef<Path>, content: &[u8]) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.source().join(path)).unwrap();
    }

    pub(super) fn scan(&self) -> Plan {
        Plan::scan(&self.source(), &mut ()).unwrap()
    }

    /// Scans and packs in one go, and gives the archive's bytes too.
    pub(super) fn pack_whole(&self, name: &str, options: &Options) -> (Summary, Vec<u8>) {
        let destination = self.destination(name);
        let summary = pack(&self.scan(), &destination, options, None, &mut ()).unwrap();
        assert!(!destination.partial_path().exists());
        let bytes = fs::read(&summary.path).unwrap();
        (summary, bytes)
    }

    /// Scans and packs up to the given checkpoint, counted from 0, and gives it.
    pub(super) fn pack_up_to(&self, name: &str, options: &Options, count: usize) -> Checkpoint {
        let mut recorder = Recorder::breaking_at(count);
        let destination = self.destination(name);
        let result = pack(&self.scan(), &destination, options, None, &mut recorder);
        assert!(matches!(result, Err(Error::Stopped)), "{result:?}");
        assert!(destination.partial_path().exists());
        recorder.checkpoints.pop().unwrap()
    }

    /// Scans again and resumes.
    pub(super) fn resume(
        &self,
        name: &str,
        options: &Options,
        checkpoint: &Checkpoint,
    ) -> (Start, Summary, Vec<u8>) {
        let mut recorder = Recorder::default();
        let destination = self.destination(name);
        let plan = self.scan();
        let summary = pack(
            &plan,
            &destination,
            options,
            Some(checkpoint),
            &mut recorder,
        );
        let summary = summary.unwrap();
        assert!(!destination.partial_path().exists());
        let bytes = fs::read(&summary.path).unwrap();
        (recorder.start.unwrap(), summary, bytes)
    }
}

/// Frames of about one kilobyte, so that a small tree has many.
pub(super) fn small_frames() -> Options {
    Options {
        frame_bytes: 1_000,
        frame_entries: 3,
        level: 1,
    }
}

type Hook<'a, T> = Box<dyn FnMut(&T) + 'a>;

/// A control that remembers, and interferes where a test says so.
#[derive(Default)]
pub(super) struct Recorder<'a> {
    pub(super) start: Option<Start>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) progress: Vec<Progress>,
    pub(super) break_at: Option<usize>,
    pub(super) stop_at_progress: Option<usize>,
    pub(super) on_progress: Option<Hook<'a, Progress>>,
    pub(super) on_checkpoint: Option<Hook<'a, Checkpoint>>,
}

impl Recorder<'_> {
    pub(super) fn breaking_at(count: usize) -> Self {
        Self {
            break_at: Some(count),
            ..Self::default()
        }
    }

    pub(super) fn stopping_at(progress: usize) -> Self {
        Self {
            stop_at_progress: Some(progress),
            ..Self::default()
        }
    }
}

impl Control for Recorder<'_> {
    fn is_stopped(&self) -> bool {
        self.stop_at_progress
            .is_some_and(|at| self.progress.len() >= at)
    }

    fn started(&mut self, start: Start) {
        self.start = Some(start);
    }

    fn progress(&mut self, progress: &Progress) {
        self.progress.push(*progress);
        if let Some(on_progress) = &mut self.on_progress {
            on_progress(progress);
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        self.checkpoints.push(checkpoint.clone());
        if let Some(on_checkpoint) = &mut self.on_checkpoint {
            on_checkpoint(checkpoint);
        }
        if self.break_at == Some(self.checkpoints.len() - 1) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Path, kind and mode, time, content: what an archive keeps of a tree.
pub(super) type Tree = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

pub(super) fn tree(root: &Path) -> Tree {
    let entry = |entry: walkdir::DirEntry| {
        let metadata = entry.metadata().unwrap();
        let content = if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            target.as_os_str().as_bytes().to_vec()
        } else if metadata.is_file() {
            fs::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        let path = entry.path().strip_prefix(root).unwrap().to_path_buf();
        (path, (metadata.mode(), metadata.mtime(), content))
    };
    let walk = WalkDir::new(root).min_depth(1);
    walk.into_iter().map(|it| entry(it.unwrap())).collect()
}

/// Unpacks with the system's tar.
pub(super) fn unpack(archive: &[u8], directory: &Path) {
    let stream = zstd::decode_all(archive).unwrap();
    let mut tar = Command::new("tar")
        .args(["-xpf", "-", "-C"])
        .arg(directory)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(tar.wait().unwrap().success());
}

/// Bytes that do not compress, the same for the same seed.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
