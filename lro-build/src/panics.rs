//! Panics of prost-build as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, and says what it panicked with instead of printing it.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    // Other threads keep the hook that they had.
    HOOK.call_once(|| {
        let present = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                present(info);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(false);
    result.map_err(|panic| text(panic.as_ref()))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_is_its_text() {
        assert_eq!(caught(|| 1), Ok(1));
        let number = 2;
        let result = caught(|| assert_eq!(number, 1, "one"));
        assert!(result.is_err_and(|text| text.contains("one")));
    }
}
