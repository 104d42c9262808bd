//! The same messages by protobuf's Python implementation.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use test_programs::Environment;

use crate::random::Random;
use crate::types::{TYPES, read, write};

/// How many messages go each way.
const MESSAGES: u64 = 100_000;
/// How many interpreters work on them.
const PROCESSES: u64 = 4;

/// Both read what the other writes as the same message. `LRO_JSON_SEED` repeats a run.
///
/// spec:151 gateway:74 gateway:75 gateway:77 gateway:78 gateway:79 gateway:80 gateway:81 gateway:82 gateway:83 gateway:84 gateway:92
#[test]
fn python_reads_and_writes_the_same_messages() {
    let tests = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(environment) = Environment::GRPCIO.make_or_skip(tests) else {
        return;
    };
    let descriptor_set = tests.join("lro-json-everything.binpb");
    std::fs::write(&descriptor_set, TYPES.encode_to_vec()).unwrap();
    let seed = match std::env::var("LRO_JSON_SEED") {
        Ok(seed) => seed.parse().expect("LRO_JSON_SEED is a number"),
        Err(_) => rand::random::<u64>() / 2,
    };
    println!("LRO_JSON_SEED={seed}");
    let python = environment.join("bin/python");
    thread::scope(|scope| {
        for process in 0..PROCESSES {
            let (python, descriptor_set) = (&python, &descriptor_set);
            scope.spawn(move || compare(python, descriptor_set, seed + process));
        }
    });
}

fn compare(python: &Path, descriptor_set: &Path, seed: u64) {
    let mut random = Random::from_seed(seed);
    let messages: Vec<DynamicMessage> = (0..MESSAGES / PROCESSES)
        .map(|_| random.everything())
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/compare.py");
    let mut child = Command::new(python)
        .args([
            script.as_ref(),
            descriptor_set.as_os_str(),
            "json.test.Everything".as_ref(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = String::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for message in &messages {
                let encoded = STANDARD.encode(message.encode_to_vec());
                writeln!(input, "{encoded}\t{}", write(message)).unwrap();
            }
            drop(input);
        });
        output.read_to_string(&mut answers).unwrap();
    });
    assert!(child.wait().unwrap().success());
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), messages.len());
    for (message, theirs) in messages.iter().zip(answers) {
        let ours = write(message);
        assert!(!theirs.starts_with('!'), "{ours}\n{theirs}");
        let read = read(theirs).unwrap_or_else(|error| panic!("{theirs}: {error}"));
        assert_eq!(write(&read), ours, "{theirs}");
    }
}
