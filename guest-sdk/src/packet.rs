//! One packet of a batch, and what becomes of it.

use crate::output::{Held, Listed};
use crate::raw::Room;
use crate::verdict::Verdict;
use crate::wire::Error;
use crate::wire::checksum::fill::all_but_offloads;
use core::mem::offset_of;
use perigee_abi::{Batch, PortInfo, rx_flags, tx_flags, verdict};

/// A packet: its bytes, what is known of it, and one verdict, given by a method that takes the packet itself. Without a
/// verdict it is dropped.
///
/// A second verdict does not compile:
///
/// ```compile_fail,E0382
/// fn process(packet: perigee_guest::Packet<'_>) {
///     packet.next();
///     packet.drop();
/// }
/// ```
///
/// Nor does the use of bytes after the verdict:
///
/// ```compile_fail,E0505
/// fn process(packet: perigee_guest::Packet<'_>) -> u8 {
///     let bytes = packet.bytes();
///     packet.next();
///     bytes[0]
/// }
/// ```
///
/// Nor do two ways to write the same bytes:
///
/// ```compile_fail,E0499
/// fn process(mut packet: perigee_guest::Packet<'_>) {
///     let one = packet.bytes_mut();
///     let two = packet.bytes_mut();
///     one[0] = two[1];
/// }
/// ```
pub struct Packet<'b> {
    room: Room<'b>,
}

/// Its bytes.
impl<'b> Packet<'b> {
    #[inline]
    pub(crate) fn new(room: Room<'b>) -> Self {
        Self { room }
    }

    /// The bytes, from the Ethernet header on, without frame check sequence.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.room.bytes()
    }

    /// The bytes, to be changed in place.
    #[inline]
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.room.bytes_mut()
    }

    /// The first `N` bytes, where there are so many. What is read from an array at constant places is not checked again.
    #[inline]
    #[must_use]
    pub fn head<const N: usize>(&self) -> Option<&[u8; N]> {
        self.room.bytes().first_chunk()
    }

    /// The first `N` bytes, to be changed in place.
    #[inline]
    #[must_use]
    pub fn head_mut<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.room.bytes_mut().first_chunk_mut()
    }

    /// Length in bytes.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an empty packet does not exist")]
    pub fn len(&self) -> u16 {
        self.room.desc().len
    }

    /// Bytes by which the packet can grow at its front.
    #[inline]
    #[must_use]
    pub fn headroom(&self) -> u32 {
        self.room.headroom()
    }

    /// Length that the packet can have at most, without a move of its front.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.room.capacity()
    }

    /// Makes the packet `count` bytes longer at its front, and gives the packet; the new bytes hold anything. Nothing
    /// where there is no such headroom.
    #[inline]
    #[must_use]
    pub fn prepend(&mut self, count: u16) -> Option<&mut [u8]> {
        self.room.grow_front(count).then(|| self.room.bytes_mut())
    }

    /// Takes `count` bytes off the packet's front, and says whether it was that long.
    #[inline]
    #[must_use]
    pub fn trim(&mut self, count: u16) -> bool {
        self.room.shrink_front(count)
    }

    /// Makes the packet longer or shorter at its end, and says whether it fits its room. New bytes hold anything.
    #[inline]
    #[must_use]
    pub fn set_len(&mut self, len: u16) -> bool {
        self.room.set_len(len)
    }
}

/// What is known of it.
impl Packet<'_> {
    /// Number of the port that it came from; 0xffff for a generated one.
    #[inline]
    #[must_use]
    pub fn port(&self) -> u16 {
        self.room.desc().port
    }

    /// The mark that travels with it.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.room.desc().mark
    }

    /// What the port found out: bits of [`perigee_abi::rx_flags`].
    #[inline]
    #[must_use]
    pub fn rx_flags(&self) -> u32 {
        self.room.desc().rx_flags
    }

    /// RSS hash, where the port gave one.
    #[inline]
    #[must_use]
    pub fn hash(&self) -> Option<u32> {
        self.known(rx_flags::HASH).then(|| self.room.desc().hash)
    }

    /// The VLAN tag (TCI) that was taken off the packet on rx. It is put back on tx, unless [`Self::remove_vlan`] is
    /// called.
    #[inline]
    #[must_use]
    pub fn vlan(&self) -> Option<u16> {
        self.known(rx_flags::VLAN_STRIPPED).then(|| self.room.desc().vlan)
    }

    /// Time at which it came, in nanoseconds of the run's clock, where the port gave one.
    #[inline]
    #[must_use]
    pub fn rx_time(&self) -> Option<u64> {
        self.known(rx_flags::TIME).then(|| self.room.desc().time)
    }

    /// The rx queue, where the host filled in what is known beside the common facts.
    #[inline]
    #[must_use]
    pub fn rx_queue(&self) -> Option<u16> {
        (self.rx_flags() != 0).then(|| self.room.desc().queue)
    }

    #[inline]
    fn known(&self, flag: u32) -> bool {
        self.room.desc().rx_flags & flag != 0
    }
}

/// What is asked of the way out.
impl Packet<'_> {
    /// Sets the mark that travels with it from stage to stage and through rings.
    #[inline]
    pub fn set_mark(&mut self, mark: u32) {
        self.room.facts().set_mark(mark);
    }

    /// Asks for checksums on the way out: bits of [`perigee_abi::tx_flags`]. `l2_len` is the length of the Ethernet
    /// header and its tags, `l3_len` that of the IP header with options or extension headers.
    #[inline]
    pub fn ask_checksums(&mut self, flags: u32, l2_len: u8, l3_len: u8) {
        self.ask(flags);
        self.room.facts().set_layers(l2_len, l3_len);
    }

    /// Makes all checksums right when the packet leaves by `port`: what the port computes is asked of it, the rest is
    /// computed here. To be called last, when headers and payload are written.
    ///
    /// # Errors
    ///
    /// A header contradicts itself; nothing is changed.
    pub fn complete_checksums(&mut self, port: &PortInfo) -> Result<(), Error> {
        let asked = all_but_offloads(self.room.bytes_mut(), port.offloads)?;
        if asked.flags != 0 {
            self.ask_checksums(asked.flags, asked.l2_len, asked.l3_len);
        }
        Ok(())
    }

    /// Asks for a VLAN tag to be inserted on the way out.
    #[inline]
    pub fn insert_vlan(&mut self, tci: u16) {
        self.ask(tx_flags::VLAN_INSERT);
        self.room.facts().set_vlan(tci);
    }

    /// Takes back the tag that was stripped on rx: the packet leaves without.
    #[inline]
    pub fn remove_vlan(&mut self) {
        let flags = self.room.desc().tx_flags & !tx_flags::VLAN_INSERT;
        self.room.facts().set_tx_flags(flags);
    }

    /// Asks for one of the lcore's tx queues of the port.
    #[inline]
    pub fn set_queue(&mut self, queue: u16) {
        self.ask(tx_flags::QUEUE);
        self.room.facts().set_queue(queue);
    }

    /// Asks to be sent at `time`, in nanoseconds of the run's clock. Where `pace` is granted.
    #[inline]
    pub fn set_departure(&mut self, time: u64) {
        self.ask(tx_flags::TIME);
        self.room.facts().set_time(time);
    }

    /// Asks for a gap of `time` nanoseconds to the packet before it. Where `pace` is granted.
    #[inline]
    pub fn set_gap(&mut self, time: u64) {
        self.ask(tx_flags::GAP);
        self.room.facts().set_time(time);
    }

    /// Asks the host to write the time of its departure into it, where `pace` is granted: 8 bytes at `offset`, in nanoseconds of
    /// the run's clock and in network order, and behind them two bytes that keep checksums over all ten right (RFC 7820).
    #[inline]
    pub fn set_stamp(&mut self, offset: u16) {
        self.ask(tx_flags::STAMP);
        self.room.facts().set_stamp(offset);
    }

    #[inline]
    fn ask(&mut self, flags: u32) {
        let flags = self.room.desc().tx_flags | flags;
        self.room.facts().set_tx_flags(flags);
    }
}

/// The verdict: once.
impl<'b> Packet<'b> {
    /// Gives any verdict.
    #[inline]
    pub fn finish(mut self, verdict: Verdict) {
        self.room.set_verdict(verdict.bits());
    }

    /// Passes it on to the next stage of the chain; after the last one, to the chain's first tx port.
    #[inline]
    pub fn next(self) {
        self.finish(Verdict::NEXT);
    }

    /// Sends it to a port.
    #[inline]
    pub fn tx(self, port: u16) {
        self.finish(Verdict::tx(port));
    }

    /// Sends it to the port that it came from.
    #[inline]
    pub fn tx_back(self) {
        let port = self.port();
        self.tx(port);
    }

    /// Puts it into a ring to another lcore.
    #[inline]
    pub fn ring(self, ring: u16) {
        self.finish(Verdict::ring(ring));
    }

    /// Frees it.
    #[inline]
    pub fn drop(self) {
        self.finish(Verdict::DROP);
    }

    /// Keeps it beyond this call: it comes back into play through [`crate::Outputs::give_back`]. The host frees what is
    /// held for too long, and drops what is held beyond the instance's quota.
    #[inline]
    #[must_use = "a packet that is forgotten is held until the host frees it"]
    pub fn hold(mut self) -> Held {
        self.room.set_verdict(verdict::HOLD);
        Held::new(&self.room)
    }

    /// Leaves the verdict to the output list: for copies, or where the order changes.
    #[inline]
    #[must_use = "a packet that is not put into the output list is dropped"]
    pub fn list(mut self) -> Listed<'b> {
        self.room.set_verdict(verdict::LISTED);
        let index = self.room.index(offset_of!(Batch, packets));
        Listed::new(self.room, index)
    }
}
