//! Opponents that run inside the benchmark: `opponents.c`, and programs of eBPF.
#![allow(unsafe_code, reason = "calls C and machine code, with the pools and packets that a `Loop` lends")]

use anyhow::{Context, Result, ensure};
use perigee_runtime::bench::Loop;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

/// Length of a reason.
const ROOM: usize = 512;

unsafe extern "C" {
    fn lua_new(script: *const c_char, len: u64, reason: *mut c_char, room: u64) -> *mut c_void;
    fn lua_run(
        lua: *mut c_void,
        work: *const c_char,
        pool: *mut c_void,
        port: u16,
        bursts: u32,
        len: u16,
        reason: *mut c_char,
        room: u64,
    ) -> u64;
    fn lua_free(lua: *mut c_void);
    fn bpf_new(instructions: *const u64, n: u32, tables: *const RawTable, table_count: u32) -> *mut c_void;
    fn bpf_each(bpf: *mut c_void, mbufs: *mut *mut c_void, n: u32);
    fn bpf_free(bpf: *mut c_void);
    fn rbpf_open(library: *const c_char, program: *const u8, len: u64) -> *mut c_void;
    fn rbpf_run(rbpf: *mut c_void, mbufs: *mut *mut c_void, n: u32);
    fn rbpf_close(rbpf: *mut c_void);
    fn l3_restore(mbufs: *mut *mut c_void, n: u32, frame: *const u8, changes: *const u64);
}

/// Memory that a program reads, as `struct bpf_table` in `opponents.h`.
#[repr(C)]
struct RawTable {
    bytes: *const u8,
    len: u64,
}

/// LuaJIT with the script of the benchmark.
pub(super) struct Lua {
    state: NonNull<c_void>,
}

impl Lua {
    /// Loads it. The error says why there is none.
    pub(super) fn new(script: &str) -> Result<Self> {
        let mut reason = [0; ROOM];
        // SAFETY:
        // - the script has so many bytes, and is copied; the reason has so much room, and is terminated.
        let state =
            unsafe { lua_new(script.as_ptr().cast(), script.len() as u64, reason.as_mut_ptr(), reason.len() as u64) };
        Ok(Self { state: NonNull::new(state).with_context(|| text(&reason))? })
    }

    /// A loop of the script, with the pool of a chain and port 0. Returns the packets.
    pub(super) fn run(&mut self, on: &mut Loop, chain: usize, work: &CStr, bursts: u32) -> Result<u64> {
        let mut reason = [0; ROOM];
        let (pool, port) = (on.mempool(chain), on.dpdk_port(0));
        // SAFETY:
        // - pool and port are the loop's, which lives and does nothing meanwhile; the script takes bursts of 64, for which it has room.
        let packets = unsafe {
            let (to, room) = (reason.as_mut_ptr(), reason.len() as u64);
            lua_run(self.state.as_ptr(), work.as_ptr(), pool, port, bursts, 60, to, room)
        };
        ensure!(packets != 0, "LuaJIT: {}", text(&reason));
        Ok(packets)
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new`, and freed once.
        unsafe { lua_free(self.state.as_ptr()) };
    }
}

fn text(reason: &[c_char]) -> String {
    let bytes: Vec<u8> = reason.iter().take_while(|c| **c != 0).map(|c| c.to_ne_bytes()[0]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program of eBPF that DPDK has made machine code of.
pub(super) struct DpdkBpf<'a> {
    program: NonNull<c_void>,
    _tables: PhantomData<&'a [u8]>,
}

impl<'a> DpdkBpf<'a> {
    /// Of these instructions, which name the tables by their addresses. EAL must be started.
    pub(super) fn new(program: &[u64], tables: &[&'a [u8]]) -> Result<Self> {
        let tables: Vec<_> =
            tables.iter().map(|table| RawTable { bytes: table.as_ptr(), len: table.len() as u64 }).collect();
        let (n, table_count) = (u32::try_from(program.len())?, u32::try_from(tables.len())?);
        // SAFETY:
        // - instructions and tables are as many as is said; both lists are copied, and the tables live as long as this.
        let made = unsafe { bpf_new(program.as_ptr(), n, tables.as_ptr(), table_count) };
        let program = NonNull::new(made).context("rte_bpf refuses the program, or has no machine code for it")?;
        Ok(Self { program, _tables: PhantomData })
    }

    /// Runs it on each packet that a chain has loaded, so many times. Returns how many that were.
    pub(super) fn each(&self, on: &mut Loop, chain: usize, times: u32) -> u64 {
        let mut packets = 0;
        on.loaded(chain, |mbufs, n| {
            packets = n as u64 * u64::from(times);
            for _ in 0..times {
                // SAFETY:
                // - the loop lends n live mbufs of 60 bytes or more; the program touches no others (`mac_swap`, `l3`), nor more than its tables.
                unsafe { bpf_each(self.program.as_ptr(), mbufs, u32::try_from(n).unwrap_or(0)) };
            }
        });
        packets
    }
}

impl Drop for DpdkBpf<'_> {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new`, and freed once.
        unsafe { bpf_free(self.program.as_ptr()) };
    }
}

/// The same program by rbpf.
pub(super) struct Rbpf<'a> {
    program: NonNull<c_void>,
    _tables: PhantomData<&'a [u8]>,
}

impl<'a> Rbpf<'a> {
    /// By the library that `./x bench` builds. The tables are those that the program names by their addresses.
    pub(super) fn new(library: &Path, program: &[u64], _tables: &[&'a [u8]]) -> Result<Self> {
        let program: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
        let name = CString::new(library.as_os_str().as_bytes())?;
        // SAFETY:
        // - the name is terminated; the library is ours, built of benches/rbpf; the program is copied.
        let made = unsafe { rbpf_open(name.as_ptr(), program.as_ptr(), program.len() as u64) };
        let missing = || format!("{} is not there (./x bench builds it), or refuses the program", library.display());
        Ok(Self { program: NonNull::new(made).with_context(missing)?, _tables: PhantomData })
    }

    /// As for [`DpdkBpf::each`].
    pub(super) fn each(&self, on: &mut Loop, chain: usize, times: u32) -> u64 {
        let mut packets = 0;
        on.loaded(chain, |mbufs, n| {
            packets = n as u64 * u64::from(times);
            for _ in 0..times {
                // SAFETY:
                // - the loop lends n live mbufs, 64 at most, of 60 bytes or more; the program touches no others (`mac_swap`, `l3`), nor more than its tables.
                unsafe { rbpf_run(self.program.as_ptr(), mbufs, u32::try_from(n).unwrap_or(0)) };
            }
        });
        packets
    }
}

impl Drop for Rbpf<'_> {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new`, and freed once.
        unsafe { rbpf_close(self.program.as_ptr()) };
    }
}

/// Writes a frame over all packets that a chain has loaded, with the destinations and checksums of as many changes. Returns how many.
pub(super) fn restore(on: &mut Loop, chain: usize, frame: &[u8; 60], changes: &[u64]) -> u64 {
    let mut packets = 0;
    on.loaded(chain, |mbufs, n| {
        assert!(n <= changes.len(), "there is a change for each packet");
        packets = n as u64;
        // SAFETY:
        // - the loop lends n live mbufs, whose rooms hold more than a frame; there are as many changes, checked above.
        unsafe { l3_restore(mbufs, u32::try_from(n).unwrap_or(0), frame.as_ptr(), changes.as_ptr()) };
    });
    packets
}

/// A name as C has it.
pub(super) fn name(text: &str) -> Result<CString> {
    Ok(CString::new(text)?)
}
