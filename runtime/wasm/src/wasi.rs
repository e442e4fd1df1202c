//! WASI preview 1, as much of it as language runtimes insist on: a clock, random numbers, two outputs, an exit. There are no
//! files, no network and no arguments, and nothing here waits. docs/abi.md, "WASI", says what each call does.
//!
//! A guest's addresses are checked by the engine's own copies; a bad one is answered with `FAULT`, as WASI has it.

mod poll;
mod table;

use super::host::Host;
use super::log::LogLine;
use perigee_abi::{Batch, Header, names};
use perigee_config::Hostcall;
use std::mem::offset_of;
use table::FUNCTIONS;
use wasmtime::{Caller, Engine, Extern, FuncType, Linker, Val, ValType};

pub use table::check;

/// Module name of these imports.
pub const MODULE: &str = "wasi_snapshot_preview1";
/// The one function without a result.
const EXIT: &str = "proc_exit";

/// WASI's error numbers.
const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;
const FAULT: i32 = 21;
const INVALID: i32 = 28;
const NOT_OFFERED: i32 = 52;
const NO_SEEK: i32 = 70;

/// A call works on so much at most: it runs in the host, where no deadline ends it.
const MOST_RANDOM: u32 = 64 << 10;
/// Bytes that one `fd_write` takes; the guest is told how many they were, and comes again with the rest.
const MOST_WRITTEN: usize = 4_096;
const MOST_PIECES: u32 = 1_024;

/// Levels of what is written to standard error and standard output.
const WARN: i32 = 2;
const INFO: i32 = 3;

/// What an instance keeps for these calls.
#[derive(Debug)]
pub struct Wasi {
    /// State of the random numbers: the instance's seed at first.
    random: u64,
    /// Address of the batch area, whose header has the time, once there is one.
    batch: Option<u32>,
    /// The latest time told. A guest that waits is told that the time has passed, so the clock may be ahead of the batch's.
    latest_ns: u64,
    /// What was written to standard output and standard error since the last line ended.
    lines: [Line; 2],
}

/// A line that has not ended yet.
#[derive(Debug)]
struct Line {
    len: usize,
    text: [u8; names::LOG_MAX],
}

/// What these calls keep, written down.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WasiState {
    random: u64,
    latest_ns: u64,
    /// What has come of the lines that have not ended yet.
    lines: [Vec<u8>; 2],
}

impl Wasi {
    /// What it keeps now.
    pub(super) fn state(&self) -> WasiState {
        let lines = self.lines.each_ref().map(|line| line.text[..line.len].to_vec());
        WasiState { random: self.random, latest_ns: self.latest_ns, lines }
    }

    /// Goes on from a state.
    pub(super) fn restore(&mut self, state: &WasiState) {
        (self.random, self.latest_ns) = (state.random, state.latest_ns);
        for (line, bytes) in self.lines.iter_mut().zip(&state.lines) {
            let n = bytes.len().min(names::LOG_MAX - 1);
            line.text[..n].copy_from_slice(&bytes[..n]);
            line.len = n;
        }
    }

    /// What was written of lines that have no end yet.
    pub(super) fn open_lines(&self) -> impl Iterator<Item = LogLine> + '_ {
        let lines = self.lines.iter().zip([INFO, WARN]).filter(|(line, _)| line.len != 0);
        lines.map(|(line, level)| LogLine::new(level, &line.text[..line.len]))
    }

    /// Random numbers begin at `seed`.
    pub fn new(seed: u64) -> Self {
        let line = || Line { len: 0, text: [0; names::LOG_MAX] };
        Self { random: seed, batch: None, latest_ns: 1, lines: [line(), line()] }
    }

    /// From now on the header of the batch area at `batch` tells the time.
    pub fn set_batch(&mut self, batch: u32) {
        self.batch = Some(batch);
    }

    /// The guest has waited until `time_ns`.
    fn pass_until(&mut self, time_ns: u64) {
        self.latest_ns = time_ns.max(self.latest_ns);
    }

    /// 64 bits of SplitMix64 (Steele, Lea, Flood 2014): good for hash tables and traffic, not for secrets.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Offers the functions to instances.
pub fn link(engine: &Engine, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for name in ["args_sizes_get", "environ_sizes_get"] {
        linker.func_wrap(MODULE, name, nothing)?;
    }
    linker.func_wrap(MODULE, "clock_res_get", clock_res_get)?;
    linker.func_wrap(MODULE, "clock_time_get", clock_time_get)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", fd_fdstat_get)?;
    linker.func_wrap(MODULE, "fd_write", fd_write)?;
    linker.func_wrap(MODULE, "poll_oneoff", poll::poll_oneoff)?;
    linker.func_wrap(MODULE, "random_get", random_get)?;
    linker.func_wrap(MODULE, EXIT, proc_exit)?;
    let own = [
        "args_sizes_get",
        "environ_sizes_get",
        "clock_res_get",
        "clock_time_get",
        "fd_fdstat_get",
        "fd_write",
        "poll_oneoff",
        "random_get",
        EXIT,
    ];
    for (name, parameters, error) in FUNCTIONS.iter().filter(|(name, ..)| !own.contains(name)) {
        let parameters = parameters.bytes().map(|c| if c == b'I' { ValType::I64 } else { ValType::I32 });
        let error = *error;
        linker.func_new(
            MODULE,
            name,
            FuncType::new(engine, parameters, [ValType::I32]),
            move |_, arguments, results| {
                // Of a descriptor that is none, that is what is said first.
                let standard = arguments.first().and_then(Val::i32).is_some_and(|fd| (0..3).contains(&fd));
                results[0] = Val::I32(if error == NO_SEEK && !standard { BAD_FILE } else { error });
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// A guest's memory, in which each access is checked; `Err` is the error number for the guest.
struct Guest<'a>(Caller<'a, Host>);

impl Guest<'_> {
    fn memory(&mut self) -> Result<wasmtime::Memory, i32> {
        self.0.get_export(names::MEMORY).and_then(Extern::into_memory).ok_or(FAULT)
    }

    fn read<const N: usize>(&mut self, at: u32) -> Result<[u8; N], i32> {
        let mut bytes = [0; N];
        self.memory()?.read(&self.0, at as usize, &mut bytes).map_err(|_| FAULT)?;
        Ok(bytes)
    }

    fn read_u32(&mut self, at: u32) -> Result<u32, i32> {
        self.read(at).map(u32::from_le_bytes)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), i32> {
        self.memory()?.write(&mut self.0, at as usize, bytes).map_err(|_| FAULT)
    }

    /// The time of the batch (or of the moment, where that is granted), in nanoseconds since the run began; more, where the guest has "slept" beyond it. Never 0, which
    /// Go takes for a broken clock.
    fn now(&mut self) -> Result<u64, i32> {
        if let Some(time) = self.0.data_mut().precise_ns() {
            self.0.data_mut().wasi.pass_until(time);
        } else if let Some(batch) = self.0.data().wasi.batch {
            let at = offset_of!(Batch, header) + offset_of!(Header, time_ns);
            let time = self.read(batch.saturating_add(u32::try_from(at).unwrap_or(0))).map(u64::from_le_bytes)?;
            self.0.data_mut().wasi.pass_until(time);
        }
        Ok(self.0.data().wasi.latest_ns)
    }

    /// The time of a clock: 0 is the time of day, 1 counts from the run's beginning, as 2 and 3 do, which are for processor
    /// time.
    fn clock(&mut self, id: u32) -> Result<u64, i32> {
        let now = self.now()?;
        match id {
            0 => Ok(self.0.data().start_unix_ns().wrapping_add(now)),
            1..=3 => Ok(now),
            _ => Err(INVALID),
        }
    }
}

/// The time as the guest has it, nanoseconds since the run began.
pub(super) fn time_ns(caller: Caller<'_, Host>) -> u64 {
    Guest(caller).now().unwrap_or(0)
}

fn number(result: Result<(), i32>) -> i32 {
    result.err().unwrap_or(SUCCESS)
}

/// No arguments, no environment: 0 of them, in 0 bytes.
fn nothing(caller: Caller<'_, Host>, count: u32, bytes: u32) -> i32 {
    let mut guest = Guest(caller);
    number(guest.write(count, &[0; 4]).and_then(|()| guest.write(bytes, &[0; 4])))
}

/// A microsecond: a batch takes about that.
fn clock_res_get(caller: Caller<'_, Host>, id: u32, to: u32) -> i32 {
    let mut guest = Guest(caller);
    number(guest.clock(id).and_then(|_| guest.write(to, &1_000_u64.to_le_bytes())))
}

fn clock_time_get(caller: Caller<'_, Host>, id: u32, _precision: u64, to: u32) -> i32 {
    let mut guest = Guest(caller);
    guest.0.data_mut().may(Hostcall::Time);
    number(guest.clock(id).and_then(|time| guest.write(to, &time.to_le_bytes())))
}

/// Standard output and error are terminals to the guest, so that it ends its lines at once.
fn fd_fdstat_get(caller: Caller<'_, Host>, fd: u32, to: u32) -> i32 {
    const CHARACTER_DEVICE: u8 = 2;
    const MAY_READ: u64 = 1 << 1;
    const MAY_WRITE: u64 = 1 << 6;
    let rights = match fd {
        0 => MAY_READ,
        1 | 2 => MAY_WRITE,
        _ => return BAD_FILE,
    };
    let mut stat = [0; 24];
    stat[0] = CHARACTER_DEVICE;
    stat[8..16].copy_from_slice(&rights.to_le_bytes());
    number(Guest(caller).write(to, &stat))
}

/// Lines for the instance's log: info from standard output, warn from standard error.
fn fd_write(caller: Caller<'_, Host>, fd: u32, pieces: u32, count: u32, written: u32) -> i32 {
    if !(1..=2).contains(&fd) {
        return BAD_FILE;
    }
    if count > MOST_PIECES {
        return INVALID;
    }
    let mut guest = Guest(caller);
    number(take_text(&mut guest, fd, pieces, count).and_then(|taken| guest.write(written, &taken.to_le_bytes())))
}

fn take_text(guest: &mut Guest<'_>, fd: u32, pieces: u32, count: u32) -> Result<u32, i32> {
    let mut taken = 0;
    for i in 0..count {
        let piece = pieces.checked_add(i * 8).ok_or(FAULT)?;
        let at = guest.read_u32(piece)?;
        let len = guest.read_u32(piece.checked_add(4).ok_or(FAULT)?)? as usize;
        let n = len.min(MOST_WRITTEN - taken);
        for done in (0..n).step_by(names::LOG_MAX) {
            let mut bytes = [0; names::LOG_MAX];
            let bytes = &mut bytes[..(n - done).min(names::LOG_MAX)];
            guest.memory()?.read(&guest.0, at as usize + done, bytes).map_err(|_| FAULT)?;
            guest.0.data_mut().write_text(fd, bytes);
        }
        taken += n;
        if n < len {
            break;
        }
    }
    Ok(u32::try_from(taken).unwrap_or(0))
}

fn random_get(caller: Caller<'_, Host>, to: u32, len: u32) -> i32 {
    if len > MOST_RANDOM {
        return INVALID;
    }
    let mut guest = Guest(caller);
    let fill = |guest: &mut Guest<'_>| {
        for done in (0..len).step_by(8) {
            let bytes = guest.0.data_mut().wasi.next_random().to_le_bytes();
            let n = (len - done).min(8) as usize;
            guest.write(to.checked_add(done).ok_or(FAULT)?, &bytes[..n])?;
        }
        Ok(())
    };
    number(fill(&mut guest))
}

/// The instance ends as by any other trap.
fn proc_exit(mut caller: Caller<'_, Host>, code: i32) -> wasmtime::Result<()> {
    caller.data_mut().end_lines();
    Err(wasmtime::Error::msg(format!("the module ended itself with exit code {code} ({EXIT})")))
}

impl Host {
    /// Takes what a guest wrote: each line that has ended goes to the log, and so does one that is full.
    fn write_text(&mut self, fd: u32, bytes: &[u8]) {
        for byte in bytes {
            let line = &mut self.wasi.lines[usize::from(fd == 2)];
            if *byte != b'\n' {
                line.text[line.len] = *byte;
                line.len += 1;
            }
            if *byte == b'\n' || line.len == names::LOG_MAX {
                self.end_line(fd);
            }
        }
    }

    fn end_line(&mut self, fd: u32) {
        let line = &mut self.wasi.lines[usize::from(fd == 2)];
        let (text, len) = (line.text, std::mem::take(&mut line.len));
        if len != 0 {
            self.log_line(if fd == 2 { WARN } else { INFO }, &text[..len]);
        }
    }

    fn end_lines(&mut self) {
        self.end_line(1);
        self.end_line(2);
    }
}
