//! A stage that takes another's place, and the way back.

use super::{MIN_LEN, Now, Stage};
use crate::outlet::Outlets;
use perigee_abi::SLOT_UNIT;
use perigee_core::HEADROOM;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_wasm::flat::Ahead;
use perigee_wasm::instance::Callback;
use perigee_wasm::request::Request;
use perigee_wasm::trap::Trapped;
use std::sync::Arc;

/// What was handed over from one instance to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handed {
    /// Bytes through the mailbox, and of the flat region.
    pub state: usize,
    pub region: usize,
    /// Held packets.
    pub held: usize,
}

/// Rooms of a generator's pool, by slot, that its instance has not seen.
#[derive(Default)]
pub(super) struct Unseen {
    seen: Vec<u64>,
    left: u32,
    rooms: u32,
}

impl Unseen {
    /// Some room has not been seen yet.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.left != 0
    }

    /// All rooms have been seen.
    pub(super) fn clear(&mut self) {
        self.left = 0;
    }

    /// Notes that a room is seen now. True the first time.
    fn note(&mut self, slot: u32) -> bool {
        let Some(word) = self.seen.get_mut(slot as usize / 64) else { return false };
        let bit = 1 << (slot % 64);
        let first = *word & bit == 0;
        *word |= bit;
        self.left -= u32::from(first);
        first
    }
}

impl Stage {
    /// Takes over from the instance that has worked here: its state, and the packets that it holds. Where it refuses, the
    /// other one has lost nothing.
    pub fn inherit(
        &mut self,
        old: &mut Self,
        ahead: Option<&mut Ahead>,
        out: &mut Outlets,
        now: Now,
    ) -> Result<Handed, String> {
        let saved = if old.instance.has_save() {
            old.ask(&Request::Save, out, now).map_err(|e| e.to_string())?
        } else {
            Vec::new()
        };
        let mut handed = Handed { state: saved.len(), ..Handed::default() };
        if let Some(ahead) = ahead {
            handed.region = self.instance.take_over(ahead)?;
        }
        self.restore(old.instance.state_version, &saved).map_err(|e| e.to_string())?;
        handed.held = old.custody.held.hand_over(&mut self.custody.held);
        Ok(handed)
    }

    /// Puts `new` in this one's place, which is kept beside it in case that `new` fails. The numbers of batches go on, for
    /// with them the identities of held packets.
    pub fn replace_by(&mut self, mut new: Box<Self>) {
        new.sequence = self.sequence;
        std::mem::swap(self, &mut new);
        new.instance.rest();
        self.succession.standby = Some(new);
        self.installed();
    }

    /// The instance before this one goes on, with what it had at the switch: this one has failed, or its like elsewhere. What
    /// it holds of its own is dropped as `cause`. Returns this one; `None` where there is no other.
    pub fn go_back(&mut self, out: &mut Outlets, cause: Counter) -> Option<Box<Self>> {
        let mut old = self.succession.standby.take()?;
        old.custody.held.take_back(&mut self.custody.held);
        while let Some(packet) = self.custody.held.pop() {
            out.drop_one(cause, packet);
        }
        old.sequence = self.sequence;
        old.forget_rooms();
        std::mem::swap(self, &mut old);
        old.free_spares();
        old.instance.rest();
        self.installed();
        Some(old)
    }

    /// Gives back the packets to which the instance before has a right, before this one is drained.
    pub fn give_back_inherited(&mut self) {
        if let Some(old) = &mut self.succession.standby {
            old.custody.held.take_back(&mut self.custody.held);
        }
    }

    /// Drops what the instance still holds. Returns how much it was.
    pub fn drop_held(&mut self, out: &mut Outlets, cause: Counter) -> usize {
        std::iter::from_fn(|| self.custody.held.pop()).map(|packet| out.drop_one(cause, packet)).count()
    }

    /// A piece more of its flat state region becomes its own.
    pub fn settle(&mut self) {
        let settled = self.instance.settle();
        // The region works as it is. What fails is to hand it over once more, which then says so.
        self.succession.settling = settled.is_ok_and(|settled| !settled);
    }

    /// Its spare rooms go back to their pool.
    pub fn free_spares(&mut self) {
        for packet in self.custody.spares.iter_mut().filter_map(Option::take) {
            packet.free();
        }
    }

    /// The rooms of a generator's pool are as another instance left them: each is shown to `prefill` before `generate` gets
    /// it. `slots` is the region's size.
    pub fn expect_rooms(&mut self, slots: usize, rooms: u32) {
        self.unseen = Unseen { seen: vec![0; slots.div_ceil(64)], left: 0, rooms };
        self.forget_rooms();
    }

    /// Shows a burst of rooms to `prefill`, where the instance has not seen all of them. Those that it has seen get its
    /// template once more, which does no harm.
    #[cold]
    pub(super) fn prefill_unseen(&mut self, burst: &mut Burst, now: Now) -> Result<(), Arc<Trapped>> {
        let view = self.view;
        let (mut fresh, mut longest) = (false, 0);
        for packet in burst.iter_mut() {
            fresh |= self.unseen.note(view.room(packet) / SLOT_UNIT);
            longest = packet.room_len().saturating_sub(HEADROOM);
        }
        if !fresh {
            return Ok(());
        }
        self.publish(burst, &now);
        let n = u32::try_from(burst.len()).unwrap_or(0);
        if self.is_recorded() {
            self.record(Callback::Prefill, burst);
        }
        self.instance.call(Callback::Prefill, n)?;
        self.template_len = self.prefilled(burst.len(), longest)?.unwrap_or(self.template_len);
        Ok(())
    }

    /// The length that `prefill` left in the first of `n` rooms; all must be such that a packet can have them.
    pub(super) fn prefilled(&mut self, n: usize, longest: u16) -> Result<Option<u16>, Arc<Trapped>> {
        let mut first = None;
        for desc in self.instance.area.packets(n) {
            let len = desc.collect().len;
            if len < MIN_LEN || len > longest {
                let text = format!("prefill made a packet of {len} bytes, a room takes {MIN_LEN} to {longest}");
                return Err(Arc::new(Trapped::answer(text)));
            }
            first.get_or_insert(len);
        }
        Ok(first)
    }

    fn forget_rooms(&mut self) {
        self.unseen.seen.fill(0);
        self.unseen.left = if self.instance.has_prefill() { self.unseen.rooms } else { 0 };
    }
}
