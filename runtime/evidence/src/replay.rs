//! A recording run again, in a host without ports: the same module, from the same state, with the same inputs, to the same
//! trap.

use super::image::Image;
use super::recorder::read_into;
use super::recording::{DESC, Event, HEAD, Header, Kind, PACKETS, Rooms, SPARES, decode};
use super::{core, engine_text, folder, hex, prepare};
use perigee_config as config;
use perigee_config::Grants;
use perigee_config::bounds;
use perigee_core::clock::Clock;
use perigee_load::{Compiler, Loader, Upload};
use perigee_report::text;
use perigee_report::{Error, ModuleInfo};
use perigee_wasm::engine::{Engines, Metering, WASM_STACK};
use perigee_wasm::fields;
use perigee_wasm::host::{Host, LogQueue};
use perigee_wasm::instance::{Callback, Instance, Refusal};
use perigee_wasm::stack::with_guest_stack;
use perigee_wasm::ticker::Ticker;
use perigee_wasm::trace::Trace;
use sha2::{Digest, Sha256};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Whether the same came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same trap at the same place, with the same memory, bit by bit.
    Same,
    /// The deadline passed, in the same call. Where in it depends on the time, so that is not compared.
    SameDeadline,
    /// Something differs, and what.
    Differs(Vec<String>),
    /// It was stopped before the end.
    Stopped,
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replay {
    /// The module's name.
    pub module: String,
    /// Calls in the recording, and how many of them were made.
    pub calls: usize,
    /// Calls made.
    pub made: usize,
    /// How it compares with the recording.
    pub verdict: Verdict,
    /// The trap of the recording, with its backtrace.
    pub recorded: String,
    /// The trap of the replay, where one came.
    pub replayed: Option<String>,
    /// What the last call got, line by line.
    pub last_call: Vec<String>,
    /// What the module wrote to its log last, line by line.
    pub log: Vec<String>,
    /// A core dump of the instance where the replay stands.
    pub core: Vec<u8>,
}

/// A bundle's recording, read and not looked into: what it holds is a stranger's.
#[derive(Debug)]
pub struct Recording {
    bundle: PathBuf,
    tape: Tape,
}

/// A recording with its module.
#[derive(Debug)]
struct Tape {
    header: Header,
    events: Vec<Event<'static>>,
    wasm: Vec<u8>,
}

impl Recording {
    /// Reads the recording of a bundle.
    ///
    /// # Errors
    /// The bundle cannot be read, was changed, or has no recording.
    pub fn read(bundle: &Path) -> Result<Self, Error> {
        let tape = Tape::read(bundle).map_err(|what| Error::Evidence { path: bundle.to_owned(), what })?;
        Ok(Self { bundle: bundle.to_owned(), tape })
    }

    /// Replays it: runs its module, compiled by `loader`. `until` so many calls are made, if the trap does not come before.
    ///
    /// # Errors
    /// It was made by another engine, asks for more than any configuration grants, or takes longer than a replay may.
    pub fn replay(&self, until: Option<usize>, loader: &Loader) -> Result<Replay, Error> {
        let refuse = |what: String| Error::Evidence { path: self.bundle.clone(), what };
        let engines = Engines::default();
        let _ticker = Ticker::start(&engines);
        let engine_now = engine_text(&engines.of(WASM_STACK as u64)?);
        if self.tape.header.engine != engine_now {
            let recorded = &self.tape.header.engine;
            return Err(refuse(format!(
                "was recorded with {recorded}, this program has {engine_now}: replay it with the program that recorded it, \
                 on such a processor"
            )));
        }
        let played = with_guest_stack(|| Player::start(&engines, &self.tape, loader)?.play(&self.tape, until));
        played.map_err(|e| e.to_string()).flatten().map_err(refuse)
    }
}

impl Replay {
    /// Replays the recording of a bundle that one trusts: in this process, without the jail.
    ///
    /// # Errors
    /// As for [`Recording::read`] and [`Recording::replay`].
    pub fn run(bundle: &Path, until: Option<usize>) -> Result<Self, Error> {
        let recording = Recording::read(bundle)?;
        let load = config::Load { cache: config::Directory::Off, ..config::Load::default() };
        recording.replay(until, &Loader::start(&load, Path::new(""), &Compiler::InProcess, false, Metering::Epochs)?)
    }
}

impl Tape {
    fn read(bundle: &Path) -> Result<Self, String> {
        let mut files = folder::read(bundle, &["module.wasm", "recording.bin"])?.into_iter();
        let (Some(Some(wasm)), Some(recording)) = (files.next(), files.next()) else {
            return Err("has no module.wasm".to_owned());
        };
        let recording = recording.ok_or(
            "has no recording: start the run with --record DIR; fault.json says where a recording was given up, or where the \
             module has secrets and there is none",
        )?;
        let (mut header, events) = decode(&recording).map_err(|e| format!("recording.bin: {e}"))?;
        // Whoever made the bundle has written its texts.
        header.module = text::line(&header.module, text::NAME);
        header.engine = text::line(&header.engine, text::NAME);
        header.end.trace = header.end.trace.foreign();
        if <[u8; 32]>::from(Sha256::digest(&wasm)) != header.digest {
            return Err(format!("module.wasm is not the module that was recorded (SHA-256 {})", hex(&header.digest)));
        }
        Ok(Self { header, events, wasm })
    }
}

/// An instance that gets a recording's inputs.
struct Player<'l> {
    instance: Instance,
    /// Who compiles, and for which engine.
    loader: &'l Loader,
    engine: wasmtime::Engine,
    info: ModuleInfo,
    /// Its module was asked what is to be compiled: once, as in the run.
    is_linked: bool,
    made: usize,
    started: Instant,
    /// The recorded deadline was longer than a call may take here.
    is_cut: bool,
}

impl<'l> Player<'l> {
    fn start(engines: &Engines, tape: &Tape, loader: &'l Loader) -> Result<Self, String> {
        let header = &tape.header;
        let is_deadline = header.end.trace.class == "deadline";
        let wrong = |e: String| format!("recording.bin: its grants: {e}");
        let asked: Grants = serde_json::from_str(&header.grants).map_err(|e| wrong(text::line(&e, text::REPORT)))?;
        // A call that does not end of itself may take longer than in the run, when it is not its time that is looked for.
        let patient = |deadline| if is_deadline { deadline } else { bounds::CALL };
        let (deadline, control_deadline) = (patient(asked.deadline), patient(asked.control_deadline));
        let wanted = Grants { deadline, control_deadline, ..asked };
        let grants = wanted.bounded().map_err(|e| format!("recording.bin: {e}"))?;
        // Its engine has a stack of the same size: it ends in the same call.
        let entry = config::Module { grants: grants.clone(), ..config::Module::new(&header.module, "") };
        let mut shift = 0;
        let mut prepare = |bytes: &[u8]| {
            let (prepared, probe) = prepare(&header.module, bytes)?;
            shift = probe.shift;
            Ok(prepared)
        };
        let module = loader
            .load(engines, &entry, &Upload::from(tape.wasm.as_slice()), Some(&mut prepare))
            .map_err(|e| e.to_string())?;
        let clock = Clock::started_at(1_000_000_000, header.start_unix_ns);
        let mut host = Host::new(clock, LogQueue::new(), grants.clone(), header.seed);
        // What the clock said while the instance was made.
        host.replay_times(match (&header.start, tape.events.first()) {
            (None, Some(Event::Times(times))) => times.clone(),
            _ => Vec::new(),
        });
        let region = usize::try_from(header.region_len).unwrap_or(usize::MAX);
        // The window is the module's own memory: there is nobody to share it with.
        let mut instance = Instance::new(&module, host, region, |_| Ok(()))?;
        instance.code_shift = shift;
        let is_cut = wanted.deadline > bounds::CALL;
        let engine = module.pre.module().engine().clone();
        let info = module.describe().clone();
        let mut player =
            Self { instance, loader, engine, info, is_linked: false, made: 0, started: Instant::now(), is_cut };
        if let Some(snapshot) = &header.start {
            snapshot.image.restore(&mut player.instance)?;
            player.instance.set_globals(&snapshot.globals)?;
            // What the run had put into the table is in no snapshot. The question for it leaves traces in memory.
            player.link_fields();
            snapshot.image.restore(&mut player.instance)?;
            player.instance.set_globals(&snapshot.globals)?;
            player.instance.host_mut().restore_wasi(&snapshot.wasi);
            player.put_rooms(&snapshot.rooms)?;
        }
        Ok(player)
    }

    fn play(&mut self, tape: &Tape, until: Option<usize>) -> Result<Replay, String> {
        let is_call = |event: &&Event<'_>| !matches!(event, Event::Times(_));
        let calls = tape.events.iter().filter(is_call).count();
        let (mut last, mut trace) = (None, None);
        for (i, event) in tape.events.iter().enumerate().filter(|(_, event)| is_call(event)) {
            if until.is_some_and(|until| self.made >= until) {
                break;
            }
            if self.started.elapsed() > bounds::REPLAY {
                let (made, most) = (self.made, bounds::REPLAY.as_secs() / 60);
                return Err(format!(
                    "is not through after {most} minutes: {made} calls are made; --until {made} shows them"
                ));
            }
            let times = match tape.events.get(i + 1) {
                Some(Event::Times(times)) => times.clone(),
                _ => Vec::new(),
            };
            self.instance.host_mut().replay_times(times);
            trace = self.call(event)?;
            self.made += 1;
            last = Some(event);
            if trace.is_some() {
                break;
            }
        }
        let image = Image::of(&self.instance);
        let core = self.core(tape, &image, trace.as_ref());
        Ok(Replay {
            module: tape.header.module.clone(),
            calls,
            made: self.made,
            verdict: self.compare(tape, calls, &image, trace.as_ref()),
            recorded: tape.header.end.trace.to_string(),
            replayed: trace.map(|trace| trace.to_string()),
            last_call: last.map(describe).unwrap_or_default(),
            log: self.instance.host().last_lines().iter().map(ToString::to_string).collect(),
            core,
        })
    }

    fn core(&mut self, tape: &Tape, image: &Image, trace: Option<&Trace>) -> Vec<u8> {
        let nothing = Trace { callback: String::new(), class: String::new(), text: String::new(), frames: Vec::new() };
        core::core_dump(&tape.header.module, image, &self.instance.globals(), trace.unwrap_or(&nothing))
    }

    /// Gives a call what it got, and makes it. Where it traps, how.
    fn call(&mut self, event: &Event<'_>) -> Result<Option<Trace>, String> {
        let trapped = match event {
            Event::Batch { kind, count, head, packets, spares, rooms } => {
                // Without an `init` it comes before the first batch.
                self.link_fields();
                self.put_area(0, head, HEAD)?;
                self.put_area(PACKETS, packets, usize::MAX)?;
                self.put_area(SPARES, spares, usize::MAX)?;
                self.put_rooms(rooms)?;
                let callback = match kind {
                    Kind::Prefill => Callback::Prefill,
                    Kind::Generate => Callback::Generate,
                    Kind::Process => Callback::Process,
                    Kind::Tick => Callback::Tick,
                    _ => return Err("recording.bin: a batch for a call that gets none".to_owned()),
                };
                self.instance.call(callback, *count).err()
            }
            Event::Request { kind, head, mailbox } => {
                self.put_area(0, head, HEAD)?;
                let answer = match kind {
                    Kind::Init => self.instance.init(mailbox).map(|()| {
                        self.link_fields();
                        Vec::new()
                    }),
                    Kind::Message => self.instance.message(mailbox),
                    Kind::Save => self.instance.save(),
                    Kind::Restore => {
                        let version = word(head, offset_of!(perigee_abi::Header, state_version));
                        self.instance.restore(version, mailbox).map(|()| Vec::new())
                    }
                    _ => return Err("recording.bin: a question for a call that gets a batch".to_owned()),
                };
                // An answer, a refusal: both are the module's to give.
                if let Err(Refusal::Trap(trapped)) = answer { Some(trapped) } else { None }
            }
            Event::Times(_) => None,
        };
        Ok(trapped.and_then(|trapped| trapped.trace().cloned()))
    }

    /// Has fields compiled as the run has, right behind `init`. Where that fails the module does the same by itself.
    fn link_fields(&mut self) {
        if std::mem::replace(&mut self.is_linked, true) {
            return;
        }
        let Ok(Some(plan)) = self.instance.plan() else { return };
        let linked = fields::compile(&plan).and_then(|program| {
            let native = self.loader.compile_fields(&self.engine, &program.wasm)?;
            self.instance.link(&self.info, &program, &native)
        });
        if let Err(why) = linked {
            tracing::warn!("the recording's fields are interpreted: {why}");
        }
    }

    fn put_area(&mut self, offset: u32, bytes: &[u8], most: usize) -> Result<(), String> {
        let at = self.instance.numbers().batch.saturating_add(offset);
        if bytes.len() > most || offset as usize + bytes.len() > size_of::<perigee_abi::Batch>() {
            return Err(format!("recording.bin: {} bytes at {offset} of the batch area", bytes.len()));
        }
        self.instance.write(at, bytes);
        Ok(())
    }

    fn put_rooms(&mut self, rooms: &Rooms<'_>) -> Result<(), String> {
        let mut rest: &[u8] = &rooms.bytes;
        for (at, len) in &rooms.places {
            let outside = || format!("recording.bin: a room of {len} bytes at {at} of the window");
            let (room, after) = rest.split_at_checked(*len as usize).ok_or_else(outside)?;
            if u64::from(*at) + u64::from(*len) > u64::from(self.instance.window_len()) {
                return Err(outside());
            }
            self.instance.write(self.instance.window.saturating_add(*at), room);
            rest = after;
        }
        Ok(())
    }

    fn compare(&self, tape: &Tape, calls: usize, image: &Image, trace: Option<&Trace>) -> Verdict {
        let end = &tape.header.end;
        let Some(trace) = trace else {
            if self.made < calls {
                return Verdict::Stopped;
            }
            return Verdict::Differs(vec!["no trap comes".to_owned()]);
        };
        let mut differences = Vec::new();
        if self.made != calls {
            differences.push(format!("it traps in call {}, in the run it did in call {calls}", self.made));
        }
        if end.trace.class == "deadline" && trace.class == "deadline" && differences.is_empty() && !self.is_cut {
            return Verdict::SameDeadline;
        }
        if self.is_cut {
            let most = bounds::CALL;
            differences.push(format!("a call is ended after {most:?} here, the recorded deadline is longer"));
        }
        if !trace.is_same(&end.trace) {
            differences.push("the trap is another one".to_owned());
        }
        let memory = image.digest();
        if memory != end.memory {
            differences.push(format!("the memory is {}, in the run it was {}", hex(&memory), hex(&end.memory)));
        }
        let mut bytes = Vec::new();
        let known = end.rooms.iter().all(|(_, len)| *len <= 1 << 16) && end.rooms.len() <= 1 << 16;
        if known {
            read_into(&self.instance, &end.rooms, &mut bytes);
        }
        let rooms: [u8; 32] = Sha256::digest(&bytes).into();
        if rooms != end.rooms_digest {
            differences.push(format!("the packets' rooms are {}, in the run {}", hex(&rooms), hex(&end.rooms_digest)));
        }
        if differences.is_empty() { Verdict::Same } else { Verdict::Differs(differences) }
    }
}

/// The number at a place of an area's bytes.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// A call, in lines for people.
fn describe(event: &Event<'_>) -> Vec<String> {
    match event {
        Event::Batch { kind, count, head, packets, rooms, .. } => {
            let sequence = u64::from(word(head, 16)) | u64::from(word(head, 20)) << 32;
            let mut lines =
                vec![format!("{kind:?} with {count} packets, batch {sequence}, {} rooms", rooms.places.len())];
            let packets = packets.chunks_exact(DESC).enumerate();
            lines.extend(packets.map(|(i, desc)| {
                let (addr, len_port, mark) = (word(desc, 0), word(desc, 4), word(desc, 12));
                let (slot, generation, rx, tx) = (word(desc, 16), word(desc, 20), word(desc, 24), word(desc, 28));
                format!(
                    "packet {i}: address {addr:#x}, {} bytes, port {}, mark {mark:#x}, slot {slot}, generation {generation}, \
                     rx flags {rx:#x}, tx flags {tx:#x}",
                    len_port & 0xffff,
                    len_port >> 16
                )
            }));
            lines
        }
        Event::Request { kind, mailbox, .. } => vec![format!("{kind:?} with {} bytes in the mailbox", mailbox.len())],
        Event::Times(_) => Vec::new(),
    }
}
