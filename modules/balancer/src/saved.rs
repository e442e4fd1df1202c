//! The state that goes from an instance to the one that takes its place: health and connections.
//!
//! Little-endian: the time and the number of backends; each backend's health, the length of its name, and its name; then the
//! connections, table by table, in each the one that was used last at the end. Where the mailbox is too small for all connections,
//! those that were used last are saved, the same share of each table. When this layout changes, `state_version` in `module!` is
//! counted up.

use crate::Balancer;
use crate::connections::State;
use crate::maglev::NOBODY;
use crate::pool::Health;
use alloc::vec::Vec;
use perigee_guest::state::{FiveTuple, MILLISECOND, Saved};
use perigee_guest::{Buffer, Refusal};

/// Most connections that are saved: what a mailbox of 8 MiB holds beside the backends.
const CONNECTIONS: usize = 160_000;
/// Bytes of a connection: table, flow, backend and time of last use.
const EACH: usize = 1 + FiveTuple::BYTES + 2 + 8;

pub(crate) fn save(balancer: &Balancer, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    state.push(&balancer.now.to_le_bytes())?;
    let backends = &balancer.pool.backends;
    state.push(&u16::try_from(backends.len()).unwrap_or(NOBODY).to_le_bytes())?;
    for backend in backends {
        let name = backend.name.as_bytes();
        state.push(&[backend.health as u8, u8::try_from(name.len()).unwrap_or(0)])?;
        state.push(name)?;
    }
    let tables = || State::ALL.into_iter().map(|(table, _)| (table, balancer.connections.table(table)));
    let all: usize = tables().map(|(_, table)| table.len()).sum();
    for (number, table) in tables() {
        let most = if all > CONNECTIONS { table.len() * CONNECTIONS / all } else { table.len() };
        for flow in table.iter().skip(table.len() - most) {
            state.push(&[number as u8])?;
            state.push(&flow.key.to_bytes())?;
            state.push(&flow.value.to_le_bytes())?;
            state.push(&flow.used.to_le_bytes())?;
        }
    }
    Ok(())
}

/// Takes the state over. Backends are known by their names: those that are there no more leave their connections to others.
pub(crate) fn restore(balancer: &mut Balancer, state: &[u8]) -> Result<(), Refusal> {
    let bad = || Refusal::new("this is no state of a balancer of version 1");
    let mut rest = state;
    let then = u64::from_le_bytes(take(&mut rest).ok_or_else(bad)?);
    let count = u16::from_le_bytes(take(&mut rest).ok_or_else(bad)?);
    let mut numbers = Vec::new();
    for _ in 0..count {
        let [health, len] = take(&mut rest).ok_or_else(bad)?;
        let (name, behind) = rest.split_at_checked(len.into()).ok_or_else(bad)?;
        rest = behind;
        let name = core::str::from_utf8(name).map_err(|_| bad())?;
        let (health, _) = *Health::ALL.get(usize::from(health)).ok_or_else(bad)?;
        let number = balancer.pool.named(name);
        if let Some(number) = number {
            balancer.pool.backends[number].health = health;
        }
        numbers.push(number.and_then(|number| u16::try_from(number).ok()).unwrap_or(NOBODY));
    }
    balancer.pool.fill();
    let (each, odd) = rest.as_chunks::<EACH>();
    let is_known = |bytes: &[u8; EACH]| usize::from(bytes[0]) < State::ALL.len() && matches!(bytes[1], 4 | 6);
    if !odd.is_empty() || !each.iter().all(is_known) || !each.is_sorted_by_key(|bytes| bytes[0]) {
        return Err(bad());
    }
    // Another run has another clock: what is kept is how long ago it was. An instance that has had no batch does not know the time, where
    // the clock is no precise one (`setup.now_ns()` is about 0 then): for it the clock is still that of who saved.
    let now = if balancer.now < MILLISECOND { then } else { balancer.now };
    let here = |time: u64| now.saturating_sub(then.saturating_sub(time));
    let mut rest = each;
    for (table, _) in State::ALL {
        let (these, behind) = rest.split_at(rest.partition_point(|bytes| bytes[0] <= table as u8));
        rest = behind;
        balancer.connections.table_mut(table).restore(these.iter().map(|bytes| {
            let (key, backend, used) = read(bytes);
            let value = numbers.get(usize::from(backend)).copied().unwrap_or(NOBODY);
            Saved { key, value, created: here(used), used: here(used) }
        }))?;
    }
    Ok(())
}

/// The flow, its backend's old number, and when it was used.
fn read(bytes: &[u8; EACH]) -> (FiveTuple, u16, u64) {
    let mut rest = &bytes[1..];
    let flow = FiveTuple::from_bytes(&take(&mut rest).unwrap_or([0; FiveTuple::BYTES]));
    let backend = u16::from_le_bytes(take(&mut rest).unwrap_or_default());
    (flow, backend, u64::from_le_bytes(take(&mut rest).unwrap_or_default()))
}

/// Takes bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}
