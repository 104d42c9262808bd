//! A package without a build script. What rustc would advise, to read the variable when the program
//! runs, would help nothing.

mod pb {
    lro_server::include_protos!();
}

fn main() {}
