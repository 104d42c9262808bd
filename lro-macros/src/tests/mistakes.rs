use expect_test::expect;

use super::{check_method, check_mistakes, service};

const RIGHT: &str = "async fn export(
    &self, request: ExportRequest, operation: OperationContext<ExportMetadata>,
) -> Result<ExportResponse, Status> { body }";

fn marked(mark: &str) -> String {
    format!("{mark} {RIGHT}")
}

pub(super) fn check_args(args: &str, expect: &expect_test::Expect) {
    check_method(&marked(&format!("#[long_running({args})]")), expect);
}

#[test]
fn unknown_arguments() {
    check_args(
        "retries = 5, durable, operations = self.ops",
        &expect![[r#"
            retries
                unknown argument `retries`: on a method, `#[long_running]` takes `response`, `metadata`, `prepare`, `parent`, `timeout`, `lifetime`, `max_attempts`, `on_crash`, `on_delete`, `cancel_grace`, `retain`, `concurrency`, `standard_fields`, `promise`, `steps`
            durable
                unknown argument `durable`: on a method, `#[long_running]` takes `response`, `metadata`, `prepare`, `parent`, `timeout`, `lifetime`, `max_attempts`, `on_crash`, `on_delete`, `cancel_grace`, `retain`, `concurrency`, `standard_fields`, `promise`, `steps`
            operations
                `operations` is an argument of the impl's `#[long_running]`: write it on the impl
        "#]],
    );
    check_mistakes(
        "operation = self.ops, timeout = \"5s\", crate = 5, operations = ,",
        &service(&marked("#[long_running]")),
        &expect![[r#"
            operations =
                `operations` needs a value, as in `operations = self.operations`
            operation
                unknown argument `operation`: on an impl, `#[long_running]` takes `operations`, `crate`, `parent`
            timeout
                `timeout` is an argument of a method's `#[long_running]`: write it on the method
            5
                `crate` is the path of lro_server, as in `crate = my::lro_server`
        "#]],
    );
}

#[test]
fn repeated_arguments() {
    check_args(
        "retain = \"1d\", retain = \"2d\"",
        &expect![[r#"
        retain
            `retain` is given twice
    "#]],
    );
    check_args(
        "timeout = 5, timeout = \"5s\"",
        &expect![[r#"
        5
            `timeout` is a duration in quotes, as in `timeout = "30m"`
        timeout
            `timeout` is given twice
    "#]],
    );
}

#[test]
fn malformed_arguments() {
    check_args(
        "response, timeout \"5s\", = 5, on_crash(abort),, retain = \"1d\"",
        &expect![[r#"
            response
                `response` needs a value, as in `response = ExportResponse`
            timeout "5s"
                `timeout` needs a value, as in `timeout = "30m"`
            = 5
                arguments are written `name = value`, as in `response = ExportResponse`
            on_crash(abort)
                `on_crash` needs a value, as in `on_crash = resume`
            ,
                arguments are written `name = value`, as in `response = ExportResponse`
        "#]],
    );
    check_method(
        &marked("#[long_running = \"5s\"]"),
        &expect![[r#"
        long_running = "5s"
            arguments stand in parentheses, as in `#[long_running(timeout = "30m")]`
    "#]],
    );
    check_method(
        &marked("#[long_running] #[long_running(retain = \"1d\")]"),
        &expect![[r##"
            #[long_running(retain = "1d")]
                the method is marked twice: write all arguments in one `#[long_running(..)]`
        "##]],
    );
}

#[test]
fn values() {
    check_args(
        "response = 5, metadata = a b, prepare = |it| it, on_crash = \"abort\"",
        &expect![[r#"
            5
                `response` is the type of the response message, as in `response = ExportResponse`
            a b
                `metadata` is the type of the metadata message, as in `metadata = ExportMetadata`
            |it| it
                `prepare` is the path of an `async fn(&self, &Request<Q>) -> Result<StartOptions<M>, Status>`, as in `prepare = Self::prepare_export`
            "abort"
                after a crash: write `on_crash = resume` or `on_crash = abort`
        "#]],
    );
    check_args(
        "timeout = 30, cancel_grace = \"ten\", retain = \"1.5h\"",
        &expect![[r#"
            30
                `timeout` is a duration in quotes, as in `timeout = "30m"`
            "ten"
                `cancel_grace`: `ten` is not a duration; write whole numbers with the units `ms`, `s`, `m`, `h` or `d`, the largest first, as in "250ms", "10s", "1h30m" or "30d"
            "1.5h"
                `retain`: `1.5h` is not a duration; write whole numbers with the units `ms`, `s`, `m`, `h` or `d`, the largest first, as in "250ms", "10s", "1h30m" or "30d"
        "#]],
    );
    check_args(
        "timeout = \"0s\", retain = \"40000d\"",
        &expect![[r#"
        "0s"
            `timeout` must be longer than zero
        "40000d"
            `retain`: `40000d` is longer than 36500 days
    "#]],
    );
    check_args(
        "max_attempts = 0, concurrency = 0",
        &expect![[r#"
        0
            `max_attempts` is a whole number of at least 1, as in `max_attempts = 5`
        0
            `concurrency` is a whole number of at least 1, as in `concurrency = 8`
    "#]],
    );
    check_args(
        "max_attempts = -1, concurrency = \"8\"",
        &expect![[r#"
        -1
            `max_attempts` is a whole number of at least 1, as in `max_attempts = 5`
        "8"
            `concurrency` is a whole number of at least 1, as in `concurrency = 8`
    "#]],
    );
    check_args(
        "max_attempts = 4294967296",
        &expect![[r#"
        4294967296
            `max_attempts` is a whole number of at least 1, as in `max_attempts = 5`
    "#]],
    );
}

/// A comma in a type is not the end of an argument.
#[test]
fn generic_values() {
    check_args(
        "response = Of<A, fn(B) -> C, D>, max_attempts = 0",
        &expect![[r#"
            0
                `max_attempts` is a whole number of at least 1, as in `max_attempts = 5`
        "#]],
    );
}

#[test]
fn qualifiers() {
    check_method(
        "#[long_running] fn export(&self, q: Q, c: OperationContext<M>) -> Result<R, E> {}",
        &expect![[r#"
            fn
                an operation is an `async fn`: write `async` here
        "#]],
    );
    check_method(
        "#[long_running] async unsafe fn export<T>(&self, q: T, c: OperationContext<M>) -> Result<R, E> {}",
        &expect![[r#"
            <T>
                an operation has no generic parameters: its messages are those of one rpc
            unsafe
                an operation is a plain `async fn`
        "#]],
    );
}

#[test]
fn receivers() {
    for receiver in ["", "self,", "&mut self,", "self: Arc<Self>,"] {
        let method = format!(
            "#[long_running] async fn export({receiver} q: Q, c: OperationContext<M>) -> Result<R, E> {{}}"
        );
        let expect = match receiver {
            "" => expect![[r#"
                export
                    `export` is a method of the service: write `&self` first
            "#]],
            "self," => expect![[r#"
                self
                    an operation borrows the service: write `&self`
            "#]],
            "&mut self," => expect![[r#"
                &mut self
                    many operations run at the same time on one service: write `&self`
            "#]],
            _ => expect![[r#"
                self: Arc<Self>
                    an operation borrows the service: write `&self`
            "#]],
        };
        check_method(&method, &expect);
    }
}

#[test]
fn parameters() {
    check_method(
        "#[long_running] async fn export(&self) -> Result<R, E> {}",
        &expect![[r#"
            export
                an operation takes the request and its context, as in `(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q) -> Result<R, E> {}",
        &expect![[r#"
            q: Q
                the context is missing after the request, as in `(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, c: OperationContext<M>) -> Result<R, E> {}",
        &expect![[r#"
            c: OperationContext<M>
                the request is missing before the context, as in `(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, c: OperationContext<M>, q: Q) -> Result<R, E> {}",
        &expect![[r#"
            OperationContext<M>
                the request comes first, then the context, as in `(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: OperationContext<M>, n: u8) -> Result<R, E> {}",
        &expect![[r#"
            n: u8
                an operation takes the request and its context, no more, as in `(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: tonic::Request<pb::Q>, c: OperationContext) -> Result<R, E> {}",
        &expect![[r#"
            tonic::Request<pb::Q>
                an operation takes the message itself: write `pb::Q` (headers can be read in `prepare`)
            OperationContext
                the metadata type is missing, as in `OperationContext<ExportMetadata>`: write the message that `metadata_type` names in the proto, `()` for `google.protobuf.Empty`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: ExportContext) -> Result<R, E> {}",
        &expect![[r#"
            ExportContext
                cannot see the metadata type here: write `OperationContext<ExportMetadata>`, or say it in the attribute, as in `metadata = ExportMetadata`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: &Q, c: &OperationContext<M>) -> Result<R, E> {}",
        &expect![[r#"
            &Q
                an operation owns its request: write the message without `&`
            &OperationContext<M>
                an operation owns its context: write it without `&`
        "#]],
    );
}

#[test]
fn outcomes() {
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: OperationContext<M>) {}",
        &expect![[r#"
            export
                an operation returns a result: write `-> Result<ExportResponse, Status>`, with your response message
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: OperationContext<M>) -> pb::R {}",
        &expect![[r#"
            pb::R
                an operation returns a result: write `Result<pb::R, Status>`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: OperationContext<M>) -> Result<Response<R>, Status> {}",
        &expect![[r#"
            Response<R>
                an operation returns the message itself: write `R`
        "#]],
    );
    check_method(
        "#[long_running] async fn export(&self, q: Q, c: OperationContext<M>) -> ExportResult {}",
        &expect![[r#"
            ExportResult
                cannot see the response type here: write `Result<ExportResponse, Status>`, or say it in the attribute, as in `response = ExportResponse`
        "#]],
    );
}

#[test]
#[should_panic = "never reported"]
fn a_mistake_cannot_get_lost() {
    drop(crate::errors::Errors::new());
}

#[test]
fn a_forgotten_mark() {
    check_method(
        RIGHT,
        &expect![[r#"
        export
            `export` takes an `OperationContext`: write `#[long_running]` on it, too
    "#]],
    );
}

#[test]
fn standard_fields() {
    check_args(
        "standard_fields = off",
        &expect![[r#"
        off
            `standard_fields` is `true` or `false`, as in `standard_fields = false`
    "#]],
    );
}
