//! Rings between lcores: DPDK's rte_ring of packets, many writers and many readers.

use super::burst::Burst;
use super::{c_string, last_error};
use perigee_dpdk_sys as sys;
use perigee_report::Error;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// A ring; freed, with the packets still in it, when it is dropped.
#[derive(Debug)]
pub struct Ring {
    ring: NonNull<sys::rte_ring>,
    name: String,
    size: u32,
}

// SAFETY:
// - rings are made to be shared between threads.
unsafe impl Send for Ring {}
// SAFETY:
// - as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// A ring that holds `size` packets (a power of two; DPDK keeps one place free unless told to be exact).
    pub fn new(name: &str, size: u32) -> Result<Self, Error> {
        const EXACT_SIZE: u32 = 0x4;
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let unique = c_string(&format!("perigee{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        // SAFETY:
        // - EAL is started; the name is terminated and copied.
        let ring = unsafe { sys::rte_ring_create(unique.as_ptr(), size, -1, EXACT_SIZE) };
        let ring = NonNull::new(ring)
            .ok_or_else(|| Error::Memory(format!("ring {name} of {size} packets: {}", last_error())))?;
        Ok(Self { ring, name: name.to_owned(), size })
    }

    /// Name for reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Packets that it holds at most.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Puts as many packets of the burst into it as fit; the rest stays in the burst.
    #[inline]
    pub fn put(&self, burst: &mut Burst) -> usize {
        burst.drain_raw(|mbufs, n| {
            // SAFETY:
            // - the first n are live mbufs that the burst owns; it forgets those that were taken.
            unsafe { sys::perigee_ring_enqueue(self.ring.as_ptr(), mbufs, n.into()) as usize }
        })
    }

    /// Takes up to `max` packets out to the end of the burst.
    #[inline]
    pub fn take(&self, burst: &mut Burst, max: usize) -> usize {
        burst.extend_raw(max, |mbufs, n| {
            // SAFETY:
            // - there is place for n pointers.
            unsafe { sys::perigee_ring_dequeue(self.ring.as_ptr(), mbufs, n.into()) as usize }
        })
    }

    /// Packets in it now.
    pub fn count(&self) -> u32 {
        // SAFETY:
        // - the ring lives.
        unsafe { sys::perigee_ring_count(self.ring.as_ptr()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut rest = Burst::new();
        while self.take(&mut rest, perigee_abi::MAX_BATCH) != 0 {
            rest.free_all();
        }
        // SAFETY:
        // - made in `new`, and freed once; the lcores that use it hold it by Arc and are gone.
        unsafe { sys::rte_ring_free(self.ring.as_ptr()) };
    }
}
