// Included by the tests of the crates that have a target here: the seeds on the stable compiler.

/// Hands every seed of a target over, and says how many there are.
pub(crate) fn each(target: &str, mut ask: impl FnMut(&[u8])) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/fuzz/seeds");
    let files = std::fs::read_dir(std::path::Path::new(folder).join(target));
    let mut count = 0;
    for file in files.expect("the target has seeds") {
        let path = file.expect("a seed is listed").path();
        ask(&std::fs::read(path).expect("a seed is read"));
        count += 1;
    }
    count
}
