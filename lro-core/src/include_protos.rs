/// Includes the code that `lro_build` has generated for this package: all proto packages, each in
/// the modules of its name.
///
/// ```no_run
/// # const _: &str = stringify! {
/// mod pb {
///     lro_core::include_protos!();
/// }
///
/// use pb::exporter::v1::ExportRequest;
/// # };
/// ```
///
/// It is `include!(concat!(env!("OUT_DIR"), "/protos.rs"))` with an error that says what to do where
/// there is no build script. A name other than `protos.rs`, which
/// `lro_build::Builder::include_file` sets, is its argument.
#[macro_export]
macro_rules! include_protos {
    () => {
        $crate::include_protos!("protos.rs");
    };
    ($file:literal) => {
        include!(concat!(
            env!(
                "OUT_DIR",
                "there is no OUT_DIR, because this package has no build script: write a `build.rs` \
                 beside Cargo.toml that calls `lro_build::compile_protos`, and add `lro-build` to \
                 [build-dependencies]"
            ),
            "/",
            $file
        ));
    };
}
