//! Counts the gaps between packets that arrive, by length: by the port's timestamps where it gives some, else by the time at
//! which the host fetched them.
#![cfg_attr(not(test), no_std)]

mod bins;
#[cfg(test)]
mod tests;

use bins::Bins;
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{Histogram, SECOND};
use perigee_guest::{Batch, Buffer, Counter, Module, Packet, Refusal, Setup, Text, Verdict};

perigee_guest::module!(InterArrival: process, message; heap = MIB, mailbox = 256 * KIB);

perigee_guest::counters! {
    /// Packets that came.
    PACKETS = "packets",
    /// Those whose time the port gave.
    STAMPED = "stamped",
    /// Gaps.
    GAPS = "gaps",
    /// Their lengths, all together, in nanoseconds.
    SUM = "gaps_ns",
    /// Times that lie before that of the packet before.
    BACKWARDS = "backwards",
}

/// The first counters behind those: one for each distance from the expected gap.
const NEAR: usize = 5;
/// Most distances.
const NEAR_MAX: usize = 8;
/// The first counter of a bin.
const BINS: usize = NEAR + NEAR_MAX;

/// The configuration; README.md has the table.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    bin_ns: Option<u64>,
    first_ns: u64,
    expected_ns: Option<u64>,
    near_ns: List<u64, NEAR_MAX>,
    clock: Clock,
    then: Then,
}

/// By which clock gaps are measured.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Clock {
    /// The port's timestamps, where it gives some.
    #[default]
    Port,
    /// The time at which the host fetched the batch.
    Batch,
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

/// When a packet came, and whether the port said so.
#[derive(Clone, Copy)]
struct Arrival {
    time: u64,
    is_stamped: bool,
}

/// The sink.
pub struct InterArrival {
    bins: Bins,
    expected: Option<u64>,
    near: [Option<u64>; NEAR_MAX],
    /// The last packet of each port; the last place is that of generated ones.
    last: [Option<Arrival>; MAX_PORTS + 1],
    histogram: Histogram,
    clock: Clock,
    verdict: Verdict,
}

impl Module for InterArrival {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let bins = Bins::new(config.first_ns, config.bin_ns)?;
        bins.name(setup, BINS);
        Ok(Self {
            bins,
            near: near(&config, setup)?,
            expected: config.expected_ns,
            last: [None; MAX_PORTS + 1],
            histogram: Histogram::new(1, 3_600 * SECOND, 3)?,
            clock: config.clock,
            verdict: if config.then == Then::Drop { Verdict::DROP } else { Verdict::NEXT },
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        for packet in batch {
            self.take(&packet, now);
            packet.finish(self.verdict);
        }
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        match request.trim_ascii() {
            b"gaps" => Ok(self.histogram.encode(|part| reply.push(part))?),
            b"reset" => {
                self.histogram.clear();
                Ok(())
            }
            _ => Err(Refusal::new("known messages: gaps, reset")),
        }
    }
}

/// The distances from the expected gap, each with a counter.
fn near(config: &Config, setup: &Setup<'_>) -> Result<[Option<u64>; NEAR_MAX], Refusal> {
    const DEFAULT: [u64; 4] = [64, 128, 256, 512];
    let mut near = [None; NEAR_MAX];
    if config.expected_ns.is_none() {
        let is_given = config.near_ns.iter().next().is_some();
        return if is_given { Err(Refusal::new("near_ns needs expected_ns")) } else { Ok(near) };
    }
    for (place, distance) in near.iter_mut().zip(config.near_ns.iter()) {
        *place = Some(*distance);
    }
    if near[0].is_none() {
        near[..4].copy_from_slice(&DEFAULT.map(Some));
    }
    for (index, distance) in near.iter().flatten().enumerate() {
        let mut name = Text::<40>::from("near_ns.");
        name.push_number(*distance);
        setup.counter(Counter::at(NEAR + index), name.as_str());
    }
    Ok(near)
}

impl InterArrival {
    #[inline]
    fn take(&mut self, packet: &Packet<'_>, now: u64) {
        PACKETS.add(1);
        let stamp = if self.clock == Clock::Port { packet.rx_time() } else { None };
        STAMPED.add(stamp.is_some().into());
        let arrival = Arrival { time: stamp.unwrap_or(now), is_stamped: stamp.is_some() };
        let place = usize::from(packet.port()).min(MAX_PORTS);
        let Some(last) = self.last[place].replace(arrival) else { return };
        // Two clocks make no gap.
        if last.is_stamped != arrival.is_stamped {
            return;
        }
        match arrival.time.checked_sub(last.time) {
            Some(gap) => self.count(gap),
            None => BACKWARDS.add(1),
        }
    }

    #[inline]
    fn count(&mut self, gap: u64) {
        GAPS.add(1);
        SUM.add(gap);
        self.histogram.record(gap);
        Counter::at(BINS + self.bins.of(gap)).add(1);
        if let Some(expected) = self.expected {
            let distance = gap.abs_diff(expected);
            for (index, near) in self.near.iter().flatten().enumerate() {
                Counter::at(NEAR + index).add((distance <= *near).into());
            }
        }
    }
}
