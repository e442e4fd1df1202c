//! The state that goes from an instance to the one that takes its place.
//!
//! Little-endian: the time, then both histograms, each behind its length, then the flows, the one that was used last at
//! the end. Where the mailbox is too small for all flows, those that were used last are saved. Token buckets are not: a
//! new instance begins with full ones. When this layout changes, `state_version` in `module!` is counted up.

use crate::{FlowMeter, Tally};
use perigee_guest::state::{FiveTuple, Saved};
use perigee_guest::{Buffer, Full, Refusal};

/// Most flows that are saved: what a mailbox of 1 MiB holds beside the histograms.
const FLOWS: usize = 12_000;
/// Bytes of a flow, its counts and times.
const FLOW_LEN: usize = FiveTuple::BYTES + 32;

pub(crate) fn save(meter: &FlowMeter, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    state.push(&meter.now.to_le_bytes())?;
    for histogram in [&meter.sizes, &meter.gaps] {
        let mut len = 0_u32;
        histogram.encode(|part| {
            len += u32::try_from(part.len()).map_err(|_| Full)?;
            Ok::<(), Full>(())
        })?;
        state.push(&len.to_le_bytes())?;
        histogram.encode(|part| state.push(part))?;
    }
    for flow in meter.flows.iter().skip(meter.flows.len().saturating_sub(FLOWS)) {
        state.push(&write(flow.key, flow.value))?;
    }
    Ok(())
}

/// Takes the state over in place of what there is. One that is refused leaves an empty meter, or all as it was.
pub(crate) fn restore(meter: &mut FlowMeter, state: &[u8]) -> Result<(), Refusal> {
    let bad = || Refusal::new("this is no state of a flow-meter of version 1");
    let mut rest = state;
    let then = u64::from_le_bytes(take(&mut rest).ok_or_else(bad)?);
    let sizes = block(&mut rest).ok_or_else(bad)?;
    let gaps = block(&mut rest).ok_or_else(bad)?;
    let (flows, odd) = rest.as_chunks::<FLOW_LEN>();
    if !odd.is_empty() || flows.iter().any(|flow| flow[0] != 4 && flow[0] != 6) {
        return Err(bad());
    }
    meter.forget();
    if let Err(error) = meter.sizes.merge_encoded(sizes).and_then(|()| meter.gaps.merge_encoded(gaps)) {
        meter.forget();
        return Err(error.into());
    }
    // Another run has another clock: what is kept is how long ago it was.
    let now = meter.now;
    let here = |time: u64| now.saturating_sub(then.saturating_sub(time));
    let saved = flows.iter().map(|flow| {
        let (key, tally) = read(flow);
        let tally = Tally { first: here(tally.first), last: here(tally.last), ..tally };
        Saved { key, value: tally, created: tally.first, used: tally.last }
    });
    Ok(meter.flows.restore(saved)?)
}

fn write(key: &FiveTuple, tally: &Tally) -> [u8; FLOW_LEN] {
    let mut bytes = [0; FLOW_LEN];
    let (flow, rest) = bytes.split_at_mut(FiveTuple::BYTES);
    flow.copy_from_slice(&key.to_bytes());
    let numbers = [tally.packets, tally.bytes, tally.first, tally.last];
    for (place, number) in rest.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn read(bytes: &[u8; FLOW_LEN]) -> (FiveTuple, Tally) {
    let number = |at: usize| u64::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default());
    let tally = Tally { packets: number(38), bytes: number(46), first: number(54), last: number(62) };
    (FiveTuple::from_bytes(bytes.first_chunk().unwrap_or(&[0; FiveTuple::BYTES])), tally)
}

/// Takes bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

/// Takes bytes behind their length off the front.
fn block<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = u32::from_le_bytes(take(rest)?) as usize;
    let (block, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(block)
}
