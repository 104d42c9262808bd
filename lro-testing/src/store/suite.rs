use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use lro_core::Clock;

use super::cases;
use super::fixture::Fixture;
use super::trial::Trial;
use crate::ManualClock;

/// One case of the suite.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Runs every case, each one on a store of its own, one after the other.
///
/// `make` is given the clock of a case and makes an empty store that lives by it: a store, or a
/// [`Fixture`].
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap().block_on(async {
/// use lro_core::store::MemoryStore;
///
/// lro_testing::store::exercise(async |clock| MemoryStore::with_clock(clock)).await;
/// # });
/// ```
///
/// # Panics
///
/// When cases failed, with their names, after all have run. Also without a tokio runtime that has
/// its timer enabled.
pub async fn exercise<F>(make: impl AsyncFn(Arc<dyn Clock>) -> F)
where
    F: Into<Fixture>,
{
    let mut failed = Vec::new();
    for case in cases::ALL {
        // A task of its own: one case that panics does not end the others.
        let trial = trial(&make).await;
        if tokio::spawn((case.run)(trial)).await.is_err() {
            failed.push(case.name);
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases failed: {}",
        failed.len(),
        cases::ALL.len(),
        failed.join(", ")
    );
}

/// Runs the case of this name on a runtime of its own.
///
/// # Panics
///
/// When the case fails, or there is no such case.
pub fn run_case<F>(name: &str, make: impl AsyncFn(Arc<dyn Clock>) -> F)
where
    F: Into<Fixture>,
{
    let case = cases::ALL
        .iter()
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("there is no case `{name}`"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(4)
        .build()
        .unwrap();
    runtime.block_on(async {
        let trial = trial(&make).await;
        (case.run)(trial).await;
    });
}

/// The names of all cases.
pub fn case_names() -> impl Iterator<Item = &'static str> {
    cases::ALL.iter().map(|case| case.name)
}

async fn trial<F>(make: &impl AsyncFn(Arc<dyn Clock>) -> F) -> Trial
where
    F: Into<Fixture>,
{
    let clock = Arc::new(ManualClock::new());
    let fixture = make(clock.clone()).await;
    Trial::new(fixture.into(), clock)
}

/// Makes a test of every case of the conformance suite.
///
/// Its argument is an `async` function or closure which is given a [`Clock`](lro_core::Clock) and
/// makes an empty store that lives by it: a store, or a [`Fixture`](crate::store::Fixture). It is
/// called once for each test, so stores that are not in memory need a folder or a schema each.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_testing::store::Fixture;
///
/// # struct Folder;
/// # impl Folder { fn new() -> Self { Self } }
/// lro_testing::store_conformance!(async |clock| {
///     let folder = Folder::new();
///     Fixture::new(MemoryStore::with_clock(clock)).keeping(folder)
/// });
/// # fn main() {}
/// ```
///
/// The tests stand where the macro stands and have the names of the cases.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr $(,)?) => {
        $crate::__for_each_store_case! { __store_tests, ($make) }
    };
}

// Input:  { (make) first second .. }
// Output: #[test] fn first() { run_case("first", make) } ..
#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ($make:tt $($topic:ident: $($case:ident)*;)*) => {$($(
        #[::core::prelude::v1::test]
        fn $case() {
            $crate::store::run_case(::core::stringify!($case), $make);
        }
    )*)*};
}
