//! From the host's addresses of rooms to a module's.

use perigee_abi::SLOT_UNIT;
use perigee_core::lanes::Lanes;
use perigee_dpdk::packet::Packet;

/// Where the region lies, in the host and in this instance's memory.
#[derive(Clone, Copy, Debug)]
pub struct View {
    region: usize,
    /// Where the window begins in the instance's memory.
    pub(super) window: u32,
    /// In its first lane what a room's address in the host, less this, is in the instance's memory. Kept as lanes: else the
    /// compiler would subtract plain numbers and move each result into a vector register.
    offset: Lanes,
}

impl View {
    /// A region at this host address, at that address of the module.
    #[allow(clippy::cast_possible_truncation, reason = "the lower halves of addresses are enough in a 32-bit memory")]
    pub fn new(region: usize, window: u32) -> Self {
        Self { region, window, offset: Lanes::first((region as u32).wrapping_sub(window)) }
    }

    /// Offset of a packet's room from the start of the window.
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a region fits a 32-bit memory; packets outside it are copied in first"
    )]
    pub(super) fn room(self, packet: &Packet) -> u32 {
        packet.room().wrapping_sub(self.region) as u32
    }

    /// Address of a packet's room in the instance's memory, in the first lane; the others are 0.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "as above")]
    pub(super) fn address(self, packet: &Packet) -> Lanes {
        Lanes::first(packet.room() as u32).minus(self.offset)
    }

    /// A room's address in units of slots, plus this, is its slot.
    pub(super) fn first_slot(self) -> u32 {
        (self.window / SLOT_UNIT).wrapping_neg()
    }
}
