//! Network functions: a module beside the same in C, on the same ports, pools and packets.
//!
//! Before each slice, and outside of its time, C puts as many fresh packets as a slice has before the port that is read. Behind it
//! they come out of the other port, are counted, and freed. So both sides read the same packets from a ring and send them to
//! one; only what happens between is their own.

mod balancer;
mod firewall;
mod nat;
pub(crate) mod router;

use crate::lab::{Lab, Setup};
use crate::natives::{Digest, Flow, Native};
use crate::quiet::{self, Figures, Prepare, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;
use std::sync::Arc;

const BURST: u16 = 64;
/// Bursts of a slice: what fits into a ring of 1,024.
const BURSTS: u32 = 15;
const PACKETS: u32 = BURSTS * BURST as u32;
/// What one stage costs today is allowed beside the twin, which is one function.
const STAGE: f64 = 12.0;
/// The MAC address to which packets go, and that of the port by which they leave.
pub(crate) const OWN: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// How large tables are.
#[derive(Clone, Copy, Debug)]
struct Size {
    number: u32,
    name: &'static str,
}

/// Measures all functions.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("Network functions, a module beside C: cycles per packet"));
    router::measure(lab, quick)?;
    nat::measure(lab, quick)?;
    firewall::measure(lab, quick)?;
    balancer::measure(lab, quick)
}

/// A loop with a function as a module (`sides[0]` makes its packets), and the same in C.
struct Comparison {
    on: Loop,
    sides: Vec<Native>,
    /// What each side has sent, and whose packets are in the second port.
    sent: Vec<u64>,
    last: usize,
}

impl Comparison {
    /// Starts the module. What is in C is made behind it, for DPDK must have started.
    fn start(lab: &mut Lab, setup: &Setup, twins: impl FnOnce() -> Result<Vec<Native>>) -> Result<Self> {
        let on = setup.start(&lab.root)?;
        let mut sides = vec![Native::new(None, OWN[0], BURST)];
        sides.extend(twins()?);
        let sent = vec![0; sides.len()];
        Ok(Self { on, sides, sent, last: 0 })
    }

    fn set_flows(&mut self, flows: &Arc<[Flow]>) {
        self.sides.iter_mut().for_each(|side| side.set_flows(flows));
    }

    /// Takes away what was sent, and puts the next packets of a side before it.
    fn feed(&mut self, side: usize, digest: Digest) -> Result<()> {
        self.clear(digest);
        self.last = side;
        self.sides[side].feed(&mut self.on, PACKETS)
    }

    fn clear(&mut self, digest: Digest) {
        self.sent[self.last] += self.sides[self.last].take(&mut self.on, digest);
    }

    fn work(&mut self, side: usize) -> u64 {
        match side {
            0 => (0..BURSTS).map(|_| self.on.poll(0) as u64).sum(),
            _ => self.sides[side].run(&mut self.on, BURSTS),
        }
    }

    /// Lets each side have all flows so many times: what is to be learnt of them is learnt then.
    fn learn(&mut self, rounds: usize) -> Result<()> {
        let slices = self.sides[0].flows().div_ceil(PACKETS as usize) * rounds;
        for side in 0..self.sides.len() {
            for _ in 0..slices {
                self.feed(side, Digest::Nothing)?;
                self.work(side);
            }
        }
        self.clear(Digest::Nothing);
        self.is_even()
    }

    /// Lets each side have the same packets, and compares what comes out.
    fn verify(&mut self, slices: usize, digest: Digest) -> Result<()> {
        for side in 0..self.sides.len() {
            for _ in 0..slices {
                self.feed(side, digest)?;
                let came = self.work(side);
                ensure!(came == u64::from(PACKETS), "side {side} took {came} of {PACKETS} packets");
            }
            self.clear(digest);
        }
        self.is_even()?;
        let digests: Vec<_> = self.sides.iter().map(Native::digest).collect();
        ensure!(
            digests.iter().all(|digest| *digest == digests[0]),
            "the module's packets are not those of its twins: {digests:x?}"
        );
        Ok(())
    }

    /// Measures all sides, one slice after the other.
    fn compare(&mut self, lab: &Lab) -> Result<Vec<Samples>> {
        let numbers = 0..self.sides.len();
        let mut prepare: Vec<Prepare<'_, Self>> = Vec::new();
        let mut sides: Vec<Side<'_, Self>> = Vec::new();
        for side in numbers {
            prepare.push(Box::new(move |on| on.feed(side, Digest::Nothing)));
            sides.push(Box::new(move |on| on.work(side)));
        }
        let samples = quiet::interleave_prepared(self, &mut prepare, &mut sides, lab.floor, lab.plan)?;
        self.clear(Digest::Nothing);
        self.is_even()?;
        Ok(samples)
    }

    /// All sides have had the same packets, and have sent as many of them.
    fn is_even(&self) -> Result<()> {
        ensure!(
            self.sent.iter().all(|sent| *sent == self.sent[0]) && self.sent[0] != 0,
            "the module and its twins sent different numbers of packets: {:?}",
            self.sent
        );
        Ok(())
    }

    /// Each packet is accounted for. Tables in C go first: their memory is EAL's.
    fn finish(self, lab: &mut Lab) -> Result<()> {
        drop(self.sides);
        lab.finish(self.on)
    }
}

/// Shows a module beside each of its twins.
fn tell(lab: &mut Lab, (work, variant): (&str, &str), figures: &[Figures], twins: &[&str], times: f64) {
    for (figure, twin) in figures[1..].iter().zip(twins) {
        let variant = format!("{variant} : {twin}");
        let row = Measurement::new((work, "net_ring", BURST, &variant), figures[0]).beside(*figure);
        lab.add(row.aim(times, STAGE));
    }
}
