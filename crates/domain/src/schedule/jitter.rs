//! Spreading jobs that share a slot, the same way on every node and in every release.

use std::time::Duration;

use uuid::Uuid;

use crate::Timestamp;

/// How long after `slot` an execution of `job` starts: from zero up to, not including, `max_seconds`, in whole
/// milliseconds.
///
/// It is a hash, not a draw, so whichever node plans the slot comes to the same start, and a plan made twice is the same
/// plan. The value for given arguments is fixed for all releases: FNV-1a (64 bits) over the 16 bytes of the job's id and
/// the 8 of the slot in microseconds, big-endian; then the finisher of SplitMix64; then the high part of the product
/// with the width.
pub fn jitter(job: Uuid, slot: Timestamp, max_seconds: u32) -> Duration {
    let width_millis = u64::from(max_seconds) * 1000;
    let hash = mix(fnv1a(job.as_bytes().iter().copied().chain(slot.as_micros().to_be_bytes())));
    // The product of two 64-bit numbers has its upper half below either of them.
    let millis = (u128::from(hash) * u128::from(width_millis)) >> 64;
    Duration::from_millis(millis as u64)
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// FNV leaves the high bits, which the product takes, poorly mixed for inputs that differ only near their end.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
