//! Mempools: where packets come from. Headers lie in DPDK's memory; the data rooms lie in the region, so that windows see
//! packets and never headers. docs/architecture.md, "Pools", says which of three layouts this is, and what each costs.

use super::burst::Burst;
use super::dma::Room;
use super::packet::Packet;
use super::region::Region;
use super::{c_string, last_error};
use perigee_config::sizes::{cache_size, pool_bytes};
use perigee_core::HEADROOM;
use perigee_dpdk_sys as sys;
use perigee_report::Error;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// So often a generator gets the same rooms, before those come that have waited for longest.
const SAME_ROOMS: u32 = 8;

/// A mempool; freed when it is dropped, which must be after the last packet came back.
#[derive(Debug)]
pub struct Pool {
    pool: NonNull<sys::rte_mempool>,
    name: String,
    size: u32,
    room_len: u16,
    /// Times that rooms were taken in turn.
    turn: AtomicU32,
}

// SAFETY:
// - mempools are made to be shared between threads; their per-lcore caches are keyed by the registered thread.
unsafe impl Send for Pool {}
// SAFETY:
// - as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// A pool of `size` rooms in the region.
    pub fn new(label: &str, size: u32, room: usize, region: &mut Region) -> Result<Self, Error> {
        let base = region.take(pool_bytes(size, room))?;
        let (stride, room_len) = (u32::try_from(room).unwrap_or(u32::MAX), fit_u16(room));
        Self::make(label, size, room_len, |name, cache| {
            // SAFETY:
            // - base points to size * stride bytes of the region, which outlives the pool and which nobody else took.
            unsafe { sys::perigee_pool_create(name, size, cache, base, stride, room_len, -1) }
        })
    }

    /// An ordinary pool outside the region, for drivers that insist on data behind the header. For a card each room's bytes
    /// follow each other in its eyes; others need their rooms one after the other, without gaps.
    pub fn plain(label: &str, size: u32, room: usize, is_for_card: bool) -> Result<Self, Error> {
        let room_len = fit_u16(room);
        Self::make(label, size, room_len, |name, cache| {
            // SAFETY:
            // - EAL is started; the name is terminated and copied.
            unsafe { sys::perigee_plain_pool_create(name, size, cache, room_len, is_for_card.into(), -1) }
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
                "pool {label} of {size} packets: {}. Raise run.eal_memory, or make the pool smaller",
                last_error()
            ))
        })?;
        Ok(Self { pool, name: label.to_owned(), size, room_len, turn: AtomicU32::new(0) })
    }

    /// Takes `n` fresh packets to the end of a burst; all or none. Returns how many: 0 where the pool is too empty.
    #[inline]
    pub fn take(&self, burst: &mut Burst, n: usize) -> usize {
        burst.extend_raw(n, |mbufs, n| {
            // SAFETY:
            // - mbufs has room for n; the thread is registered, so the cache is its own.
            let code = unsafe { sys::perigee_pool_get(self.pool.as_ptr(), mbufs, n.into()) };
            if code == 0 { n.into() } else { 0 }
        })
    }

    /// As [`Self::take`], but all rooms of the pool come in turn, each as often: a generator's rooms hold packets that it has
    /// prepared. Those that have been back for longest come every eighth time. In between it is those that came back last: they
    /// are in the core's cache still, and touching all of them all the time costs a generator some of its rate.
    #[inline]
    pub fn take_in_turn(&self, burst: &mut Burst, n: usize) -> usize {
        let turn = self.turn.load(Ordering::Relaxed);
        // One lcore takes from a generator's pool, so this needs no atomic addition.
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        if !turn.is_multiple_of(SAME_ROOMS) {
            return self.take(burst, n);
        }
        burst.extend_raw(n, |mbufs, n| {
            // SAFETY:
            // - mbufs has room for n; the thread is registered, so the cache is its own.
            let code = unsafe { sys::perigee_pool_get_in_turn(self.pool.as_ptr(), mbufs, n.into()) };
            if code == 0 { n.into() } else { 0 }
        })
    }

    /// Gives back what lies in the calling thread's cache: the control thread fills no more bursts, an lcore wants them.
    pub fn flush_cache(&self) {
        // SAFETY:
        // - the pool lives; a thread without a cache of its own has nothing to flush.
        unsafe { sys::perigee_pool_flush(self.pool.as_ptr()) };
    }

    /// Takes one packet that a copy goes into.
    pub fn take_one(&self) -> Option<Packet> {
        let mut mbuf = std::ptr::null_mut();
        // SAFETY:
        // - there is place for one; the thread is registered.
        let code = unsafe { sys::perigee_pool_get(self.pool.as_ptr(), &raw mut mbuf, 1) };
        let mbuf = NonNull::new(mbuf.cast()).filter(|_| code == 0)?;
        let mut packet = Packet::from_raw(mbuf);
        packet.rearm(HEADROOM);
        packet.set_mark(0);
        packet.set_rss(0);
        Some(packet)
    }

    /// DPDK's pointer, for queue setup.
    pub fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.pool.as_ptr()
    }

    /// Name for reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Packets that it has in all.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Length of its rooms in bytes.
    pub fn room_len(&self) -> u16 {
        self.room_len
    }

    /// Where its rooms lie.
    pub fn rooms(&self) -> Vec<Room> {
        unsafe extern "C" fn add(_: *mut sys::rte_mempool, to: *mut libc::c_void, object: *mut libc::c_void, _: u32) {
            // SAFETY:
            // - `to` is the list below, which nobody else uses meanwhile.
            let rooms = unsafe { &mut *to.cast::<Vec<Room>>() };
            // SAFETY:
            // - the pool's objects are mbufs, made before the pool was given to anybody.
            let mbuf = unsafe { &*object.cast::<sys::Mbuf>() };
            rooms.push(Room { at: mbuf.buf_addr.addr(), len: mbuf.buf_len.into(), card: mbuf.buf_iova });
        }
        let mut rooms: Vec<Room> = Vec::new();
        // SAFETY:
        // - the pool lives; the function gets the list that it takes for one.
        unsafe { sys::rte_mempool_obj_iter(self.pool.as_ptr(), Some(add), (&raw mut rooms).cast()) };
        rooms
    }

    /// Packets in it and in its caches now.
    pub fn available(&self) -> u32 {
        // SAFETY:
        // - the pool lives; the count is taken without a lock and is exact once traffic rests.
        unsafe { sys::rte_mempool_avail_count(self.pool.as_ptr()) }
    }
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
