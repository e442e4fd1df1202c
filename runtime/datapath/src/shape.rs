//! What a batch is like whose packets all go the same way.

use crate::offload;
use perigee_dpdk::burst::Burst;

/// What a stage found out about a batch in which all packets go the same way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Bytes in all.
    pub bytes: u64,
    /// Length of the longest.
    pub max_len: u16,
    /// Some packet has tx flags.
    pub tx_flags: bool,
}

impl Shape {
    /// Looks at each packet.
    pub fn of(burst: &mut Burst) -> Self {
        let start = Self { bytes: 0, max_len: 0, tx_flags: false };
        burst.iter_mut().fold(start, |shape, p| Self {
            bytes: shape.bytes + u64::from(p.len()),
            max_len: shape.max_len.max(p.len()),
            tx_flags: shape.tx_flags | offload::has_tx_flags(p.flags()),
        })
    }
}
