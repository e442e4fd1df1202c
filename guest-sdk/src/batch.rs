//! The packets of one call.

use crate::output::{Held, Outputs};
use crate::packet::Packet;
use crate::raw::{self, DescIter, Parts};
use perigee_abi::{PortInfo, batch_flags};

/// The packets of one call, and the facts that hold for all of them. Reading a fact costs a load, never a hostcall.
pub struct Batch<'a> {
    parts: Parts<'a>,
}

impl<'a> Batch<'a> {
    #[inline]
    pub(crate) fn new(parts: Parts<'a>) -> Self {
        Self { parts }
    }

    /// Number of packets.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.packets.len()
    }

    /// Whether there are none: a call for timers and held packets.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packets, each once.
    #[inline]
    pub fn packets(&mut self) -> Packets<'_> {
        Packets(self.parts.packets.iter())
    }

    /// The packets and the output list, for a loop that uses both.
    #[inline]
    pub fn split(&mut self) -> (Packets<'_>, Outputs<'_>) {
        split(&mut self.parts)
    }

    /// The output list: to create packets, copy, reorder, and give back what is held.
    #[inline]
    pub fn outputs(&mut self) -> Outputs<'_> {
        self.split().1
    }

    /// The bytes of a held packet. Nothing where its place is not inside the window.
    #[inline]
    pub fn held_bytes<'b>(&'b mut self, held: &Held) -> Option<&'b mut [u8]> {
        raw::window_bytes(&mut self.parts, held.start(), held.len())
    }
}

/// Facts.
impl Batch<'_> {
    /// Nanoseconds since the run began, read once for the batch.
    #[inline]
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.parts.header.time_ns
    }

    /// Nanoseconds since the run began, now, where the hostcall `time` and `clock = "precise"` are granted; else those of the batch. A
    /// hostcall: for those who measure. The batch's time is that of the poll's beginning, and its packets may have come later.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        raw::time()
    }

    /// Unix time of the batch in nanoseconds.
    #[inline]
    #[must_use]
    pub fn unix_ns(&self) -> u64 {
        self.parts.header.start_unix_ns.wrapping_add(self.parts.header.time_ns)
    }

    /// Number of the batch, from 1.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.parts.header.sequence
    }

    /// Bits of [`perigee_abi::batch_flags`].
    #[inline]
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.parts.header.flags
    }

    /// Whether the run is ending: what is still held after this call is freed and counted.
    #[inline]
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.flags() & batch_flags::DRAIN != 0
    }

    /// The run's ports, by number.
    #[inline]
    #[must_use]
    pub fn ports(&self) -> &[PortInfo] {
        self.parts.ports
    }

    /// Number of the port that packets leave by after the chain's last stage, where there is one.
    #[inline]
    #[must_use]
    pub fn next_port(&self) -> Option<u16> {
        u16::try_from(self.parts.header.next_port).ok().filter(|&port| port != u16::MAX)
    }

    /// Packets that the module holds now.
    #[inline]
    #[must_use]
    pub fn held(&self) -> u32 {
        self.parts.header.held
    }

    /// Most packets that this instance may hold.
    #[inline]
    #[must_use]
    pub fn hold_quota(&self) -> u32 {
        self.parts.header.hold_quota
    }

    /// Largest packet that fits a fresh room.
    #[inline]
    #[must_use]
    pub fn room_len(&self) -> u32 {
        self.parts.header.room_len
    }
}

/// The packets and the output list of a call.
#[inline]
pub(crate) fn split<'b>(parts: &'b mut Parts<'_>) -> (Packets<'b>, Outputs<'b>) {
    let Parts { header, packets, spares, outputs, .. } = parts;
    (Packets(packets.iter()), Outputs::new(outputs, &mut header.out_count, spares.iter()))
}

impl<'b> IntoIterator for &'b mut Batch<'_> {
    type Item = Packet<'b>;
    type IntoIter = Packets<'b>;

    #[inline]
    fn into_iter(self) -> Packets<'b> {
        self.packets()
    }
}

/// The packets of a batch.
pub struct Packets<'b>(pub(crate) DescIter<'b>);

impl<'b> Iterator for Packets<'b> {
    type Item = Packet<'b>;

    #[inline]
    fn next(&mut self) -> Option<Packet<'b>> {
        self.0.next().map(Packet::new)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Packets<'_> {}
