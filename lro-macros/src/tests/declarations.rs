//! Mistakes in what a method declares of its durable calls.

use expect_test::expect;

use super::mistakes::check_args;

/// steps:P4 steps:S16
#[test]
fn promises_and_steps() {
    check_args(
        "promise, steps = by_name",
        &expect![[r#"
        promise
            `promise` takes a list, as in `promise("approved" = Approval)`
        by_name
            the order of recorded steps: write `steps = "strict"` or `steps = "by_name"`
    "#]],
    );
    check_args(
        "promise = Approval",
        &expect![[r#"
        promise = Approval
            `promise` takes a list, as in `promise("approved" = Approval)`
    "#]],
    );
    check_args(
        "promise(Approval)",
        &expect![[r#"
        (Approval)
            `promise` gives the name and type of each promise, as in `promise("approved" = Approval)`
    "#]],
    );
    check_args(
        "promise()",
        &expect![[r#"
        ()
            `promise` is empty: leave it out
    "#]],
    );
    check_args(
        "promise(\"two words\" = Approval)",
        &expect![[r#"
        ("two words" = Approval)
            the name of a promise has 1 to 128 letters, digits, `.`, `_`, `-` and `/`, unlike "two words"
    "#]],
    );
    check_args(
        "promise(\"a\" = A, \"a\" = B)",
        &expect![[r#"
        ("a" = A, "a" = B)
            the promise `a` is given twice
    "#]],
    );
    check_args(
        "lifetime = \"0s\"",
        &expect![[r#"
        "0s"
            `lifetime` must be longer than zero
    "#]],
    );
    check_args(
        "lifetime(\"1d\")",
        &expect![[r#"
        lifetime("1d")
            `lifetime` needs a value, as in `lifetime = "30d"`
    "#]],
    );
}
