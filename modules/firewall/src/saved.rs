//! What goes to the instance that takes this one's place: the connections, by the region, and how to read them.
//!
//! Little-endian: number of buckets and seed of the hash. Where there is no region, the table's bytes follow. Rates begin anew, and
//! parts of packets that are under way are lost.

use crate::track::Tracker;
use perigee_guest::{Buffer, Refusal};

pub(crate) fn save(tracker: Option<&mut Tracker>, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    let Some(tracker) = tracker else { return Ok(()) };
    let (buckets, seed) = tracker.describe();
    state.push(&buckets.to_le_bytes())?;
    state.push(&seed.to_le_bytes())?;
    if let Some(bytes) = tracker.heap() {
        state.push(bytes)?;
    }
    Ok(())
}

/// Takes over what another instance knew. One that followed no connections knew nothing.
pub(crate) fn restore(tracker: Option<&mut Tracker>, state: &[u8]) -> Result<(), Refusal> {
    let Some(tracker) = tracker else { return Ok(()) };
    if state.is_empty() {
        // What is in the region then is of an instance before that one.
        tracker.clear();
        return Ok(());
    }
    let bad = || Refusal::new("this is no state of a firewall of version 1");
    let (buckets, rest) = state.split_first_chunk().ok_or_else(bad)?;
    let (seed, rest) = rest.split_first_chunk().ok_or_else(bad)?;
    if let Some(bytes) = tracker.heap() {
        bytes.clear();
        bytes.extend_from_slice(rest);
    }
    tracker.adopt((u64::from_le_bytes(*buckets), u64::from_le_bytes(*seed)))
}
