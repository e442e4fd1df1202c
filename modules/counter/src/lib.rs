//! Counts packets and bytes by EtherType, IP protocol and size, and passes them on or drops them.
#![cfg_attr(not(test), no_std)]

mod classes;
#[cfg(test)]
mod tests;

use classes::{Class, SIZE_NAMES, size_class};
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::{Batch, Counter, Module, Packet, Refusal, Setup, Text, Verdict};

perigee_guest::module!(Count: process; mailbox = 4 * KIB);

/// All packets and their bytes.
const TOTAL: Pair = Pair::at(0);
/// The first pair of the classes, one for each [`Class`].
const CLASSES: usize = 2;
/// The first size class: packets only.
const SIZES: usize = CLASSES + 2 * Class::ALL.len();

/// A counter of packets and one of their bytes.
#[derive(Clone, Copy)]
struct Pair {
    packets: Counter,
    bytes: Counter,
}

impl Pair {
    const fn at(index: usize) -> Self {
        Self { packets: Counter::at(index), bytes: Counter::at(index + 1) }
    }

    fn of(class: Class) -> Self {
        Self::at(CLASSES + 2 * class as usize)
    }

    #[inline]
    fn add(self, bytes: u64) {
        self.packets.add(1);
        self.bytes.add(bytes);
    }

    fn name(self, setup: &Setup<'_>, prefix: &str) {
        for (counter, what) in [(self.packets, "packets"), (self.bytes, "bytes")] {
            let mut text = Text::<32>::from(prefix);
            text.push(what);
            setup.counter(counter, text.as_str());
        }
    }
}

/// The configuration; README.md has the table.
#[derive(Default, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    then: Then,
}

/// What becomes of packets after they were counted.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Then {
    /// They go on to the next stage or port of the chain.
    #[default]
    Next,
    /// They are dropped.
    Drop,
}

/// The counter.
pub struct Count {
    verdict: Verdict,
}

impl Module for Count {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        TOTAL.name(setup, "");
        for class in Class::ALL {
            let mut prefix = Text::<16>::from(class.name());
            prefix.push(".");
            Pair::of(class).name(setup, prefix.as_str());
        }
        for (index, name) in SIZE_NAMES.iter().enumerate() {
            setup.counter(Counter::at(SIZES + index), name);
        }
        Ok(Self { verdict: if config.then == Then::Drop { Verdict::DROP } else { Verdict::NEXT } })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for packet in batch {
            count(&packet);
            packet.finish(self.verdict);
        }
    }
}

/// Counts one packet: once in the total, once in its size, and in each class that it belongs to.
#[inline]
fn count(packet: &Packet<'_>) {
    let bytes = u64::from(packet.len());
    TOTAL.add(bytes);
    Counter::at(SIZES + size_class(packet.len())).add(1);
    if packet.vlan().is_some() {
        Pair::of(Class::Vlan).add(bytes);
    }
    for class in classes::of(packet.bytes(), packet.vlan().is_some()).into_iter().flatten() {
        Pair::of(class).add(bytes);
    }
}
