//! DPDK's log: taken before DPDK writes it anywhere, and handed to ours.
//!
//! Left to itself DPDK writes each line to standard error and calls syslog(3), on whichever thread it happens to be: a write
//! that may block an lcore, and a socket that the jail keeps from it. Here a line is copied into a queue that is there from
//! the start, and the control side hands it on ([`emit`]).

use crossbeam_queue::ArrayQueue;
use perigee_core::lock;
use perigee_dpdk_sys as sys;
use perigee_report::text::line;
use std::ffi::c_char;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// Lines that wait; what comes beyond them is counted. EAL says some hundreds at its start, where all is asked for.
const WAITING: usize = 1_024;
/// Bytes of a line; the rest is cut off.
const LENGTH: usize = 250;
/// Warnings and errors that are handed on at once, and how many more in each second.
const AT_ONCE: u64 = 200;
const PER_SECOND: u64 = 20;

/// DPDK's levels, by rte_log.h, as far as something is decided by them.
const CRITICAL: u32 = 3;
const ERROR: u32 = 4;
const WARNING: u32 = 5;
const NOTICE: u32 = 6;
const INFO: u32 = 7;

/// What is told to those who look for faults only: it is our own doing (net_tap finds no signal, DPDK no other process), or about
/// what nobody here uses (net_tap's rte_flow).
const HARMLESS: [&str; 7] = [
    "All rt-signals are in use",
    "No Rx trigger signal available",
    "Failed to send start req to secondary",
    "Failed to register mp action callback",
    "Specified qdisc kind is unknown",
    "multiq qdisc",
    "Disabling rte flow support",
];

/// A piece of what DPDK has logged, in place: the threads that log allocate nothing.
struct Piece {
    level: u32,
    len: u8,
    text: [u8; LENGTH],
}

/// On its way from any thread to the control side.
struct Pieces {
    queue: ArrayQueue<Piece>,
    lost: AtomicU64,
}

static PIECES: OnceLock<Pieces> = OnceLock::new();
static READER: Mutex<Reader> = Mutex::new(Reader { level: INFO, text: Vec::new(), lost: 0, bucket: None });

/// Takes DPDK's log over, for good. Before EAL is started: from then on DPDK has other threads.
pub(super) fn open() -> Result<(), &'static str> {
    let mut opened = Ok(());
    PIECES.get_or_init(|| {
        // SAFETY:
        // - the function lives as long as the process, and does not unwind.
        if unsafe { sys::perigee_log_open(Some(take)) } != 0 {
            opened = Err("no memory for the log");
        }
        Pieces { queue: ArrayQueue::new(WAITING), lost: AtomicU64::new(0) }
    });
    opened
}

/// DPDK has something to say, on any thread: an lcore's as well. No lock, no allocation and no system call, but for the last
/// words before DPDK ends the process.
extern "C" fn take(level: u32, text: *const c_char, len: usize) {
    // SAFETY:
    // - the stream hands over `len` bytes of its buffer, which nobody writes until this returns.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    if level <= CRITICAL {
        // Nobody will be there to hand it on. That nobody hears it is no reason to end in another way.
        let _ = std::io::stderr().write_all(bytes);
        return;
    }
    let Some(pieces) = PIECES.get() else { return };
    for part in bytes.chunks(LENGTH) {
        let mut piece = Piece { level, len: u8::try_from(part.len()).unwrap_or(u8::MAX), text: [0; LENGTH] };
        piece.text[..part.len()].copy_from_slice(part);
        if pieces.queue.push(piece).is_err() {
            pieces.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands on what DPDK has said since the last time. On the control side only: whoever reads our log may let us wait.
pub fn emit() {
    let Some(pieces) = PIECES.get() else { return };
    if pieces.queue.is_empty() && pieces.lost.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut reader = lock(&READER);
    // As many as there were: whoever goes on logging does not keep this thread.
    for piece in std::iter::from_fn(|| pieces.queue.pop()).take(WAITING) {
        reader.read(piece.level, &piece.text[..usize::from(piece.len)], Instant::now());
    }
    reader.lost += pieces.lost.swap(0, Ordering::Relaxed);
    reader.tell_lost(Instant::now());
}

/// Pieces that nobody has handed on.
/// Pieces of lines that wait to be told.
#[doc(hidden)]
pub fn waiting() -> usize {
    PIECES.get().map_or(0, |pieces| pieces.queue.len())
}

/// Makes lines of pieces, and lets no more of them through than somebody can read.
struct Reader {
    level: u32,
    /// The line that has not come to its end.
    text: Vec<u8>,
    /// Lines, or pieces of them, that nobody has been told.
    lost: u64,
    /// Lines that may be told now, and since when that is so.
    bucket: Option<(u64, Instant)>,
}

impl Reader {
    fn read(&mut self, level: u32, bytes: &[u8], now: Instant) {
        self.level = level;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) = part.strip_suffix(b"\n").map_or((part, false), |line| (line, true));
            let room = LENGTH.saturating_sub(self.text.len());
            self.text.extend_from_slice(&line[..line.len().min(room)]);
            if ends {
                self.end_line(now);
            }
        }
    }

    fn end_line(&mut self, now: Instant) {
        let bytes = std::mem::take(&mut self.text);
        let text = line(String::from_utf8_lossy(&bytes).trim_end(), LENGTH);
        let level = if HARMLESS.iter().any(|known| text.contains(known)) { INFO + 1 } else { self.level };
        if text.is_empty() {
            return;
        }
        if level <= WARNING && !self.may_tell(now) {
            self.lost += 1;
            return;
        }
        match level {
            ..=ERROR => tracing::error!("DPDK: {text}"),
            WARNING => tracing::warn!("DPDK: {text}"),
            NOTICE..=INFO => tracing::info!("DPDK: {text}"),
            _ => tracing::debug!("DPDK: {text}"),
        }
    }

    fn may_tell(&mut self, now: Instant) -> bool {
        let (mut left, mut since) = self.bucket.unwrap_or((AT_ONCE, now));
        let more =
            u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX) * PER_SECOND / 1_000;
        if more > 0 {
            (left, since) = (left.saturating_add(more).min(AT_ONCE), now);
        }
        self.bucket = Some((left.saturating_sub(1), since));
        left > 0
    }

    /// Once there is room for a line again.
    fn tell_lost(&mut self, now: Instant) {
        if self.lost > 0 && self.may_tell(now) {
            let lost = std::mem::take(&mut self.lost);
            tracing::warn!("DPDK: {lost} more lines, too many to be shown");
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    fn reader() -> Reader {
        Reader { level: INFO, text: Vec::new(), lost: 0, bucket: None }
    }

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let (mut reader, start) = (reader(), Instant::now());
        for _ in 0..1_000 {
            reader.read(WARNING, b"memif: no\n", start);
        }
        assert_eq!(reader.lost, 1_000 - AT_ONCE);
        // A second later some are told again, and first of all how many were not.
        reader.tell_lost(start);
        assert_eq!(reader.lost, 1_000 - AT_ONCE, "there is no room for that line either");
        reader.tell_lost(start + Duration::from_secs(1));
        assert_eq!(reader.lost, 0);
        for _ in 0..100 {
            reader.read(ERROR, b"memif: no\n", start + Duration::from_secs(1));
        }
        assert_eq!(reader.lost, 100 - (PER_SECOND - 1));
    }

    #[test]
    fn a_line_in_pieces_is_one_line_and_has_an_end() {
        let mut reader = reader();
        reader.read(WARNING, b"one ", Instant::now());
        reader.read(WARNING, &[b'x'; 10_000], Instant::now());
        assert_eq!(reader.text.len(), LENGTH);
        reader.read(WARNING, b"\ntwo", Instant::now());
        assert_eq!(reader.text, b"two");
    }

    #[test]
    fn more_lines_than_wait_are_counted_and_the_thread_goes_on() {
        open().expect("a stream");
        let text = b"a line that nobody hands on\n";
        for _ in 0..WAITING * 3 {
            take(INFO, text.as_ptr().cast(), text.len());
        }
        let pieces = PIECES.get().expect("it is open");
        assert!(pieces.lost.load(Ordering::Relaxed) >= WAITING as u64);
    }
}
