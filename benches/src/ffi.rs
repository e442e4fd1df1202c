//! The native side: the twins in `twin.c`, the pools that they are compared on, and the single-stepper in `step.c`.
#![allow(unsafe_code, reason = "calls C, with the pools and mbufs that a `Loop` lends")]

use crate::plain::Plain;
use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use perigee_dpdk_sys as sys;
use perigee_runtime::bench::Loop;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};

/// What is done with each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Work {
    /// A generator that sends its template.
    Template,
    /// A generator that rewrites source address and source port.
    TwoFields,
    /// A forwarder that swaps the MAC addresses.
    MacSwap,
    /// A forwarder that does nothing.
    Nothing,
    /// The Internet checksum's sum over each packet.
    Sum,
    /// The CRC32c over each packet.
    Crc32c,
    /// As `TwoFields`, with the checksum of the IPv4 header.
    TwoFieldsSum,
    /// A generator that draws eight numbers for each packet.
    Eight,
}

/// Bytes behind the headroom of a room for an MTU of 1,500 bytes: at least so many.
const LONGEST: u32 = 2_048;

/// A loop in C, as `struct twin` in `twin.h`.
#[repr(C)]
#[derive(Debug)]
struct RawTwin {
    pool: *mut c_void,
    random: u64,
    address: u32,
    address_mask: u32,
    udp_port: u16,
    udp_port_mask: u16,
    port: u16,
    burst: u16,
    len: u16,
    work: u16,
    skip: u64,
}

const _: () = assert!(size_of::<RawTwin>() == 48);

/// A ring of packets, as `struct twin_ring` in `twin.h`.
#[repr(C)]
#[derive(Debug)]
struct RawRing {
    base: *mut u8,
    size: u64,
    at: u64,
    number: u64,
    head: std::sync::atomic::AtomicU64,
}

const _: () = assert!(size_of::<RawRing>() == 40);

/// A ring of packets that C writes.
#[derive(Debug)]
pub(crate) struct Ring {
    raw: RawRing,
    /// Where it lies.
    _memory: Shared,
}

impl Ring {
    /// One of so many bytes.
    pub(crate) fn new(size: usize) -> Result<Self> {
        let mut memory = Shared::new(size)?;
        let base = memory.as_mut_ptr();
        let raw = RawRing { base, size: size as u64, at: 0, number: 0, head: 0.into() };
        Ok(Self { raw, _memory: memory })
    }

    /// Records `n` packets of `len` bytes, of which 64 lie in `from`, each so many bytes behind the other.
    pub(crate) fn record(&mut self, ns: u64, from: &[u8], stride: u32, len: u32, n: u32) {
        assert!(from.len() >= 64 * stride as usize && len <= stride);
        // SAFETY:
        // - the ring's memory is the value's own, and as long as it says; 64 packets lie in `from`: checked above.
        unsafe { twin_record(&raw mut self.raw, ns, from.as_ptr(), stride, len, n) };
    }
}

unsafe extern "C" {
    fn twin_record(ring: *mut RawRing, ns: u64, from: *const u8, stride: u32, len: u32, n: u32);
    fn twin_run(twin: *mut RawTwin, bursts: u32) -> u64;
    fn twin_floor(twin: *mut RawTwin, bursts: u32) -> u64;
    fn twin_kernel(twin: *mut RawTwin, mbufs: *mut *mut c_void, n: u32);
    fn twin_fill(twin: *mut RawTwin, n: u32) -> u64;
    fn twin_drain(twin: *mut RawTwin) -> u64;
    fn twin_random(twin: *mut RawTwin, mbufs: *mut *mut c_void, n: u32, step: u32);
    fn twin_results(mbufs: *mut *mut c_void, n: u32) -> u64;
    fn twin_heads(mbufs: *mut *mut c_void, n: u32) -> u64;
    fn twin_copy(mbufs: *mut *mut c_void, n: u32, to: *mut u8, room: u64) -> u64;
    fn twin_memory(len: u64) -> *mut u8;
    fn twin_memory_free(memory: *mut u8);
    safe fn twin_probe() -> u64;
    safe fn step_install() -> i32;
    safe fn step_begin();
    safe fn step_end() -> u64;
}

/// A native twin. Pool and port come from the loop that it takes turns with, anew at each call: so none outlives it.
#[derive(Debug)]
pub(crate) struct Twin {
    raw: RawTwin,
    port: usize,
}

impl Twin {
    /// A twin on a port of the run, with udp-gen's defaults: 60 bytes, 256 addresses from 10.0.0.0 on, ports from 32,768 on.
    pub(crate) fn new(work: Work, burst: u16, port: usize) -> Self {
        let raw = RawTwin {
            pool: ptr::null_mut(),
            random: 0x9e37_79b9_7f4a_7c15,
            address: u32::from_ne_bytes([10, 0, 0, 0]),
            address_mask: u32::from_ne_bytes([0, 0, 0, 255]),
            udp_port: 32_768_u16.to_be(),
            udp_port_mask: 32_767_u16.to_be(),
            port: 0,
            burst,
            len: 60,
            work: work as u16,
            skip: 0,
        };
        Self { raw, port }
    }

    fn at(&mut self, on: &Loop, chain: usize) -> &mut RawTwin {
        self.raw.pool = on.mempool(chain);
        self.raw.port = on.dpdk_port(self.port);
        &mut self.raw
    }

    /// The whole loop, with the pool of a chain. Returns the packets.
    pub(crate) fn run(&mut self, on: &mut Loop, chain: usize, bursts: u32) -> u64 {
        // SAFETY:
        // - pool and port are the loop's, which lives and, borrowed mutably, does nothing meanwhile.
        // - the burst is at most 256, the size of the C side's arrays (the loop's configuration has the same, checked).
        unsafe { twin_run(self.at(on, chain), bursts) }
    }

    /// Raw mbufs out of the pool and into the port: what both sides share.
    pub(crate) fn floor(&mut self, on: &mut Loop, chain: usize, bursts: u32) -> u64 {
        // SAFETY:
        // - as for `run`; whatever length the pool's mbufs have, the port only counts it.
        unsafe { twin_floor(self.at(on, chain), bursts) }
    }

    /// The work alone, on the packets that a chain has loaded, so many times.
    pub(crate) fn kernel(&mut self, on: &mut Loop, chain: usize, times: u32) -> u64 {
        let mut packets = 0;
        on.loaded(chain, |mbufs, n| {
            let n = u32::try_from(n).unwrap_or(0);
            for _ in 0..times {
                // SAFETY:
                // - the loop lends n live mbufs of a pool whose rooms hold more than the twin writes.
                unsafe { twin_kernel(&raw mut self.raw, mbufs, n) };
            }
            packets = u64::from(n) * u64::from(times);
        });
        packets
    }

    /// The same for checksums, which leave out `skip` bytes at the start.
    pub(crate) fn skipping(work: Work, burst: u16, skip: u8) -> Self {
        let mut twin = Self::new(work, burst, 0);
        twin.raw.skip = skip.into();
        twin
    }

    /// Gives the packets that a chain has loaded random bytes, and lengths from `len` on, each `step` bytes longer than the
    /// one before. The last one fits into a room for an MTU of 1,500 bytes.
    pub(crate) fn fill_random(&mut self, on: &mut Loop, chain: usize, len: u16, step: u16) {
        assert!(u32::from(len) + u32::from(self.raw.burst) * u32::from(step) <= LONGEST, "a room is not longer");
        self.raw.len = len;
        on.loaded(chain, |mbufs, n| {
            let n = u32::try_from(n).unwrap_or(0);
            // SAFETY:
            // - the loop lends n live mbufs, n at most the burst, whose rooms hold the longest packet, checked above.
            unsafe { twin_random(&raw mut self.raw, mbufs, n, step.into()) };
        });
    }

    /// One number for the last four bytes of all packets that a chain has loaded.
    pub(crate) fn results(on: &mut Loop, chain: usize) -> u64 {
        let mut results = 0;
        on.loaded(chain, |mbufs, n| {
            // SAFETY:
            // - the loop lends n live mbufs; a packet has four bytes or more (`fill_random`, Ethernet).
            results = unsafe { twin_results(mbufs, u32::try_from(n).unwrap_or(0)) };
        });
        results
    }

    /// One number for the first sixteen bytes of all packets that a chain has loaded.
    pub(crate) fn heads(on: &mut Loop, chain: usize) -> u64 {
        let mut heads = 0;
        on.loaded(chain, |mbufs, n| {
            // SAFETY:
            // - the loop lends n live mbufs; rooms are longer than sixteen bytes.
            heads = unsafe { twin_heads(mbufs, u32::try_from(n).unwrap_or(0)) };
        });
        heads
    }

    /// Puts `n` packets of chain 0's pool into the port, whose tx leads to its own rx.
    pub(crate) fn fill(&mut self, on: &mut Loop, n: u32) -> Result<()> {
        // SAFETY:
        // - as for `run`.
        let filled = unsafe { twin_fill(self.at(on, 0), n) };
        ensure!(filled == u64::from(n), "the port took {filled} of {n} packets");
        Ok(())
    }

    /// Takes all packets out of the port again; returns how many they were.
    pub(crate) fn drain(&mut self, on: &mut Loop) -> u64 {
        // SAFETY:
        // - as for `run`.
        unsafe { twin_drain(self.at(on, 0)) }
    }

    /// As [`Self::run`], with a pool of ours.
    pub(crate) fn run_on(&mut self, pool: &Pool, on: &mut Loop, bursts: u32) -> u64 {
        self.at(on, 0).pool = pool.pool.as_ptr().cast();
        // SAFETY:
        // - the pool lives, and its rooms hold more than the twin writes; the port is the loop's, as for `run`.
        unsafe { twin_run(&raw mut self.raw, bursts) }
    }
}

impl Twin {
    /// The whole loop on ordinary mbufs and their own port.
    pub(crate) fn run_plain(&mut self, plain: &Plain, bursts: u32) -> u64 {
        (self.raw.pool, self.raw.port) = plain.parts();
        // SAFETY:
        // - pool and port live as long as `plain`, and nobody else uses them; rooms hold more than the twin writes.
        unsafe { twin_run(&raw mut self.raw, bursts) }
    }
}

/// How a pool lays out its mbufs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// Data behind the header: DPDK's ordinary pool.
    Plain,
    /// Headers alone in the mempool, rooms elsewhere: what the runtime has.
    HeadersOnly,
    /// Pinned external buffers, DPDK's own way to have rooms elsewhere.
    External,
}

/// A pool for the comparison of layouts.
pub(crate) struct Pool {
    pool: NonNull<sys::rte_mempool>,
    memory: *mut u8,
    size: u32,
}

impl Pool {
    /// A pool of `size` rooms of `room` bytes, with the cache that the runtime's pools have.
    pub(crate) fn new(layout: Layout, size: u32, room: u16) -> Result<Self> {
        let name = CString::new(format!("bench-{layout:?}"))?;
        let cache = (size * 2 / 3).min(sys::RTE_MEMPOOL_CACHE_MAX_SIZE);
        let stride = u32::from(room);
        // SAFETY:
        // - EAL is started by the loop that the pool is used with; freed in `drop`.
        let memory = unsafe { twin_memory(u64::from(size) * u64::from(stride)) };
        ensure!(!memory.is_null(), "no memory for {size} rooms");
        let name = name.as_ptr();
        let pool = match layout {
            // SAFETY:
            // - the name is terminated, and copied.
            Layout::Plain => unsafe { sys::perigee_plain_pool_create(name, size, cache, room, 0, -1) },
            // SAFETY:
            // - the memory has `size` rooms, and is freed after the pool.
            Layout::HeadersOnly => unsafe { sys::perigee_pool_create(name, size, cache, memory, stride, room, -1) },
            // SAFETY:
            // - as above.
            Layout::External => unsafe { sys::perigee_extbuf_pool_create(name, size, cache, memory, stride, room, -1) },
        };
        let pool = NonNull::new(pool).with_context(|| format!("no pool of layout {layout:?}"))?;
        Ok(Self { pool, memory, size })
    }

    /// All its packets came back.
    pub(crate) fn is_full(&self) -> bool {
        // SAFETY:
        // - the pool lives.
        let available = unsafe { sys::rte_mempool_avail_count(self.pool.as_ptr()) };
        available == self.size
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new`; the ports that its packets went to freed them at once (net_null).
        unsafe { sys::rte_mempool_free(self.pool.as_ptr()) };
        // SAFETY:
        // - made in `new`, and the pool over it is gone.
        unsafe { twin_memory_free(self.memory) };
    }
}

/// The bytes of all packets that a chain has loaded, one behind the other, and how many packets they are.
pub(crate) fn packets(on: &mut Loop, chain: usize) -> Result<(Vec<u8>, usize)> {
    let (mut bytes, mut len, mut count) = (vec![0; 1 << 16], 0, 0);
    on.loaded(chain, |mbufs, n| {
        let (to, room) = (bytes.as_mut_ptr(), bytes.len() as u64);
        // SAFETY:
        // - the loop lends n live mbufs, and `to` has `room` bytes.
        len = unsafe { twin_copy(mbufs, u32::try_from(n).unwrap_or(0), to, room) };
        count = n;
    });
    ensure!(len <= bytes.len() as u64, "{count} packets of {len} bytes are too many");
    bytes.truncate(usize::try_from(len).unwrap_or(0));
    Ok((bytes, count))
}

/// Cycles that the probe took: see `twin.c`.
pub(crate) fn probe() -> u64 {
    twin_probe()
}

/// Counts the instructions of `work`, those of the counting itself included.
pub(crate) fn count_steps(work: impl FnOnce()) -> Result<u64> {
    ensure!(step_install() == 0, "SIGTRAP cannot be caught");
    step_begin();
    work();
    Ok(step_end())
}

/// DPDK's version.
pub(crate) fn dpdk_version() -> String {
    // SAFETY:
    // - it takes nothing and returns a string.
    let version = unsafe { sys::rte_version() };
    // SAFETY:
    // - the string is terminated and lives as long as the process.
    let version = unsafe { CStr::from_ptr(version) };
    version.to_string_lossy().into_owned()
}
