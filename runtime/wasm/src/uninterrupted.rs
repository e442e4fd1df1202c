//! The longest operation that no deadline interrupts: one bulk operation over all of a module's memory. The engine looks at the
//! epoch before and after it, not within.

use perigee_core::clock::thread_cpu_time;
use std::hint::black_box;
use std::time::Duration;

/// Bytes that are filled to find the rate, and how often.
const SAMPLE: usize = 8 << 20;
const ROUNDS: usize = 3;

/// What a `memory.fill` over `memory` bytes takes on this machine at worst: the first one, to which the kernel gives each page.
/// Measured now, on the calling thread, as the slowest of some fills of fresh memory, in CPU time: that is what deadlines count,
/// and other work of the machine is not in it.
#[must_use]
pub fn longest_operation(memory: u64) -> Duration {
    let slowest = (0..ROUNDS).map(|_| fill()).max().unwrap_or_default();
    let parts = memory.div_ceil(SAMPLE as u64);
    slowest.saturating_mul(u32::try_from(parts).unwrap_or(u32::MAX))
}

fn fill() -> Duration {
    let begin = thread_cpu_time();
    black_box(vec![black_box(1_u8); SAMPLE]);
    thread_cpu_time().saturating_sub(begin)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn it_grows_with_the_memory() {
        let (small, large) = (longest_operation(1 << 20), longest_operation(4 << 30));
        assert!(Duration::ZERO < small && small < large, "{small:?} {large:?}");
    }
}
