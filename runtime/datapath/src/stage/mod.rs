//! A stage: one instance, and the way of a burst through it. This is the one file that joins DPDK's packets and wasm's
//! descriptors: publish, call, collect.

use crate::faults::Faults;
use crate::guard::Rights;
use crate::outlet::Outlets;
use crate::pacer::Pacer;
use crate::phases::Phase;
use crate::shape::Shape;
use crate::source::Meta;
use perigee_abi::{MAX_BATCH, SLOT_UNIT, batch_flags, verdict};
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_core::judge::{MIN_LEN, Way, fits};
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_evidence::Witness;
use perigee_profile::mark;
use perigee_wasm::instance::{Callback, Instance};
use perigee_wasm::trap::Trapped;
use std::sync::Arc;

mod evidence;
mod lifecycle;
mod limits;
mod outputs;
mod parts;
mod publish;
mod requests;
mod standby;
mod view;

use parts::{Batch, Custody};
pub use parts::{Place, StageParts, Succession};
pub use view::View;

/// What becomes of a packet: the verdict as the module wrote it, or what the host found wrong, which no module can write.
type Fate = u64;
const BAD_DESCRIPTOR: Fate = 1 << 32;
const BAD_OFFLOAD: Fate = 2 << 32;

/// One instance in a chain: what it is and may, and beside it the packets that it has in custody, the batch of the moment, and who
/// comes before and after it.
pub struct Stage {
    /// The instance that works here.
    pub instance: Instance,
    /// Where evidence of its failures is wanted.
    pub witness: Option<Box<Witness>>,
    /// What it is called with packets by.
    pub callback: Callback,
    /// It exports `tick`.
    pub has_tick: bool,
    /// Why it does not run any more.
    pub failed: Option<Arc<Trapped>>,
    view: View,
    custody: Custody,
    batch: Batch,
    sequence: u64,
    /// No packets came since the last tick.
    idle: bool,
    /// Length of a generated packet before the module changes it: what it left in the pool's template.
    template_len: u16,
    /// Queue and timestamps of the chain's source.
    meta: Meta,
    /// Packets pass by while it does not run.
    open: bool,
    rights: Rights,
    /// Where it stands in its chain.
    pub place: Place,
    /// Where its failures are told.
    faults: Arc<Faults>,
    /// Who was here before, and who failed.
    pub succession: Succession,
    /// For its chain, where it may say when packets leave.
    pub pacer: Option<Box<Pacer>>,
    /// Rooms of its pool that a generator has not seen.
    unseen: standby::Unseen,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("place", &self.place).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Stage {
    /// A stage with all its spare rooms.
    pub fn new(parts: StageParts) -> Self {
        // Rooms that it may make nothing of are not offered.
        let spares = if parts.rights.create { parts.spares as usize } else { 0 };
        let mut stage = Self {
            instance: parts.instance,
            witness: parts.witness,
            callback: parts.callback,
            has_tick: parts.has_tick,
            failed: None,
            view: parts.view,
            custody: Custody {
                held: parts.held,
                spares: std::iter::repeat_with(|| None).take(spares).collect(),
                pool: parts.pool,
                fresh_spares: 0,
            },
            batch: Batch::new(),
            sequence: 0,
            idle: true,
            template_len: 60,
            meta: parts.meta,
            open: parts.open,
            rights: parts.rights,
            place: parts.place,
            faults: parts.faults,
            succession: Succession::default(),
            pacer: parts.pacer,
            unseen: standby::Unseen::default(),
        };
        let quota = stage.custody.held.quota();
        let spare_count = u32::try_from(spares).unwrap_or(0);
        stage.instance.area.update_header(|h| {
            h.hold_quota = quota;
            h.spare_count = spare_count;
        });
        stage.refill_spares();
        stage
    }

    /// Leads a burst through the module. Afterwards the burst holds what is passed on to the next stage; all else is held,
    /// or has gone to `out`. Returns the shape of what is passed on, where it is known. The moment comes by reference: a copy of what was
    /// just written in pieces would wait until these are in the cache.
    #[inline]
    pub fn run(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: &Now) -> Option<Shape> {
        if let Some(border) = &mut self.place.border {
            border.bring_in(burst, &mut out.counters);
        }
        if burst.is_empty() {
            return None;
        }
        if self.failed.is_some() {
            self.skip(burst, out);
            self.limit(burst, out, *now);
            return None;
        }
        self.idle = false;
        if self.callback == Callback::Generate
            && self.unseen.any()
            && let Err(trapped) = self.prefill_unseen(burst, *now)
        {
            self.fail(trapped, burst, out, *now);
            return None;
        }
        self.publish(burst, now);
        out.counters.add(Counter::Batches, 1);
        if self.is_recorded() {
            self.record(self.callback, burst);
        }
        out.counters.over(Phase::Publish);
        let called = self.call(self.callback, burst.len());
        out.counters.over(Phase::Guest);
        let shape = match called {
            Ok(()) => self.collect(burst, out, now),
            Err(trapped) => {
                self.fail(trapped, burst, out, *now);
                None
            }
        };
        out.counters.over(Phase::Collect);
        shape
    }

    /// The call without packets that comes at least every tick, and once when the run ends. What it passes on is put
    /// into the burst, which is empty before.
    pub fn tick(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: Now) {
        debug_assert!(burst.is_empty());
        while let Some(packet) = self.custody.held.expired(now.ns) {
            out.drop_one(Counter::HoldExpired, packet);
        }
        let idle = std::mem::replace(&mut self.idle, true) || now.flags & batch_flags::DRAIN != 0;
        if self.failed.is_some() || !(self.has_tick || (idle && self.callback == Callback::Process)) {
            return;
        }
        self.begin(0, &now);
        let callback = if self.has_tick { Callback::Tick } else { self.callback };
        if self.is_recorded() {
            self.record(callback, burst);
        }
        match self.call(callback, 0) {
            Ok(()) => self.each_its_way(burst, out, now),
            Err(trapped) => self.fail(trapped, burst, out, now),
        }
    }

    fn begin(&mut self, count: usize, now: &Now) {
        self.sequence += 1;
        if let Some(guard) = &mut self.place.guard {
            guard.begin(now.ns, count != 0 && self.callback == Callback::Generate);
        }
        let (count, held) =
            (u32::try_from(count).unwrap_or(0), u32::try_from(self.custody.held.len()).unwrap_or(u32::MAX));
        self.instance.area.begin(count, now.flags, now.ns, self.sequence, held);
    }

    #[inline]
    fn call(&mut self, callback: Callback, n: usize) -> Result<(), Arc<Trapped>> {
        self.called(|stage| stage.instance.call(callback, u32::try_from(n).unwrap_or(0)))
    }

    /// Calls the instance: who watches the lcore, or profiles it, knows meanwhile whose call that is.
    #[inline]
    fn called<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        self.place.seat.health.set_called(true);
        mark::enter(self.place.seat.number);
        let answer = call(self);
        mark::leave();
        self.place.seat.health.set_called(false);
        answer
    }

    /// It may say when its packets leave.
    pub fn may_pace(&self) -> bool {
        self.rights.marks.is_some()
    }

    /// Batches that its instances have had so far.
    pub fn batches(&self) -> u64 {
        self.sequence
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
    pub fn collect(&mut self, burst: &mut Box<Burst>, out: &mut Outlets, now: &Now) -> Option<Shape> {
        let common = self.one_verdict(burst.len()).and_then(|v| self.all_alike(v, burst, out, self.batch.shape));
        if let Some(shape) = common {
            return shape;
        }
        let asked = self.examine(burst);
        if asked || self.batch.shape.tx_flags {
            self.request_offloads(burst, out);
        }
        self.each_its_way(burst, out, *now);
        None
    }

    /// The verdict that all packets have, where none has changed otherwise and nothing is listed.
    #[inline]
    fn one_verdict(&mut self, n: usize) -> Option<u32> {
        if self.batch.shape.tx_flags || self.batch.min_len < MIN_LEN {
            return None;
        }
        self.instance.area.common_verdict(&self.batch.published[..n.min(MAX_BATCH)])
    }

    /// Reads each descriptor once, checks it, and puts what is right into the packet. True where offloads are asked for.
    fn examine(&mut self, burst: &mut Burst) -> bool {
        let view = self.view;
        let mut asked = 0;
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.batch.fates.iter_mut());
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
    fn all_alike(
        &mut self,
        v: u32,
        burst: &mut Box<Burst>,
        out: &mut Outlets,
        mut shape: Shape,
    ) -> Option<Option<Shape>> {
        let generated = self.callback == Callback::Generate;
        let n = burst.len();
        match verdict::kind(v) {
            verdict::NEXT if v == verdict::NEXT && self.all_pass(Way::Next, burst, &mut shape, out) => {
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                return Some(Some(shape));
            }
            verdict::TX if self.rights.tx(verdict::argument(v)) => {
                let port = verdict::argument(v);
                if !self.all_pass(Way::Tx(port), burst, &mut shape, out) {
                    return None;
                }
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                out.tx_all(port, burst, shape);
            }
            verdict::RING if self.rights.ring(verdict::argument(v)) == Some(true) => {
                let ring = verdict::argument(v);
                if !self.all_pass(Way::Ring(ring), burst, &mut shape, out) {
                    return None;
                }
                out.counters.add(Counter::Created, if generated { n } else { 0 });
                out.ring_all(ring, burst);
            }
            verdict::DROP if v == verdict::DROP && generated => {
                out.counters.free_all(burst);
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
            let fate = self.batch.fates[i];
            let queue = self.batch.queues.get(i).copied().unwrap_or(0);
            if fate != Fate::from(verdict::DROP) && self.callback == Callback::Generate {
                out.counters.add(Counter::Created, 1);
            }
            self.dispatch(packet, fate, queue, out, now);
        }
        burst.clear_taken();
        self.batch.queues.clear();
        self.emit(out, now);
        std::mem::swap(burst, &mut self.batch.passed);
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
                if let Err(packet) = self.batch.passed.push(packet) {
                    out.drop_one(Counter::BatchFull, packet);
                }
            }
            Some(Way::Tx(port)) => out.tx(port, queue, packet),
            Some(Way::Ring(ring)) => out.ring(ring, packet),
            Some(Way::Hold) => {
                let (slot, generation) = (self.view.room(&packet) / SLOT_UNIT, self.generation());
                if let Err(packet) = self.custody.held.keep(slot, generation, packet, now.ns) {
                    out.drop_one(Counter::HoldQuota, packet);
                }
            }
            Some(Way::Listed) => out.drop_one(Counter::Unlisted, packet),
            None => out.drop_one(Counter::BadVerdict, packet),
        }
    }
}
