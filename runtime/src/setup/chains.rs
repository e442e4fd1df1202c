//! The chains of all lcores.

use super::streams::pacer;
use crate::parts::{Common, Maker, Parts, PlacedChain, PlacedTimes, module_error};
use crossbeam_queue::ArrayQueue;
use perigee_abi::MAX_BATCH;
use perigee_config::stream::Method;
use perigee_config::{Config, Idle, Placed, Source as From, WhenFull};
use perigee_core::clock::Now;
use perigee_core::clock::nanos;
use perigee_core::counters::Shared;
use perigee_datapath::chain::Chain;
use perigee_datapath::entrance::{Entrance, Gate, Part};
use perigee_datapath::filter::Filter;
use perigee_datapath::flow::Sorter;
use perigee_datapath::health::Pulse;
use perigee_datapath::lcore::Lcore;
use perigee_datapath::outlet::{Fillers, Launch, Outlets, Valve};
use perigee_datapath::seat::Spot;
use perigee_datapath::shares::Shares;
use perigee_datapath::source::{RingEnd, RxQueue, Source};
use perigee_datapath::stage::Stage;
use perigee_datapath::timing::Timing;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::TxMarks;
use perigee_dpdk_sys::flags;
use perigee_evidence::Case;
use perigee_measure::stages::Parts as StageParts;
use perigee_pcap::filter;
use perigee_report::Error;
use perigee_wasm::stack::with_guest_stack;
use std::sync::Arc;

/// Bytes of a room for a filler, with headroom.
const FILLER_ROOM: usize = 2_048;

/// Makes the chains of all lcores.
pub(super) struct Builder<'a> {
    pub(super) config: &'a Config,
    pub(super) parts: &'a mut Parts,
    pub(super) rooms: Vec<Option<Arc<Pool>>>,
    pub(super) filters: Vec<Option<Arc<filter::Program>>>,
}

impl Builder<'_> {
    pub(super) fn lcores(&mut self, placed: &[Placed]) -> Result<Vec<Lcore>, Error> {
        let physical = self.parts.ports.iter().any(|p| p.is_physical());
        let nap = self.config.run.idle.map_or(!physical, |idle| idle == Idle::Nap);
        let mut lcores: Vec<Lcore> = Vec::new();
        for (index, p) in placed.iter().enumerate() {
            let at = lcores.iter().position(|l| l.cpu == p.lcore).unwrap_or_else(|| {
                lcores.push(Lcore {
                    cpu: p.lcore,
                    chains: Vec::new(),
                    commands: Arc::new(ArrayQueue::new(64)),
                    control: Arc::clone(&self.parts.control),
                    clock: self.parts.clock,
                    nap,
                    shares: Shares::default(),
                    costs: Vec::new(),
                    pulse: Arc::new(Pulse::new(p.lcore)),
                    retired: Vec::new(),
                    changed: Vec::new(),
                    is_told: false,
                });
                lcores.len() - 1
            });
            let chain = self.chain(index, p, placed, Spot { lcore: at, chain: lcores[at].chains.len() })?;
            lcores[at].chains.push(chain);
        }
        self.share(placed, &mut lcores);
        self.parts.probes.complete();
        Ok(lcores)
    }

    /// Chains that compete for an lcore share its time.
    fn share(&self, placed: &[Placed], lcores: &mut [Lcore]) {
        let groups = self.config.groups();
        for lcore in lcores {
            let here = placed.iter().filter(|p| p.lcore == lcore.cpu);
            let here: Vec<_> = here.map(|p| (groups[p.chain], self.config.chains[p.chain].weight)).collect();
            lcore.shares = Shares::new(&here, &self.parts.clock);
        }
    }

    fn chain(&mut self, index: usize, placed: &Placed, all: &[Placed], at: Spot) -> Result<Chain, Error> {
        let config = self.config;
        let chain = &config.chains[placed.chain];
        let mut out = self.outlets(index, placed, all);
        out.pacer = pacer(config, &self.parts.streams, placed, &self.parts.ports)?;
        let ahead = self.hand_ahead(&mut out, chain)?;
        out.probing = self.parts.probes.sender(config, index, ahead);
        let source = self.source(index, placed)?;
        let (port, ring) = match &chain.source {
            From::Port { port, .. } => (config.port(port), None),
            From::Ring { ring } => (None, config.ring(ring)),
            From::Module { .. } => (None, None),
        };
        let counters = Arc::new(Shared::default());
        let times = stage_times(chain)?;
        let timing = times
            .as_ref()
            .map(|times| Box::new(Timing::new(Arc::clone(&times.parts), source.meta().timestamp, self.parts.clock)));
        let placed = PlacedChain {
            times,
            name: chain.name.clone(),
            lcore: placed.lcore,
            at,
            port,
            queue: placed.queue,
            ring,
            counters: Arc::clone(&counters),
            common: Common::new(index, placed.worker, &out, &source, self.parts.ports.len()),
        };
        let (maker, ports) = (&self.parts.maker, &self.parts.ports);
        let seats = placed.seats(chain, config, &maker.domains, &[], &self.parts.seats);
        let mut stages = seats.iter().map(|(seat, _)| maker.stage(seat, ports)).collect::<Result<Vec<_>, _>>()?;
        if let (Source::Rooms(pool), Some(stage)) = (&source, stages.first_mut()) {
            let now = Now { cycles: self.parts.clock.cycles(), ns: 0, flags: 0 };
            let prefilled = with_guest_stack(|| stage.prefill(pool, now)).map_err(|e| (e.to_string(), None));
            prefilled.flatten().map_err(|(what, case)| not_prefilled(maker, stage, what, case))?;
            pool.flush_cache();
        }
        if !matches!(source, Source::Ring(..)) {
            self.parts.control.sources.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        self.parts.seats.put(index, seats.into_iter().map(|(seat, _)| seat));
        self.parts.placed.push(placed);
        let tick = self.parts.clock.cycles_in(nanos(config.run.tick));
        let mut chain = Chain::new(source, stages, out, config.run.burst.into(), tick, counters);
        chain.paths = self.parts.paths.work(index);
        chain.timing = timing;
        Ok(chain)
    }

    fn outlets(&self, index: usize, placed: &Placed, all: &[Placed]) -> Outlets {
        let config = self.config;
        let chain = &config.chains[placed.chain];
        let mut out = Outlets::new(chain.when_full(), self.parts.clock);
        for name in chain.granted_ports() {
            let next = chain.tx.contains(name);
            let Some(number) = config.port(name).filter(|number| self.parts.ports[*number].sends()) else { continue };
            let mine = config.senders(all, number).iter().position(|cpu| *cpu == placed.lcore).unwrap_or(0);
            let each = config.ports[number].tx_queues_per_lcore;
            let first = u16::try_from(mine).unwrap_or(0) * each;
            out.add_port(&self.parts.ports[number], first, each, next);
            let taps = (0..each).filter_map(|_| self.parts.paths.sent(index, number));
            taps.for_each(|taps| out.add_taps(self.parts.ports[number].facts().number, taps));
        }
        for ring in &self.parts.rings {
            out.add_ring(ring);
        }
        let makes = matches!(chain.source, From::Module { .. });
        let valve = |pressure| Valve::new(pressure, makes.then(|| self.behind(placed.chain)));
        out.valve = self.parts.pressure.as_ref().map(valve).map(Box::new);
        out
    }

    /// The rings that may press and to which packets of a chain can come.
    fn behind(&self, chain: usize) -> Box<[usize]> {
        let presses = |ring: &usize| self.config.rings[*ring].backpressure.is_some();
        self.config.rings_behind(chain).into_iter().filter(presses).collect()
    }

    /// Where a chain that reads a port stops flows: none where no ring behind it presses.
    fn gate(&self, chain: usize, has_hashes: bool) -> Option<Gate> {
        let (pressure, behind) = (self.parts.pressure.as_ref()?, self.behind(chain));
        (!behind.is_empty()).then(|| Gate::new(pressure, behind, has_hashes))
    }

    /// What a chain's stream takes whose packets are handed to the port before their times; whether that is so.
    fn hand_ahead(&mut self, out: &mut Outlets, chain: &perigee_config::Chain) -> Result<bool, Error> {
        let Some(stream) = self.parts.streams.iter().find(|stream| stream.asked.chain == chain.name) else {
            return Ok(false);
        };
        let Some(marks) = TxMarks::get().filter(|_| stream.means.hands_ahead()) else { return Ok(false) };
        if stream.means.method == Method::LaunchTime {
            out.launch(Launch { marks, clock: stream.means.clock });
            return Ok(true);
        }
        let port = chain.granted_ports().next().and_then(|name| self.config.port(name)).unwrap_or(0);
        let entry = &self.config.ports[port];
        // As many as the port may keep, and those of two bursts.
        let rooms = u32::from(entry.tx_descriptors) + u32::try_from(2 * MAX_BATCH).unwrap_or(0);
        let is_for_card = self.parts.ports[port].is_physical();
        let pool = Arc::new(Pool::plain(&format!("fillers of {}", entry.name), rooms, FILLER_ROOM, is_for_card)?);
        self.parts.pools.push(Arc::clone(&pool));
        out.fill(Fillers { pool, flag: marks.filler });
        Ok(true)
    }

    fn source(&self, index: usize, placed: &Placed) -> Result<Source, Error> {
        let (chain, maker) = (&self.config.chains[placed.chain], &self.parts.maker);
        let entry = self.config.entry_domain(chain);
        let filter = |tag: u64| {
            let program = self.filters[placed.chain].as_ref().map(Arc::clone);
            program.map(|program| Filter::new(program, tag))
        };
        Ok(match &chain.source {
            From::Port { port, .. } => {
                let number = self.config.port(port).unwrap_or(0);
                let port = &self.parts.ports[number];
                let mut facts = port.facts();
                facts.timestamp = facts.timestamp.and_then(|t| t.of_run(&self.parts.unix));
                let of_port = self.config.port_domain(number);
                let domain = entry.or(of_port).unwrap_or(0);
                let mut border = maker.border(domain);
                if port.has_plain_pool() && of_port == Some(domain) {
                    // All of its packets are copied: it has a pool of rooms of its own.
                    border.copy_into(Arc::clone(port.pool()));
                }
                // A file is over when all of it has come; an empty poll says nothing.
                let ends = self.parts.ends.queue(index).is_some() && port.tape().is_none();
                let queue = placed.queue.unwrap_or(0);
                let waits = chain.when_full() == WhenFull::Wait;
                let flows = self.parts.flows[number].as_ref().filter(|flows| flows.needs_sorting());
                let sorter = flows.map(|flows| Box::new(Sorter::new(flows, queue, waits)));
                let gate = self.gate(placed.chain, !facts.stale_flags).map(Part::Gate);
                let entrance = Entrance::new(filter(flags::RX_VLAN_STRIPPED), gate);
                let end = Arc::clone(port).rx_end(queue);
                let listening = self.parts.probes.listener(self.config, placed.chain, facts.timestamp)?;
                let taps = self.parts.paths.received(index, facts.timestamp);
                Source::Port(RxQueue { end, facts, queue, border, ends, sorter, entrance, listening, taps })
            }
            From::Ring { ring } => {
                let number = self.config.ring(ring).unwrap_or(0);
                let ring = Arc::clone(&self.parts.rings[number]);
                // Of one domain, without packets that were checked, all lie in the one region.
                let one = maker.domains.len() == 1 && maker.sealed.checked.is_none();
                let border = entry.filter(|_| !one).map(|domain| maker.border(domain));
                // A module may have taken a tag off for good, or asked for one.
                let filter = filter(flags::TX_VLAN);
                let presses = self.config.rings.get(number).is_some_and(|ring| ring.backpressure.is_some());
                let pressure = self.parts.pressure.as_ref().filter(|_| presses);
                let reader = pressure.map(|pressure| Part::Reader(Arc::clone(pressure), number));
                Source::Ring(RingEnd { ring, border, entrance: Entrance::new(filter, reader) })
            }
            From::Module { .. } => {
                let copies = &maker.domains[entry.unwrap_or(0)].copies;
                Source::Rooms(Arc::clone(self.rooms[index].as_ref().unwrap_or(copies)))
            }
        })
    }
}

/// What measures how long packets take in the parts of a chain, and its modules; `None` where nobody asks.
fn stage_times(chain: &perigee_config::Chain) -> Result<Option<PlacedTimes>, Error> {
    if !chain.stage_times {
        return Ok(None);
    }
    let modules: Vec<String> = chain.modules().cloned().collect();
    let parts = StageParts::new(modules.len());
    let parts = parts.map_err(|what| Error::Request(format!("chain {:?}: histograms: {what}", chain.name)))?;
    Ok(Some(PlacedTimes { parts: Arc::new(parts), modules }))
}

/// A generator's template could not be made.
fn not_prefilled(maker: &Maker, stage: &Stage, what: String, case: Option<Box<Case>>) -> Error {
    let seat = &stage.place.seat;
    if let Some(case) = case {
        maker.keep(seat, "start", &case);
    }
    module_error(&seat.module, what)
}
