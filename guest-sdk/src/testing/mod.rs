//! The host's place, natively: gives a module packets, runs its callbacks and shows what it did.
//!
//! ```
//! use perigee_guest::testing::Host;
//! use perigee_guest::{Batch, Module, Refusal, Setup, Verdict};
//!
//! struct Reflector;
//! impl Module for Reflector {
//!     fn init(_setup: &Setup<'_>) -> Result<Self, Refusal> {
//!         Ok(Self)
//!     }
//!     fn process(&mut self, batch: &mut Batch<'_>) {
//!         for packet in batch {
//!             packet.tx_back();
//!         }
//!     }
//! }
//!
//! let mut host = Host::<Reflector>::start("").unwrap();
//! let sent = host.process([vec![0; 60]]);
//! assert_eq!(sent[0].verdict, Verdict::tx(0));
//! ```
//!
//! It is as strict as the real host: a packet that leaves its room, or asks for what does not exist, fails the test.

mod hostcalls;
mod packets;
mod rooms;
mod shared;

pub(crate) use hostcalls::{host_counter, host_log, host_tell, host_time};
pub use packets::{Input, Output};
pub(crate) use shared::{Laid, host_region, region_here};
pub use shared::{RegionSeat, SharedMemory, region};

use crate::export::{Callback, Instance};
use crate::wire::Mac;
use crate::{Module, Refusal};
use core::cell::UnsafeCell;
use perigee_abi::{
    ABI_VERSION, Batch, Header, MAX_BATCH, MAX_COUNTERS, MAX_OUTPUTS, MAX_PORTS, MAX_SPARES, PacketDesc, PortInfo,
    batch_flags, source, verdict,
};
use rooms::{ROOM_COUNT, Rooms, WINDOW};
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

/// The run that a module finds itself in.
#[derive(Clone)]
pub struct Run {
    /// Its ports.
    pub ports: Vec<PortInfo>,
    /// Largest packet that fits a room.
    pub room_len: u32,
    /// Spare rooms in each batch.
    pub spares: u32,
    /// Most packets that the module may hold.
    pub hold_quota: u32,
    /// Seed for random numbers.
    pub seed: u64,
    /// Port by which packets leave after the last stage.
    pub next_port: u16,
    /// Number of rings.
    pub rings: u32,
    /// To how many modules it may tell something ([`crate::tell`]).
    pub targets: u32,
    /// On how many lcores the module's chain runs.
    pub instances: u32,
    /// By what packets leave at their times: one of [`perigee_abi::pacing`].
    pub pacing: u32,
    /// Where its state region lies, where the module has one here.
    pub region: Option<RegionSeat>,
}

impl Default for Run {
    /// Four ports with the addresses 02:00:00:00:00:10 to :13.
    fn default() -> Self {
        let port = |number: u8| PortInfo {
            mac: [2, 0, 0, 0, 0, 0x10 + number],
            mtu: 1500,
            link_up: 1,
            speed_mbps: 10_000,
            may_tx: 1,
            ..PortInfo::default()
        };
        Self {
            ports: (0..4).map(port).collect(),
            room_len: 1920,
            spares: 8,
            hold_quota: 64,
            seed: 1,
            next_port: 1,
            rings: 2,
            targets: 0,
            instances: 1,
            pacing: perigee_abi::pacing::NONE,
            region: None,
        }
    }
}

impl Run {
    /// MAC address of a port.
    #[must_use]
    pub fn mac(&self, port: usize) -> Mac {
        Mac(self.ports[port].mac)
    }
}

/// A host with one instance of a module.
pub struct Host<M: Module> {
    run: Run,
    instance: Instance<M>,
    area: Box<UnsafeCell<Batch>>,
    rooms: Rooms,
    names: Vec<(usize, String)>,
    log: Vec<String>,
    told: Vec<(u32, Vec<u8>)>,
    is_full: bool,
    /// Slots and generations of what the module holds.
    held: Vec<(u32, u32)>,
    outputs: Vec<Output>,
    prefilled: bool,
}

impl<M: Module> Host<M> {
    /// Starts the module in the default run.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses its configuration.
    pub fn start(config: &str) -> Result<Self, String> {
        Self::start_in(Run::default(), config)
    }

    /// Starts the module in a run.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses its configuration.
    pub fn start_in(run: Run, config: &str) -> Result<Self, String> {
        let mut host = Self {
            instance: Instance::new(),
            area: Box::new(UnsafeCell::new(empty_batch())),
            rooms: Rooms::new(run.room_len),
            names: Vec::new(),
            log: Vec::new(),
            told: Vec::new(),
            is_full: true,
            held: Vec::new(),
            outputs: Vec::new(),
            prefilled: false,
            run,
        };
        host.describe();
        let len = host.mail(config.as_bytes());
        let result = host.call(Callback::Init(len));
        host.is_full = false;
        host.answer(result).map(|_| host)
    }

    /// Gives the module packets; what it did with each comes back in the same order.
    pub fn process<I: Into<Input>>(&mut self, packets: impl IntoIterator<Item = I>) -> Vec<Output> {
        let packets: Vec<Input> = packets.into_iter().map(Into::into).collect();
        assert!(packets.len() <= MAX_BATCH, "a batch has at most {MAX_BATCH} packets");
        let taken = self.rooms.take(packets.len(), &self.held);
        let flags = if packets.is_empty() { batch_flags::TICK } else { 0 };
        let header = self.next_batch(packets.len(), flags);
        for ((desc, packet), room) in self.area.get_mut().packets.iter_mut().zip(&packets).zip(&taken) {
            *desc = packet.describe(self.rooms.place(*room), header);
        }
        for (packet, room) in packets.iter().zip(&taken) {
            self.rooms.fill(*room, &packet.bytes);
        }
        let count = header_count(packets.len());
        self.call(Callback::Process(count));
        self.collect(packets.len())
    }

    /// Has the module make packets in `count` rooms; those that it used come back. Before the first call every room is
    /// prefilled.
    pub fn generate(&mut self, count: usize) -> Vec<Output> {
        assert!(count <= MAX_BATCH, "a batch has at most {MAX_BATCH} packets");
        if !self.prefilled {
            self.prefilled = true;
            for first in (0..ROOM_COUNT).step_by(MAX_BATCH) {
                let rooms: Vec<usize> = (first..ROOM_COUNT.min(first + MAX_BATCH)).collect();
                self.empty_rooms(&rooms);
                self.call(Callback::Prefill(header_count(rooms.len())));
            }
        }
        let rooms = self.rooms.take(count, &self.held);
        self.empty_rooms(&rooms);
        self.call(Callback::Generate(header_count(count)));
        self.collect(count).into_iter().filter(|output| !output.verdict.is_drop()).collect()
    }

    /// Whether the generator has said that it makes no more packets.
    #[must_use]
    pub fn is_finished(&mut self) -> bool {
        self.area.get_mut().header.finished != 0
    }

    /// Calls `tick`, with packets neither in nor out but by the output list.
    pub fn tick(&mut self) {
        self.next_batch(0, batch_flags::TICK);
        self.call(Callback::Tick);
        self.collect(0);
    }

    /// Sends the module a message.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses it.
    pub fn message(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        let len = self.mail(request);
        let result = self.call(Callback::Message(len));
        self.answer(result)
    }

    /// Has the module save its state.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses.
    pub fn save(&mut self) -> Result<Vec<u8>, String> {
        let result = self.call(Callback::Save);
        self.answer(result)
    }

    /// Gives the module the state of another instance.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses it.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let len = self.mail(state);
        let result = self.call(Callback::Restore(len));
        self.answer(result).map(|_| ())
    }

    /// Hands over a state of another version than the module saves.
    ///
    /// # Errors
    ///
    /// The text with which the module refuses it.
    pub fn restore_from(&mut self, version: u32, state: &[u8]) -> Result<(), String> {
        self.area.get_mut().header.state_version = version;
        let len = self.mail(state);
        let result = self.call(Callback::RestoreFrom(len));
        self.answer(result).map(|_| ())
    }

    /// Lays another region in place of the instance's, as a swap does between `init` and `restore`.
    pub fn move_region(&mut self, seat: RegionSeat) {
        if let Some(before) = self.run.region.replace(seat.clone()) {
            before.move_to(&seat);
        }
    }

    /// What the output list of the last call said, in its order.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// How many packets the module holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The lines that the module logged.
    #[must_use]
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Whether the queues of those that the module may tell something have no room.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// What the module has told others since this was asked last, and whom.
    pub fn take_told(&mut self) -> Vec<(u32, Vec<u8>)> {
        core::mem::take(&mut self.told)
    }

    /// The counter of that name.
    ///
    /// # Panics
    ///
    /// Where the module gave no counter this name.
    #[must_use]
    pub fn counter(&mut self, name: &str) -> u64 {
        let found = self.names.iter().find(|(_, known)| known == name);
        let (index, _) = found.unwrap_or_else(|| panic!("no counter has the name {name:?}: {:?}", self.names));
        self.area.get_mut().counters[*index]
    }

    /// Overwrites all rooms, as a stage behind a generator may.
    pub fn spoil_rooms(&mut self) {
        for room in 0..ROOM_COUNT {
            self.rooms.fill(room, &[]);
        }
    }

    /// Sets the time of the batches to come, in nanoseconds since the run began.
    pub fn set_time(&mut self, time_ns: u64) {
        self.area.get_mut().header.time_ns = time_ns;
        hostcalls::set_time(time_ns);
    }

    /// Writes what holds for the whole run.
    fn describe(&mut self) {
        let run = &self.run;
        assert!(run.ports.len() <= MAX_PORTS && run.spares as usize <= MAX_SPARES, "more than the ABI has room for");
        let area = self.area.get_mut();
        area.ports[..run.ports.len()].copy_from_slice(&run.ports);
        area.header = Header {
            stride: 64,
            abi: ABI_VERSION,
            window: WINDOW,
            window_len: self.rooms.window_len(),
            seed: run.seed,
            start_unix_ns: 1_700_000_000_000_000_000,
            instances: run.instances,
            port_count: header_count(run.ports.len()),
            ring_count: run.rings,
            headroom: rooms::HEADROOM,
            next_port: run.next_port.into(),
            room_len: run.room_len,
            hold_quota: run.hold_quota,
            pacing: run.pacing,
            spare_count: run.spares,
            ..area.header
        };
        for (index, desc) in area.spares.iter_mut().take(run.spares as usize).enumerate() {
            *desc = self.rooms.place(rooms::SPARE_FIRST + index);
            desc.port = u16::MAX;
        }
    }

    /// Writes what differs from batch to batch.
    fn next_batch(&mut self, count: usize, flags: u32) -> Header {
        let held = header_count(self.held.len());
        let header = &mut self.area.get_mut().header;
        header.count = header_count(count);
        header.flags = flags;
        header.sequence += 1;
        header.out_count = 0;
        header.held = held;
        *header
    }

    /// Describes rooms without packets.
    fn empty_rooms(&mut self, rooms: &[usize]) {
        let header = self.next_batch(rooms.len(), 0);
        for (desc, room) in self.area.get_mut().packets.iter_mut().zip(rooms) {
            *desc = Input::new(&[]).describe(self.rooms.place(*room), header);
            desc.port = u16::MAX;
        }
    }

    /// Reads back what the module decided.
    fn collect(&mut self, count: usize) -> Vec<Output> {
        let area = self.area.get_mut();
        let packets = &area.packets[..count];
        let outputs: Vec<Output> = packets.iter().map(|desc| self.rooms.read(desc, &self.run)).collect();
        let listed = area.header.out_count as usize;
        assert!(listed <= MAX_OUTPUTS, "the output list says {listed} entries");
        for (index, desc) in area.outputs[..listed].iter().enumerate() {
            if (source::SPARE..source::HELD).contains(&desc.source) {
                let before = &area.outputs[..index];
                assert!(before.iter().all(|other| other.source != desc.source), "a spare room is sent twice: {desc:?}");
            }
            if desc.source == source::HELD {
                let before = self.held.len();
                self.held.retain(|held| *held != (desc.slot, desc.generation));
                assert!(self.held.len() < before, "given back, but not held: slot {}", desc.slot);
            }
        }
        self.outputs = area.outputs[..listed].iter().map(|desc| self.rooms.read(desc, &self.run)).collect();
        self.held.extend(packets.iter().filter(|d| d.verdict == verdict::HOLD).map(|d| (d.slot, d.generation)));
        assert!(self.held.len() <= self.run.hold_quota as usize, "more held than the quota");
        outputs
    }

    /// Makes one call, and takes over what hostcalls left.
    fn call(&mut self, what: Callback) -> i32 {
        hostcalls::set_targets(self.run.targets, self.is_full);
        let Self { run, instance, area, rooms, .. } = self;
        let mut call = || instance.call(area, rooms.window(), what);
        let result = match &run.region {
            Some(seat) => seat.call(call),
            None => call(),
        };
        self.told.extend(hostcalls::take_told());
        self.names.extend(hostcalls::take_counters());
        self.log.extend(hostcalls::take_log());
        result
    }

    /// Puts bytes into the mailbox.
    fn mail(&mut self, bytes: &[u8]) -> u32 {
        let mailbox = self.instance.mailbox();
        assert!(bytes.len() <= mailbox.len(), "longer than the mailbox");
        mailbox[..bytes.len()].copy_from_slice(bytes);
        header_count(bytes.len())
    }

    /// Turns a callback's number into what it means.
    fn answer(&mut self, result: i32) -> Result<Vec<u8>, String> {
        let bytes = &self.instance.mailbox()[..result.unsigned_abs() as usize];
        if result < 0 { Err(String::from_utf8_lossy(bytes).into_owned()) } else { Ok(bytes.to_vec()) }
    }
}

fn header_count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn empty_batch() -> Batch {
    Batch {
        header: Header::default(),
        ports: [PortInfo::default(); MAX_PORTS],
        counters: [0; MAX_COUNTERS],
        packets: [PacketDesc::default(); MAX_BATCH],
        spares: [PacketDesc::default(); MAX_SPARES],
        outputs: [PacketDesc::default(); MAX_OUTPUTS],
    }
}

/// A refusal as the text that the operator would see.
impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.text().as_str().into()
    }
}

#[cfg(test)]
mod tests;
