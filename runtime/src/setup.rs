//! From a configuration to lcores that are ready to run: everything that can fail, fails here.

use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::{Config, HugePages, Idle, Placed, Source as From, allowed_cpus, is_pci_address};
use crate::counters::Shared;
use crate::dpdk::device::Device;
use crate::dpdk::eal::{Eal, EalOptions};
use crate::dpdk::pool::Pool;
use crate::dpdk::port::{Port, Queues};
use crate::dpdk::ring::Ring;
use crate::error::Error;
use crate::evidence::{Case, Evidence, EvidenceOptions};
use crate::fault::Pulse;
use crate::input_end::expected_packets;
use crate::jail;
use crate::lcore::{Control, Lcore};
use crate::load::{Loader, Upload};
use crate::options::Options;
use crate::outlet::Outlets;
use crate::source::{RxQueue, Source};
use crate::stage::{Now, Stage};
use crate::wasm::engine::Engines;
use crossbeam_queue::ArrayQueue;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

mod maker;
mod memory;
mod seats;

pub(crate) use maker::{Loaded, Maker};
use memory::{Domain, Memory, Sealed};
use seats::Common;
pub(crate) use seats::{PlacedChain, Seat, Seats};

/// Everything of a run that is not an lcore's. Fields are dropped in this order: what uses memory before the memory.
pub(crate) struct Parts {
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) rings: Vec<Arc<Ring>>,
    pub(crate) pools: Vec<Arc<Pool>>,
    /// Packets that each port will give; `None` where it never ends.
    pub(crate) expected: Vec<Option<u64>>,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    /// The chains as placed, with their counters.
    pub(crate) placed: Vec<PlacedChain>,
    /// Where the instances work.
    pub(crate) seats: Arc<Seats>,
    /// Has the region: dropped last.
    pub(crate) maker: Arc<Maker>,
}

/// Starts EAL as the configuration says.
pub(crate) fn start_eal(config: &Config) -> Result<&'static Eal, Error> {
    let huge_pages = match config.run.huge_pages {
        HugePages::Auto => None,
        HugePages::On => Some(true),
        HugePages::Off => Some(false),
    };
    Eal::start(&EalOptions {
        huge_pages,
        memory_mb: (config.run.eal_memory >> 20).max(16),
        pci: config.ports.iter().map(|p| p.device.clone()).filter(|d| is_pci_address(d)).collect(),
        extra: config.run.eal_args.clone(),
    })
}

/// Makes memory, ports, modules and instances, in this order: what needs rights comes before they are given up, and what
/// is made of a module's bytes after that.
pub(crate) fn build(
    config: &Config,
    base: &Path,
    engines: &Engines,
    loader: Loader,
    options: &Options,
) -> Result<(Parts, Vec<Lcore>), Error> {
    let uploads = read_modules(config, base, &loader)?;
    crate::xdp::remove_leftovers(config);
    let evidence =
        options.evidence.clone().or_else(|| Some(EvidenceOptions::new(&base.join(config.run.evidence.as_ref()?))));
    let evidence = evidence.map(|options| Evidence::new(&options, engines).map(Arc::new)).transpose()?;
    let eal = start_eal(config)?;
    let placed = config.placement(&allowed_cpus());
    let expected = config.ports.iter().map(|p| expected(&p.name, &p.device)).collect::<Result<Vec<_>, _>>()?;
    let devices = config.ports.iter().map(|p| Device::probe(&p.name, &p.device)).collect::<Result<Vec<_>, _>>()?;
    let mut memory = Memory::new(config, &placed, eal.huge_pages)?;
    let ports = start_ports(config, &placed, devices, &mut memory)?;
    let rings = config.rings.iter().map(|r| Ring::new(&r.name, r.size).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let clock = Clock::start(crate::dpdk::eal::tsc_hz());
    let mut options = options.clone();
    options.writable.extend(evidence.as_ref().map(|evidence| evidence.directory().to_owned()));
    jail::enter_process(config, &options)?;
    let modules = load_modules(config, &uploads, engines, &loader, evidence.is_some())?;
    let maker = Maker {
        loader,
        engines: engines.clone(),
        config: Mutex::new(Arc::new(config.clone())),
        modules: Mutex::new(modules),
        seed: config.run.seed,
        rings: u32::try_from(rings.len()).unwrap_or(0),
        clock,
        domains: memory.domains,
        sealed: memory.sealed,
        changes: Mutex::default(),
        faults: Arc::default(),
        evidence,
    };
    let mut parts = Parts {
        ports,
        rings,
        pools: memory.pools,
        expected,
        control: Arc::new(Control::default()),
        clock,
        placed: Vec::new(),
        seats: Arc::default(),
        maker: Arc::new(maker),
    };
    let lcores = Builder { config, parts: &mut parts, rooms: memory.rooms }.lcores(&placed)?;
    Ok((parts, lcores))
}

fn expected(name: &str, device: &str) -> Result<Option<u64>, Error> {
    expected_packets(device).map_err(|what| Error::Port { name: name.to_owned(), device: device.to_owned(), what })
}

/// The modules' files, in the order of the configuration.
fn read_modules(config: &Config, base: &Path, loader: &Loader) -> Result<Vec<Upload>, Error> {
    config.modules.iter().map(|m| loader.read(&base.join(&m.file))).collect()
}

fn load_modules(
    config: &Config,
    uploads: &[Upload],
    engines: &Engines,
    loader: &Loader,
    is_evidence_wanted: bool,
) -> Result<BTreeMap<String, Arc<Loaded>>, Error> {
    let load = |(entry, upload): (&crate::config::Module, &Upload)| {
        Ok((entry.name.clone(), Arc::new(Loaded::new(loader, engines, entry, upload, is_evidence_wanted)?)))
    };
    config.modules.iter().zip(uploads).map(load).collect()
}

/// CPUs whose chains send to a port, in order: the first owns the first tx queues.
fn senders(config: &Config, placed: &[Placed], port: usize) -> Vec<u32> {
    let name = &config.ports[port].name;
    let sends = |p: &&Placed| {
        let chain = &config.chains[p.chain];
        chain.granted_ports().any(|granted| granted == name)
    };
    let mut cpus: Vec<u32> = placed.iter().filter(sends).map(|p| p.lcore).collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

fn start_ports(
    config: &Config,
    placed: &[Placed],
    devices: Vec<Device>,
    memory: &mut Memory,
) -> Result<Vec<Arc<Port>>, Error> {
    let mut ports = Vec::new();
    for (number, device) in devices.into_iter().enumerate() {
        let entry = &config.ports[number];
        let senders = u16::try_from(senders(config, placed, number).len()).unwrap_or(u16::MAX);
        let reads =
            |p: &&Placed| matches!(&config.chains[p.chain].source, From::Port { port, .. } if *port == entry.name);
        let read = u16::try_from(placed.iter().filter(reads).count()).unwrap_or(u16::MAX);
        let tx = senders.saturating_mul(entry.tx_queues_per_lcore);
        let queues = Queues { rx: config.rx_queues(number), tx, read };
        let pool = Arc::clone(&memory.port_pools[number]);
        let plain = if device.abilities()?.needs_plain_pool() {
            // Not one of the pools that must be full at the end: net_af_xdp never gives back what it has lent to the kernel.
            // The packets that modules see are copies in the port's other pool.
            let plain = Pool::plain(&format!("own of {}", entry.name), pool.size(), pool.room_len().into())?;
            Some(Arc::new(plain))
        } else {
            None
        };
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let port = Port::start(device, number, entry, queues, pool, plain)?;
        memory.regions().try_for_each(|region| port.map_dma(region.base(), region.len()))?;
        ports.push(Arc::new(port));
    }
    Ok(ports)
}

/// Makes the chains of all lcores.
struct Builder<'a> {
    config: &'a Config,
    parts: &'a mut Parts,
    rooms: Vec<Option<Arc<Pool>>>,
}

impl Builder<'_> {
    fn lcores(&mut self, placed: &[Placed]) -> Result<Vec<Lcore>, Error> {
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
                    pulse: Arc::new(Pulse::new(p.lcore)),
                    retired: Vec::new(),
                    changed: Vec::new(),
                });
                lcores.len() - 1
            });
            let chain = self.chain(index, p, placed, (at, lcores[at].chains.len()))?;
            lcores[at].chains.push(chain);
        }
        Ok(lcores)
    }

    fn chain(&mut self, index: usize, placed: &Placed, all: &[Placed], at: (usize, usize)) -> Result<Chain, Error> {
        let config = self.config;
        let chain = &config.chains[placed.chain];
        let out = self.outlets(placed, all);
        let source = self.source(index, placed);
        let (port, ring) = match &chain.source {
            From::Port { port, .. } => (config.port(port), None),
            From::Ring { ring } => (None, config.ring(ring)),
            From::Module { .. } => (None, None),
        };
        let counters = Arc::new(Shared::default());
        let placed = PlacedChain {
            name: chain.name.clone(),
            lcore: placed.lcore,
            at,
            port,
            ring,
            counters: Arc::clone(&counters),
            common: Common::new(index, placed.worker, &out, &source, self.parts.ports.len()),
        };
        let (maker, ports) = (&self.parts.maker, &self.parts.ports);
        let seats = placed.seats(chain, config, &maker.domains, &[], &self.parts.seats);
        let mut stages = seats.iter().map(|(seat, _)| maker.stage(seat, ports)).collect::<Result<Vec<_>, _>>()?;
        if let (Source::Rooms(pool), Some(stage)) = (&source, stages.first_mut()) {
            let now = Now { cycles: self.parts.clock.cycles(), ns: 0, flags: 0 };
            stage.prefill(pool, now).map_err(|(what, case)| not_prefilled(maker, stage, what, case))?;
            pool.flush_cache();
        }
        if !matches!(source, Source::Ring(..)) {
            self.parts.control.sources.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        self.parts.seats.put(index, seats.into_iter().map(|(seat, _)| seat));
        self.parts.placed.push(placed);
        let tick = self.parts.clock.cycles_in(u64::try_from(config.run.tick.as_nanos()).unwrap_or(u64::MAX));
        Ok(Chain::new(source, stages, out, config.run.burst.into(), tick, counters))
    }

    fn outlets(&self, placed: &Placed, all: &[Placed]) -> Outlets {
        let config = self.config;
        let chain = &config.chains[placed.chain];
        let mut out = Outlets::new(chain.when_full());
        for name in chain.granted_ports() {
            let next = chain.tx.contains(name);
            let Some(number) = config.port(name) else { continue };
            let mine = senders(config, all, number).iter().position(|cpu| *cpu == placed.lcore).unwrap_or(0);
            let each = config.ports[number].tx_queues_per_lcore;
            let first = u16::try_from(mine).unwrap_or(0) * each;
            out.add_port(&self.parts.ports[number], first, each, next);
        }
        for ring in &self.parts.rings {
            out.add_ring(ring);
        }
        out
    }

    fn source(&self, index: usize, placed: &Placed) -> Source {
        let (chain, maker) = (&self.config.chains[placed.chain], &self.parts.maker);
        let entry = self.config.entry_domain(chain);
        match &chain.source {
            From::Port { port, .. } => {
                let port = &self.parts.ports[self.config.port(port).unwrap_or(0)];
                let of_port = self.config.port_domain(usize::from(port.number));
                let domain = entry.or(of_port).unwrap_or(0);
                let mut border = maker.border(domain);
                if port.plain_pool.is_some() && of_port == Some(domain) {
                    // All of its packets are copied: it has a pool of rooms of its own.
                    border.copies = Arc::clone(&port.pool);
                }
                let stale_flags = port.hands_on_mbufs();
                Source::Port(RxQueue { port: Arc::clone(port), queue: placed.queue.unwrap_or(0), border, stale_flags })
            }
            From::Ring { ring } => {
                let ring = Arc::clone(&self.parts.rings[self.config.ring(ring).unwrap_or(0)]);
                // Of one domain, without packets that were checked, all lie in the one region.
                let one = maker.domains.len() == 1 && maker.sealed.checked.is_none();
                Source::Ring(ring, entry.filter(|_| !one).map(|domain| maker.border(domain)))
            }
            From::Module { .. } => {
                let copies = &maker.domains[entry.unwrap_or(0)].copies;
                Source::Rooms(Arc::clone(self.rooms[index].as_ref().unwrap_or(copies)))
            }
        }
    }
}

/// A generator's template could not be made.
fn not_prefilled(maker: &Maker, stage: &Stage, what: String, case: Option<Box<Case>>) -> Error {
    let seat = &stage.place.seat;
    if let Some(case) = case {
        maker.keep(seat, "start", &case);
    }
    module_error(&seat.module, what)
}

fn module_error(name: &str, what: String) -> Error {
    Error::Module { name: name.to_owned(), what }
}
