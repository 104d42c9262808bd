use expect_test::expect;

use super::{check_method, check_mistakes};

#[test]
fn places() {
    check_mistakes(
        "",
        "impl Exporter { #[long_running] async fn export(&self) {} }",
        &expect![[r#"
            Exporter
                `#[long_running]` belongs on the impl of a tonic service's trait, as in `impl pb::exporter_server::Exporter for Exporter`
        "#]],
    );
    check_mistakes(
        "",
        "impl VideoExporter for Service {}",
        &expect![[r#"
        (the attribute)
            no method is marked: write `#[long_running]` on each method that starts an operation
        VideoExporter
            write the trait with its module, as in `pb::video_exporter_server::VideoExporter`: `#[long_running]` needs what is generated beside the trait
    "#]],
    );
    check_mistakes(
        "",
        "struct Exporter { text: &'static str }",
        &expect![[r#"
            (the attribute)
                `#[long_running]` belongs on the impl of a tonic service, and on the methods in it
        "#]],
    );
    check_mistakes(
        "",
        "#[doc = \"impl\"] fn implement(items: impl Iterator) {}",
        &expect![[r#"
            (the attribute)
                `#[long_running]` marks methods of a tonic service: write it on the impl, and on the methods in it
        "#]],
    );
    check_mistakes(
        "",
        "#[cfg(x)] unsafe impl pb::Exporter for {}",
        &expect![[r#"
            {
                expected one of: `for`, parentheses, `unsafe`, `fn`, `extern`, identifier, `::`, `<`, `dyn`, square brackets, `*`, `&`, `!`, `impl`, `_`, lifetime
        "#]],
    );
    check_mistakes(
        "",
        "#[async_trait(?Send)] impl pb::exporter_server::Exporter for Exporter {
            #[long_running]
            async fn export(&self, q: Q, c: OperationContext<M>) -> Result<R, E> {}
        }",
        &expect![[r#"
            #[async_trait(?Send)]
                `#[async_trait]` is not needed here, and takes no arguments: rpc handlers are `Send`
        "#]],
    );
}

#[test]
fn async_trait_above() {
    check_method(
        "#[long_running]
        fn export<'life0, 'async_trait>(&'life0 self, q: Q, c: OperationContext<M>)
            -> Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'async_trait>>
        where 'life0: 'async_trait { Box::pin(async move { body }) }",
        &expect![[r#"
            (the attribute)
                `#[async_trait]` stands above `#[long_running]` and has already rewritten the methods; leave it out, or write it below `#[long_running]`
        "#]],
    );
}
