//! Waiting, where nobody may wait: an lcore never sleeps in a guest.

use super::{BAD_FILE, FAULT, Guest, Host, INVALID, SUCCESS, number};
use wasmtime::Caller;

/// Subscriptions of one call, at most.
const MOST: usize = 64;
/// Bytes of a subscription and of an event.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// A guest that waits for a time is told that it has come, and from then on its clock says so: else it would ask again for
/// ever. A guest that waits for a descriptor is told that there is none.
pub(super) fn poll_oneoff(caller: Caller<'_, Host>, from: u32, to: u32, count: u32, written: u32) -> i32 {
    if count == 0 || count as usize > MOST {
        return INVALID;
    }
    let mut guest = Guest(caller);
    number(events(&mut guest, from, to, count).and_then(|n| guest.write(written, &n.to_le_bytes())))
}

/// Writes the events, returns how many they are: what does not wait for a time comes first, and alone; else the earliest.
fn events(guest: &mut Guest<'_>, from: u32, to: u32, count: u32) -> Result<u32, i32> {
    let mut due = [u64::MAX; MOST];
    let mut made = 0;
    for (i, due) in (0..count).zip(&mut due) {
        let subscription = guest.read(from.checked_add(i * SUBSCRIPTION).ok_or(FAULT)?)?;
        match when(guest, &subscription)? {
            Ok(time) => *due = time,
            Err(error) => {
                write_event(guest, to, made, &subscription, error)?;
                made += 1;
            }
        }
    }
    if made != 0 {
        return Ok(made);
    }
    let wake = due.into_iter().min().unwrap_or(0);
    guest.0.data_mut().wasi.pass_until(wake);
    for (i, _) in (0..count).zip(due).filter(|(_, due)| *due <= wake) {
        let subscription = guest.read(from.checked_add(i * SUBSCRIPTION).ok_or(FAULT)?)?;
        write_event(guest, to, made, &subscription, SUCCESS)?;
        made += 1;
    }
    Ok(made)
}

/// When a subscription is due, in nanoseconds since the run began; or the error number that its event tells.
fn when(guest: &mut Guest<'_>, subscription: &[u8; 48]) -> Result<Result<u64, i32>, i32> {
    const CLOCK: u8 = 0;
    if subscription[8] != CLOCK {
        return Ok(Err(BAD_FILE));
    }
    let id = u32::try_from(field(subscription, 16, 4)).unwrap_or(u32::MAX);
    let now = guest.now()?;
    let clock = match guest.clock(id) {
        Err(INVALID) => return Ok(Err(INVALID)),
        other => other?,
    };
    let timeout = field(subscription, 24, 8);
    let is_absolute = field(subscription, 40, 2) & 1 != 0;
    let wait = if is_absolute { timeout.saturating_sub(clock) } else { timeout };
    Ok(Ok(now.saturating_add(wait)))
}

/// The number of `len` bytes at `at`.
fn field(subscription: &[u8; 48], at: usize, len: usize) -> u64 {
    subscription[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn write_event(guest: &mut Guest<'_>, to: u32, i: u32, subscription: &[u8; 48], error: i32) -> Result<(), i32> {
    let mut event = [0; EVENT as usize];
    event[..8].copy_from_slice(&subscription[..8]);
    event[8] = u8::try_from(error).unwrap_or(u8::MAX);
    event[10] = subscription[8];
    guest.write(to.checked_add(i * EVENT).ok_or(FAULT)?, &event)
}
