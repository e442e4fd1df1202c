//! What goes into a trial, and what comes out.

use perigee_abi::PacketDesc;

/// A packet as a port gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Its bytes, without frame check sequence.
    pub bytes: Vec<u8>,
    /// Number of the port that it comes from.
    pub port: u16,
    /// Its mark.
    pub mark: u32,
    /// What the port found out ([`super::rx_flags`]).
    pub rx_flags: u32,
    /// What is asked of the way out already ([`super::tx_flags`]).
    pub tx_flags: u32,
    /// RSS hash, rx queue, TCI of a stripped tag, rx timestamp in nanoseconds: where the flags say so.
    pub hash: u32,
    /// See `hash`.
    pub queue: u16,
    /// See `hash`.
    pub vlan: u16,
    /// See `hash`.
    pub time: u64,
}

/// What becomes of a packet, after all of the host's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Freed, because the module said so; in `generate`: a room that was not used.
    Drop,
    /// To the next stage.
    Next,
    /// To the port of this number.
    Tx(u16),
    /// Into the ring of this number.
    Ring(u16),
    /// The module keeps it.
    Hold,
    /// An entry of the output list took it.
    Listed,
    /// Dropped by the host, which counts it under this name (docs/architecture.md, "Accounting").
    Bad(&'static str),
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Next => f.write_str("next"),
            Self::Tx(port) => write!(f, "tx {port}"),
            Self::Ring(ring) => write!(f, "ring {ring}"),
            Self::Hold => f.write_str("hold"),
            Self::Listed => f.write_str("listed"),
            Self::Bad(cause) => f.write_str(cause),
        }
    }
}

/// A packet after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What becomes of it.
    pub fate: Fate,
    /// Its bytes, where the module left them; of a packet whose address or length is wrong, none.
    pub bytes: Vec<u8>,
    /// The verdict as the module wrote it.
    pub verdict: u32,
    /// Its mark.
    pub mark: u32,
    /// What is asked of the way out.
    pub tx_flags: u32,
    /// TCI of the tag to insert, where `tx_flags` asks for one.
    pub vlan: u16,
}

impl Seen {
    pub(super) fn new(fate: Fate, bytes: Vec<u8>, desc: &PacketDesc) -> Self {
        let vlan = if desc.tx_flags & super::tx_flags::VLAN_INSERT != 0 { desc.vlan } else { 0 };
        Self { fate, bytes, verdict: desc.verdict, mark: desc.mark, tx_flags: desc.tx_flags, vlan }
    }
}

/// Bytes of the window that a module wrote, and may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trespass {
    /// First byte, from the window's beginning.
    pub at: usize,
    /// Bytes.
    pub len: usize,
    /// Where that is, in words.
    pub place: String,
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The packets (or rooms) of the batch, in order.
    pub packets: Vec<Seen>,
    /// What the output list made or moved, in order.
    pub listed: Vec<Seen>,
    /// Entries of the output list that named nothing.
    pub bad_outputs: usize,
    /// What was written outside the packets of the call.
    pub trespasses: Vec<Trespass>,
}
