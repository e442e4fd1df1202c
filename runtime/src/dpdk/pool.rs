//! Mempools: where packets come from. Headers lie in DPDK's memory; the data rooms lie in the region, so that windows see
//! packets and never headers. docs/architecture.md, "Pools", says which of three layouts this is, and what each costs.

use super::packet::{Burst, Packet};
use super::region::{ROOM_ALIGN, Region};
use super::{c_string, last_error};
use crate::error::Error;
use perigee_dpdk_sys as sys;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes in front of a fresh packet, for headers that modules add.
pub(crate) const HEADROOM: u16 = 128;
/// net_af_packet refuses smaller rooms (2,016 bytes behind the headroom).
const MIN_ROOM: usize = 2_048 + HEADROOM as usize;
/// Ethernet header and two VLAN tags, before the layer-3 packet.
pub(crate) const MAX_L2: usize = 14 + 8;

/// A mempool; freed when it is dropped, which must be after the last packet came back.
#[derive(Debug)]
pub(crate) struct Pool {
    pool: NonNull<sys::rte_mempool>,
    name: String,
    size: u32,
    room_len: u16,
}

// SAFETY:
// - mempools are made to be shared between threads; their per-lcore caches are keyed by the registered thread.
unsafe impl Send for Pool {}
// SAFETY:
// - as above.
unsafe impl Sync for Pool {}

/// Length of a room that holds `mtu` bytes of layer 3 behind headroom and tags. Rooms follow each other at this stride: an
/// odd multiple of 64 bytes, so that the rooms of a burst spread over all cache sets instead of a few.
pub(crate) fn room_len(mtu: u16) -> usize {
    let len = (usize::from(mtu) + MAX_L2 + usize::from(HEADROOM)).max(MIN_ROOM).next_multiple_of(ROOM_ALIGN);
    if len / ROOM_ALIGN % 2 == 1 { len } else { len + ROOM_ALIGN }
}

/// Bytes that a pool of `size` rooms takes of the region.
pub(crate) fn pool_bytes(size: u32, room_len: usize) -> usize {
    (size as usize * room_len).next_multiple_of(4_096)
}

impl Pool {
    /// A pool of `size` rooms in the region.
    pub(crate) fn new(label: &str, size: u32, room: usize, region: &mut Region) -> Result<Self, Error> {
        let base = region.take(pool_bytes(size, room))?;
        let (stride, room_len) = (u32::try_from(room).unwrap_or(u32::MAX), fit_u16(room));
        Self::make(label, size, room_len, |name, cache| {
            // SAFETY:
            // - base points to size * stride bytes of the region, which outlives the pool and which nobody else took.
            unsafe { sys::perigee_pool_create(name, size, cache, base, stride, room_len, -1) }
        })
    }

    /// An ordinary pool outside the region, for drivers that insist on data behind the header.
    pub(crate) fn plain(label: &str, size: u32, room: usize) -> Result<Self, Error> {
        let room_len = fit_u16(room);
        Self::make(label, size, room_len, |name, cache| {
            // SAFETY:
            // - EAL is started; the name is terminated and copied.
            unsafe { sys::perigee_plain_pool_create(name, size, cache, room_len, -1) }
        })
    }

    fn make(
        label: &str,
        size: u32,
        room_len: u16,
        create: impl FnOnce(*const libc::c_char, u32) -> *mut sys::rte_mempool,
    ) -> Result<Self, Error> {
        // DPDK's names are global and at most 25 bytes: a number keeps them apart, our own name stays as it is.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = c_string(&format!("perigee{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let pool = create(name.as_ptr(), cache_size(size));
        let pool = NonNull::new(pool).ok_or_else(|| {
            Error::Memory(format!(
                "pool {label} of {size} packets: {}. Without huge pages raise run.eal_memory, or make the pool smaller",
                last_error()
            ))
        })?;
        Ok(Self { pool, name: label.to_owned(), size, room_len })
    }

    /// Takes `n` fresh packets to the end of a burst; all or none. Returns how many: 0 where the pool is too empty.
    #[inline]
    pub(crate) fn take(&self, burst: &mut Burst, n: usize) -> usize {
        burst.extend_raw(n, |mbufs, n| {
            // SAFETY:
            // - mbufs has room for n; the thread is registered, so the cache is its own.
            let code = unsafe { sys::perigee_pool_get(self.pool.as_ptr(), mbufs, n.into()) };
            if code == 0 { n.into() } else { 0 }
        })
    }

    /// Gives back what lies in the calling thread's cache: the control thread fills no more bursts, an lcore wants them.
    pub(crate) fn flush_cache(&self) {
        // SAFETY:
        // - the pool lives; a thread without a cache of its own has nothing to flush.
        unsafe { sys::perigee_pool_flush(self.pool.as_ptr()) };
    }

    /// Takes one packet that a copy goes into.
    pub(crate) fn take_one(&self) -> Option<Packet> {
        let mut mbuf = std::ptr::null_mut();
        // SAFETY:
        // - there is place for one; the thread is registered.
        let code = unsafe { sys::perigee_pool_get(self.pool.as_ptr(), &raw mut mbuf, 1) };
        let mbuf = NonNull::new(mbuf.cast()).filter(|_| code == 0)?;
        let mut packet = Packet::from_raw(mbuf);
        packet.rearm(HEADROOM);
        packet.set_mark(0);
        Some(packet)
    }

    /// DPDK's pointer, for queue setup.
    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.pool.as_ptr()
    }

    /// Name for reports.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Packets that it has in all.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Length of its rooms in bytes.
    pub(crate) fn room_len(&self) -> u16 {
        self.room_len
    }

    /// Packets in it and in its caches now.
    pub(crate) fn available(&self) -> u32 {
        // SAFETY:
        // - the pool lives; the count is taken without a lock and is exact once traffic rests.
        unsafe { sys::rte_mempool_avail_count(self.pool.as_ptr()) }
    }
}

/// The per-lcore cache: twice a burst of 64 and more for the pools that are usual, or each burst would go to the shared
/// ring; but an eighth of the pool at most, for what lies in one lcore's cache is out of the others' reach (up to one and a
/// half times its size).
pub(crate) fn cache_size(pool: u32) -> u32 {
    (pool / 8).min(sys::RTE_MEMPOOL_CACHE_MAX_SIZE)
}

fn fit_u16(room: usize) -> u16 {
    u16::try_from(room).unwrap_or(u16::MAX)
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new` or `plain`, and freed once; ports and lcores that use it end before (Run's order of stopping).
        unsafe { sys::rte_mempool_free(self.pool.as_ptr()) };
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn rooms_hold_the_mtu_and_spread_over_cache_sets() {
        for mtu in [68, 1_500, 1_522, 9_000, 16_000] {
            let room = room_len(mtu);
            assert!(room >= usize::from(mtu) + MAX_L2 + usize::from(HEADROOM));
            assert!(room >= 2_016 + 128);
            assert_eq!(room % 128, 64, "an odd multiple of 64");
        }
    }
}
