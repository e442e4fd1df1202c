//! Makes instances and the stages around them: at the beginning, and while the run goes on.

use super::{Domain, Sealed, module_error};
use perigee_abi::{SLOT_UNIT, names, pacing};
use perigee_config::Grants;
use perigee_config::secret::Secrets;
use perigee_config::stream::Method;
use perigee_config::{self as config, Config, ModuleConfig};
use perigee_core::HEADROOM;
use perigee_core::clock::Clock;
use perigee_core::clock::nanos;
use perigee_core::held::Held;
use perigee_core::lock;
use perigee_datapath::border::{Border, Span};
use perigee_datapath::faults::Faults;
use perigee_datapath::guard::{Guard, Rate, Rights, Sources};
use perigee_datapath::pacer::{Pacer, Terms};
use perigee_datapath::port::Port;
use perigee_datapath::seat::Seat;
use perigee_datapath::stage::{Place, Stage, StageParts, View};
use perigee_dpdk::region::Region;
use perigee_evidence::{self as evidence, Case, Evidence, FaultPlace, Kind, Probe, Started, Witness};
use perigee_load::{Loader, Upload};
use perigee_report::Error;
use perigee_wasm::engine::Engines;
use perigee_wasm::fields;
use perigee_wasm::host::Host;
use perigee_wasm::instance::{Callback, Instance, Refusal};
use perigee_wasm::limits::Limits;
use perigee_wasm::module::Module;
use perigee_wasm::share::{Reader, Regions};
use perigee_wasm::stack::with_guest_stack;
use perigee_wasm::tell::{Audiences, Teller};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What instances are made with.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) loader: Arc<Loader>,
    /// Fuel for a microsecond of a deadline, in a simulation.
    pub(crate) fuel_per_us: u64,
    pub(crate) engines: Engines,
    /// The configuration in force: a change of the chains puts another one in place.
    pub(crate) config: Mutex<Arc<Config>>,
    /// The modules by name, as they are now: a swap puts another one in place.
    pub(crate) modules: Mutex<BTreeMap<String, Arc<Loaded>>>,
    pub(crate) rings: u32,
    /// By what the packets of chains that have streams leave at their times.
    pub(crate) pacing: BTreeMap<String, Method>,
    /// Where the random numbers of all instances begin.
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    /// Held by whoever puts other instances in place, so that two do not do it at once.
    pub(crate) changes: Mutex<()>,
    /// Where the instances' failures are told.
    pub(crate) faults: Arc<Faults>,
    /// Who is told what an instance tells.
    pub(crate) audiences: Arc<Audiences>,
    /// State regions that modules read.
    pub(crate) regions: Regions,
    /// In the order of [`Config::domains`] at the start.
    pub(crate) domains: Vec<Domain>,
    pub(crate) sealed: Sealed,
    /// Where evidence of failures goes.
    pub(crate) evidence: Option<Arc<Evidence>>,
}

/// A module as it is loaded: what its instances are made of.
pub(crate) struct Loaded {
    pub(crate) module: Module,
    /// Its entry in the configuration, which a swap may change too.
    pub(crate) entry: config::Module,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) digest: String,
    /// What is kept of it for evidence of its failures, where that is wanted.
    pub(crate) probe: Option<Probe>,
    /// What its instances get and nobody else.
    pub(crate) secrets: Secrets,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("module", &self.module).field("digest", &self.digest).finish_non_exhaustive()
    }
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
        let (mut probe, secrets) = (None, entry.secrets()?);
        let mut prepare = |bytes: &[u8]| {
            let (prepared, found) = evidence::prepare(&entry.name, bytes)?;
            probe = Some(found);
            Ok(prepared)
        };
        let module = loader.load(engines, entry, upload, is_evidence_wanted.then_some(&mut prepare))?;
        let digest = module.describe().origin.sha256.clone();
        Ok(Self { module, entry: entry.clone(), digest, probe, secrets })
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
        Arc::clone(&lock(&self.config))
    }

    /// Another configuration is in force from now on; modules that it does not name are let go.
    pub(crate) fn set_config(&self, config: Arc<Config>) {
        let mut modules = lock(&self.modules);
        modules.retain(|name, _| config.module(name).is_some());
        *lock(&self.config) = config;
    }

    /// A stage with a new instance of the module that its seat names: its window mapped, initialised, ready for a batch.
    /// `ports` are the run's, by number.
    pub(crate) fn stage(&self, seat: &Arc<Seat>, ports: &[Arc<dyn Port>]) -> Result<Stage, Error> {
        let loaded = self.loaded(&seat.module)?;
        self.stage_of(seat, ports, &loaded, &self.config())
    }

    /// The module of that name as it is now.
    pub(crate) fn loaded(&self, name: &str) -> Result<Arc<Loaded>, Error> {
        let modules = lock(&self.modules);
        let loaded = modules.get(name).map(Arc::clone);
        loaded.ok_or_else(|| module_error(name, "is not in the configuration".to_owned()))
    }

    /// From now on the module of that name is another.
    pub(crate) fn put(&self, name: &str, loaded: Arc<Loaded>) {
        lock(&self.modules).insert(name.to_owned(), loaded);
    }

    /// As [`Self::stage`], of any module, by any configuration of this run's ports and rings.
    pub(crate) fn stage_of(
        &self,
        seat: &Arc<Seat>,
        ports: &[Arc<dyn Port>],
        loaded: &Loaded,
        config: &Config,
    ) -> Result<Stage, Error> {
        let made = with_guest_stack(|| self.stage_here(seat, ports, loaded, config));
        made.map_err(|e| module_error(&seat.module, e.to_string()))?
    }

    /// What an instance has of the host.
    fn host(&self, seat: &Seat, loaded: &Loaded, config: &Config) -> Result<Host, String> {
        let grants = &loaded.entry.grants;
        let mut host = Host::new(self.clock, Arc::clone(&seat.log), grants.clone(), self.seed(seat));
        let is_closed = !loaded.secrets.is_empty() || grants.state_of.is_some();
        if self.evidence.as_ref().is_some_and(|e| e.records()) && !is_closed {
            host.record_times();
        }
        host.deadline.set_fuel_per_us(self.fuel_per_us);
        if !grants.tell.is_empty() {
            host.may_tell(Teller::new(&seat.inbox, &grants.tell, &self.audiences));
        }
        host.keep(loaded.secrets.clone());
        if let Some(writer) = &grants.state_of {
            host.reads(Reader::new(&self.regions.of(writer))?);
        } else if loaded.module.numbers.state_region().1 != 0 && config.instances(&seat.module) == 1 {
            host.shares(self.regions.of(&seat.module));
        }
        Ok(host)
    }

    fn stage_here(
        &self,
        seat: &Arc<Seat>,
        ports: &[Arc<dyn Port>],
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
        let host = self.host(seat, loaded, config).map_err(refuse)?;
        let domain = &self.domains[seat.domain];
        let region = &domain.region;
        let mut instance = Instance::new(module, host, region.len(), |at| map_window(region, at)).map_err(refuse)?;
        self.introduce(&mut instance, seat, ports, &rights);
        let mut witness = self.witness(&mut instance, seat, loaded);
        let bytes = entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default();
        if module.has(names::INIT)
            && let Some(witness) = &mut witness
        {
            witness.asked(&mut instance, Kind::Init, &bytes);
        }
        if let Err(refusal) = instance.init(&bytes) {
            if let (Some(witness), Refusal::Trap(trapped)) = (&mut witness, &refusal)
                && let Some(case) = witness.case(&mut instance, trapped, self.clock.ns(self.clock.cycles()), Vec::new())
            {
                self.keep(seat, "start", &case);
            }
            return Err(refuse(refusal.to_string()));
        }
        self.compile_fields(&mut instance, module).map_err(refuse)?;
        let view = View::new(region.base(), instance.window);
        let mut stage = Stage::new(StageParts {
            instance,
            witness,
            callback,
            has_tick: module.has(names::TICK),
            view,
            held: Held::new(grants.hold, nanos(grants.hold_age)),
            spares: module.numbers.spares,
            pool: Arc::clone(&domain.copies),
            meta: seat.meta,
            open: !seat.generates && entry.passes_by(),
            pacer: rights.marks.map(|marks| Box::new(Pacer::new(None, Terms::of_module(seat.generates), marks))),
            rights,
            place: self.place(seat, grants, config),
            faults: Arc::clone(&self.faults),
        });
        if seat.generates {
            stage.expect_rooms(region.len() / SLOT_UNIT as usize, seat.rooms);
        }
        Ok(stage)
    }

    /// Has what a generator varies compiled, where it tells a plan of that. One whose fields are not compiled makes the same
    /// packets, at a higher price, so that is no error.
    fn compile_fields(&self, instance: &mut Instance, module: &Module) -> Result<(), String> {
        let name = &module.describe().name;
        let plan = match instance.plan() {
            Ok(Some(plan)) => plan,
            Ok(None) => return Ok(()),
            Err(Refusal::No(why)) => {
                tracing::info!("module {name:?}: its fields are interpreted: {why}");
                return Ok(());
            }
            Err(refusal) => return Err(refusal.to_string()),
        };
        let linked =
            fields::compile(&plan).map_err(|why| format!("its plan breaks the ABI: {why}")).and_then(|program| {
                let native = self.loader.compile_fields(module.pre.module().engine(), &program.wasm)?;
                instance.link(module.describe(), &program, &native)
            });
        match linked {
            Ok(()) => tracing::debug!("module {name:?}: its fields are compiled"),
            Err(why) => tracing::warn!("module {name:?}: its fields are interpreted: {why}"),
        }
        Ok(())
    }

    /// What a stage with these grants gets from where it stands.
    pub(crate) fn place(&self, seat: &Arc<Seat>, grants: &Grants, config: &Config) -> Place {
        let border = seat.comes_in.then(|| self.border(seat.domain));
        Place { seat: Arc::clone(seat), border, guard: self.guard(seat, grants, config) }
    }

    /// What stands beside an instance to tell of its failures, where that is wanted.
    fn witness(&self, instance: &mut Instance, seat: &Seat, loaded: &Loaded) -> Option<Box<Witness>> {
        let (evidence, probe) = (self.evidence.as_ref()?, loaded.probe.as_ref()?);
        instance.code_shift = probe.shift;
        let started = Started {
            engine: evidence.engine().to_owned(),
            region_len: self.domains[seat.domain].region.len() as u64,
            grants: loaded.entry.grants.clone(),
            seed: self.seed(seat),
            start_unix_ns: self.clock.start_unix_ns(),
        };
        // What it reads of another's memory is in no input of its own.
        let is_closed = !loaded.secrets.is_empty() || instance.reads();
        Some(Box::new(evidence.witness(&seat.module, probe, started, is_closed)))
    }

    /// Writes down what is known of a failure, where that is wanted. On the control side only.
    pub(crate) fn keep(&self, seat: &Seat, class: &str, case: &Case) {
        let Some(evidence) = &self.evidence else { return };
        let loaded = self.loaded(&seat.module).ok();
        let seated = FaultPlace {
            class: class.to_owned(),
            chain: seat.chain_name.clone(),
            lcore: seat.lcore,
            stage: seat.stage,
            seat: seat.number,
            dpdk: perigee_dpdk::version(),
            settings: loaded.map(|loaded| settings(&loaded)).unwrap_or_default(),
        };
        evidence.write(case, &seated);
    }

    /// Where packets come into a trust domain.
    pub(crate) fn border(&self, domain: usize) -> Border {
        let Domain { copies, region, .. } = &self.domains[domain];
        Border::new(Span { base: region.base(), len: region.len() }, Arc::clone(copies))
    }

    /// What limits the packets that leave a stage; `None` where nothing does.
    fn guard(&self, seat: &Seat, grants: &Grants, config: &Config) -> Option<Guard> {
        let now_ns = self.clock.ns(self.clock.cycles());
        let rate = Rate::new(grants, config.instances(&seat.module), now_ns);
        let rate = rate.map(|rate| if seat.generates { rate.paced(seat.worker) } else { rate });
        // Where addresses are limited there is such a pool: `Memory::new`.
        let sources = Sources::new(grants).map(|sources| (sources, self.sealed.checked.clone()));
        Guard::new(rate, sources, seat.next_leaves)
    }

    /// Where random numbers begin in an instance. Instances differ by their seat, which is the same in each run.
    fn seed(&self, seat: &Seat) -> u64 {
        splitmix(self.seed ^ splitmix(seat.number))
    }

    /// By what the packets of a chain leave at their times.
    fn pacing_of(&self, chain: &str) -> u32 {
        match self.pacing.get(chain).copied().unwrap_or_default() {
            Method::Software => pacing::SOFTWARE,
            Method::RateLimit => pacing::RATE_LIMIT,
            Method::LaunchTime => pacing::LAUNCH_TIME,
            Method::Filler => pacing::FILLER,
        }
    }

    /// Tells an instance where it is.
    fn introduce(&self, instance: &mut Instance, seat: &Seat, ports: &[Arc<dyn Port>], rights: &Rights) {
        for (number, port) in ports.iter().enumerate() {
            let wired = seat.may_tx.get(number).is_some_and(|may| *may);
            let may_tx = wired && u16::try_from(number).is_ok_and(|number| rights.tx(number));
            instance.area.set_port(number, port.info(may_tx));
        }
        let (seed, time_ns) = (self.seed(seat), self.clock.ns(self.clock.cycles()));
        let room = self.domains[seat.domain].copies.room_len();
        instance.area.update_header(|h| {
            h.seed = seed;
            // For `init` and `restore`, which come before the first batch has a time.
            h.time_ns = time_ns;
            h.start_unix_ns = self.clock.start_unix_ns();
            h.instance = seat.worker;
            h.instances = seat.instances;
            h.port_count = u32::try_from(ports.len()).unwrap_or(0);
            h.ring_count = self.rings;
            h.headroom = HEADROOM.into();
            h.next_port = seat.next_port;
            h.room_len = u32::from(room.saturating_sub(HEADROOM));
            h.pacing = if rights.marks.is_some() { self.pacing_of(&seat.chain_name) } else { pacing::NONE };
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
fn settings(loaded: &Loaded) -> serde_json::Value {
    let config = loaded.entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default();
    serde_json::json!({
        "file": loaded.entry.file,
        "config": String::from_utf8_lossy(&config),
        "secrets": loaded.secrets.digests(),
    })
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads small seeds over all bits.
pub(crate) fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
