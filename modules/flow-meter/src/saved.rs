//! The state that goes from an instance to the one that takes its place.
//!
//! Little-endian: the time, then both histograms, each behind its length, then the flows, the one that was used last at
//! the end. Where the mailbox is too small for all flows, those that were used last are saved. Token buckets are not: a
//! new instance begins with full ones. When this layout changes, `state_version` in `module!` is counted up.

use crate::{FlowMeter, Tally};
use perigee_guest::state::{FiveTuple, FiveTuple4, FiveTuple6, Saved};
use perigee_guest::{Buffer, Full, Refusal};

/// Most flows that are saved: what a mailbox of 1 MiB holds beside the histograms.
const FLOWS: usize = 12_000;
/// Bytes of a flow: family, addresses, ports, protocol, counts and times.
const FLOW_LEN: usize = 1 + 32 + 5 + 32;

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
    let (ports, protocol) = match key {
        FiveTuple::V4(flow) => {
            bytes[0] = 4;
            bytes[1..5].copy_from_slice(&flow.source.octets());
            bytes[17..21].copy_from_slice(&flow.destination.octets());
            ([flow.source_port, flow.destination_port], flow.protocol)
        }
        FiveTuple::V6(flow) => {
            bytes[0] = 6;
            bytes[1..17].copy_from_slice(&flow.source.octets());
            bytes[17..33].copy_from_slice(&flow.destination.octets());
            ([flow.source_port, flow.destination_port], flow.protocol)
        }
    };
    bytes[33..35].copy_from_slice(&ports[0].to_le_bytes());
    bytes[35..37].copy_from_slice(&ports[1].to_le_bytes());
    bytes[37] = protocol;
    let numbers = [tally.packets, tally.bytes, tally.first, tally.last];
    for (place, number) in bytes[38..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn read(bytes: &[u8; FLOW_LEN]) -> (FiveTuple, Tally) {
    let part = |at: usize| bytes[at..].first_chunk::<16>().copied().unwrap_or_default();
    let number = |at: usize| u64::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default());
    let port = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let (source, destination, source_port, destination_port, protocol) =
        (part(1), part(17), port(33), port(35), bytes[37]);
    let tally = Tally { packets: number(38), bytes: number(46), first: number(54), last: number(62) };
    let key = if bytes[0] == 4 {
        let four = |[a, b, c, d, ..]: [u8; 16]| [a, b, c, d].into();
        let (source, destination) = (four(source), four(destination));
        FiveTuple4 { source, destination, source_port, destination_port, protocol }.into()
    } else {
        let (source, destination) = (source.into(), destination.into());
        FiveTuple6 { source, destination, source_port, destination_port, protocol }.into()
    };
    (key, tally)
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
