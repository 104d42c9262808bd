// Properties of every page token; shared with the fuzz target.

use std::sync::LazyLock;

use lro_core::store::{MemoryStore, NewOperation, OperationStore as _};
use lro_core::{ListOptions, ParentPattern};
use lro_server::Operations;
use tokio::runtime::{Builder, Runtime};
use tonic::Code;
use uuid::Uuid;

/// A list of two pages.
struct Fixture {
    runtime: Runtime,
    operations: Operations,
    /// The token of its second page.
    genuine: String,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let store = MemoryStore::new();
    let new = |id: u128| {
        let name = format!("operations/{id}").parse().expect("it is a name");
        NewOperation::new(Uuid::from_u128(id), name, "/s.S/M", Default::default())
    };
    let started = runtime.block_on(store.start(vec![new(1), new(2)]));
    assert_eq!(started.expect("the store works").len(), 2);
    let operations = Operations::new(store);
    let page = runtime
        .block_on(operations.list(ParentPattern::default(), &ListOptions::new().page_size(1)));
    let genuine = page.expect("a page").next_page_token;
    assert!(!genuine.is_empty());
    Fixture {
        runtime,
        operations,
        genuine,
    }
});

/// Lists with a text for a token, and with a genuine token in which the text stands at some place:
/// eight bytes that say where, and the text.
///
/// # Panics
///
/// When another token than the genuine one is good, or is refused as something else than an argument.
pub(crate) fn ask(bytes: &[u8]) {
    let Some((at, text)) = bytes.split_first_chunk() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let Fixture {
        runtime,
        operations,
        genuine,
    } = &*FIXTURE;
    let at = u64::from_le_bytes(*at) % genuine.len() as u64;
    let mut spliced = genuine.clone().into_bytes();
    for (byte, other) in spliced.iter_mut().skip(at as usize).zip(text.bytes()) {
        *byte = other;
    }
    let spliced = String::from_utf8_lossy(&spliced);
    for token in [&*text, &*spliced] {
        let options = ListOptions::new().page_size(1).page_token(token);
        let page = operations.list(ParentPattern::default(), &options);
        match runtime.block_on(page) {
            Ok(_) => assert!(token.is_empty() || token == genuine, "{token:?}"),
            Err(error) => {
                assert_eq!(error.code(), Code::InvalidArgument, "{token:?}");
                assert_ne!(token, genuine);
            }
        }
    }
}
