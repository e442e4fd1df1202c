//! Puts packets into rings: both directions of a flow into the same one, whichever port each comes from.
//!
//! A function that follows connections has a memory for each instance, so on several lcores one instance must see both directions of a
//! connection. Cards do that by RSS with a symmetric key; this does it where there is no such card.
#![cfg_attr(not(test), no_std)]

mod flow;
#[cfg(test)]
mod tests;

use flow::{By, flow_hash};
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::{Batch, Module, Refusal, Setup, Text, Verdict};

perigee_guest::module!(Spread: process; mailbox = 4 * KIB);

/// Most rings.
const RINGS_MAX: usize = 64;

perigee_guest::counters! {
    /// Packets, all of which go into rings.
    PACKETS = "packets",
    /// Packets of no flow, which go into the first ring: no IP, or cut off.
    OTHER = "other",
}

/// The configuration; README.md has the table.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    rings: List<u32, RINGS_MAX>,
    by: By,
    key: u64,
}

/// Who spreads.
pub struct Spread {
    /// The verdict for each ring.
    rings: [Verdict; RINGS_MAX],
    count: usize,
    by: By,
    key: u64,
}

impl Module for Spread {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config = setup.json()?;
        let mut spread = Self { rings: [Verdict::DROP; RINGS_MAX], count: 0, by: config.by, key: config.key };
        match config.rings.iter().next() {
            Some(_) => config.rings.iter().try_for_each(|ring| spread.add(*ring, setup.ring_count()))?,
            None => (0..setup.ring_count()).take(RINGS_MAX).try_for_each(|ring| spread.add(ring, u32::MAX))?,
        }
        if spread.count == 0 {
            return Err(Refusal::new("rings: this run has none: add [[ring]], one for each instance behind it"));
        }
        Ok(spread)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let (total, mut other) = (batch.len() as u64, 0);
        // With a single ring there is nothing to look at.
        let only = if self.count == 1 { self.rings.first().copied() } else { None };
        for packet in batch {
            let verdict = only.unwrap_or_else(|| {
                let hash = flow_hash(packet.bytes(), self.by, self.key);
                other += u64::from(hash.is_none());
                self.of_hash(hash.unwrap_or(0))
            });
            packet.finish(verdict);
        }
        PACKETS.add(total);
        OTHER.add(other);
    }
}

impl Spread {
    /// Adds a ring, where the run has as many.
    fn add(&mut self, ring: u32, count: u32) -> Result<(), Refusal> {
        match (self.rings.get_mut(self.count), u16::try_from(ring)) {
            (Some(place), Ok(number)) if ring < count => *place = Verdict::ring(number),
            _ => return Err(no_ring(ring, count)),
        }
        self.count += 1;
        Ok(())
    }

    /// The ring of a hash: the first for the lowest ones, and each for as many.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "below the number of rings")]
    fn of_hash(&self, hash: u64) -> Verdict {
        let place = ((hash >> 32) * self.count as u64) >> 32;
        self.rings.get(place as usize).copied().unwrap_or(Verdict::DROP)
    }
}

fn no_ring(ring: u32, count: u32) -> Refusal {
    let mut text = Text::<240>::from("rings: there is no ring ");
    text.push_number(ring.into())
        .push(": this run has ")
        .push_number(count.into())
        .push(", numbered from 0 in the order of [[ring]]");
    text.into()
}
