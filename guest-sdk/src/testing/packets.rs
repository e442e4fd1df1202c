//! Packets as a test writes and reads them.

use crate::verdict::Verdict;
use perigee_abi::{Header, PacketDesc, rx_flags, tx_flags};
use std::vec::Vec;

/// A packet for a module.
#[derive(Clone, Debug)]
pub struct Input {
    pub(super) bytes: Vec<u8>,
    desc: PacketDesc,
}

impl Input {
    /// A packet from port 0 of which nothing is known but its bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), desc: PacketDesc::default() }
    }

    /// Sets the port that it came from.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.desc.port = port;
        self
    }

    /// Sets its mark.
    #[must_use]
    pub fn mark(mut self, mark: u32) -> Self {
        self.desc.mark = mark;
        self
    }

    /// Sets its RSS hash.
    #[must_use]
    pub fn hash(mut self, hash: u32) -> Self {
        self.desc.hash = hash;
        self.flags(rx_flags::HASH)
    }

    /// Sets its rx time.
    #[must_use]
    pub fn time(mut self, time: u64) -> Self {
        self.desc.time = time;
        self.flags(rx_flags::TIME)
    }

    /// Says that this VLAN tag was stripped from it.
    #[must_use]
    pub fn vlan(mut self, tci: u16) -> Self {
        self.desc.vlan = tci;
        self.desc.tx_flags |= tx_flags::VLAN_INSERT;
        self.flags(rx_flags::VLAN_STRIPPED)
    }

    /// Sets what the port found out: bits of [`perigee_abi::rx_flags`].
    #[must_use]
    pub fn flags(mut self, flags: u32) -> Self {
        self.desc.rx_flags |= flags;
        self
    }

    /// The descriptor, in a room.
    pub(super) fn describe(&self, place: PacketDesc, header: Header) -> PacketDesc {
        let stale = if self.desc.rx_flags == 0 { 0xdead } else { self.desc.vlan };
        PacketDesc {
            addr: place.addr,
            slot: place.slot,
            len: u16::try_from(self.bytes.len()).expect("a packet is shorter than 64 KiB"),
            // The low half, as the ABI says.
            generation: u32::try_from(header.sequence & 0xffff_ffff).unwrap_or_default(),
            vlan: stale,
            ..self.desc
        }
    }
}

impl From<&[u8]> for Input {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(&bytes)
    }
}

/// What a module did with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What shall become of it.
    pub verdict: Verdict,
    /// The descriptor as the module left it.
    pub desc: PacketDesc,
}
