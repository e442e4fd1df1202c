//! A module: parsed, compiled, checked against the ABI, started.

use perigee_runtime::{Limits, ModuleInfo, inspect_bytes};
use std::time::Duration;

/// Enough for a module with a usual window. What wants more is refused, and little time is enough to ask for numbers.
const LIMITS: Limits = Limits {
    memory: 80 << 20,
    deadline: Duration::from_millis(20),
    control_deadline: Duration::from_millis(20),
    targets: 0,
    reads: false,
    table: 65_536,
};
/// The batch area's length (docs/abi.md).
const BATCH: u32 = 38_528;

/// Inspects bytes as a module, binary or text. Nothing panics or hangs, and what is accepted keeps the rules.
pub fn check(bytes: &[u8]) {
    match inspect_bytes("fuzz", bytes, LIMITS) {
        Err(error) => assert!(error.to_string().contains("fuzz"), "whose error is it? {error}"),
        Ok(info) => accepted(&info),
    }
}

fn accepted(info: &ModuleInfo) {
    let n = &info.numbers;
    assert_eq!(n.abi, 3);
    assert!(n.batch.is_multiple_of(64) && n.spares <= 64);
    assert!(info.memory_min <= LIMITS.memory);
    assert!(info.callbacks.iter().any(|name| name == "process" || name == "generate"));
    let areas = [(n.batch, BATCH), (n.mailbox, n.mailbox_len), (n.window, n.window_len)];
    let areas = areas.map(|(at, len)| (u64::from(at), u64::from(at) + u64::from(len)));
    assert!(areas.iter().all(|(_, end)| *end <= info.memory_min), "{info:?}");
    let [batch, mailbox, window] = areas;
    for (a, b) in [(batch, mailbox), (batch, window), (mailbox, window)] {
        // Two areas have a byte in common where the later start lies before the earlier end.
        assert!(a.0.max(b.0) >= a.1.min(b.1), "{info:?}");
    }
    assert!(info.window_usable > 0 && info.window_usable <= n.window_len);
}
