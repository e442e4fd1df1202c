//! From a configuration to lcores that are ready to run: everything that can fail, fails here.

mod chains;
mod memory;
mod methods;
mod ports;
mod streams;

use crate::manifest;
use crate::options::Options;
use crate::parts::{Loaded, Maker, Observers, Orders, Parts, Paths, Probes, Seats, module_error};
use chains::Builder;
use memory::Memory;
use methods::Choosing;
use perigee_abi::names;
use perigee_config::needs::Needs;
use perigee_config::{Captures, Config, Placed, Source as From, allowed_cpus};
use perigee_core::clock::Clock;
use perigee_core::tsc;
use perigee_core::unix::UnixOrigin;
use perigee_datapath::flow::PortFlows;
use perigee_datapath::lcore::Lcore;
use perigee_datapath::orders::Control;
use perigee_datapath::port::Port;
use perigee_datapath::pressure::Pressure;
use perigee_dpdk::device::Device;
use perigee_dpdk::leftovers;
use perigee_dpdk::ring::Ring;
use perigee_evidence::{Evidence, EvidenceOptions};
use perigee_jail as jail;
use perigee_load::{Loader, Upload};
use perigee_pcap::capture::{Ends, Queue};
use perigee_pcap::filter;
use perigee_report::Error;
use perigee_wasm::engine::Engines;
use perigee_wasm::share::Regions;
use perigee_wire::trace::Trace;
use ports::{Making, open_netlink, start_eal};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Whose time a run lives in.
pub(crate) enum Time {
    /// The machine's.
    Real,
    /// What somebody says it is, who also watches the wires.
    Virtual { clock: Clock, trace: Arc<Trace> },
}

impl Time {
    /// The CPUs that there are.
    fn cpus(&self, config: &Config) -> Vec<u32> {
        match self {
            Self::Real => allowed_cpus(),
            Self::Virtual { .. } => config.simulated_cpus(),
        }
    }

    /// The clock, and who watches the wires.
    fn begin(&self) -> (Clock, Option<&Arc<Trace>>) {
        match self {
            Self::Real => (Clock::start(tsc::hz()), None),
            Self::Virtual { clock, trace } => (*clock, Some(trace)),
        }
    }
}

/// What a run is made of.
pub(crate) struct Plan<'a> {
    pub(crate) config: &'a Config,
    /// Where the configuration's paths start.
    pub(crate) base: &'a Path,
    pub(crate) engines: &'a Engines,
    pub(crate) loader: Arc<Loader>,
    pub(crate) options: &'a Options,
    pub(crate) captures: &'a Captures,
    /// The modules' files, in the order of the configuration.
    pub(crate) uploads: &'a [Upload],
    pub(crate) time: &'a Time,
}

/// Makes memory, ports, modules and instances, in this order: what needs rights comes before they are given up, and what
/// is made of a module's bytes after that.
pub(crate) fn build(plan: &Plan<'_>) -> Result<(Parts, Vec<Lcore>), Error> {
    let Plan { config, engines, options, captures, uploads, time, .. } = *plan;
    tsc::begin();
    let jail_mode = options.jail.or(config.run.jail).unwrap_or_default();
    leftovers::remove_leftovers(config);
    let evidence = kept_evidence(plan, jail_mode)?;
    let placed = config.placement(&time.cpus(config));
    let needs = Needs::new(config, &placed);
    start_eal(config, &needs)?;
    let (devices, is_virtual) = (devices(config)?, matches!(time, Time::Virtual { .. }));
    let (memory, (clock, trace), is_real) = (Memory::new(config, &needs, is_virtual)?, time.begin(), !is_virtual);
    let making = Making { config, placed: &placed, needs: &needs, memory: &memory, captures, clock, trace, options };
    let ports = making.ports(devices)?;
    let flows = flows(config, &ports)?;
    let (filters, netlink, machine) = (filters(config)?, open_netlink(&ports), manifest::machine());
    let choosing = Choosing { config, placed: &placed, ports: &ports, options, clock, machine, is_real };
    let streams = streams::streams(plan.base, &choosing)?;
    let (rings, probes) = (rings(config)?, Probes::new(config, &streams, &placed, clock, is_real));
    let (observers, seats) = (Observers::open(&ports, &probes, config)?, Seats::default());
    enter_jail(plan, jail_mode, evidence.as_deref())?;
    let maker = Maker {
        loader: Arc::clone(&plan.loader),
        fuel_per_us: config.sim.fuel_per_us,
        engines: engines.clone(),
        config: Mutex::new(Arc::new(config.clone())),
        modules: Mutex::new(load_modules(config, uploads, engines, &plan.loader, evidence.is_some())?),
        pacing: streams.iter().map(|stream| (stream.asked.chain.clone(), stream.means.method)).collect(),
        seed: config.run.seed,
        rings: u32::try_from(rings.len()).unwrap_or(0),
        clock,
        domains: memory.domains,
        sealed: memory.sealed,
        changes: Mutex::default(),
        faults: Arc::default(),
        audiences: Arc::clone(&seats.audiences),
        regions: Regions::default(),
        evidence,
    };
    let mut parts = Parts {
        probes,
        paths: Paths::new(config, &placed, clock, is_real)?,
        observers,
        flows,
        ends: ends(config, &placed, captures, &ports),
        ports,
        netlink,
        pressure: pressure(config, clock),
        rings,
        pools: memory.pools,
        control: Arc::new(Control::default()),
        clock,
        unix: UnixOrigin::new(clock),
        trace: trace.map(Arc::clone),
        placed: Vec::new(),
        streams,
        orders: Orders::default(),
        seats: Arc::new(seats),
        maker: Arc::new(maker),
    };
    let lcores = Builder { config, parts: &mut parts, rooms: memory.rooms, filters }.lcores(&placed)?;
    Ok((Parts { orders: orders(&lcores), ..parts }, lcores))
}

fn orders(lcores: &[Lcore]) -> Orders {
    Orders::new(lcores.iter().map(|lcore| Arc::clone(&lcore.commands)))
}

fn rings(config: &Config) -> Result<Vec<Arc<Ring>>, Error> {
    config.rings.iter().map(|ring| Ring::new(&ring.name, ring.size).map(Arc::new)).collect()
}

/// How rings stop those whose packets go there, where one does.
fn pressure(config: &Config, clock: Clock) -> Option<Arc<Pressure>> {
    Pressure::new(config.rings.iter().map(perigee_config::Ring::marks), config.run.seed, clock).map(Arc::new)
}

/// The devices of the ports, by number; none where a port is our own.
fn devices(config: &Config) -> Result<Vec<Option<Device>>, Error> {
    let probe = |port: &perigee_config::Port| (!port.is_own()).then(|| Device::probe(config, port)).transpose();
    config.ports.iter().map(probe).collect()
}

/// The flow rules of the ports, by number.
fn flows(config: &Config, ports: &[Arc<dyn Port>]) -> Result<Vec<Option<Arc<PortFlows>>>, Error> {
    let of = |(port, entry): (&Arc<dyn Port>, &perigee_config::Port)| PortFlows::new(&**port, &entry.flows);
    ports.iter().zip(&config.ports).map(of).collect()
}

/// Gives up what is not needed any more.
fn enter_jail(plan: &Plan<'_>, mode: jail::Mode, evidence: Option<&Evidence>) -> Result<(), Error> {
    let folders: Vec<_> = evidence.iter().map(|evidence| evidence.directory()).collect();
    let Options { writable, removed, profiler, .. } = plan.options;
    if let Some(profiler) = profiler {
        profiler.prepare().map_err(|e| Error::Request(format!("--profile: the kernel gives no signal: {e}")))?;
    }
    let files = jail::Files { writable, removed, is_profiled: profiler.is_some() };
    jail::enter_process(plan.config, mode, files, &folders)
}

/// Where evidence of failures goes, if somebody wants it.
fn kept_evidence(plan: &Plan<'_>, mode: jail::Mode) -> Result<Option<Arc<Evidence>>, Error> {
    let in_config = || Some(EvidenceOptions::new(&plan.base.join(plan.config.run.evidence.as_ref()?)));
    let Some(options) = plan.options.evidence.clone().or_else(in_config) else { return Ok(None) };
    let directory = jail::folder(plan.config, mode, &options.directory)?;
    Ok(Some(Arc::new(Evidence::new(&options, directory, plan.engines)?)))
}

/// The chains' filters, by number. libpcap may look names up in files and over the network: so, before the jail.
fn filters(config: &Config) -> Result<Vec<Option<Arc<filter::Program>>>, Error> {
    let compile = |chain: &perigee_config::Chain| {
        let compiled = chain.filter.as_deref().map(filter::compile).transpose();
        compiled.map_err(|what| Error::Filter { chain: chain.name.clone(), what })
    };
    config.chains.iter().map(compile).collect()
}

/// The rx queues of the placed chains that end.
fn ends(config: &Config, placed: &[Placed], captures: &Captures, ports: &[Arc<dyn Port>]) -> Ends {
    let queue = |p: &Placed| {
        let From::Port { port, .. } = &config.chains[p.chain].source else { return None };
        let port = config.port(port)?;
        let queue = p.queue.unwrap_or(0).into();
        let packets = match ports[port].tape() {
            Some(tape) => tape.packets(queue)?,
            None => captures.packets(port, queue)?,
        };
        Some(Queue { port, packets })
    };
    Ends::new(placed.iter().map(queue).collect())
}

/// The modules' files, in the order of the configuration.
pub(crate) fn read_modules(config: &Config, base: &Path, loader: &Loader) -> Result<Vec<Upload>, Error> {
    config.modules.iter().map(|m| loader.read(&base.join(&m.file))).collect()
}

/// The configuration with its modules' secrets: read when the compile server has started, which is not to have them, and before the
/// jail, behind which they are out of reach.
pub(crate) fn with_secrets(config: &Config, base: &Path) -> Result<Config, Error> {
    let mut config = config.clone();
    config.read_secrets(base)?;
    Ok(config)
}

fn load_modules(
    config: &Config,
    uploads: &[Upload],
    engines: &Engines,
    loader: &Loader,
    is_evidence_wanted: bool,
) -> Result<BTreeMap<String, Arc<Loaded>>, Error> {
    let load = |(entry, upload): (&perigee_config::Module, &Upload)| {
        Ok((entry.name.clone(), Arc::new(Loaded::new(loader, engines, entry, upload, is_evidence_wanted)?)))
    };
    let modules: BTreeMap<_, _> = config.modules.iter().zip(uploads).map(load).collect::<Result<_, Error>>()?;
    let deaf = config.deaf_targets(|name| modules.get(name).is_some_and(|target| target.module.has(names::MESSAGE)));
    let len = |name: &str| modules.get(name).map(|loaded| loaded.module.numbers.state_region().1);
    match deaf.into_iter().chain(config.unfit_regions(len)).next() {
        Some((name, what)) => Err(module_error(&name, what)),
        None => Ok(modules),
    }
}
