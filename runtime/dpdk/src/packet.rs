//! A packet in the host: the handle of one mbuf.

use perigee_core::lanes::Lanes;
use perigee_dpdk_sys as sys;
use std::mem::offset_of;
use std::ptr::NonNull;

/// Owns one mbuf. It has no `Drop`: packets are freed in bulk, and every place where one ends counts it.
#[repr(transparent)]
#[derive(Debug)]
pub struct Packet(NonNull<sys::Mbuf>);

// SAFETY:
// - an mbuf belongs to whoever holds the handle; DPDK passes them between threads by rings in the same way.
unsafe impl Send for Packet {}

// The lanes below are these fields.
const _: () = {
    assert!(offset_of!(sys::Mbuf, data_off) == 16 && offset_of!(sys::Mbuf, refcnt) == 18);
    assert!(offset_of!(sys::Mbuf, nb_segs) == 20 && offset_of!(sys::Mbuf, port) == 22);
    assert!(offset_of!(sys::Mbuf, ol_flags) == 24 && offset_of!(sys::Mbuf, pkt_len) == 36);
    assert!(offset_of!(sys::Mbuf, data_len) == 40 && offset_of!(sys::Mbuf, vlan_tci) == 42);
    assert!(offset_of!(sys::Mbuf, rss) == 44 && offset_of!(sys::Mbuf, mark) == 48);
};

/// Reads or writes one field of the mbuf.
macro_rules! field {
    ($(#[$doc:meta])* $get:ident, $field:ident: $type:ty) => {
        $(#[$doc])*
        #[inline]
        pub fn $get(&self) -> $type {
            // SAFETY:
            // - the handle owns a live mbuf, so its header can be read.
            unsafe { (*self.0.as_ptr()).$field }
        }
    };
    ($(#[$doc:meta])* $get:ident, $set:ident, $field:ident: $type:ty) => {
        field!($(#[$doc])* $get, $field: $type);
        #[doc = concat!("Sets what [`Self::", stringify!($get), "`] reads.")]
        #[inline]
        pub fn $set(&mut self, value: $type) {
            // SAFETY:
            // - the handle owns a live mbuf, so its header can be written.
            unsafe { (*self.0.as_ptr()).$field = value };
        }
    };
}

impl Packet {
    /// The handle of an mbuf that DPDK has just handed over.
    pub(super) fn from_raw(mbuf: NonNull<sys::Mbuf>) -> Self {
        Self(mbuf)
    }

    /// The mbuf, to be read.
    pub(super) fn as_raw(&self) -> *const sys::Mbuf {
        self.0.as_ptr()
    }

    field!(/// Offset of the first byte from the start of the room.
        data_off, data_off: u16);
    field!(/// Bytes in the first segment.
        len, data_len: u16);
    field!(/// Bytes in all segments.
        total_len, pkt_len: u32);
    field!(/// Segments.
        segments, nb_segs: u16);
    field!(/// Length of the room.
        room_len, buf_len: u16);
    field!(/// DPDK's offload flags.
        flags, set_flags, ol_flags: u64);
    field!(/// The mark that travels with the packet.
        mark, set_mark, mark: u32);
    field!(/// RSS hash, where the flags say so.
        rss, set_rss, rss: u32);
    field!(/// VLAN TCI, where the flags say so.
        vlan, set_vlan, vlan_tci: u16);
    field!(/// Layer lengths for tx offloads.
        tx_offload, set_tx_offload, tx_offload: u64);

    /// Sets the number of our port that it came from.
    #[inline]
    pub fn set_port(&mut self, number: u16) {
        // SAFETY:
        // - the handle owns a live mbuf, so its header can be written.
        unsafe { (*self.0.as_ptr()).port = number };
    }

    /// Sets the number of our port that it came from, and forgets all flags: 16 bytes at once, as they are read when it is published.
    #[inline]
    pub fn begin_anew(&mut self, number: u16) {
        let at = self.at(offset_of!(sys::Mbuf, data_off)).cast::<[u64; 2]>();
        // SAFETY:
        // - 16 bytes of the live mbuf, plain numbers: data_off, refcnt, nb_segs and port in one half (asserted above).
        let [rearmed, _] = unsafe { at.read_unaligned() };
        let rearmed = rearmed & (u64::MAX >> 16) | u64::from(number) << 48;
        // SAFETY:
        // - as above; the flags of a packet with a room of its own say nothing that DPDK needs.
        unsafe { at.write_unaligned([rearmed, 0]) };
    }

    /// Address of the room in the host.
    #[inline]
    pub fn room(&self) -> usize {
        // SAFETY:
        // - the handle owns a live mbuf, so its header can be read.
        unsafe { (*self.0.as_ptr()).buf_addr }.addr()
    }

    /// Sets where the packet's bytes lie in its room.
    #[inline]
    pub fn set_data(&mut self, off: u16, len: u16) {
        // SAFETY:
        // - the handle owns a live mbuf and so has the only reference to its header.
        let mbuf = unsafe { self.0.as_mut() };
        debug_assert!(u32::from(off) + u32::from(len) <= u32::from(mbuf.buf_len));
        mbuf.data_off = off;
        mbuf.data_len = len;
        mbuf.pkt_len = u32::from(len);
    }

    /// Makes a raw mbuf from the pool a fresh packet: empty, behind the headroom, from no port.
    #[inline]
    pub fn rearm(&mut self, headroom: u16) {
        // SAFETY:
        // - the handle owns a live mbuf and so has the only reference to its header.
        let mbuf = unsafe { self.0.as_mut() };
        mbuf.data_off = headroom;
        mbuf.refcnt = 1;
        mbuf.nb_segs = 1;
        mbuf.port = u16::MAX;
        mbuf.ol_flags = 0;
    }

    /// Makes a raw mbuf from the pool a fresh packet of `len` bytes: behind the headroom, from no port, without flags and
    /// mark.
    #[inline]
    pub fn renew(&mut self, headroom: u16, len: u16) {
        self.rearm(headroom);
        let lengths = u64::from(len) | u64::from(len) << 32;
        let at = self.at(offset_of!(sys::Mbuf, pkt_len)).cast::<[u64; 2]>();
        // SAFETY:
        // - 16 bytes of the live mbuf: both lengths, VLAN tag, hash and mark (asserted above), all plain numbers.
        unsafe { at.write_unaligned([lengths, 0]) };
    }

    /// As [`Self::renew`], with these bytes. Where the room does not hold them, the packet is empty, and the answer false.
    #[inline]
    pub fn renew_with(&mut self, headroom: u16, bytes: &[u8]) -> bool {
        let free = usize::from(self.room_len().saturating_sub(headroom));
        let Some(len) = u16::try_from(bytes.len()).ok().filter(|_| bytes.len() <= free) else {
            self.renew(headroom, 0);
            return false;
        };
        self.renew(headroom, len);
        let to = self.room().wrapping_add(headroom.into()) as *mut u8;
        // SAFETY:
        // - `headroom` and `len` together are no more than the live mbuf's room has, checked above.
        // - the bytes are the host's own, and no room: they never overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        true
    }

    /// `data_off` and `refcnt`; `nb_segs` and `port`; `ol_flags`.
    #[inline]
    pub fn first_lanes(&self) -> Lanes {
        // SAFETY:
        // - 16 bytes of the live mbuf, plain numbers (asserted above).
        unsafe { self.at(offset_of!(sys::Mbuf, data_off)).cast::<Lanes>().read_unaligned() }
    }

    /// `pkt_len`; `data_len` and `vlan_tci`; `rss`; `mark`.
    #[inline]
    pub fn second_lanes(&self) -> Lanes {
        // SAFETY:
        // - as above.
        unsafe { self.at(offset_of!(sys::Mbuf, pkt_len)).cast::<Lanes>().read_unaligned() }
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.0.as_ptr().cast::<u8>().wrapping_add(offset)
    }

    /// A number of 64 bits in a dynamic field, which DPDK's libraries and drivers register, by its byte offset in the mbuf.
    #[inline]
    pub fn dynamic_u64(&self, offset: usize) -> u64 {
        debug_assert!(offset + 8 <= size_of::<sys::Mbuf>());
        // SAFETY:
        // - the offset is one that DPDK registered for a 64-bit field, so it lies inside the mbuf.
        let at = unsafe { self.0.cast::<u8>().add(offset) };
        // SAFETY:
        // - as above; dynamic fields need not be aligned to 8.
        unsafe { at.cast::<u64>().read_unaligned() }
    }

    /// Writes a number of 64 bits into a dynamic field.
    #[inline]
    pub fn set_dynamic_u64(&mut self, offset: usize, value: u64) {
        debug_assert!(offset + 8 <= size_of::<sys::Mbuf>());
        // SAFETY:
        // - as for [`Self::dynamic_u64`].
        let at = unsafe { self.0.cast::<u8>().add(offset) };
        // SAFETY:
        // - as above; the handle has the only reference to the header.
        unsafe { at.cast::<u64>().write_unaligned(value) };
    }

    /// Turns one bit of the first segment over, counted from the first byte's highest; beyond its end nothing happens.
    pub fn turn_bit_over(&mut self, bit: u64) {
        let Some(byte) = usize::try_from(bit / 8).ok().filter(|byte| *byte < usize::from(self.len())) else { return };
        let at = self.room().wrapping_add(self.data_off().into()).wrapping_add(byte) as *mut u8;
        // SAFETY:
        // - the byte lies among the first `len` behind `data_off`, which lie in the live mbuf's room.
        let before = unsafe { at.read() };
        // SAFETY:
        // - as above.
        unsafe { at.write(before ^ 0x80 >> (bit % 8)) };
    }

    /// It has no bytes in its first segment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees this one packet; bursts are freed in bulk.
    #[inline]
    pub fn free(self) {
        let mut mbuf = self.0.as_ptr().cast::<sys::rte_mbuf>();
        // SAFETY:
        // - the handle owned a live mbuf and ends here.
        unsafe { sys::rte_pktmbuf_free_bulk(&raw mut mbuf, 1) };
    }

    /// Copies all of `from`, its bytes and what is known of it, into this fresh packet. False where it does not fit.
    pub fn copy_from(&mut self, from: &Self) -> bool {
        // SAFETY:
        // - both handles own live mbufs, which are different ones; the shim checks all lengths.
        unsafe { sys::perigee_copy(self.0.as_ptr().cast(), from.0.as_ptr().cast()) == 0 }
    }

    /// Copies the first bytes of the packet; returns how many. Few packets have more than one segment, and of those only what
    /// is in the first.
    pub fn head(&self, to: &mut [u8]) -> usize {
        let n = to.len().min(self.len().into());
        let from = self.room().wrapping_add(self.data_off().into()) as *const u8;
        // SAFETY:
        // - the first `len` bytes behind `data_off` lie in the live mbuf's room, which is host memory.
        // - they are copied before anything is made of them, to memory that is not the room's.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), n) };
        n
    }

    /// Copies `to.len()` bytes from `at` on; false, and nothing copied, where they do not all lie in the first segment.
    #[inline]
    pub fn read_at(&self, at: usize, to: &mut [u8]) -> bool {
        let Some(from) = self.within(at, to.len()) else { return false };
        // SAFETY:
        // - `within` has checked that the bytes lie in the live mbuf's room, which is host memory.
        // - they are copied before anything is made of them, to memory that is not the room's.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        true
    }

    /// Writes bytes from `at` on; false, and nothing written, where they do not all fit the first segment.
    #[inline]
    pub fn write_at(&mut self, at: usize, bytes: &[u8]) -> bool {
        let Some(to) = self.within(at, bytes.len()) else { return false };
        // SAFETY:
        // - `within` has checked that the bytes lie in the live mbuf's room, which is host memory and ours.
        // - `bytes` is not the room's memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        true
    }

    /// Where `len` bytes from `at` on lie, if they are among the first segment's.
    #[inline]
    fn within(&self, at: usize, len: usize) -> Option<usize> {
        let end = at.checked_add(len)?;
        (end <= self.len().into()).then(|| self.room().wrapping_add(self.data_off().into()).wrapping_add(at))
    }

    /// How much IP carries, where its header fits the layer lengths and the packet, which must have room for it.
    pub fn l4_len(&self, flags: u64, l2_len: u8, l3_len: u8) -> Option<u32> {
        // SAFETY:
        // - the mbuf is live and ours; the shim reads no byte beyond its data, which holds both IP headers (the caller asked).
        let len = unsafe { sys::perigee_l4_len(self.0.as_ptr().cast(), flags, l2_len.into(), l3_len.into()) };
        u32::try_from(len).ok()
    }

    /// Computes the checksums that `flags` asks for in software. False where the layer lengths do not fit the packet.
    pub fn checksum(&mut self, flags: u64, l2_len: u8, l3_len: u8) -> bool {
        // SAFETY:
        // - the handle owns a live mbuf; the shim checks all lengths against the packet's.
        unsafe { sys::perigee_checksum(self.0.as_ptr().cast(), flags, l2_len.into(), l3_len.into()) == 0 }
    }

    /// Inserts a VLAN tag into the bytes. False where there is no headroom for it.
    pub fn vlan_insert(&mut self, tci: u16) -> bool {
        // SAFETY:
        // - the handle owns a live, direct mbuf; DPDK checks headroom and length.
        unsafe { sys::perigee_vlan_insert(self.0.as_ptr().cast(), tci) == 0 }
    }

    /// Takes a VLAN tag off the bytes into the metadata. False where there is none.
    pub fn vlan_strip(&mut self) -> bool {
        // SAFETY:
        // - the handle owns a live mbuf; the shim checks the length.
        unsafe { sys::perigee_vlan_strip(self.0.as_ptr().cast()) == 0 }
    }
}

/// A packet in no pool, for tests that look at what a driver is handed.
#[doc(hidden)]
pub struct Lone {
    mbuf: Box<sys::Mbuf>,
    room: Box<[u8]>,
    packet: Packet,
}

impl Lone {
    const HEADROOM: u16 = 128;

    /// With these bytes, and no room behind them: what lies beyond can be told by a sanitizer.
    pub fn new(bytes: &[u8]) -> Self {
        let mut room = vec![0; usize::from(Self::HEADROOM)];
        room.extend(bytes);
        let mut room = room.into_boxed_slice();
        // SAFETY:
        // - an mbuf is plain numbers and pointers, for which all zero is a value.
        let mut mbuf: Box<sys::Mbuf> = Box::new(unsafe { std::mem::zeroed() });
        mbuf.buf_addr = room.as_mut_ptr().cast();
        mbuf.buf_len = u16::try_from(room.len()).unwrap_or(u16::MAX);
        let mut packet = Packet(NonNull::from(&mut *mbuf));
        packet.rearm(Self::HEADROOM);
        packet.set_data(Self::HEADROOM, u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        Self { mbuf, room, packet }
    }

    pub fn packet(&mut self) -> &mut Packet {
        &mut self.packet
    }

    /// Its packet once more, for a burst from which it is taken before that frees it.
    pub fn handle(&mut self) -> Packet {
        Packet(self.packet.0)
    }

    /// Makes the other one a further segment, which must live as long.
    pub fn append(&mut self, next: &mut Self) {
        self.mbuf.next = &raw mut *next.mbuf;
        self.mbuf.nb_segs += 1;
        self.mbuf.pkt_len += u32::from(next.mbuf.data_len);
    }

    /// Its bytes now.
    pub fn bytes(&self) -> &[u8] {
        let at = usize::from(self.mbuf.data_off);
        &self.room[at..at + usize::from(self.mbuf.data_len)]
    }
}
