//! How long a module's call takes, in cycles of the time stamp counter per packet.
//!
//! A core's other hyperthread may belong to somebody else. So each slice of work stands between two probes, a piece of work
//! that always takes the same time where nobody else is there; only slices between two quick probes count, if there are
//! enough of them. benches/ measures the same way, with a twin in native code beside.

use super::{Failure, Packet, Trial};
use perigee_core::clock::cycles as now_cycles;
use perigee_wasm::instance::Callback;
use std::time::{Duration, Instant};

/// Calls in a slice: long enough that the probes do not disturb.
const CALLS: usize = 64;
/// How far above the floor a probe of a quiet slice may be.
const TOLERANCE: f64 = 1.04;
/// Slices that only warm caches and branch predictors.
const WARM_UP: usize = 20;
/// Fewer quiet slices than this say nothing.
const LEAST: usize = 30;
/// So many are enough.
const ENOUGH: usize = 400;

/// What a module is measured at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `process`, with packets.
    Process,
    /// `generate`, with rooms.
    Generate,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Cycles per packet of the call alone: the median of the quiet slices; of all, where too few were quiet.
    pub cycles: f64,
    /// From the 10th to the 90th percentile of the same slices.
    pub spread: f64,
    /// How many slices were quiet.
    pub quiet_slices: usize,
    /// Packets in each call.
    pub batch: usize,
    /// Bytes of the instance's memory afterwards, as of [`Trial::memory`].
    pub memory: (usize, usize),
}

impl Trial {
    /// Measures the call of a role with `batch` packets of 60 bytes, for at most `budget`. The same rooms are used in each call,
    /// as in a run that frees its packets as fast as they come: they are in the core's cache.
    ///
    /// # Errors
    /// As for [`Trial::process`].
    ///
    /// # Panics
    /// As for [`Trial::process`].
    pub fn measure(mut self, role: Role, batch: usize, budget: Duration) -> Result<Measured, Failure> {
        self.rooms.keep_first(batch);
        let floor = floor();
        let n = u32::try_from(batch).unwrap_or(0);
        let begin = Instant::now();
        let (mut quiet, mut busy) = (Vec::new(), Vec::new());
        for round in 0_usize.. {
            let given = match role {
                Role::Process => self.publish(&vec![frame(); batch]),
                Role::Generate => self.publish_fresh(batch),
            };
            let callback = if role == Role::Process { Callback::Process } else { Callback::Generate };
            let before = probe();
            let from = now_cycles();
            let called = (0..CALLS).try_for_each(|_| self.instance.call(callback, n));
            let taken = now_cycles() - from;
            let after = probe();
            given.iter().for_each(|given| self.rooms.give_back(given.room));
            called.map_err(|trapped| Failure::Trap(trapped.to_string()))?;
            if round >= WARM_UP {
                let is_quiet = before.max(after) <= floor * TOLERANCE;
                let cycles = taken as f64 / (CALLS * batch.max(1)) as f64;
                if is_quiet { quiet.push(cycles) } else { busy.push(cycles) }
            }
            if quiet.len() >= ENOUGH || (round > WARM_UP && begin.elapsed() > budget) {
                break;
            }
        }
        let quiet_slices = quiet.len();
        if quiet_slices < LEAST {
            quiet.append(&mut busy);
        }
        let cycles = quantile(&mut quiet, 0.5);
        let spread = quantile(&mut quiet, 0.9) - quantile(&mut quiet, 0.1);
        let memory = self.memory();
        Ok(Measured { cycles, spread, quiet_slices, batch, memory })
    }
}

/// A UDP packet of 60 bytes.
fn frame() -> Packet {
    let mut bytes = vec![0; 60];
    bytes[..12].copy_from_slice(&[0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2]);
    bytes[12..16].copy_from_slice(&[0x08, 0x00, 0x45, 0]);
    bytes[23] = 17;
    Packet { bytes, ..Packet::default() }
}

/// Cycles of a chain of multiplications, which nothing but another thread on the same core changes.
fn probe() -> f64 {
    let from = now_cycles();
    let mut x = from | 1;
    for _ in 0..300 {
        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005));
    }
    std::hint::black_box(x);
    (now_cycles() - from) as f64
}

/// What the probe takes on a quiet core: not its lowest value, which may be a slip, but the lowest hundredth.
fn floor() -> f64 {
    let mut probes: Vec<f64> = (0..20_000).map(|_| probe()).collect();
    quantile(&mut probes, 0.01)
}

/// The value below which `part` of the values are; `values` must not be empty.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and between 0 and the length")]
    let at = ((values.len() - 1) as f64 * part).round() as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}
