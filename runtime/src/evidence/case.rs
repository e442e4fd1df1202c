//! A failure as the lcore saw it: all that is gone when the packets go back to their pools.

use super::image::Image;
use super::probe::Probe;
use super::recording::Rooms;
use super::trace::Trace;
use super::witness::Facts;
use crate::wasm::instance::GlobalValue;
use perigee_abi::PacketDesc;

/// One failure.
pub(crate) struct Case {
    /// Name of the module in the configuration.
    pub(crate) module: String,
    pub(crate) probe: Probe,
    pub(crate) facts: Facts,
    pub(crate) trace: Trace,
    pub(crate) image: Image,
    pub(crate) globals: Vec<GlobalValue>,
    /// The recording's file, where there is one; or why it was given up.
    pub(crate) recording: Option<Result<Vec<u8>, String>>,
    /// The rooms of the batch before the call, where the run is recorded.
    pub(crate) as_published: Option<Rooms<'static>>,
    /// Nanoseconds of the run's clock.
    pub(crate) at_ns: u64,
    pub(crate) sequence: u64,
    /// Packets that the module held.
    pub(crate) held: usize,
    pub(crate) packets: Vec<PacketCase>,
    /// Header and ports of the batch area.
    pub(crate) head: Vec<u8>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("module", &self.module).field("trace", &self.trace).finish_non_exhaustive()
    }
}

/// A packet of the failed batch.
pub(crate) struct PacketCase {
    /// Its descriptor as the host wrote it.
    pub(crate) published: PacketDesc,
    /// As the module left it.
    pub(crate) left: PacketDesc,
    /// Its room in the window, and the room's length.
    pub(crate) room: (u32, u32),
    /// Its bytes, where they were published.
    pub(crate) bytes: Vec<u8>,
}
