//! A package without a build script. The advice of rustc itself, to read the variable when the
//! program runs, would not help.

mod pb {
    lro_server::include_protos!();
}

fn main() {}
