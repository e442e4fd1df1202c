//! Empty rooms, for generators.

use crate::batch::{Packets, split};
use crate::output::Outputs;
use crate::raw::{Fresh, FreshIter, FreshParts};
use crate::verdict::Verdict;
use perigee_abi::{PortInfo, tx_flags};

/// The rooms of one call of `generate` or `prefill`. A room without a verdict goes back unused.
pub struct Rooms<'a> {
    parts: FreshParts<'a>,
}

impl<'a> Rooms<'a> {
    #[inline]
    pub(crate) fn new(parts: FreshParts<'a>) -> Self {
        Self { parts }
    }

    /// Number of rooms.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.facts().packets.len()
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Largest packet that fits a room.
    #[inline]
    #[must_use]
    pub fn room_len(&self) -> u32 {
        self.parts.facts().header.room_len
    }

    /// Nanoseconds since the run began, read once for the call.
    #[inline]
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.parts.facts().header.time_ns
    }

    /// Unix time of the call in nanoseconds.
    #[inline]
    #[must_use]
    pub fn unix_ns(&self) -> u64 {
        self.parts.facts().header.start_unix_ns.wrapping_add(self.time_ns())
    }

    /// The run's ports, by number.
    #[inline]
    #[must_use]
    pub fn ports(&self) -> &[PortInfo] {
        self.parts.facts().ports
    }

    /// Tells the host that this generator makes no more packets after this call. A run ends when all its sources have ended.
    #[inline]
    pub fn finish(&mut self) {
        self.parts.finish();
    }

    /// Rooms for packets that are all `len` bytes long, of which the first `HEAD` are rewritten: the lengths are checked
    /// here, and not again. Nothing where `len` is larger than a room or smaller than `HEAD`.
    #[inline]
    pub fn sized<const HEAD: usize>(&mut self, len: u16) -> Option<SizedRooms<'_, HEAD>> {
        self.parts.sized(len).map(SizedRooms)
    }

    /// Rooms whose lengths are those that the host gave them: for [`crate::vary::Compiled::run`], whose code writes them.
    #[cfg(feature = "config")]
    #[inline]
    pub fn any(&mut self) -> Option<SizedRooms<'_, 0>> {
        self.parts.any().map(SizedRooms)
    }

    /// Rooms for packets of different lengths: [`crate::Packet::set_len`] first.
    #[inline]
    pub fn packets(&mut self) -> Packets<'_> {
        self.split().0
    }

    /// Rooms and the output list, for a generator that sends a packet several times.
    #[inline]
    pub fn split(&mut self) -> (Packets<'_>, Outputs<'_>) {
        split(self.parts.parts_mut())
    }
}

/// See [`Rooms::sized`].
pub struct SizedRooms<'b, const HEAD: usize>(FreshIter<'b, HEAD>);

impl<const HEAD: usize> SizedRooms<'_, HEAD> {
    /// Keeps at most `most` rooms; the others go back unused.
    #[inline]
    #[must_use]
    pub fn limit(self, most: u64) -> Self {
        Self(self.0.limit(most))
    }
}

#[cfg(feature = "config")]
impl<const HEAD: usize> SizedRooms<'_, HEAD> {
    /// Address of the first descriptor, and the number of descriptors from there on.
    #[inline]
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.0.address(), self.0.len())
    }
}

impl<'b, const HEAD: usize> Iterator for SizedRooms<'b, HEAD> {
    type Item = SizedRoom<'b, HEAD>;

    #[inline]
    fn next(&mut self) -> Option<SizedRoom<'b, HEAD>> {
        self.0.next().map(SizedRoom)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<const HEAD: usize> ExactSizeIterator for SizedRooms<'_, HEAD> {}

/// A room for a packet of known length.
pub struct SizedRoom<'b, const HEAD: usize>(Fresh<'b, HEAD>);

impl<const HEAD: usize> SizedRoom<'_, HEAD> {
    /// The first bytes. No check: it was made for all rooms at once.
    #[inline]
    #[must_use]
    pub fn head_mut(&mut self) -> &mut [u8; HEAD] {
        self.0.head_mut()
    }

    /// All bytes of the packet.
    #[inline]
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    /// Asks for checksums on the way out: bits of [`perigee_abi::tx_flags`].
    #[inline]
    pub fn ask_checksums(&mut self, flags: u32, l2_len: u8, l3_len: u8) {
        self.0.facts().set_tx_flags(flags & tx_flags::ALL);
        self.0.facts().set_layers(l2_len, l3_len);
    }

    /// Gives the verdict.
    #[inline]
    pub fn finish(mut self, verdict: Verdict) {
        self.0.set_verdict(verdict.bits());
    }
}
