//! Numbers drawn from a seed.

/// A number for this seed and place, 0 for the seed 0. It does not depend on what was drawn before, so that
/// one more draw elsewhere changes nothing.
pub(super) fn draw(seed: u64, place: &str, number: u32) -> u64 {
    if seed == 0 {
        return 0;
    }
    let bytes = place.bytes().chain(number.to_le_bytes());
    // FNV-1a, then the finalizer of SplitMix64.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
