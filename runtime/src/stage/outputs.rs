//! The output list: packets that a module gives back, makes, copies or reorders.

use super::requests::ignores_time;
use super::{BAD_DESCRIPTOR, BAD_OFFLOAD, Fate, Stage, fits};
use crate::counters::Counter;
use crate::dpdk::packet::{Burst, Packet};
use crate::dpdk::pool::HEADROOM;
use crate::offload;
use crate::outlet::Outlets;
use crate::stage::Now;
use crate::wasm::area::Published;
use perigee_abi::{PacketDesc, SLOT_UNIT, source, tx_flags, verdict};

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
            if desc.verdict == verdict::LISTED {
                out.counters.add(Counter::BadOutputs, 1);
                continue;
            }
            let Some((packet, input)) = self.named(&desc, burst, out) else { continue };
            let entry = self.apply(packet, input, &desc, out);
            self.listed.push(entry);
        }
    }

    /// Lets the listed packets go, in order.
    pub(super) fn emit(&mut self, out: &mut Outlets, now: Now) {
        let mut listed = std::mem::take(&mut self.listed);
        for entry in listed.drain(..) {
            if entry.fate == Fate::from(verdict::DROP) {
                // Listed packets are counted as created, a generator's too: their drop is one like any other.
                out.drop_one(Counter::Verdict, entry.packet);
            } else {
                self.dispatch(entry.packet, entry.fate, entry.queue, out, now);
            }
        }
        // The storage is kept for the next batch.
        self.listed = listed;
    }

    /// The packet that an entry names: moved the first time, copied when it is not free to go. With it, which packet of the
    /// batch was moved.
    fn named(&mut self, desc: &PacketDesc, burst: &mut Burst, out: &mut Outlets) -> Option<(Packet, Option<usize>)> {
        let index = (desc.source & 0xffff) as usize;
        let found = match desc.source & !0xffff {
            source::INPUT => self.input(index, desc, burst, out),
            source::SPARE if !self.rights.create => Err(Counter::CreateNotGranted),
            source::SPARE => self.spare(index, desc, out).map(|packet| (packet, None)).ok_or(Counter::BadOutputs),
            source::HELD if desc.source == source::HELD => {
                self.held.take(desc.slot, desc.generation).map(|packet| (packet, None)).ok_or(Counter::BadOutputs)
            }
            _ => Err(Counter::BadOutputs),
        };
        found.map_err(|cause| out.counters.add(cause, 1)).ok()
    }

    fn input(
        &mut self,
        index: usize,
        desc: &PacketDesc,
        burst: &mut Burst,
        out: &mut Outlets,
    ) -> Result<(Packet, Option<usize>), Counter> {
        const NAMES_NONE: Counter = Counter::BadOutputs;
        let view = self.view;
        if desc.generation != self.generation() {
            return Err(NAMES_NONE);
        }
        let is_named = |packet: &Packet| view.room(packet) / SLOT_UNIT == desc.slot;
        let is_listed = self.fates.get(index) == Some(&verdict::LISTED.into());
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
                let moved = self.listed.iter_mut().rev().find(|entry| entry.input == Some(index));
                &mut moved.ok_or(NAMES_NONE)?.packet
            }
        };
        if !is_named(original) {
            return Err(NAMES_NONE);
        }
        if !self.rights.create {
            return Err(Counter::CreateNotGranted);
        }
        let mut copy = self.pool.take_one().ok_or(NAMES_NONE)?;
        if !copy_as(&mut copy, original, desc, view.window + view.room(original)) {
            copy.free();
            return Err(NAMES_NONE);
        }
        out.counters.add(Counter::Created, 1);
        Ok((copy, None))
    }

    fn spare(&mut self, index: usize, desc: &PacketDesc, out: &mut Outlets) -> Option<Packet> {
        let slot = self.view.room(self.spares.get(index)?.as_ref()?) / SLOT_UNIT;
        if slot != desc.slot {
            return None;
        }
        out.counters.add(Counter::Created, 1);
        self.spares[index].take()
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
            if ignores_time(desc) {
                out.counters.add(Counter::TxTimeIgnored, 1);
            }
            if offload::request(&mut packet, desc).is_err() {
                fate = BAD_OFFLOAD;
            }
        }
        let queue = if desc.tx_flags & tx_flags::QUEUE != 0 { desc.queue } else { 0 };
        Listed { packet, input, fate, queue }
    }

    /// Puts fresh rooms where spares were used, and publishes them.
    pub(super) fn refill_spares(&mut self) {
        for i in 0..self.spares.len() {
            if self.spares[i].is_some() {
                continue;
            }
            self.spares[i] = self.pool.take_one();
            self.fresh_spares |= 1 << i;
            // Address 0 says that no room was free.
            let published = self.spares[i].as_ref().map_or_else(Published::default, |packet| {
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
