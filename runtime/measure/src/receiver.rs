//! The receiving end of flows: one lcore's.

use crate::arrivals::{ArrivalOptions, Arrivals};
use crate::flow::Flow;
use crate::probe::{self, Key, LEAST_FRAME, Probe, Seen, Tail};
use crate::readings::Received;
use crate::run::Run;
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

/// So few are counted sooner one by one.
const FEW: usize = 4;

/// Reads the probes of a burst.
#[derive(Debug)]
pub struct Receiver {
    key: Key,
    seats: Box<[Option<Seat>]>,
    received: Arc<Received>,
    /// Flows of which probes have come that are not counted yet; as long as there are seats.
    open: Vec<u16>,
}

/// A flow that is read here.
#[derive(Debug)]
struct Seat {
    flow: Arc<Flow>,
    arrivals: Arc<Arrivals>,
    /// Numbers below it were given, when this lcore last looked.
    known: u64,
    timeout_ns: u64,
    /// Probes that have come and are not counted yet.
    run: Run,
}

impl Seat {
    #[inline]
    fn arrive(&self, probe: &Probe, arrival_ns: u64, len: u16) -> Arrival {
        let under_way = arrival_ns.saturating_sub(probe.real());
        let age = if under_way > self.timeout_ns { Age::Overdue } else { Age::Young };
        let arrival = self.flow.window.arrive(probe.sequence, age);
        self.arrivals.count(arrival, probe, arrival_ns, len);
        arrival
    }

    /// Counts what has come: together, where nothing is odd about them.
    #[inline]
    fn arrive_all(&mut self) {
        let run = &self.run;
        let mut counted = 0;
        if run.len() >= FEW && run.is_plain(self.timeout_ns) {
            let all = run.first(run.len());
            counted = self.flow.window.arrive_in_time(all.first, all.real.len());
            self.arrivals.run(run.first(counted));
        }
        for (probe, arrival_ns, len) in run.singly(counted) {
            self.arrive(&probe, arrival_ns, len);
        }
        self.run.clear();
    }
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
            seats[usize::from(*number)] = Some(Seat {
                flow: Arc::clone(flow),
                arrivals,
                known: 0,
                timeout_ns: flow.options().timeout_ns,
                run: Run::default(),
            });
        }
        let open = Vec::with_capacity(by_flow.len());
        Ok(Self { key, seats, received: Arc::new(Received::new(by_flow)), open })
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
    pub fn packet(&mut self, tail: Tail, arrival_ns: u64, len: u16) -> Kind {
        self.end();
        let probe = match self.look(tail, arrival_ns, len) {
            Ok(probe) => probe,
            Err(kind) => return kind,
        };
        let seat = self.seats.get(usize::from(probe.flow)).and_then(Option::as_ref);
        seat.map_or(Kind::Foreign, |seat| Kind::Probe(seat.arrive(&probe, arrival_ns, len)))
    }

    /// As [`Self::packet`], of one of several: it is counted with those that follow on it, by [`Self::end`] at the latest.
    #[inline]
    pub fn take(&mut self, tail: Tail, arrival_ns: u64, len: u16) {
        let Ok(probe) = self.look(tail, arrival_ns, len) else { return };
        let Some(Some(seat)) = self.seats.get_mut(usize::from(probe.flow)) else { return };
        if seat.run.len() == 0 {
            self.open.push(probe.flow);
        }
        if !seat.run.push(&probe, arrival_ns, len) {
            seat.arrive_all();
            seat.run.push(&probe, arrival_ns, len);
        }
    }

    /// All packets that came together were taken: they are counted now.
    #[inline]
    pub fn end(&mut self) {
        for flow in self.open.drain(..) {
            if let Some(Some(seat)) = self.seats.get_mut(usize::from(flow)) {
                seat.arrive_all();
            }
        }
    }

    /// The probe that a packet is. What is none is counted as what it is.
    #[inline]
    fn look(&mut self, tail: Tail, arrival_ns: u64, len: u16) -> Result<Probe, Kind> {
        let kind = match probe::read(tail, &self.key) {
            _ if usize::from(len) < LEAST_FRAME => Kind::Foreign,
            Seen::Probe(probe) if self.is_given(&probe) => return Ok(probe),
            Seen::Corrupted(probe) => self.wrong(&probe, arrival_ns),
            Seen::Probe(_) | Seen::Foreign => Kind::Foreign,
        };
        match kind {
            Kind::Corrupted => self.received.corrupted.add(1),
            _ => self.received.foreign.add(1),
        }
        Err(kind)
    }

    /// A number that was not given is no probe's, whatever its check says: so there never come more than were sent.
    #[inline]
    fn is_given(&mut self, probe: &Probe) -> bool {
        let Some(Some(seat)) = self.seats.get_mut(usize::from(probe.flow)) else { return false };
        if probe.sequence >= seat.known {
            seat.known = seat.flow.sent.count();
        }
        probe.sequence < seat.known
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
