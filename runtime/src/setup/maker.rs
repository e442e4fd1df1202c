//! Makes instances and the stages around them: at the beginning, and while the run goes on.

use super::{Domain, Sealed, Seat, module_error};
use crate::clock::Clock;
use crate::config::{self, Config, ModuleConfig};
use crate::dpdk::pool::HEADROOM;
use crate::dpdk::port::Port;
use crate::dpdk::region::Region;
use crate::error::Error;
use crate::evidence::{self, Case, Evidence, Facts, Seated};
use crate::fault::Faults;
use crate::grants::{Grants, Guard, Rate, Rights, Sources};
use crate::held::Held;
use crate::load::{Loader, Prepare, Upload};
use crate::source::Border;
use crate::stage::{Place, Stage, StageParts, View};
use crate::wasm::engine::{EPOCH, Engines};
use crate::wasm::host::Host;
use crate::wasm::instance::{Callback, Instance};
use crate::wasm::module::{Limits, Module};
use perigee_abi::{SLOT_UNIT, names};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What instances are made with.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) loader: Loader,
    pub(crate) engines: Engines,
    /// The configuration in force: a change of the chains puts another one in place.
    pub(super) config: Mutex<Arc<Config>>,
    /// The modules by name, as they are now: a swap puts another one in place.
    pub(crate) modules: Mutex<BTreeMap<String, Arc<Loaded>>>,
    pub(crate) rings: u32,
    /// Where the random numbers of all instances begin.
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    /// Held by whoever puts other instances in place, so that two do not do it at once.
    pub(crate) changes: Mutex<()>,
    /// Where the instances' failures are told.
    pub(crate) faults: Arc<Faults>,
    /// In the order of [`Config::domains`] at the start.
    pub(crate) domains: Vec<Domain>,
    pub(crate) sealed: Sealed,
    /// Where evidence of failures goes.
    pub(crate) evidence: Option<Arc<Evidence>>,
}

/// A module as it is loaded: what its instances are made of.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) module: Module,
    /// Its entry in the configuration, which a swap may change too.
    pub(crate) entry: config::Module,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) digest: String,
}

impl Loaded {
    /// Loads a module under the limits of its entry; where evidence of its failures is wanted, it is made ready to be looked
    /// into.
    pub(crate) fn new(
        loader: &Loader,
        engines: &Engines,
        entry: &config::Module,
        upload: &Upload,
        is_evidence_wanted: bool,
    ) -> Result<Self, Error> {
        let prepare = is_evidence_wanted.then_some(evidence::prepare as Prepare);
        let module = loader.load(engines, entry, upload, prepare)?;
        let digest = module.describe().origin.sha256.clone();
        Ok(Self { module, entry: entry.clone(), digest })
    }

    /// What its instances are limited to.
    pub(crate) fn limits(&self) -> Limits {
        Limits::from(&self.entry.grants)
    }
}

impl Maker {
    /// Loads a module aside, while the run goes on.
    pub(crate) fn load(&self, entry: &config::Module, upload: &Upload) -> Result<Loaded, Error> {
        Loaded::new(&self.loader, &self.engines, entry, upload, self.evidence.is_some())
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another configuration is in force from now on; modules that it does not name are let go.
    pub(crate) fn set_config(&self, config: Arc<Config>) {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        modules.retain(|name, _| config.module(name).is_some());
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// A stage with a new instance of the module that its seat names: its window mapped, initialised, ready for a batch.
    /// `ports` are the run's, by number.
    pub(crate) fn stage(&self, seat: &Arc<Seat>, ports: &[Arc<Port>]) -> Result<Stage, Error> {
        let loaded = self.loaded(&seat.module)?;
        self.stage_of(seat, ports, &loaded, &self.config())
    }

    /// The module of that name as it is now.
    pub(crate) fn loaded(&self, name: &str) -> Result<Arc<Loaded>, Error> {
        let modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = modules.get(name).map(Arc::clone);
        loaded.ok_or_else(|| module_error(name, "is not in the configuration".to_owned()))
    }

    /// From now on the module of that name is another.
    pub(crate) fn put(&self, name: &str, loaded: Arc<Loaded>) {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), loaded);
    }

    /// As [`Self::stage`], of any module, by any configuration of this run's ports and rings.
    pub(crate) fn stage_of(
        &self,
        seat: &Arc<Seat>,
        ports: &[Arc<Port>],
        loaded: &Loaded,
        config: &Config,
    ) -> Result<Stage, Error> {
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
        let rights = Rights::new(grants, config);
        let mut host = Host::new(self.clock, Arc::clone(&seat.log), grants.clone(), self.seed(seat));
        if self.evidence.as_ref().is_some_and(|e| e.records()) {
            host.record_times();
        }
        let domain = &self.domains[seat.domain];
        let region = &domain.region;
        let mut instance = Instance::new(module, host, region.len(), |at| map_window(region, at)).map_err(refuse)?;
        self.introduce(&mut instance, seat, ports, &rights);
        self.observe(&mut instance, seat, loaded);
        let bytes = entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default();
        if let Err(refusal) = instance.init(&bytes) {
            if let Some(case) = instance.case(self.clock.ns(self.clock.cycles()), Vec::new()) {
                self.keep(seat, "start", &case);
            }
            return Err(refuse(refusal.to_string()));
        }
        let view = View::new(region.base(), instance.window);
        let mut stage = Stage::new(StageParts {
            instance,
            callback,
            has_tick: module.has(names::TICK),
            view,
            held: Held::new(grants.hold, u64::try_from(grants.hold_age.as_nanos()).unwrap_or(u64::MAX)),
            spares: module.numbers.spares,
            pool: Arc::clone(&domain.copies),
            deadline_cycles: self.clock.cycles_in(u64::try_from(EPOCH.as_nanos()).unwrap_or(u64::MAX)),
            meta: seat.meta,
            open: !seat.generates && entry.passes_by(),
            rights,
            place: self.place(seat, grants, config),
            faults: Arc::clone(&self.faults),
        });
        if seat.generates {
            stage.expect_rooms(region.len() / SLOT_UNIT as usize, seat.rooms);
        }
        Ok(stage)
    }

    /// What a stage with these grants gets from where it stands.
    pub(crate) fn place(&self, seat: &Arc<Seat>, grants: &Grants, config: &Config) -> Place {
        let border = seat.comes_in.then(|| self.border(seat.domain));
        Place { seat: Arc::clone(seat), border, guard: self.guard(seat, grants, config) }
    }

    /// Puts beside an instance what looks at it when it fails.
    fn observe(&self, instance: &mut Instance, seat: &Seat, loaded: &Loaded) {
        let (Some(evidence), Some(probe)) = (&self.evidence, &loaded.module.probe) else { return };
        let facts = Facts {
            engine: evidence.engine().to_owned(),
            region_len: self.domains[seat.domain].region.len() as u64,
            grants: loaded.entry.grants.clone(),
            seed: self.seed(seat),
            start_unix_ns: self.clock.start_unix_ns(),
        };
        instance.witness = Some(Box::new(evidence.witness(&seat.module, probe, facts)));
    }

    /// Writes down what is known of a failure, where that is wanted. On the control side only.
    pub(crate) fn keep(&self, seat: &Seat, class: &str, case: &Case) {
        let Some(evidence) = &self.evidence else { return };
        let loaded = self.loaded(&seat.module).ok();
        let seated = Seated {
            class: class.to_owned(),
            chain: seat.chain_name.clone(),
            lcore: seat.lcore,
            stage: seat.stage,
            seat: seat.number,
            settings: loaded.map(|loaded| settings(&loaded.entry)).unwrap_or_default(),
        };
        evidence.write(case, &seated);
    }

    /// Where packets come into a trust domain.
    pub(crate) fn border(&self, domain: usize) -> Border {
        let Domain { copies, region, .. } = &self.domains[domain];
        Border { region: (region.base(), region.len()), copies: Arc::clone(copies) }
    }

    /// What limits the packets that leave a stage; `None` where nothing does.
    fn guard(&self, seat: &Seat, grants: &Grants, config: &Config) -> Option<Guard> {
        let now_ns = self.clock.ns(self.clock.cycles());
        let rate = Rate::new(grants, config.instances(&seat.module), now_ns);
        // Where addresses are limited there is such a pool: `Memory::new`.
        let sources = Sources::new(grants).map(|sources| (sources, self.sealed.checked.clone()));
        Guard::new(rate, sources, seat.next_leaves)
    }

    /// Where random numbers begin in an instance. Instances differ by their seat, which is the same in each run.
    fn seed(&self, seat: &Seat) -> u64 {
        splitmix(self.seed ^ splitmix(seat.number))
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

/// What a bundle says of a module's entry in the configuration.
fn settings(entry: &config::Module) -> serde_json::Value {
    let config = entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default();
    serde_json::json!({
        "file": entry.file,
        "config": String::from_utf8_lossy(&config),
    })
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads small seeds over all bits.
fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
