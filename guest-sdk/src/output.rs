//! The output list: packets created, copied, reordered and given back.

use crate::raw::{DescIter, Room};
use crate::verdict::Verdict;
use core::mem::offset_of;
use perigee_abi::{Batch, MAX_OUTPUTS, PacketDesc, source, tx_flags};

/// The output list of a call, and the spare rooms to make packets of. Its packets go after those that have a verdict in
/// place, in the order in which they were put in.
pub struct Outputs<'b> {
    list: &'b mut [PacketDesc; MAX_OUTPUTS],
    count: &'b mut u32,
    spares: DescIter<'b>,
}

impl<'b> Outputs<'b> {
    #[inline]
    pub(crate) fn new(list: &'b mut [PacketDesc; MAX_OUTPUTS], count: &'b mut u32, spares: DescIter<'b>) -> Self {
        Self { list, count, spares }
    }

    /// Entries that still fit.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        MAX_OUTPUTS.saturating_sub(*self.count as usize)
    }

    /// The next empty room, where there is one. A room that is not sent stays, and comes again in the next call.
    #[inline]
    pub fn spare(&mut self) -> Option<Spare<'b>> {
        self.spares.next().map(|room| Spare { room })
    }

    /// Sends a packet made in a spare room. False where the list is full.
    #[inline]
    pub fn send(&mut self, spare: Spare<'_>, verdict: Verdict) -> bool {
        let index = spare.room.index(offset_of!(Batch, spares));
        self.push(PacketDesc { verdict: verdict.bits(), source: source::SPARE + index, ..*spare.room.desc() })
    }

    /// Gives a listed packet its verdict; each further one makes a copy. False where the list is full.
    #[inline]
    pub fn put(&mut self, packet: &Listed<'_>, verdict: Verdict) -> bool {
        self.push(PacketDesc { verdict: verdict.bits(), source: source::INPUT + packet.index, ..*packet.room.desc() })
    }

    /// Gives a held packet its verdict; it is held no longer. It comes back as an error where the list is full.
    ///
    /// # Errors
    ///
    /// The packet, to be kept for the next call.
    #[inline]
    pub fn give_back(&mut self, held: Held, verdict: Verdict) -> Result<(), Held> {
        let entry = PacketDesc {
            addr: self.spares.window().wrapping_add(held.start),
            len: held.len,
            port: held.port,
            verdict: verdict.bits(),
            mark: held.mark,
            slot: held.slot,
            generation: held.generation,
            tx_flags: held.tx_flags,
            vlan: held.vlan,
            source: source::HELD,
            ..PacketDesc::default()
        };
        if self.push(entry) { Ok(()) } else { Err(held) }
    }

    #[inline]
    fn push(&mut self, entry: PacketDesc) -> bool {
        let Some(place) = self.list.get_mut(*self.count as usize) else { return false };
        *place = entry;
        *self.count += 1;
        true
    }
}

/// An empty room, to make a packet of.
pub struct Spare<'b> {
    room: Room<'b>,
}

impl Spare<'_> {
    /// Makes the packet `len` bytes long and gives its bytes, which hold anything. Nothing where it does not fit.
    #[inline]
    #[must_use]
    pub fn bytes_mut(&mut self, len: u16) -> Option<&mut [u8]> {
        self.room.set_len(len).then(|| self.room.bytes_mut())
    }

    /// Sets the mark that travels with the packet.
    #[inline]
    pub fn set_mark(&mut self, mark: u32) {
        self.room.facts().set_mark(mark);
    }

    /// Asks for checksums and the like: bits of [`perigee_abi::tx_flags`].
    #[inline]
    pub fn ask_checksums(&mut self, flags: u32, l2_len: u8, l3_len: u8) {
        self.room.facts().set_tx_flags(flags);
        self.room.facts().set_layers(l2_len, l3_len);
    }

    /// Asks for a VLAN tag to be inserted on the way out.
    #[inline]
    pub fn insert_vlan(&mut self, tci: u16) {
        self.ask(tx_flags::VLAN_INSERT);
        self.room.facts().set_vlan(tci);
    }

    /// Asks for the packet to be sent at `time`, in nanoseconds of the run's clock. Where `pace` is granted.
    #[inline]
    pub fn set_departure(&mut self, time: u64) {
        self.ask(tx_flags::TIME);
        self.room.facts().set_time(time);
    }

    /// As [`crate::Packet::set_stamp`]: asks the host to write the time of the departure at `offset`. Where `pace` is granted.
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

/// A packet of this batch whose verdict is in the output list.
pub struct Listed<'b> {
    room: Room<'b>,
    index: u32,
}

impl<'b> Listed<'b> {
    #[inline]
    pub(crate) fn new(room: Room<'b>, index: u32) -> Self {
        Self { room, index }
    }

    /// The bytes. All copies have the same.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.room.bytes()
    }
}

/// A packet that the module keeps beyond the call. It knows where the packet is by numbers that stay true in another
/// instance of the module, so it may be part of saved state.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a packet that is forgotten is held until the host frees it"]
pub struct Held {
    slot: u32,
    generation: u32,
    start: u32,
    mark: u32,
    tx_flags: u32,
    len: u16,
    port: u16,
    vlan: u16,
}

impl Held {
    #[inline]
    pub(crate) fn new(room: &Room<'_>) -> Self {
        let desc = room.desc();
        Self {
            slot: desc.slot,
            generation: desc.generation,
            start: room.start(),
            mark: desc.mark,
            tx_flags: desc.tx_flags & perigee_abi::tx_flags::VLAN_INSERT,
            len: desc.len,
            port: desc.port,
            vlan: desc.vlan,
        }
    }

    /// Where it begins in the window.
    #[inline]
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// Length in bytes.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an empty packet does not exist")]
    pub fn len(&self) -> u16 {
        self.len
    }

    /// Number of the port that it came from.
    #[inline]
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The mark that travels with it.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// As numbers, for saved state.
    #[must_use]
    pub fn to_words(&self) -> [u32; 7] {
        let ports = u32::from(self.port) | u32::from(self.len) << 16;
        [self.slot, self.generation, self.start, self.mark, self.tx_flags, ports, u32::from(self.vlan)]
    }

    /// From numbers that [`Self::to_words`] gave. The host checks that there is such a packet.
    #[allow(clippy::cast_possible_truncation, reason = "the halves that `to_words` put together")]
    pub fn from_words(words: [u32; 7]) -> Self {
        let [slot, generation, start, mark, tx_flags, ports, vlan] = words;
        Self {
            slot,
            generation,
            start,
            mark,
            tx_flags,
            len: (ports >> 16) as u16,
            port: ports as u16,
            vlan: vlan as u16,
        }
    }
}
