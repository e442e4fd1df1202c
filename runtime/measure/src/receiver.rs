//! The receiving end of flows: one lcore's.

use crate::arrivals::{ArrivalOptions, Arrivals};
use crate::flow::Flow;
use crate::probe::{self, Key, LEAST_FRAME, Probe, Seen, Tail};
use crate::readings::Received;
use crate::window::{Age, Arrival};
use hdrhistogram::CreationError;
use std::sync::Arc;

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A probe of a flow that is read here.
    Probe(Arrival),
    /// No probe of this run, or of a flow that is read elsewhere.
    Foreign,
    /// A probe of this run whose fields are not as they were sent.
    Corrupted,
}

/// Reads the probes of a burst.
#[derive(Debug)]
pub struct Receiver {
    key: Key,
    seats: Box<[Option<Seat>]>,
    received: Arc<Received>,
}

/// A flow that is read here.
#[derive(Debug)]
struct Seat {
    flow: Arc<Flow>,
    arrivals: Arc<Arrivals>,
    /// Numbers below it were given, when this lcore last looked.
    known: u64,
    timeout_ns: u64,
}

impl Receiver {
    /// For flows by their numbers in the run's table. All memory is taken here; fails where a precision is one that `hdrhistogram`
    /// does not have.
    pub fn new(key: Key, flows: &[(u16, Arc<Flow>)], options: &ArrivalOptions) -> Result<Self, CreationError> {
        let len = flows.iter().map(|(number, _)| usize::from(*number) + 1).max().unwrap_or(0);
        let mut seats: Box<[Option<Seat>]> = (0..len).map(|_| None).collect();
        let mut by_flow = Vec::new();
        for (number, flow) in flows {
            let arrivals = Arc::new(Arrivals::new(options)?);
            by_flow.push((*number, Arc::clone(&arrivals)));
            seats[usize::from(*number)] =
                Some(Seat { flow: Arc::clone(flow), arrivals, known: 0, timeout_ns: flow.options().timeout_ns });
        }
        Ok(Self { key, seats, received: Arc::new(Received::new(by_flow)) })
    }

    /// What others read.
    pub fn received(&self) -> Arc<Received> {
        Arc::clone(&self.received)
    }

    /// Two bytes that all probes of this run have at [`probe::TAG`]. What has others there is a stranger.
    #[inline]
    pub fn tag(&self) -> [u8; 2] {
        self.key.tag()
    }

    /// So many packets were no probes, as their tags have shown.
    #[inline]
    pub fn add_foreign(&self, packets: u64) {
        if packets > 0 {
            self.received.foreign.add(packets);
        }
    }

    /// So many probes lack the time that their port was to give them.
    #[inline]
    pub fn add_unstamped(&self, probes: u64) {
        if probes > 0 {
            self.received.unstamped.add(probes);
        }
    }

    /// Looks at a packet whose last bytes these are, which came at `arrival_ns` of the run's clock and has `len` bytes without frame check
    /// sequence; and counts it.
    #[inline]
    pub fn packet(&mut self, tail: Tail, arrival_ns: u64, len: u16) -> Kind {
        let kind = match probe::read(tail, &self.key) {
            _ if usize::from(len) < LEAST_FRAME => Kind::Foreign,
            Seen::Probe(probe) => self.probe(&probe, arrival_ns, len),
            Seen::Corrupted(probe) => self.wrong(&probe, arrival_ns),
            Seen::Foreign => Kind::Foreign,
        };
        match kind {
            Kind::Probe(_) => {}
            Kind::Foreign => self.received.foreign.add(1),
            Kind::Corrupted => self.received.corrupted.add(1),
        }
        kind
    }

    #[inline]
    fn probe(&mut self, probe: &Probe, arrival_ns: u64, len: u16) -> Kind {
        let Some(Some(seat)) = self.seats.get_mut(usize::from(probe.flow)) else { return Kind::Foreign };
        if probe.sequence >= seat.known {
            // A number that was not given is no probe's, whatever its check says: so there never come more than were sent.
            seat.known = seat.flow.sent.count();
            if probe.sequence >= seat.known {
                return Kind::Foreign;
            }
        }
        let under_way = arrival_ns.saturating_sub(probe.real());
        let age = if under_way > seat.timeout_ns { Age::Overdue } else { Age::Young };
        let arrival = seat.flow.window.arrive(probe.sequence, age);
        seat.arrivals.count(arrival, probe, arrival_ns, len);
        Kind::Probe(arrival)
    }

    /// The tag of this run, and a wrong check. One of 65,536 strangers has that tag too. A probe in which some bits have changed is
    /// told from them by what the other fields say: two of four must be such as a probe of this run may have.
    #[cold]
    fn wrong(&self, probe: &Probe, arrival_ns: u64) -> Kind {
        let is_flow = matches!(self.seats.get(usize::from(probe.flow)), Some(Some(_)));
        let is_number = probe.sequence < 1 << 48;
        let is_time = probe.intended <= arrival_ns.saturating_add(1_000_000_000);
        let is_lateness = probe.late.unsigned_abs() < 1 << 40;
        let likely: u8 = [is_flow, is_number, is_time, is_lateness].map(u8::from).iter().sum();
        if likely >= 2 { Kind::Corrupted } else { Kind::Foreign }
    }

    /// Calls lost what has been under way for longer than its time-out ([`Flow::expire`]): about once a millisecond. Of several
    /// receivers of a flow one has to do it, and more may.
    pub fn expire(&mut self, now_ns: u64) {
        self.seats.iter().flatten().for_each(|seat| seat.flow.expire(now_ns));
    }

    /// Nothing comes any more.
    pub fn finish(&mut self) {
        for seat in self.seats.iter().flatten() {
            seat.flow.finish();
            seat.arrivals.order.finish();
        }
    }
}
