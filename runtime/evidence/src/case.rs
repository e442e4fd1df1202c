//! A failure as the lcore saw it: all that is gone when the packets go back to their pools.

use super::image::Image;
use super::probe::Probe;
use super::recording::Rooms;
use super::witness::Started;
use perigee_abi::PacketDesc;
use perigee_config::secret::Secrets;
use perigee_wasm::instance::GlobalValue;
use perigee_wasm::log::LogLine;
use perigee_wasm::trace::Trace;

/// One failure.
pub struct Case {
    /// Name of the module in the configuration.
    pub module: String,
    /// What is kept of its module.
    pub probe: Probe,
    /// What it was started with.
    pub started: Started,
    /// How the call has ended.
    pub trace: Trace,
    /// Its memory; of a module with secrets its size alone.
    pub image: Image,
    /// Its globals; none of a module with secrets.
    pub globals: Vec<GlobalValue>,
    /// What nobody is to read in the bundle.
    pub secrets: Secrets,
    /// The recording's file, where there is one; or why it was given up.
    pub recording: Option<Result<Vec<u8>, String>>,
    /// The rooms of the batch before the call, where the run is recorded.
    pub as_published: Option<Rooms<'static>>,
    /// Nanoseconds of the run's clock.
    pub at_ns: u64,
    /// Sequence number of the batch.
    pub sequence: u64,
    /// Packets that the module held.
    pub held: usize,
    /// The packets of the batch.
    pub packets: Vec<PacketCase>,
    /// What the module wrote to its log last.
    pub log: Vec<LogLine>,
    /// Header and ports of the batch area.
    pub head: Vec<u8>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("module", &self.module).field("trace", &self.trace).finish_non_exhaustive()
    }
}

/// A packet of the failed batch.
pub struct PacketCase {
    /// Its descriptor as the host wrote it.
    pub published: PacketDesc,
    /// As the module left it.
    pub left: PacketDesc,
    /// Its room in the window, and the room's length.
    pub room: (u32, u32),
    /// Its bytes, where they were published.
    pub bytes: Vec<u8>,
}
