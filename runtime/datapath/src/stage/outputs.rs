//! The output list: packets that a module gives back, makes, copies or reorders.

use super::requests::{asks_time, mark};
use super::{BAD_DESCRIPTOR, BAD_OFFLOAD, Fate, Stage, fits};
use crate::offload;
use crate::outlet::Outlets;
use perigee_abi::{PacketDesc, SLOT_UNIT, tx_flags, verdict};
use perigee_core::HEADROOM;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_core::named::Named;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_wasm::area::Published;

/// An entry of the output list with its packet.
pub(super) struct Listed {
    packet: Packet,
    /// Which packet of the batch it is; a copy is none.
    input: Option<usize>,
    fate: Fate,
    queue: u16,
}

impl Stage {
    /// Reads the list, moves or copies each packet that it names, and applies what it says of it. Copies are made before
    /// any packet leaves, so that an entry may name a packet which also has a verdict in place.
    pub(super) fn prepare_outputs(&mut self, burst: &mut Burst, out: &mut Outlets) {
        for i in 0..self.instance.area.out_count() {
            let desc = self.instance.area.output(i);
            let Some((packet, input)) = self.named(&desc, burst, out) else { continue };
            let entry = self.apply(packet, input, &desc, out);
            self.batch.listed.push(entry);
        }
    }

    /// Lets the listed packets go, in order.
    pub(super) fn emit(&mut self, out: &mut Outlets, now: Now) {
        let mut listed = std::mem::take(&mut self.batch.listed);
        for entry in listed.drain(..) {
            if entry.fate == Fate::from(verdict::DROP) {
                // Listed packets are counted as created, a generator's too: their drop is one like any other.
                out.drop_one(Counter::Verdict, entry.packet);
            } else {
                self.dispatch(entry.packet, entry.fate, entry.queue, out, now);
            }
        }
        // The storage is kept for the next batch.
        self.batch.listed = listed;
    }

    /// The packet that an entry names: moved the first time, copied when it is not free to go. With it, which packet of the
    /// batch was moved.
    fn named(&mut self, desc: &PacketDesc, burst: &mut Burst, out: &mut Outlets) -> Option<(Packet, Option<usize>)> {
        let found = match Named::of(desc, self.generation()) {
            Some(Named::Input { index, slot }) => self.input(index, slot, desc, burst, out),
            Some(Named::Spare { .. }) if !self.rights.create => Err(Counter::CreateNotGranted),
            Some(Named::Spare { index, slot }) => {
                self.spare(index, slot, out).map(|packet| (packet, None)).ok_or(Counter::BadOutputs)
            }
            Some(Named::Held { slot, generation }) => {
                self.custody.held.take(slot, generation).map(|packet| (packet, None)).ok_or(Counter::BadOutputs)
            }
            None => Err(Counter::BadOutputs),
        };
        found.map_err(|cause| out.counters.add(cause, 1)).ok()
    }

    fn input(
        &mut self,
        index: usize,
        slot: u32,
        desc: &PacketDesc,
        burst: &mut Burst,
        out: &mut Outlets,
    ) -> Result<(Packet, Option<usize>), Counter> {
        const NAMES_NONE: Counter = Counter::BadOutputs;
        let view = self.view;
        let is_named = |packet: &Packet| view.room(packet) / SLOT_UNIT == slot;
        let is_listed = self.batch.fates.get(index) == Some(&verdict::LISTED.into());
        if is_listed && burst.get_mut(index).is_some_and(|packet| is_named(packet)) {
            if self.callback == super::Callback::Generate {
                out.counters.add(Counter::Created, 1);
            }
            return burst.take_at(index).map(|packet| (packet, Some(index))).ok_or(NAMES_NONE);
        }
        let original = match burst.get_mut(index) {
            Some(packet) => packet,
            // An earlier entry has moved it.
            None => {
                let moved = self.batch.listed.iter_mut().rev().find(|entry| entry.input == Some(index));
                &mut moved.ok_or(NAMES_NONE)?.packet
            }
        };
        if !is_named(original) {
            return Err(NAMES_NONE);
        }
        if !self.rights.create {
            return Err(Counter::CreateNotGranted);
        }
        let mut copy = self.custody.pool.take_one().ok_or(NAMES_NONE)?;
        if !copy_as(&mut copy, original, desc, view.window + view.room(original)) {
            copy.free();
            return Err(NAMES_NONE);
        }
        out.counters.add(Counter::Created, 1);
        Ok((copy, None))
    }

    fn spare(&mut self, index: usize, slot: u32, out: &mut Outlets) -> Option<Packet> {
        if self.view.room(self.custody.spares.get(index)?.as_ref()?) / SLOT_UNIT != slot {
            return None;
        }
        out.counters.add(Counter::Created, 1);
        self.custody.spares[index].take()
    }

    /// Puts address, length, mark and requests of an entry into its packet.
    fn apply(&self, mut packet: Packet, input: Option<usize>, desc: &PacketDesc, out: &mut Outlets) -> Listed {
        let offset = desc.addr.wrapping_sub(self.view.window + self.view.room(&packet));
        // A copy lies in another room: its bytes were put where the entry's address says, behind the headroom.
        let copied = packet.room_len() != 0 && self.view.room(&packet) / SLOT_UNIT != desc.slot;
        let fits = fits(offset, desc.len, packet.room_len());
        let mut fate = Fate::from(desc.verdict);
        let dropped = desc.verdict == verdict::DROP;
        if !copied {
            match u16::try_from(offset) {
                Ok(offset) if fits => packet.set_data(offset, desc.len),
                _ if !dropped => fate = BAD_DESCRIPTOR,
                _ => {}
            }
        }
        packet.set_mark(desc.mark);
        if !dropped && fate != BAD_DESCRIPTOR {
            if offload::request(&mut packet, desc).is_err() {
                fate = BAD_OFFLOAD;
            }
            if asks_time(desc) && !mark(&mut packet, desc, self.rights.marks, fate) {
                out.counters.add(Counter::TxTimeIgnored, 1);
            }
        }
        let queue = if desc.tx_flags & tx_flags::QUEUE != 0 { desc.queue } else { 0 };
        Listed { packet, input, fate, queue }
    }

    /// Puts fresh rooms where spares were used, and publishes them.
    pub(super) fn refill_spares(&mut self) {
        for i in 0..self.custody.spares.len() {
            if self.custody.spares[i].is_some() {
                continue;
            }
            self.custody.spares[i] = self.custody.pool.take_one();
            self.custody.fresh_spares |= 1 << i;
            // Address 0 says that no room was free.
            let published = self.custody.spares[i].as_ref().map_or_else(Published::default, |packet| {
                let room = self.view.room(packet);
                Published {
                    addr: self.view.window + room + u32::from(HEADROOM),
                    port: u16::MAX,
                    slot: room / SLOT_UNIT,
                    ..Published::default()
                }
            });
            self.instance.area.spare(i).publish(published);
        }
    }
}

/// Copies what an entry names of `original` into a fresh packet. False where its address or length is outside the room.
fn copy_as(copy: &mut Packet, original: &mut Packet, desc: &PacketDesc, room: u32) -> bool {
    let offset = desc.addr.wrapping_sub(room);
    if !fits(offset, desc.len, original.room_len()) {
        return false;
    }
    let (old_offset, old_len) = (original.data_off(), original.len());
    original.set_data(u16::try_from(offset).unwrap_or(0), desc.len);
    let copied = copy.copy_from(original);
    original.set_data(old_offset, old_len);
    copied
}
