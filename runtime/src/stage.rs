//! A stage: one instance, and the way of a burst through it. This is the one file that joins DPDK's packets and wasm's
//! descriptors: publish, call, collect.

use crate::counters::Counter;
use crate::dpdk::packet::{Burst, Packet};
use crate::dpdk::pool::Pool;
use crate::fault::{Faults, Trapped};
use crate::grants::{Guard, Rights};
use crate::held::Held;
use crate::outlet::{Outlets, Shape};
use crate::setup::Seat;
use crate::source::Border;
use crate::wasm::area::Front;
use crate::wasm::instance::{Callback, Instance};
use perigee_abi::{MAX_BATCH, MAX_OUTPUTS, SLOT_UNIT, batch_flags, verdict};
use std::sync::Arc;

mod evidence;
mod judge;
mod lifecycle;
mod limits;
mod outputs;
mod publish;
mod requests;
mod standby;
mod view;

pub(crate) use judge::{MIN_LEN, Way, fits};
pub(crate) use view::View;

/// What becomes of a packet: the verdict as the module wrote it, or what the host found wrong, which no module can write.
type Fate = u64;
const BAD_DESCRIPTOR: Fate = 1 << 32;
const BAD_OFFLOAD: Fate = 2 << 32;

/// A moment: read once per poll.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) cycles: u64,
    pub(crate) ns: u64,
    /// Flags for the batches of this poll ([`batch_flags`]).
    pub(crate) flags: u32,
}

/// One instance in a chain, with the packets that it has in custody.
pub(crate) struct Stage {
    pub(crate) instance: Instance,
    pub(crate) callback: Callback,
    pub(crate) has_tick: bool,
    /// Why it does not run any more.
    pub(crate) failed: Option<String>,
    view: View,
    held: Held,
    spares: Vec<Option<Packet>>,
    /// Where spare rooms and copies come from.
    pool: Arc<Pool>,
    sequence: u64,
    /// No packets came since the last tick.
    idle: bool,
    next_deadline: u64,
    deadline_cycles: u64,
    /// Length of a generated packet before the module changes it: what it left in the pool's template.
    template_len: u16,
    fates: Box<[Fate; MAX_BATCH]>,
    /// The front of each descriptor as it was published.
    published: Box<[Front; MAX_BATCH]>,
    /// The batch as it was published.
    shape: Shape,
    /// Length of its shortest packet.
    min_len: u16,
    /// Tx queues that the packets of this batch ask for; empty where none does.
    queues: Vec<u16>,
    /// What a batch of mixed verdicts passes on.
    passed: Box<Burst>,
    /// What the output list of the current batch names; empty between batches.
    listed: Vec<outputs::Listed>,
    /// Queue and timestamps of the chain's source.
    meta: Meta,
    /// Spare rooms that a recording does not have yet, one bit for each.
    fresh_spares: u64,
    /// Packets pass by while it does not run.
    open: bool,
    rights: Rights,
    pub(crate) place: Place,
    /// Where its failures are told.
    faults: Arc<Faults>,
    /// The instance before this one, in the grace period of a swap: it goes on if this one fails.
    pub(crate) standby: Option<Box<Self>>,
    /// The instance that has failed in its grace period, until the control side has heard of it.
    pub(crate) ousted: Option<Box<Self>>,
    /// Its flat state region is becoming its own, piece by piece.
    pub(crate) settling: bool,
    /// Rooms of its pool that a generator has not seen.
    unseen: standby::Unseen,
}

/// Where a stage stands in its chain, and what follows from its neighbours: it changes with them.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) seat: Arc<Seat>,
    /// Where the stage before is of another trust domain.
    pub(crate) border: Option<Border>,
    /// Where what leaves is limited; `None` costs nothing.
    pub(crate) guard: Option<Guard>,
}

/// What a stage knows of its chain's source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meta {
    pub(crate) queue: u16,
    /// DPDK's flag for an rx timestamp, where the source's port gives them; and where it is; and its unit.
    pub(crate) timestamp: Option<crate::dpdk::port::RxTimestamp>,
}

/// What a stage is made with.
pub(crate) struct StageParts {
    pub(crate) instance: Instance,
    pub(crate) callback: Callback,
    pub(crate) has_tick: bool,
    pub(crate) view: View,
    pub(crate) held: Held,
    pub(crate) spares: u32,
    pub(crate) pool: Arc<Pool>,
    /// Cycles between two looks at the thread's CPU time, for the deadline.
    pub(crate) deadline_cycles: u64,
    pub(crate) meta: Meta,
    /// Packets pass by while it does not run.
    pub(crate) open: bool,
    pub(crate) rights: Rights,
    pub(crate) place: Place,
    pub(crate) faults: Arc<Faults>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("place", &self.place).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Stage {
    pub(crate) fn new(parts: StageParts) -> Self {
        // Rooms that it may make nothing of are not offered.
        let spares = if parts.rights.create { parts.spares as usize } else { 0 };
        let mut stage = Self {
            instance: parts.instance,
            callback: parts.callback,
            has_tick: parts.has_tick,
            failed: None,
            view: parts.view,
            held: parts.held,
            spares: std::iter::repeat_with(|| None).take(spares).collect(),
            pool: parts.pool,
            sequence: 0,
            idle: true,
            next_deadline: 0,
            deadline_cycles: parts.deadline_cycles,
            template_len: 60,
            fates: Box::new([0; MAX_BATCH]),
            published: Box::new([Front::default(); MAX_BATCH]),
            shape: Shape::default(),
            min_len: 0,
            queues: Vec::with_capacity(MAX_BATCH),
            passed: Burst::new(),
            listed: Vec::with_capacity(MAX_OUTPUTS),
            meta: parts.meta,
            fresh_spares: 0,
            open: parts.open,
            rights: parts.rights,
            place: parts.place,
            faults: parts.faults,
            standby: None,
            ousted: None,
            settling: false,
            unseen: standby::Unseen::default(),
        };
        let quota = stage.held.quota();
        let spare_count = u32::try_from(spares).unwrap_or(0);
        stage.instance.area.update_header(|h| {
            h.hold_quota = quota;
            h.spare_count = spare_count;
        });
        stage.refill_spares();
        stage
    }

    /// Leads a burst through the module. Afterwards the burst holds what is passed on to the next stage; all else is held,
    /// or has gone to `out`. Returns the shape of what is passed on, where it is known.
    #[inline]
    pub(crate) fn run(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: Now) -> Option<Shape> {
        if let Some(border) = &self.place.border {
            border.bring_in(burst, &mut out.counters);
        }
        if burst.is_empty() {
            return None;
        }
        if self.failed.is_some() {
            self.skip(burst, out);
            self.limit(burst, out, now);
            return None;
        }
        self.idle = false;
        if self.callback == Callback::Generate
            && self.unseen.any()
            && let Err(trapped) = self.prefill_unseen(burst, now)
        {
            self.fail(trapped, burst, out, now);
            return None;
        }
        self.publish(burst, now);
        out.counters.add(Counter::Batches, 1);
        if self.instance.is_recorded() {
            self.record(self.callback, burst);
        }
        match self.call(self.callback, burst.len()) {
            Ok(()) => self.collect(burst, out, now),
            Err(trapped) => {
                self.fail(trapped, burst, out, now);
                None
            }
        }
    }

    /// The call without packets that comes at least every tick, and once when the run ends. What it passes on is put
    /// into the burst, which is empty before.
    pub(crate) fn tick(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: Now) {
        debug_assert!(burst.is_empty());
        while let Some(packet) = self.held.expired(now.ns) {
            out.drop_one(Counter::HoldExpired, packet);
        }
        let idle = std::mem::replace(&mut self.idle, true) || now.flags & batch_flags::DRAIN != 0;
        if self.failed.is_some() || !(self.has_tick || (idle && self.callback == Callback::Process)) {
            return;
        }
        self.begin(0, now);
        let callback = if self.has_tick { Callback::Tick } else { self.callback };
        if self.instance.is_recorded() {
            self.record(callback, burst);
        }
        match self.call(callback, 0) {
            Ok(()) => self.each_its_way(burst, out, now),
            Err(trapped) => self.fail(trapped, burst, out, now),
        }
    }

    fn begin(&mut self, count: usize, now: Now) {
        if now.cycles >= self.next_deadline {
            self.next_deadline = now.cycles + self.deadline_cycles;
            self.instance.restart_deadline();
        }
        self.sequence += 1;
        if let Some(guard) = &mut self.place.guard {
            guard.begin(now.ns, count != 0 && self.callback == Callback::Generate);
        }
        let (count, held) = (u32::try_from(count).unwrap_or(0), u32::try_from(self.held.len()).unwrap_or(u32::MAX));
        self.instance.area.begin(count, now.flags, now.ns, self.sequence, held);
    }

    #[inline]
    fn call(&mut self, callback: Callback, n: usize) -> Result<(), Trapped> {
        let name = match callback {
            Callback::Generate => perigee_abi::names::GENERATE,
            Callback::Tick => perigee_abi::names::TICK,
            _ => perigee_abi::names::PROCESS,
        };
        self.place.seat.health.set_called(true);
        let called = self.instance.call(callback, u32::try_from(n).unwrap_or(0));
        self.place.seat.health.set_called(false);
        called.map_err(|e| Trapped::new(name, &e))
    }

    /// The low half of the sequence number: with the slot, the identity of what this batch hands over.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the generation is the low half by definition")]
    fn generation(&self) -> u32 {
        self.sequence as u32
    }

    /// Lets each packet go its way. In the common case the module has left everything as it was and given all packets the
    /// same verdict: then what it wrote is only compared with the host's own words, and nothing of it is used.
    #[inline]
    pub(crate) fn collect(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: Now) -> Option<Shape> {
        let common = self.one_verdict(burst.len()).and_then(|v| self.all_alike(v, burst, out, self.shape));
        if let Some(shape) = common {
            return shape;
        }
        let asked = self.examine(burst);
        if asked || self.shape.tx_flags {
            self.request_offloads(burst, out);
        }
        self.each_its_way(burst, out, now);
        None
    }

    /// The verdict that all packets have, where none has changed otherwise and nothing is listed.
    #[inline]
    fn one_verdict(&mut self, n: usize) -> Option<u32> {
        if self.shape.tx_flags || self.min_len < MIN_LEN || self.place.guard.is_some() {
            return None;
        }
        self.instance.area.common_verdict(&self.published[..n.min(MAX_BATCH)])
    }

    /// Reads each descriptor once, checks it, and puts what is right into the packet. True where offloads are asked for.
    fn examine(&mut self, burst: &mut Burst) -> bool {
        let view = self.view;
        let mut asked = 0;
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.fates.iter_mut());
        for ((desc, packet), place) in descs {
            let d = desc.collect();
            // An address below the room wraps to a large offset, which no room holds.
            let offset = d.addr.wrapping_sub(view.window.wrapping_add(view.room(packet)));
            let fits = fits(offset, d.len, packet.room_len());
            if fits {
                #[allow(clippy::cast_possible_truncation, reason = "it is smaller than room_len, a u16")]
                packet.set_data(offset as u16, d.len);
            }
            packet.set_mark(d.mark);
            *place = if fits || d.verdict == verdict::DROP { d.verdict.into() } else { BAD_DESCRIPTOR };
            asked |= d.tx_flags;
        }
        asked != 0
    }

    /// All packets of the batch have the same verdict. `None` where that is one which takes a closer look.
    #[inline]
    fn all_alike(&mut self, v: u32, burst: &mut Box<Burst>, out: &mut Outlets, shape: Shape) -> Option<Option<Shape>> {
        let generated = self.callback == Callback::Generate;
        let n = burst.len();
        match verdict::kind(v) {
            verdict::NEXT if v == verdict::NEXT => {
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                return Some(Some(shape));
            }
            verdict::TX if self.rights.tx(verdict::argument(v)) => {
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                out.tx_all(verdict::argument(v), burst, shape);
            }
            verdict::RING if self.rights.ring(verdict::argument(v)) == Some(true) => {
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                out.ring_all(verdict::argument(v), burst);
            }
            verdict::DROP if v == verdict::DROP && generated => {
                burst.free_all();
            }
            verdict::DROP if v == verdict::DROP => out.drop_all(Counter::Verdict, burst),
            _ => return None,
        }
        Some(None)
    }

    /// Mixed verdicts, or an output list: packet by packet.
    fn each_its_way(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: Now) {
        self.prepare_outputs(burst, out);
        let n = burst.len();
        for i in 0..n {
            let Some(packet) = burst.take_at(i) else { continue };
            let fate = self.fates[i];
            let queue = self.queues.get(i).copied().unwrap_or(0);
            if fate != Fate::from(verdict::DROP) && self.callback == Callback::Generate {
                out.counters.add(Counter::Created, 1);
            }
            self.dispatch(packet, fate, queue, out, now);
        }
        burst.clear_taken();
        self.queues.clear();
        self.emit(out, now);
        std::mem::swap(burst, &mut self.passed);
        self.refill_spares();
    }

    fn dispatch(&mut self, packet: Packet, fate: Fate, queue: u16, out: &mut Outlets, now: Now) {
        let Ok(v) = u32::try_from(fate) else {
            let cause = if fate == BAD_DESCRIPTOR { Counter::BadDescriptor } else { Counter::BadOffload };
            return out.drop_one(cause, packet);
        };
        let (way, packet) = match self.allowed(Way::of(v), queue, packet, out) {
            Ok(allowed) => allowed,
            Err((cause, packet)) => return out.drop_one(cause, packet),
        };
        match way {
            Some(Way::Drop) if self.callback == Callback::Generate => packet.free(),
            Some(Way::Drop) => out.drop_one(Counter::Verdict, packet),
            Some(Way::Next) => {
                if let Err(packet) = self.passed.push(packet) {
                    out.drop_one(Counter::BatchFull, packet);
                }
            }
            Some(Way::Tx(port)) => out.tx(port, queue, packet),
            Some(Way::Ring(ring)) => out.ring(ring, packet),
            Some(Way::Hold) => {
                let (slot, generation) = (self.view.room(&packet) / SLOT_UNIT, self.generation());
                if let Err(packet) = self.held.keep(slot, generation, packet, now.ns) {
                    out.drop_one(Counter::HoldQuota, packet);
                }
            }
            Some(Way::Listed) => out.drop_one(Counter::Unlisted, packet),
            None => out.drop_one(Counter::BadVerdict, packet),
        }
    }
}
