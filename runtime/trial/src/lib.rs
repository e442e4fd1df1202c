//! A module on trial: loaded, limited and called as in a run, but on packets that the caller makes, without ports, lcores or
//! DPDK. For tests of modules in any language, and for `perigee conformance`.
//!
//! What a verdict, an address or a request is worth is decided by the functions that a run uses. The window is ordinary
//! memory, laid out as a run's; after each call it is compared with what it was, so that a module that writes into a room
//! which is not its packet's is found out.
//!
//! ```
//! use perigee_trial::{Fate, Packet, Setting, Subject, Trial};
//! use perigee_wasm::limits::Limits;
//! let text = r#"(module (memory (export "memory") 80)
//!   (global (export "perigee_abi") i32 (i32.const 3))
//!   (global (export "perigee_batch") i32 (i32.const 64))
//!   (global (export "perigee_window") i32 (i32.const 65536))
//!   (global (export "perigee_window_len") i32 (i32.const 4718592))
//!   (func (export "process") (param i32) (i32.store offset=1672 (i32.const 64) (i32.const 1))))"#;
//! let subject = Subject::from_bytes("next", text.as_bytes(), Limits::default())?;
//! let mut trial = Trial::start(&subject, &Setting::default()).expect("it starts");
//! let outcome = trial.process(&[Packet { bytes: vec![0; 60], ..Packet::default() }]).expect("no trap");
//! assert_eq!(outcome.packets[0].fate, Fate::Next);
//! assert!(outcome.trespasses.is_empty());
//! # Ok::<(), perigee_report::Error>(())
//! ```

mod judge;
mod measure;
mod packet;
mod publish;
mod rehearse;
mod rooms;
mod subject;
mod window;

pub use measure::{Measured, Role};
pub use packet::{Fate, Outcome, Packet, Seen, Trespass};
pub use perigee_abi::{MAX_BATCH, rx_flags, tx_flags};
pub use rehearse::rehearse;
pub use subject::Subject;

use perigee_abi::{PacketDesc, PortInfo, batch_flags, names};
use perigee_config::secret::Secrets;
use perigee_core::HEADROOM;
use perigee_core::clock::Clock;
use perigee_core::held::Held;
use perigee_core::judge::MIN_LEN;
use perigee_load::Loader;
use perigee_wasm::compile::{Native, translate};
use perigee_wasm::fields;
use perigee_wasm::host::{Host, LogQueue};
use perigee_wasm::instance::{Callback, Instance, Refusal};
use perigee_wasm::limits::Limits;
use perigee_wasm::module::Module;
use rooms::Rooms;
use std::sync::Arc;
use window::Window;

/// Unix time at which each trial begins, nanoseconds: the same always, so that a trial can be repeated.
const START_UNIX_NS: u64 = 1_700_000_000_000_000_000;
/// Time from one call to the next; from one tick to the next.
const BATCH_NS: u64 = 1_000;
const TICK_NS: u64 = 1_000_000;

/// Where a trial takes place.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The configuration for `init`: JSON, or nothing.
    pub config: Vec<u8>,
    /// What the module finds in it beside that.
    pub secrets: Secrets,
    /// The instance's seed.
    pub seed: u64,
    /// Rooms of the window.
    pub rooms: u32,
    /// Largest packet that fits a fresh room, in bytes.
    pub room_len: u16,
    /// MAC addresses of the ports. All are up, have an MTU of 1,500 bytes, and may be sent to.
    pub ports: Vec<[u8; 6]>,
    /// Rings of the run.
    pub rings: u32,
    /// Which of its chain's instances it is, from 0.
    pub instance: u32,
    /// On how many lcores its chain runs.
    pub instances: u32,
    /// Most packets that the module may hold.
    pub hold: u32,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            config: Vec::new(),
            secrets: Secrets::default(),
            seed: 1,
            rooms: 1_024,
            room_len: 2_048,
            ports: vec![[0x02, 0, 0, 0, 0, 0x10], [0x02, 0, 0, 0, 0, 0x11]],
            rings: 1,
            instance: 0,
            instances: 1,
            hold: 64,
        }
    }
}

/// Why a trial cannot begin, or a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It trapped or passed its deadline.
    #[error("{0}")]
    Trap(String),
    /// It said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// It broke the ABI.
    #[error("{0}")]
    Broken(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Trap(trapped) => Self::Trap(trapped.to_string()),
            Refusal::No(text) => Self::Refused(text),
            Refusal::Broken(text) => Self::Broken(text),
        }
    }
}

/// One instance on trial.
pub struct Trial {
    instance: Instance,
    window: Window,
    rooms: Rooms,
    held: Held<u32>,
    spares: Vec<Option<u32>>,
    log: Arc<LogQueue>,
    has_tick: bool,
    ports: u16,
    rings: u16,
    sequence: u64,
    time_ns: u64,
    template_len: u16,
    window_declared: usize,
    failed: bool,
    has_compiled_fields: bool,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Trial {
    /// Starts an instance and gives it its configuration.
    ///
    /// # Errors
    /// The module traps, refuses the configuration, or its window is too small.
    pub fn start(subject: &Subject, setting: &Setting) -> Result<Self, Failure> {
        let mut trial = Self::of(&subject.module, subject.limits, setting)?;
        if subject.is_compiled_here {
            trial.compile_fields(&subject.module, |module, wasm| translate(module.pre.module().engine(), wasm))?;
        }
        Ok(trial)
    }

    /// As [`Self::start`], and has what a generator varies compiled by `loader`, where it tells a plan of that.
    ///
    /// # Errors
    /// As for [`Self::start`], and where the plan breaks the ABI.
    pub fn start_compiled(subject: &Subject, setting: &Setting, loader: &Loader) -> Result<Self, Failure> {
        let mut trial = Self::of(&subject.module, subject.limits, setting)?;
        trial.compile_fields(&subject.module, |module, wasm| {
            loader.compile_fields(module.pre.module().engine(), wasm)
        })?;
        Ok(trial)
    }

    /// Has what a generator varies compiled, where it tells a plan of that, as a run does.
    fn compile_fields(
        &mut self,
        module: &Module,
        compile: impl FnOnce(&Module, &[u8]) -> Result<Native, String>,
    ) -> Result<(), Failure> {
        let plan = match self.instance.plan() {
            Ok(Some(plan)) => plan,
            Ok(None) | Err(Refusal::No(_)) => return Ok(()),
            Err(refusal) => return Err(refusal.into()),
        };
        let linked = fields::compile(&plan).and_then(|program| {
            let native = compile(module, &program.wasm)?;
            self.instance.link(module.describe(), &program, &native)
        });
        linked.map_err(Failure::Broken)?;
        self.has_compiled_fields = true;
        Ok(())
    }

    /// Whether what it varies is machine code: always in a trial of a [`Subject`] from bytes, where the module has a plan.
    #[must_use]
    pub fn has_compiled_fields(&self) -> bool {
        self.has_compiled_fields
    }

    /// As [`Self::start`], of a module of any engine, which somebody must tick.
    pub fn of(module: &Module, limits: Limits, setting: &Setting) -> Result<Self, Failure> {
        let rooms = Rooms::new(setting.rooms, setting.room_len);
        let log = LogQueue::new();
        let clock = Clock::started_at(1_000_000_000, START_UNIX_NS);
        let mut host = Host::new(clock, Arc::clone(&log), limits.and_all(), setting.seed);
        host.keep(setting.secrets.clone());
        let started = window::start(module, host, rooms.bytes());
        let (instance, window) = started.map_err(Failure::Broken)?;
        let numbers = module.numbers;
        let mut trial = Self {
            instance,
            window,
            rooms,
            held: Held::new(setting.hold, u64::MAX),
            spares: vec![None; numbers.spares as usize],
            log,
            has_tick: module.has(names::TICK),
            ports: u16::try_from(setting.ports.len()).unwrap_or(0),
            rings: u16::try_from(setting.rings).unwrap_or(0),
            sequence: 0,
            time_ns: 0,
            template_len: 60,
            window_declared: numbers.window_len as usize,
            failed: false,
            has_compiled_fields: false,
        };
        trial.introduce(setting);
        trial.instance.init(&setting.config)?;
        let spares = numbers.spares;
        trial.instance.area.update_header(|h| {
            h.hold_quota = setting.hold;
            h.spare_count = spares;
        });
        trial.refill_spares();
        Ok(trial)
    }

    /// Tells the instance where it is, as a run does before `init`.
    fn introduce(&mut self, setting: &Setting) {
        for (number, mac) in setting.ports.iter().enumerate() {
            let info =
                PortInfo { mac: *mac, mtu: 1_500, link_up: 1, speed_mbps: 10_000, may_tx: 1, ..PortInfo::default() };
            self.instance.area.set_port(number, info);
        }
        self.instance.area.update_header(|h| {
            h.seed = setting.seed;
            h.start_unix_ns = START_UNIX_NS;
            h.instance = setting.instance;
            h.instances = setting.instances;
            h.port_count = u32::try_from(setting.ports.len()).unwrap_or(0);
            h.ring_count = setting.rings;
            h.headroom = HEADROOM.into();
            h.next_port =
                if setting.ports.is_empty() { 0xffff } else { u32::try_from(setting.ports.len()).unwrap_or(1) - 1 };
            h.room_len = setting.room_len.into();
        });
    }

    /// Gives packets to `process`; at most [`MAX_BATCH`], each no longer than a fresh room takes.
    ///
    /// # Errors
    /// [`Failure::Trap`] where the module traps or passes its deadline; it is not called any more.
    ///
    /// # Panics
    /// Where there are more packets, or longer ones.
    pub fn process(&mut self, packets: &[Packet]) -> Result<Outcome, Failure> {
        let given = self.publish(packets);
        self.call(Callback::Process, &given)
    }

    /// Lets `generate` make packets in `n` rooms. [`Self::prefill`] comes before.
    ///
    /// # Errors
    /// As for [`Self::process`].
    ///
    /// # Panics
    /// Where `n` is more than [`MAX_BATCH`] or than there are free rooms.
    pub fn generate(&mut self, n: usize) -> Result<Outcome, Failure> {
        let given = self.publish_fresh(n);
        self.call(Callback::Generate, &given)
    }

    /// The call without packets: `tick` where it is exported, else `process` with none. `drain` says that it is the last.
    ///
    /// # Errors
    /// As for [`Self::process`].
    pub fn tick(&mut self, drain: bool) -> Result<Outcome, Failure> {
        self.time_ns += TICK_NS;
        let flags = batch_flags::TICK | if drain { batch_flags::DRAIN } else { 0 };
        self.begin(0, flags);
        self.call(if self.has_tick { Callback::Tick } else { Callback::Process }, &[])
    }

    /// Shows each free room to `prefill`, as the start of a run does.
    ///
    /// # Errors
    /// As for [`Self::process`]; and where it left a length that no packet can have.
    pub fn prefill(&mut self) -> Result<Outcome, Failure> {
        let (mut seen, mut trespasses, mut first_len) = (Vec::new(), Vec::new(), None);
        loop {
            let given = self.publish_fresh(self.rooms.free().min(MAX_BATCH));
            if given.is_empty() {
                break;
            }
            self.enter(Callback::Prefill, given.len())?;
            let descs: Vec<PacketDesc> = self.instance.area.packets(given.len()).map(|d| d.read()).collect();
            for desc in &descs {
                let most = self.rooms.room_len() - HEADROOM;
                if desc.len < MIN_LEN || desc.len > most {
                    let text = format!("prefill made a packet of {} bytes, a room takes {MIN_LEN} to {most}", desc.len);
                    return Err(Failure::Broken(text));
                }
                first_len.get_or_insert(desc.len);
            }
            trespasses.extend(self.trespasses(&given, &descs));
            seen.extend(given.into_iter().map(|given| given.room));
        }
        self.template_len = first_len.unwrap_or(self.template_len);
        seen.into_iter().for_each(|room| self.rooms.give_back(room));
        Ok(Outcome { trespasses, ..Outcome::default() })
    }

    /// Sends a message; returns the reply.
    ///
    /// # Errors
    /// It traps, refuses, has no `message`, or answers beyond its mailbox.
    pub fn message(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.instance.message(bytes)?)
    }

    /// Asks for the module's state.
    ///
    /// # Errors
    /// As for [`Self::message`].
    pub fn save(&mut self) -> Result<Vec<u8>, Failure> {
        Ok(self.instance.save()?)
    }

    /// Hands over a state that was saved.
    ///
    /// # Errors
    /// As for [`Self::message`].
    pub fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        Ok(self.instance.restore(self.instance.state_version, state)?)
    }

    /// The counters that have a name, in order of their numbers.
    #[must_use]
    pub fn counters(&self) -> Vec<(String, u64)> {
        let named = self.instance.counter_names().into_iter().zip(self.instance.area.counters());
        named.filter_map(|(name, value)| Some((name?, value))).collect()
    }

    /// Numbers of counters that are not 0 and have no name: nobody would see them.
    #[must_use]
    pub fn unnamed_counters(&self) -> Vec<usize> {
        let named = self.instance.counter_names().into_iter().zip(self.instance.area.counters()).enumerate();
        named.filter(|(_, (name, value))| name.is_none() && *value != 0).map(|(i, _)| i).collect()
    }

    /// Takes the log lines that came since the last call, with their levels (1 error to 5 trace).
    pub fn log(&mut self) -> Vec<(i32, String)> {
        std::iter::from_fn(|| self.log.pop()).collect()
    }

    /// Bytes of the module's memory now, without the window that it declares, and with it.
    pub fn memory(&mut self) -> (usize, usize) {
        let all = self.instance.memory_len();
        (all.saturating_sub(self.window_declared), all)
    }

    /// Packets held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn begin(&mut self, count: usize, flags: u32) {
        self.sequence += 1;
        self.time_ns += BATCH_NS;
        let (count, held) = (u32::try_from(count).unwrap_or(0), u32::try_from(self.held.len()).unwrap_or(0));
        self.instance.area.begin(count, flags, self.time_ns, self.sequence, held);
    }

    #[allow(clippy::cast_possible_truncation, reason = "the generation is the low half by definition")]
    fn generation(&self) -> u32 {
        self.sequence as u32
    }

    /// Calls the module, which is not called again after a trap.
    fn enter(&mut self, callback: Callback, n: usize) -> Result<(), Failure> {
        if self.failed {
            return Err(Failure::Trap("the instance has failed before".to_owned()));
        }
        self.instance.call(callback, u32::try_from(n).unwrap_or(0)).map_err(|trapped| {
            self.failed = true;
            Failure::Trap(trapped.to_string())
        })
    }
}
