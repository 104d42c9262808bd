//! Arbitrary texts as the page token of a list, and genuine tokens with some of their characters replaced:
//! all of them are refused, and none is a panic.
//!
//! `lro-server/src/page_token.rs` holds the same property with texts that proptest makes.
#![no_main]

use std::sync::LazyLock;

use lro_core::{MemoryStore, NewOperation, OperationName, OperationStore as _, ParentName, ParentPattern};
use lro_server::Operations;
use tokio::runtime::{Builder, Runtime};
use tonic::Code;
use uuid::Uuid;

struct Fixture {
    runtime: Runtime,
    operations: Operations,
    genuine: String,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let store = MemoryStore::new();
    let new = |id: u128| {
        let name = OperationName::new(&ParentName::default(), &id.to_string()).expect("a name");
        NewOperation::new(Uuid::from_u128(id), name, "/a.A/B", Default::default())
    };
    let started = runtime.block_on(store.start(vec![new(1), new(2)]));
    assert_eq!(started.expect("the store works").len(), 2);
    let operations = Operations::new(store);
    let page = runtime.block_on(operations.list(ParentPattern::default(), "", 1, ""));
    let genuine = page.expect("a page").next_page_token;
    assert!(!genuine.is_empty());
    Fixture { runtime, operations, genuine }
});

libfuzzer_sys::fuzz_target!(|input: (usize, &str)| {
    let (at, text) = input;
    let Fixture { runtime, operations, genuine } = &*FIXTURE;
    let mut spliced = genuine.clone().into_bytes();
    for (byte, other) in spliced.iter_mut().skip(at % genuine.len()).zip(text.bytes()) {
        *byte = other;
    }
    let spliced = String::from_utf8_lossy(&spliced);
    for token in [text, &spliced] {
        let page = operations.list(ParentPattern::default(), "", 1, token);
        match runtime.block_on(page) {
            Ok(_) => assert!(token.is_empty() || token == genuine),
            Err(error) => assert_eq!(error.code(), Code::InvalidArgument),
        }
    }
});
