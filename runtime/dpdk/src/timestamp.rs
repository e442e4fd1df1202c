//! Rx timestamps: where they stand in a packet.

use perigee_dpdk_sys as sys;
use std::sync::OnceLock;

/// Where a port leaves its rx timestamps.
#[derive(Clone, Copy, Debug)]
pub struct RxTimestamp {
    /// The flag of packets that have one, in `ol_flags`.
    pub flag: u64,
    /// Where it stands in the mbuf.
    pub offset: usize,
    /// Nanoseconds in one unit.
    pub unit_ns: u64,
}

impl RxTimestamp {
    /// In DPDK's dynamic field, which is one for all ports of the process; `None` where DPDK has no place for it.
    pub fn of_dynamic_field(unit_ns: u64) -> Option<Self> {
        static FIELD: OnceLock<Option<(i32, u64)>> = OnceLock::new();
        let field = *FIELD.get_or_init(|| {
            let (mut offset, mut flag) = (0, 0);
            // SAFETY:
            // - EAL is started, and both places are valid.
            let code = unsafe { sys::rte_mbuf_dyn_rx_timestamp_register(&raw mut offset, &raw mut flag) };
            (code == 0).then_some((offset, flag))
        });
        let (offset, flag) = field?;
        Some(Self { flag, offset: usize::try_from(offset).ok()?, unit_ns })
    }
}
