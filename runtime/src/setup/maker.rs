//! Makes instances and the stages around them: at the beginning, and while the run goes on.

use super::{Domain, Sealed, module_error};
use crate::clock::Clock;
use crate::config::{self, Config, ModuleConfig};
use crate::dpdk::pool::HEADROOM;
use crate::dpdk::port::Port;
use crate::dpdk::region::Region;
use crate::error::Error;
use crate::fault::{Faults, Health};
use crate::grants::{Grants, Guard, Rate, Rights, Sources};
use crate::held::Held;
use crate::source::Border;
use crate::stage::{Meta, Place, Stage, StageParts, View};
use crate::wasm::engine::EPOCH;
use crate::wasm::host::{Host, LogQueue};
use crate::wasm::instance::{Callback, Instance};
use crate::wasm::module::{Limits, Module};
use perigee_abi::names;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Where an instance works: one stage of a chain on one lcore. It stays while instances come and go.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Position of its chain among the placed ones, and its own in the chain.
    pub(crate) chain: usize,
    pub(crate) stage: usize,
    /// Name of its module.
    pub(crate) module: String,
    /// It makes the chain's packets.
    pub(crate) generates: bool,
    /// Which of its chain's lcores it is on, of how many.
    pub(crate) worker: u32,
    pub(crate) instances: u32,
    /// Position among all seats of the run.
    pub(crate) number: u64,
    /// Number of the port that Next leads to; 0xffff where there is none.
    pub(crate) next_port: u32,
    /// Position of its trust domain among those of the configuration.
    pub(crate) domain: usize,
    /// The stage before is of another domain.
    pub(crate) comes_in: bool,
    /// Next leads out of the trust domain: to a port, or to a stage of another domain.
    pub(crate) next_leaves: bool,
    /// By port: its chain may send to it.
    pub(crate) may_tx: Vec<bool>,
    pub(crate) meta: Meta,
    pub(crate) log: Arc<LogQueue>,
    /// How its instances fare.
    pub(crate) health: Arc<Health>,
}

/// What instances are made with.
#[derive(Debug)]
pub(crate) struct Maker {
    #[expect(dead_code, reason = "modules are loaded while the run goes on: next")]
    pub(crate) engine: wasmtime::Engine,
    pub(crate) config: Config,
    /// The modules by name, as they are now: a swap puts another one in place.
    pub(crate) modules: Mutex<BTreeMap<String, Arc<Loaded>>>,
    pub(crate) rings: u32,
    pub(crate) clock: Clock,
    /// Held by whoever puts other instances in place, so that two do not do it at once.
    pub(crate) changes: Mutex<()>,
    /// Where the instances' failures are told.
    pub(crate) faults: Arc<Faults>,
    /// In the order of [`Config::domains`].
    pub(crate) domains: Vec<Domain>,
    pub(crate) sealed: Sealed,
}

/// A module as it is loaded: what its instances are made of.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) module: Module,
    /// Its entry in the configuration, which a swap may change too.
    pub(crate) entry: config::Module,
    /// SHA-256 of its bytes, in hexadecimal.
    #[expect(dead_code, reason = "swaps report it: next")]
    pub(crate) digest: String,
}

impl Loaded {
    /// Loads a module from its bytes.
    pub(crate) fn new(engine: &wasmtime::Engine, entry: &config::Module, bytes: &[u8]) -> Result<Self, Error> {
        let module = load(engine, entry, bytes)?;
        let digest = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { module, entry: entry.clone(), digest })
    }
}

/// Compiles a module and checks it, under the limits of its entry in a configuration.
pub(crate) fn load(engine: &wasmtime::Engine, entry: &config::Module, bytes: &[u8]) -> Result<Module, Error> {
    Module::compile(engine, &entry.name, bytes, Limits::from(&entry.grants))
}

impl Maker {
    /// A stage with a new instance of the module that its seat names: its window mapped, initialised, ready for a batch.
    /// `ports` are the run's, by number.
    pub(crate) fn stage(&self, seat: &Seat, ports: &[Arc<Port>]) -> Result<Stage, Error> {
        let loaded = self.loaded(&seat.module)?;
        self.stage_of(seat, ports, &loaded)
    }

    /// The module of that name as it is now.
    pub(crate) fn loaded(&self, name: &str) -> Result<Arc<Loaded>, Error> {
        let modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = modules.get(name).map(Arc::clone);
        loaded.ok_or_else(|| module_error(name, "is not in the configuration".to_owned()))
    }

    /// As [`Self::stage`], of any module.
    pub(crate) fn stage_of(&self, seat: &Seat, ports: &[Arc<Port>], loaded: &Loaded) -> Result<Stage, Error> {
        let (module, entry) = (&loaded.module, &loaded.entry);
        let refuse = |what: String| module_error(&seat.module, what);
        let (callback, needed, role) = if seat.generates {
            (Callback::Generate, names::GENERATE, "a chain's source")
        } else {
            (Callback::Process, names::PROCESS, "a stage")
        };
        if !module.has(needed) {
            return Err(refuse(format!("exports no \"{needed}\", so it cannot be {role}")));
        }
        let grants = &entry.grants;
        let rights = Rights::new(grants, &self.config);
        let host = Host::new(self.clock, Arc::clone(&seat.log), grants.clone(), self.seed(seat));
        let domain = &self.domains[seat.domain];
        let region = &domain.region;
        let mut instance = Instance::new(module, host, region.len(), |at| map_window(region, at)).map_err(refuse)?;
        self.introduce(&mut instance, seat, ports, &rights);
        let config = entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default();
        instance.init(&config).map_err(|e| refuse(e.to_string()))?;
        let view = View::new(region.base(), instance.window);
        Ok(Stage::new(StageParts {
            instance,
            callback,
            has_tick: module.has(names::TICK),
            view,
            held: Held::new(grants.hold, u64::try_from(grants.hold_age.as_nanos()).unwrap_or(u64::MAX)),
            spares: module.numbers.spares,
            pool: Arc::clone(&domain.copies),
            border: seat.comes_in.then(|| self.border(seat.domain)),
            deadline_cycles: self.clock.cycles_in(u64::try_from(EPOCH.as_nanos()).unwrap_or(u64::MAX)),
            meta: seat.meta,
            open: !seat.generates && entry.passes_by(),
            rights,
            guard: self.guard(seat, grants),
            place: Place {
                seat: usize::try_from(seat.number).unwrap_or(usize::MAX),
                faults: Arc::clone(&self.faults),
                health: Arc::clone(&seat.health),
            },
        }))
    }

    /// Where packets come into a trust domain.
    pub(crate) fn border(&self, domain: usize) -> Border {
        let Domain { copies, region } = &self.domains[domain];
        Border { region: (region.base(), region.len()), copies: Arc::clone(copies) }
    }

    /// What limits the packets that leave a stage; `None` where nothing does.
    fn guard(&self, seat: &Seat, grants: &Grants) -> Option<Guard> {
        let now_ns = self.clock.ns(self.clock.cycles());
        let rate = Rate::new(grants, self.config.instances(&seat.module), now_ns);
        // Where addresses are limited there is such a pool: `Memory::new`.
        let sources = Sources::new(grants).map(|sources| (sources, self.sealed.checked.clone()));
        Guard::new(rate, sources, seat.next_leaves)
    }

    /// Where random numbers begin in an instance. Instances differ by their seat, which is the same in each run.
    fn seed(&self, seat: &Seat) -> u64 {
        splitmix(self.config.run.seed ^ splitmix(seat.number))
    }

    /// Tells an instance where it is.
    fn introduce(&self, instance: &mut Instance, seat: &Seat, ports: &[Arc<Port>], rights: &Rights) {
        for (number, port) in ports.iter().enumerate() {
            let wired = seat.may_tx.get(number).is_some_and(|may| *may);
            let may_tx = wired && u16::try_from(number).is_ok_and(|number| rights.tx(number));
            instance.area.set_port(number, port.info(may_tx));
        }
        let seed = self.seed(seat);
        let room = self.domains[seat.domain].copies.room_len();
        instance.area.update_header(|h| {
            h.seed = seed;
            h.start_unix_ns = self.clock.start_unix_ns();
            h.instance = seat.worker;
            h.instances = seat.instances;
            h.port_count = u32::try_from(ports.len()).unwrap_or(0);
            h.ring_count = self.rings;
            h.headroom = HEADROOM.into();
            h.next_port = seat.next_port;
            h.room_len = u32::from(room.saturating_sub(HEADROOM));
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

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads small seeds over all bits.
fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
