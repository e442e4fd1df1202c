//! Captures: packets of a running chain, copied into memory that an operator's own process reads.
//!
//! - `points.rs`: which lcores and chains a point is at.
//! - `history.rs`: what a run records for itself, for whoever wants to look back.
//! - this file: the memory, who writes it, and until when.

mod history;
mod points;
mod request;

pub(crate) use history::Histories;
pub use request::{CaptureInfo, CaptureRequest, CaptureStatus, HistoryStatus, LaneInfo, PlaceInfo};

use crate::parts::{Orders, Parts};
use perigee_config::Config;
use perigee_core::counters::NAMES;
use perigee_core::lock;
use perigee_datapath::orders::Command;
use perigee_datapath::recorder::Recorder;
use perigee_pcap::filter::{self, Program, Raw};
use perigee_record::{MOST_BYTES, MOST_LANES, Map, Memory, Shape};
use points::Lane;
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};

/// Captures at a time.
const MOST: usize = 8;
/// What one takes of the memory where nobody says it.
const USUAL: u64 = 16 << 20;

/// What is asked, and of what.
pub(crate) struct Asked<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) config: &'a Config,
    pub(crate) request: &'a CaptureRequest,
}

/// The captures of a run that are under way.
#[derive(Debug, Default)]
pub(crate) struct Captures(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    status: CaptureStatus,
    memory: Arc<Memory>,
}

/// A capture: it ends when this is dropped, which waits for the lcores.
#[derive(Debug)]
pub struct Capture {
    info: CaptureInfo,
    descriptor: OwnedFd,
    id: u64,
    list: Arc<Mutex<List>>,
    orders: Option<Orders>,
    teller: Teller,
}

/// Tells the reader of a capture a number of each place, beside its packets: it outlives the capture.
#[derive(Clone, Debug)]
pub struct Teller(Arc<Memory>);

impl Teller {
    /// Tells that number of a place of [`CaptureInfo::places`].
    pub fn tell(&self, place: usize, number: u64) {
        self.0.tell(place as u64, number);
    }
}

impl Capture {
    /// What a reader has to know.
    #[must_use]
    pub fn info(&self) -> &CaptureInfo {
        &self.info
    }

    /// Where its packets are: a reader maps it, and may do nothing else with it.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.descriptor.as_fd()
    }

    /// Tells its reader what is known beside the packets.
    #[must_use]
    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    /// The same memory for another reader, who ends nothing.
    fn for_another(&self) -> std::io::Result<Self> {
        let (info, list) = (self.info.clone(), Arc::clone(&self.list));
        let (descriptor, teller) = (self.descriptor.try_clone()?, self.teller.clone());
        Ok(Self { info, descriptor, id: self.id, list, orders: None, teller })
    }

    /// It goes on until the run stops, to the last packet.
    pub fn leave_to_run(mut self) {
        self.orders = None;
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let Some(orders) = &self.orders else { return };
        end(orders, self.id);
        lock(&self.list).running.retain(|running| running.status.id != self.id);
    }
}

/// Takes the recorders of a capture back. Of an lcore that does not answer they end with their chains.
fn end(orders: &Orders, id: u64) {
    for lcore in 0..orders.len() {
        if let Err(what) = orders.ask(lcore, |reply| Command::EndRecord { id, reply }) {
            tracing::warn!("capture {id} does not end: {what}");
        }
    }
}

impl Captures {
    /// Begins one. The text says why it cannot be.
    pub(crate) fn begin(&self, asked: &Asked<'_>) -> Result<Capture, String> {
        self.begin_in(asked, None, |lanes| self.reserve(asked, lanes))
    }

    /// Begins one that ends with the run, in so much memory of its own.
    fn begin_history(&self, asked: &Asked<'_>, history: &perigee_config::history::History) -> Result<Capture, String> {
        let bytes = history.memory;
        let mut capture = self.begin_in(asked, history.keep.map(history::nanos), |lanes| {
            let shape = Shape::of(bytes, lanes).map_err(|needed| {
                format!("memory: {lanes} places of lcores and chains need {needed} bytes, and {bytes} are too few")
            })?;
            let mut list = lock(&self.0);
            list.last += 1;
            Ok((list.last, memory(shape)?))
        })?;
        capture.orders = None;
        Ok(capture)
    }

    fn begin_in(
        &self,
        asked: &Asked<'_>,
        keep_ns: Option<u64>,
        reserve: impl FnOnce(u64) -> Result<(u64, Arc<Memory>), String>,
    ) -> Result<Capture, String> {
        let (places, lanes) = points::resolve(asked.parts, asked.config, &asked.request.at)?;
        if lanes.len() as u64 > MOST_LANES {
            let n = lanes.len();
            return Err(format!("these points are at {n} places of lcores and chains, and {MOST_LANES} are the most"));
        }
        let filter = program(&asked.request.program)?;
        let snaplen = u16::try_from(asked.request.snaplen).unwrap_or(u16::MAX).min(MOST_BYTES);
        if snaplen == 0 {
            return Err("snaplen: 0 bytes of each packet are none; take 1 or more".to_owned());
        }
        let (id, memory) = reserve(lanes.len() as u64)?;
        let info = CaptureInfo {
            id,
            start_unix_ns: asked.parts.unix.place().load(std::sync::atomic::Ordering::Relaxed),
            snaplen,
            places,
            lanes: lanes.iter().map(|lane| lane.info(asked.parts)).collect(),
            causes: NAMES.iter().map(|name| (*name).to_owned()).collect(),
        };
        let orders = asked.parts.orders.clone();
        let descriptor = memory.descriptor().try_clone_to_owned();
        // From here on it ends by being dropped.
        let capture = Capture {
            info,
            descriptor: descriptor.map_err(|e| format!("its memory: {e}"))?,
            id,
            list: Arc::clone(&self.0),
            orders: Some(orders),
            teller: Teller(Arc::clone(&memory)),
        };
        let mut by_lcore: BTreeMap<usize, Vec<(usize, Box<Recorder>)>> = BTreeMap::new();
        for Lane { chain, spot, .. } in &lanes {
            let at = asked.parts.placed[*chain].at;
            let writer = memory.writer().ok_or("it has fewer lanes than were asked for")?;
            let writer = if let Some(keep_ns) = keep_ns { writer.keeping(keep_ns) } else { writer };
            let filter = filter.as_ref().map(Arc::clone);
            let recorder = Recorder::new((id, *spot), writer, filter, snaplen, asked.parts.clock);
            by_lcore.entry(at.lcore).or_default().push((at.chain, recorder));
        }
        for (lcore, recorders) in by_lcore {
            asked.parts.orders.ask(lcore, |reply| Command::Record { recorders, reply })?;
        }
        Ok(capture)
    }

    /// Makes a capture's memory, where there is room for it.
    fn reserve(&self, asked: &Asked<'_>, lanes: u64) -> Result<(u64, Arc<Memory>), String> {
        let mut list = lock(&self.0);
        let (limit, used) = (asked.config.run.capture_memory, list.used());
        let free = limit.saturating_sub(used);
        if list.running.len() >= MOST {
            return Err(format!("{MOST} captures are under way, which is the most: end one of them"));
        }
        let wanted = asked.request.memory.unwrap_or(USUAL.min(free));
        let room = || format!("{free} of {limit} bytes are free ([run] capture_memory)");
        if wanted > free {
            return Err(format!("memory: {wanted} bytes are more than there is: {}", room()));
        }
        let shape = Shape::of(wanted, lanes).map_err(|needed| {
            format!(
                "memory: {lanes} places of lcores and chains need {needed} bytes, and {wanted} are too few; {}",
                room()
            )
        })?;
        let memory = memory(shape)?;
        list.last += 1;
        let (id, request) = (list.last, asked.request);
        let status = CaptureStatus {
            id,
            at: request.at.clone(),
            filter: request.filter.clone(),
            memory: shape.bytes(),
            seen: 0,
            refused: 0,
            recorded: 0,
        };
        list.running.push(Running { status, memory: Arc::clone(&memory) });
        Ok((id, memory))
    }

    /// Those under way, with what they have counted.
    pub(crate) fn now(&self) -> Vec<CaptureStatus> {
        lock(&self.0).running.iter().map(Running::now).collect()
    }
}

fn memory(shape: Shape) -> Result<Arc<Memory>, String> {
    Memory::new(shape).map_err(|e| format!("memory: the system does not give {} bytes: {e}", shape.bytes()))
}

impl List {
    fn used(&self) -> u64 {
        self.running.iter().map(|running| running.status.memory).sum()
    }
}

impl Running {
    fn now(&self) -> CaptureStatus {
        let mut status = self.status.clone();
        if let Ok(map) = Map::new(self.memory.descriptor()) {
            for counts in (0..self.memory.shape().lanes).filter_map(|lane| map.reader(lane)).map(|lane| lane.counts()) {
                status.seen += counts.seen;
                status.refused += counts.refused;
                status.recorded += counts.recorded;
            }
        }
        status
    }
}

/// A filter as [`CaptureRequest::program`] has it. The process that asks compiles it: who runs it does not call libpcap.
///
/// # Errors
/// What is wrong with it, in libpcap's words where it is libpcap that refuses.
pub fn filter_instructions(text: &str) -> Result<Vec<[u32; 4]>, String> {
    let raw = filter::instructions(text)?;
    Program::new(&raw)?;
    Ok(raw.into_iter().map(|one| [one.code.into(), one.jt.into(), one.jf.into(), one.k]).collect())
}

/// The program of a request, checked.
fn program(raw: &[[u32; 4]]) -> Result<Option<Arc<Program>>, String> {
    if raw.is_empty() {
        return Ok(None);
    }
    let one = |(at, [code, jt, jf, k]): (usize, &[u32; 4])| {
        let small = u16::try_from(*code).ok().zip(u8::try_from(*jt).ok()).zip(u8::try_from(*jf).ok());
        let ((code, jt), jf) = small.ok_or_else(|| format!("program: number {at} is no instruction"))?;
        Ok::<_, String>(Raw { code, jt, jf, k: *k })
    };
    let raw = raw.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
    Program::new(&raw).map(|program| Some(Arc::new(program))).map_err(|what| format!("program: {what}"))
}
