//! Clocks of ports, read and compared with the system's, without a run.
//!
//! What a driver says of its clock is not believed: a clock is one that moves. One that reads as the system's is told of, for some drivers
//! give that in its place (DPDK's ice until 2026).

use crate::device::{Device, check};
use crate::eal::{Eal, EalOptions};
use crate::pool::Pool;
use crate::port::{Port as StartedPort, Queues};
use crate::stamp_trial::stamps;
use perigee_config::{Config, Port};
use perigee_core::bracket::{Moment, narrowest};
use perigee_core::drift::{self, Reading};
use perigee_core::tsc;
use perigee_dpdk_sys::{self as sys, offload};
use perigee_machine::HugePages;
use perigee_report::{ClockPair, Clocks, Drift, Error, PortClock};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two readings of all clocks.
const EACH: Duration = Duration::from_millis(10);
/// Of so many readings the narrowest counts.
const TRIES: u32 = 8;
/// A clock so near to one of the system's is that.
const SAME_NS: u64 = 1_000_000;
/// Rooms for a port that receives nothing.
const ROOMS: u32 = 2_047;
/// Huge pages with which DPDK can start cards.
const ENOUGH: u64 = 64;

/// How a port's clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// `rte_eth_timesync_read_time`: nanoseconds.
    Timesync,
    /// `rte_eth_read_clock`: ticks of whatever length.
    Ticks,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Timesync => "rte_eth_timesync_read_time",
            Self::Ticks => "rte_eth_read_clock",
        }
    }

    fn read(self, port: u16) -> Result<u64, String> {
        match self {
            Self::Timesync => {
                let mut time = sys::timespec { tv_sec: 0, tv_nsec: 0 };
                // SAFETY:
                // - the port exists and is started; the place for the answer is valid.
                let code = unsafe { sys::rte_eth_timesync_read_time(port, &raw mut time) };
                check(self.name(), code)?;
                let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
                Ok(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0)))
            }
            Self::Ticks => {
                let mut ticks = 0;
                // SAFETY:
                // - as above.
                let code = unsafe { sys::rte_eth_read_clock(port, &raw mut ticks) };
                check(self.name(), code).map(|()| ticks)
            }
        }
    }
}

/// A port whose clock is looked at.
struct Looked {
    port: StartedPort,
    /// The rooms of what it sends.
    pool: Arc<Pool>,
    call: Option<Call>,
    told: PortClock,
    /// By number of the look.
    moments: Vec<Moment<u64>>,
}

/// Starts each device, reads its clock beside the system's for that time, and closes it again. Where that is wanted the first one sends
/// packets of several kinds to the last one before, which may be the same, and it is told which of them were stamped.
///
/// # Errors
/// Where DPDK does not start. A device that does not come up is told of in what is returned.
pub fn clocks(devices: &[String], time: Duration, is_trial_wanted: bool) -> Result<Clocks, Error> {
    let ports: Vec<Port> = devices.iter().map(|device| Port::new(device, device)).collect();
    let config = Config { ports, ..Config::default() };
    let cards = config.ports.iter().filter(|port| !port.is_virtual());
    let pci: Vec<String> = cards.map(|port| port.device_text().spelled_out()).collect();
    let huge_pages = !pci.is_empty() && HugePages::now().free >= ENOUGH;
    let has_iommu = config.cards().iter().all(|card| !card.is_unguarded());
    tsc::begin();
    Eal::start(&EalOptions { huge_pages, memory_mb: 128, pci, has_iommu, extra: Vec::new() })?;
    let started: Vec<_> = config.ports.iter().map(|port| Looked::start(&config, port)).collect();
    crate::log::emit();
    let (looked, failed): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
    let mut looked: Vec<Looked> = looked.into_iter().flatten().collect();
    let ends = looked.first().zip(looked.last()).filter(|_| is_trial_wanted);
    let trials = ends.map(|(first, last)| stamps(&first.port, &last.port, &first.pool)).unwrap_or_default();
    let begin = Instant::now();
    let (mut raw, mut unix) = (Vec::new(), Vec::new());
    while begin.elapsed() < time || raw.len() < 3 {
        raw.push(narrowest(TRIES, || nanos(tsc::raw_time())));
        unix.push(narrowest(TRIES, || nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())));
        looked.iter_mut().for_each(Looked::look);
        std::thread::sleep(EACH.saturating_sub(Duration::from_micros(100)));
    }
    let took_ns = nanos(begin.elapsed());
    let hz = tsc::hz();
    let pairs = pairs(&looked, hz);
    let of_tsc =
        raw.iter().map(|one| Reading { reference_ns: one.value, says: one.cycles, unsure_ns: ns(one.width / 2, hz) });
    let of_tsc: Vec<Reading> = of_tsc.collect();
    Ok(Clocks {
        took_ns,
        tsc: told(&of_tsc, false),
        realtime: told(&beside(&raw, &unix, hz), true),
        ports: looked.into_iter().map(|one| one.tell(&raw, &unix, hz)).collect(),
        pairs,
        trials,
        failed: failed.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect(),
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds that cycles take.
fn ns(cycles: u64, hz: u64) -> u64 {
    u64::try_from(u128::from(cycles) * 1_000_000_000 / u128::from(hz.max(1))).unwrap_or(u64::MAX)
}

/// Readings of a clock beside another one: by the counter, the other's time is that of the same moment.
fn beside(reference: &[Moment<u64>], clock: &[Moment<u64>], hz: u64) -> Vec<Reading> {
    let one = |(reference, clock): (&Moment<u64>, &Moment<u64>)| Reading {
        reference_ns: reference.value.saturating_add(ns(clock.cycles.saturating_sub(reference.cycles), hz)),
        says: clock.value,
        unsure_ns: ns(u64::midpoint(reference.width, clock.width), hz),
    };
    reference.iter().zip(clock).map(one).collect()
}

/// A drift as it is told; of a clock in nanoseconds with the millionths by which it is off.
fn told(readings: &[Reading], in_ns: bool) -> Option<Drift> {
    let rate = drift::rate(readings)?;
    Some(Drift {
        hz: rate.units_per_ns * 1e9,
        ppm: in_ns.then(|| rate.ppm()),
        unsure_ppm: rate.unsure_ppm,
        worst_ns: rate.worst_ns,
        readings: readings.len(),
    })
}

/// Clocks of two ports beside each other.
fn pairs(looked: &[Looked], hz: u64) -> Vec<ClockPair> {
    let in_ns: Vec<&Looked> = looked.iter().filter(|one| one.call == Some(Call::Timesync)).collect();
    let pair = |(at, second): (usize, &&Looked)| {
        let of = |first: &&Looked| ClockPair {
            first: first.told.device.clone(),
            second: second.told.device.clone(),
            drift: told(&beside(&first.moments, &second.moments, hz), true),
        };
        in_ns[..at].iter().map(of).collect::<Vec<_>>()
    };
    in_ns.iter().enumerate().flat_map(pair).collect()
}

impl Looked {
    fn start(config: &Config, entry: &Port) -> Result<Self, Error> {
        let device = Device::probe(config, entry)?;
        let abilities = device.abilities()?;
        let room = perigee_config::sizes::room_len(entry.mtu);
        let pool = Arc::new(Pool::plain(&format!("clock of {}", entry.name), ROOMS, room, abilities.is_pci)?);
        let mut told = PortClock {
            device: entry.device.clone(),
            driver: abilities.driver.clone(),
            rx_timestamps: abilities.rx_offloads & offload::RX_TIMESTAMP != 0 || abilities.driver == "net_pcap",
            ..PortClock::default()
        };
        let port = StartedPort::start(device, 0, entry, Queues { rx: 1, tx: 1 }, Arc::clone(&pool), None, false)?;
        let id = port.dpdk_id();
        // SAFETY:
        // - the port is started.
        let code = unsafe { sys::rte_eth_timesync_enable(id) };
        let enabled = check("rte_eth_timesync_enable", code);
        let by_timesync = enabled.and_then(|()| Call::Timesync.read(id).map(|_| Call::Timesync));
        let found = by_timesync.or_else(|what| {
            told.refused.push(what);
            Call::Ticks.read(id).map(|_| Call::Ticks)
        });
        let call = found.map_err(|what| told.refused.push(what)).ok();
        told.read_by = call.map(|call| call.name().to_owned());
        Ok(Self { port, pool, call, told, moments: Vec::new() })
    }

    fn look(&mut self) {
        let (Some(call), id) = (self.call, self.port.dpdk_id()) else { return };
        // One that cannot be read any more stands still, which will be told.
        let last = self.moments.last().map_or(0, |moment| moment.value);
        self.moments.push(narrowest(TRIES, || call.read(id).unwrap_or(last)));
    }

    fn tell(mut self, raw: &[Moment<u64>], unix: &[Moment<u64>], hz: u64) -> PortClock {
        if let Some(call) = self.call {
            // SAFETY:
            // - the port is started, and nobody reads its clock any more.
            unsafe { sys::rte_eth_timesync_disable(self.port.dpdk_id()) };
            let in_ns = call == Call::Timesync;
            let of_raw = beside(raw, &self.moments, hz);
            self.told.reading_ns = ns(self.moments.iter().map(|moment| moment.width).min().unwrap_or(0), hz);
            self.told.beside_raw = told(&of_raw, in_ns);
            self.told.remark = self.remark(&of_raw, &beside(unix, &self.moments, hz));
        }
        self.told
    }

    /// What is odd about a clock.
    fn remark(&self, of_raw: &[Reading], of_unix: &[Reading]) -> Option<String> {
        let is = |readings: &[Reading]| readings.iter().all(|one| one.says.abs_diff(one.reference_ns) < SAME_NS);
        let (first, last) = (self.moments.first()?, self.moments.last()?);
        if first.value == last.value {
            return Some("it stands still: no clock".to_owned());
        }
        if is(of_raw) {
            return Some("it reads as CLOCK_MONOTONIC_RAW: the system's clock, and not the port's".to_owned());
        }
        if is(of_unix) {
            return Some("it reads as CLOCK_REALTIME: the system's clock, or one that is set by it".to_owned());
        }
        let Some(rate) = drift::rate(of_raw) else { return Some("it goes back: no clock".to_owned()) };
        let is_none = self.call == Some(Call::Timesync) && rate.is_none();
        is_none.then(|| "no drift that could be told: it may be derived from the system's clock".to_owned())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn clocks_that_were_read_one_after_the_other_are_told_of_one_moment() {
        let moment = |cycles, value| Moment { cycles, width: 20, value };
        let reference: Vec<_> = (0..5).map(|n| moment(n * 2_000, 7_000 + n * 1_000)).collect();
        // Half a microsecond later each time, by a counter of 2 GHz.
        let clock: Vec<_> = (0..5).map(|n| moment(n * 2_000 + 1_000, 90_000 + n * 1_001)).collect();
        let readings = beside(&reference, &clock, 2_000_000_000);
        assert_eq!((readings[1].reference_ns, readings[1].says, readings[1].unsure_ns), (8_500, 91_001, 10));
        let told = told(&readings, true).unwrap();
        assert!((told.ppm.unwrap() - 1_000.0).abs() < 1e-6, "{told:?}");
    }
}
