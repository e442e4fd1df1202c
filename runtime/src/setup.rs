//! From a configuration to lcores that are ready to run: everything that can fail, fails here.

use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::{Config, HugePages, Idle, Placed, Source as From, allowed_cpus, is_pci_address};
use crate::counters::Shared;
use crate::dpdk::device::Device;
use crate::dpdk::eal::{Eal, EalOptions};
use crate::dpdk::pool::Pool;
use crate::dpdk::port::{Port, Queues};
use crate::dpdk::region::Region;
use crate::dpdk::ring::Ring;
use crate::error::Error;
use crate::held::Held;
use crate::input_end::expected_packets;
use crate::lcore::{Control, Lcore};
use crate::outlet::Outlets;
use crate::source::{RxQueue, Source};
use crate::stage::{Meta, Now, Stage, StageParts, View};
use crate::wasm::engine::EPOCH;
use crate::wasm::host::{Host, LogQueue};
use crate::wasm::instance::{Callback, Instance};
use crate::wasm::module::{Limits, Module};
use crossbeam_queue::ArrayQueue;
use perigee_abi::names;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

mod memory;

use memory::Memory;

/// Everything of a run that is not an lcore's. Fields are dropped in this order: what uses memory before the memory.
pub(crate) struct Parts {
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) rings: Vec<Arc<Ring>>,
    pub(crate) pools: Vec<Arc<Pool>>,
    pub(crate) region: Region,
    /// Packets that each port will give; `None` where it never ends.
    pub(crate) expected: Vec<Option<u64>>,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    /// The chains as placed, with their counters.
    pub(crate) placed: Vec<PlacedChain>,
    /// Logs of the instances.
    pub(crate) logs: Vec<InstanceLog>,
    pub(crate) seed: u64,
}

/// A chain on an lcore, as the control thread sees it.
pub(crate) struct PlacedChain {
    pub(crate) name: String,
    pub(crate) lcore: u32,
    /// Position among the lcores, and among that lcore's chains.
    pub(crate) at: (usize, usize),
    /// Number of its port, where it reads one.
    pub(crate) port: Option<usize>,
    /// Number of its ring, where it reads one.
    pub(crate) ring: Option<usize>,
    /// Modules of its stages.
    pub(crate) modules: Vec<String>,
    pub(crate) counters: Arc<Shared>,
}

/// Log of one instance.
pub(crate) struct InstanceLog {
    pub(crate) chain: usize,
    pub(crate) stage: usize,
    pub(crate) module: String,
    pub(crate) log: Arc<LogQueue>,
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

/// Makes modules, memory, ports and instances.
pub(crate) fn build(config: &Config, base: &Path, engine: &wasmtime::Engine) -> Result<(Parts, Vec<Lcore>), Error> {
    let modules = load_modules(config, base, engine)?;
    let eal = start_eal(config)?;
    let placed = config.placement(&allowed_cpus());
    let expected = config.ports.iter().map(|p| expected(&p.name, &p.device)).collect::<Result<Vec<_>, _>>()?;
    let devices = config.ports.iter().map(|p| Device::probe(&p.name, &p.device)).collect::<Result<Vec<_>, _>>()?;
    let mut memory = Memory::new(config, &placed, eal.huge_pages)?;
    let ports = start_ports(config, &placed, devices, &mut memory)?;
    let rings = config.rings.iter().map(|r| Ring::new(&r.name, r.size).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let clock = Clock::start(crate::dpdk::eal::tsc_hz());
    let mut parts = Parts {
        ports,
        rings,
        pools: Vec::new(),
        region: memory.region,
        expected,
        control: Arc::new(Control::default()),
        clock,
        placed: Vec::new(),
        logs: Vec::new(),
        seed: config.run.seed,
    };
    let mut builder =
        Builder { config, modules: &modules, parts: &mut parts, copies: memory.copies, rooms: memory.rooms };
    let lcores = builder.lcores(&placed)?;
    parts.pools = memory.pools;
    Ok((parts, lcores))
}

fn expected(name: &str, device: &str) -> Result<Option<u64>, Error> {
    expected_packets(device).map_err(|what| Error::Port { name: name.to_owned(), device: device.to_owned(), what })
}

fn load_modules(config: &Config, base: &Path, engine: &wasmtime::Engine) -> Result<BTreeMap<String, Module>, Error> {
    let load = |m: &crate::config::Module| {
        let limits = Limits { memory: m.memory, deadline: m.deadline };
        Ok((m.name.clone(), Module::load(engine, &m.name, &base.join(&m.file), limits)?))
    };
    config.modules.iter().map(load).collect()
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
        port.map_dma(memory.region.base(), memory.region.len())?;
        ports.push(Arc::new(port));
    }
    Ok(ports)
}

/// Makes the chains of all lcores.
struct Builder<'a> {
    config: &'a Config,
    modules: &'a BTreeMap<String, Module>,
    parts: &'a mut Parts,
    copies: Arc<Pool>,
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
        let generator = match &chain.source {
            From::Module { module, .. } => Some(module),
            _ => None,
        };
        let names: Vec<&String> = generator.into_iter().chain(&chain.stages).collect();
        let mut stages = Vec::new();
        for (position, name) in names.iter().enumerate() {
            let log = LogQueue::new();
            let entry = InstanceLog { chain: index, stage: position, module: (*name).clone(), log: Arc::clone(&log) };
            self.parts.logs.push(entry);
            let generates = generator.is_some() && position == 0;
            stages.push(self.stage(name, generates, placed, &source, &out, log)?);
        }
        if let (Source::Rooms(pool), Some(stage)) = (&source, stages.first_mut()) {
            let cycles = self.parts.clock.cycles();
            let now = Now { cycles, ns: 0, flags: 0 };
            stage.prefill(pool, now).map_err(|what| module_error(names[0], what))?;
            pool.flush_cache();
        }
        if !matches!(source, Source::Ring(_)) {
            self.parts.control.sources.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let counters = Arc::new(Shared::default());
        self.parts.placed.push(PlacedChain {
            name: chain.name.clone(),
            lcore: placed.lcore,
            at,
            port: match &chain.source {
                From::Port { port, .. } => config.port(port),
                _ => None,
            },
            ring: match &chain.source {
                From::Ring { ring } => config.ring(ring),
                _ => None,
            },
            modules: names.iter().map(|n| (*n).clone()).collect(),
            counters: Arc::clone(&counters),
        });
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
        match &self.config.chains[placed.chain].source {
            From::Port { port, .. } => {
                let port = &self.parts.ports[self.config.port(port).unwrap_or(0)];
                Source::Port(RxQueue {
                    port: Arc::clone(port),
                    queue: placed.queue.unwrap_or(0),
                    region: (self.parts.region.base(), self.parts.region.len()),
                    copies: if port.plain_pool.is_some() { Arc::clone(&port.pool) } else { Arc::clone(&self.copies) },
                    stale_flags: port.hands_on_mbufs(),
                })
            }
            From::Ring { ring } => Source::Ring(Arc::clone(&self.parts.rings[self.config.ring(ring).unwrap_or(0)])),
            From::Module { .. } => {
                Source::Rooms(self.rooms[index].as_ref().map_or_else(|| Arc::clone(&self.copies), Arc::clone))
            }
        }
    }

    fn stage(
        &self,
        name: &str,
        generates: bool,
        placed: &Placed,
        source: &Source,
        out: &Outlets,
        log: Arc<LogQueue>,
    ) -> Result<Stage, Error> {
        let refuse = |what: String| module_error(name, what);
        let module = self.modules.get(name).ok_or_else(|| refuse("is not in the configuration".to_owned()))?;
        let entry = &self.config.modules[self.config.module(name).unwrap_or(0)];
        let callback = if generates { Callback::Generate } else { Callback::Process };
        let needed = if generates { names::GENERATE } else { names::PROCESS };
        if !module.has(needed) {
            let role = if generates { "a chain's source" } else { "a stage" };
            return Err(refuse(format!("exports no \"{needed}\", so it cannot be {role}")));
        }
        let host = Host::new(self.parts.clock, log, entry.memory, entry.deadline, self.seed());
        let region = &self.parts.region;
        let mut instance = Instance::new(module, host, region.len(), |at| map_window(region, at)).map_err(refuse)?;
        self.introduce(&mut instance, placed, out);
        let config = entry.config.as_ref().map(crate::config::ModuleConfig::bytes).unwrap_or_default();
        instance.init(&config).map_err(|e| refuse(e.to_string()))?;
        let view = View::new(region.base(), instance.window);
        Ok(Stage::new(StageParts {
            instance,
            callback,
            has_tick: module.has(names::TICK),
            view,
            held: Held::new(entry.hold, u64::try_from(entry.hold_age.as_nanos()).unwrap_or(u64::MAX)),
            spares: module.numbers.spares,
            pool: Arc::clone(&self.copies),
            deadline_cycles: self.parts.clock.cycles_in(u64::try_from(EPOCH.as_nanos()).unwrap_or(u64::MAX)),
            meta: match source {
                Source::Port(rx) => Meta { queue: rx.queue, timestamp: rx.port.timestamp },
                _ => Meta::default(),
            },
        }))
    }

    /// Where random numbers begin in the instance that is being made. Instances differ by their order in the configuration,
    /// which is the same in each run.
    fn seed(&self) -> u64 {
        let number = u64::try_from(self.parts.logs.len()).unwrap_or(0);
        splitmix(self.parts.seed ^ splitmix(number))
    }

    /// Tells an instance where it is.
    fn introduce(&self, instance: &mut Instance, placed: &Placed, out: &Outlets) {
        let parts = &*self.parts;
        for (number, port) in parts.ports.iter().enumerate() {
            instance.area.set_port(number, port.info(out.may_tx(number)));
        }
        let worker = u32::try_from(placed.worker).unwrap_or(0);
        let seed = self.seed();
        let room = self.copies.room_len();
        instance.area.update_header(|h| {
            h.seed = seed;
            h.start_unix_ns = parts.clock.start_unix_ns();
            h.instance = worker;
            h.instances = u32::try_from(self.config.chains[placed.chain].width()).unwrap_or(1);
            h.port_count = u32::try_from(parts.ports.len()).unwrap_or(0);
            h.ring_count = u32::try_from(parts.rings.len()).unwrap_or(0);
            h.headroom = crate::dpdk::pool::HEADROOM.into();
            h.next_port = out.next_port();
            h.room_len = u32::from(room.saturating_sub(crate::dpdk::pool::HEADROOM));
        });
    }
}

#[allow(unsafe_code, reason = "joins the region with the memory that wasm reserved for it")]
fn map_window(region: &Region, at: *mut u8) -> Result<(), Error> {
    // SAFETY:
    // - Instance::new checked that the region fits the declared window, from a multiple of 2 MiB on, inside the memory of
    //   the instance that is being made; the memory's base is a multiple of 2 MiB as well.
    unsafe { region.map_at(at) }
}

fn module_error(name: &str, what: String) -> Error {
    Error::Module { name: name.to_owned(), what }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads small seeds over all bits.
fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
