//! A packet in the host: the handle of one mbuf. And the burst, storage for a fixed number of them.

use crate::lanes::Lanes;
use perigee_abi::MAX_BATCH;
use perigee_dpdk_sys as sys;
use std::mem::offset_of;
use std::ptr::NonNull;

/// Owns one mbuf. It has no `Drop`: packets are freed in bulk, and every place where one ends counts it.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Packet(NonNull<sys::Mbuf>);

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
        pub(crate) fn $get(&self) -> $type {
            // SAFETY:
            // - the handle owns a live mbuf, so its header can be read.
            unsafe { (*self.0.as_ptr()).$field }
        }
    };
    ($(#[$doc:meta])* $get:ident, $set:ident, $field:ident: $type:ty) => {
        field!($(#[$doc])* $get, $field: $type);
        #[doc = concat!("Sets what [`Self::", stringify!($get), "`] reads.")]
        #[inline]
        pub(crate) fn $set(&mut self, value: $type) {
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

    field!(/// Offset of the first byte from the start of the room.
        data_off, data_off: u16);
    field!(/// Bytes in the first segment.
        len, data_len: u16);
    field!(/// Segments.
        segments, nb_segs: u16);
    field!(/// Length of the room.
        room_len, buf_len: u16);
    field!(/// DPDK's offload flags.
        flags, set_flags, ol_flags: u64);
    field!(/// The mark that travels with the packet.
        mark, set_mark, mark: u32);
    field!(/// RSS hash, where the flags say so.
        rss, rss: u32);
    field!(/// VLAN TCI, where the flags say so.
        vlan, set_vlan, vlan_tci: u16);
    field!(/// Layer lengths for tx offloads.
        tx_offload, set_tx_offload, tx_offload: u64);

    /// Sets the number of our port that it came from.
    #[inline]
    pub(crate) fn set_port(&mut self, number: u16) {
        // SAFETY:
        // - the handle owns a live mbuf, so its header can be written.
        unsafe { (*self.0.as_ptr()).port = number };
    }

    /// Address of the room in the host.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        // SAFETY:
        // - the handle owns a live mbuf, so its header can be read.
        unsafe { (*self.0.as_ptr()).buf_addr }.addr()
    }

    /// Sets where the packet's bytes lie in its room.
    #[inline]
    pub(crate) fn set_data(&mut self, off: u16, len: u16) {
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
    pub(crate) fn rearm(&mut self, headroom: u16) {
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
    pub(crate) fn renew(&mut self, headroom: u16, len: u16) {
        self.rearm(headroom);
        let lengths = u64::from(len) | u64::from(len) << 32;
        let at = self.at(offset_of!(sys::Mbuf, pkt_len)).cast::<[u64; 2]>();
        // SAFETY:
        // - 16 bytes of the live mbuf: both lengths, VLAN tag, hash and mark (asserted below), all plain numbers.
        unsafe { at.write_unaligned([lengths, 0]) };
    }

    /// `data_off` and `refcnt`; `nb_segs` and `port`; `ol_flags`.
    #[inline]
    pub(crate) fn first_lanes(&self) -> Lanes {
        // SAFETY:
        // - 16 bytes of the live mbuf, plain numbers (asserted below).
        unsafe { self.at(offset_of!(sys::Mbuf, data_off)).cast::<Lanes>().read_unaligned() }
    }

    /// `pkt_len`; `data_len` and `vlan_tci`; `rss`; `mark`.
    #[inline]
    pub(crate) fn second_lanes(&self) -> Lanes {
        // SAFETY:
        // - as above.
        unsafe { self.at(offset_of!(sys::Mbuf, pkt_len)).cast::<Lanes>().read_unaligned() }
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.0.as_ptr().cast::<u8>().wrapping_add(offset)
    }

    /// One of the 32-bit words that DPDK's libraries and drivers register, by its byte offset in the mbuf.
    #[inline]
    pub(crate) fn dynamic_u64(&self, offset: usize) -> u64 {
        debug_assert!(offset + 8 <= size_of::<sys::Mbuf>());
        // SAFETY:
        // - the offset is one that DPDK registered for a 64-bit field, so it lies inside the mbuf.
        let at = unsafe { self.0.cast::<u8>().add(offset) };
        // SAFETY:
        // - as above; dynamic fields need not be aligned to 8.
        unsafe { at.cast::<u64>().read_unaligned() }
    }

    /// Frees this one packet; bursts are freed in bulk.
    pub(crate) fn free(self) {
        let mut mbuf = self.0.as_ptr().cast::<sys::rte_mbuf>();
        // SAFETY:
        // - the handle owned a live mbuf and ends here.
        unsafe { sys::rte_pktmbuf_free_bulk(&raw mut mbuf, 1) };
    }

    /// Copies all of `from`, its bytes and what is known of it, into this fresh packet. False where it does not fit.
    pub(crate) fn copy_from(&mut self, from: &Self) -> bool {
        // SAFETY:
        // - both handles own live mbufs, which are different ones; the shim checks all lengths.
        unsafe { sys::perigee_copy(self.0.as_ptr().cast(), from.0.as_ptr().cast()) == 0 }
    }

    /// Copies the first bytes of the packet; returns how many. Few packets have more than one segment, and of those only what
    /// is in the first.
    pub(crate) fn head(&self, to: &mut [u8]) -> usize {
        let n = to.len().min(self.len().into());
        let from = self.room().wrapping_add(self.data_off().into()) as *const u8;
        // SAFETY:
        // - the first `len` bytes behind `data_off` lie in the live mbuf's room, which is host memory.
        // - they are copied before anything is made of them, to memory that is not the room's.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), n) };
        n
    }

    /// Computes the checksums that `flags` asks for in software. False where the layer lengths do not fit the packet.
    pub(crate) fn checksum(&mut self, flags: u64, l2_len: u8, l3_len: u8) -> bool {
        // SAFETY:
        // - the handle owns a live mbuf; the shim checks all lengths against the packet's.
        unsafe { sys::perigee_checksum(self.0.as_ptr().cast(), flags, l2_len.into(), l3_len.into()) == 0 }
    }

    /// Inserts a VLAN tag into the bytes. False where there is no headroom for it.
    pub(crate) fn vlan_insert(&mut self, tci: u16) -> bool {
        // SAFETY:
        // - the handle owns a live, direct mbuf; DPDK checks headroom and length.
        unsafe { sys::perigee_vlan_insert(self.0.as_ptr().cast(), tci) == 0 }
    }

    /// Takes a VLAN tag off the bytes into the metadata. False where there is none.
    pub(crate) fn vlan_strip(&mut self) -> bool {
        // SAFETY:
        // - the handle owns a live mbuf; the shim checks the length.
        unsafe { sys::perigee_vlan_strip(self.0.as_ptr().cast()) == 0 }
    }
}

/// Up to [`MAX_BATCH`] packets, in storage that the caller owns.
#[derive(Debug)]
pub(crate) struct Burst {
    packets: [Option<Packet>; MAX_BATCH],
    len: usize,
}

impl Burst {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self { packets: [const { None }; MAX_BATCH], len: 0 })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Room for how many more.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        MAX_BATCH - self.len
    }

    /// The packets in it, in order.
    #[inline]
    pub(crate) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Packet> {
        let (ptr, len) = (self.packets.as_mut_ptr().cast::<Packet>(), self.len);
        // SAFETY:
        // - Option<Packet> has the layout of Packet (a non-null pointer), and the first `len` are Some.
        // - the slice borrows self, as its elements do.
        unsafe { std::slice::from_raw_parts_mut(ptr, len) }.iter_mut()
    }

    /// Appends a packet; gives it back where the burst is full.
    #[inline]
    pub(crate) fn push(&mut self, packet: Packet) -> Result<(), Packet> {
        match self.packets.get_mut(self.len) {
            Some(place) => {
                *place = Some(packet);
                self.len += 1;
                Ok(())
            }
            None => Err(packet),
        }
    }

    /// Lets `fill` write up to `max` packets behind the ones that are there; it returns how many it wrote.
    #[inline]
    pub(crate) fn extend_raw(&mut self, max: usize, fill: impl FnOnce(*mut *mut sys::rte_mbuf, u16) -> usize) -> usize {
        let max = max.min(self.free());
        let at = self.packets.as_mut_ptr().cast::<*mut sys::rte_mbuf>();
        // SAFETY:
        // - len <= MAX_BATCH, so the place lies inside the array or at its end.
        let at = unsafe { at.add(self.len) };
        let n = fill(at, u16::try_from(max).unwrap_or(u16::MAX)).min(max);
        self.len += n;
        n
    }

    /// Lets `take` have the packets from `from` on as DPDK wants them; it returns how many of them it took from the
    /// front, and these are gone. What is left stays in order.
    #[inline]
    pub(crate) fn drain_raw(&mut self, take: impl FnOnce(*mut *mut sys::rte_mbuf, u16) -> usize) -> usize {
        let len = u16::try_from(self.len).unwrap_or(u16::MAX);
        let taken = take(self.packets.as_mut_ptr().cast(), len).min(self.len);
        let left = self.len - taken;
        if left != 0 && taken != 0 {
            for i in 0..left {
                self.packets[i] = self.packets[i + taken].take();
            }
        }
        // The places behind `len` are never read before they are written again.
        self.len = left;
        taken
    }

    /// Takes all packets out, one by one, in order.
    #[inline]
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Packet> {
        let len = std::mem::take(&mut self.len);
        self.packets[..len].iter_mut().filter_map(Option::take)
    }

    /// Puts in each packet's place what `change` makes of it, in order; nothing, where it is gone.
    pub(crate) fn change(&mut self, mut change: impl FnMut(Packet) -> Option<Packet>) {
        let len = std::mem::take(&mut self.len);
        for i in 0..len {
            if let Some(packet) = self.packets[i].take().and_then(&mut change) {
                self.packets[self.len] = Some(packet);
                self.len += 1;
            }
        }
    }

    /// Packet `i`, where it is there and was not taken.
    pub(crate) fn get_mut(&mut self, i: usize) -> Option<&mut Packet> {
        self.packets[..self.len].get_mut(i)?.as_mut()
    }

    /// Takes packet `i` out and leaves a hole, which only `drain` and `take_at` cope with.
    pub(crate) fn take_at(&mut self, i: usize) -> Option<Packet> {
        self.packets[..self.len].get_mut(i)?.take()
    }

    /// Forgets the holes that `take_at` left: all packets must have been taken.
    pub(crate) fn clear_taken(&mut self) {
        debug_assert!(self.packets[..self.len].iter().all(Option::is_none));
        self.len = 0;
    }

    /// Takes packet `i` out and closes the gap.
    pub(crate) fn remove(&mut self, i: usize) -> Option<Packet> {
        let packet = self.take_at(i)?;
        self.packets[i..self.len].rotate_left(1);
        self.len -= 1;
        Some(packet)
    }

    /// Frees all packets into their pools; returns how many they were.
    #[inline]
    pub(crate) fn free_all(&mut self) -> usize {
        self.drain_raw(|mbufs, n| {
            if n != 0 {
                // SAFETY:
                // - the first n are live mbufs that this burst owned until now.
                unsafe { sys::rte_pktmbuf_free_bulk(mbufs, n.into()) };
            }
            usize::from(n)
        })
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.free_all();
    }
}
