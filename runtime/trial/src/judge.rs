//! After a call: what becomes of each packet, and what was written where.

use super::publish::Given;
use super::{Failure, Fate, Outcome, Seen, Trespass, Trial};
use perigee_abi::{PacketDesc, SLOT_UNIT, verdict};
use perigee_core::HEADROOM;
use perigee_core::counters::{Counter, NAMES};
use perigee_core::judge::{Way, fits};
use perigee_core::named::Named;
use perigee_wasm::area::Published;
use perigee_wasm::instance::Callback;

impl Trial {
    /// Calls the module with what is published, and does with its packets as a stage does.
    pub(super) fn call(&mut self, callback: Callback, given: &[Given]) -> Result<Outcome, Failure> {
        if let Err(failure) = self.enter(callback, given.len()) {
            given.iter().for_each(|given| self.rooms.give_back(given.room));
            return Err(failure);
        }
        let descs: Vec<PacketDesc> = self.instance.area.packets(given.len()).map(|d| d.read()).collect();
        let mut outcome = Outcome { trespasses: self.trespasses(given, &descs), ..Outcome::default() };
        let mut moved = vec![false; given.len()];
        for i in 0..self.instance.area.out_count() {
            let desc = self.instance.area.output(i);
            match self.listed(&desc, given, &descs, &mut moved) {
                Some(seen) => outcome.listed.push(seen),
                None => outcome.bad_outputs += 1,
            }
        }
        for ((given, desc), moved) in given.iter().zip(&descs).zip(moved) {
            let seen = if moved {
                Seen::new(Fate::Listed, self.bytes(given.room, desc), desc)
            } else {
                let generation = self.generation();
                let is_unlisted = desc.verdict == verdict::LISTED;
                let seen = self.settle(given.room, desc, generation);
                if is_unlisted && seen.fate == Fate::Listed {
                    Seen { fate: bad(Counter::Unlisted), ..seen }
                } else {
                    seen
                }
            };
            outcome.packets.push(seen);
        }
        self.refill_spares();
        Ok(outcome)
    }

    /// Where a descriptor's bytes begin, from its room's beginning; the host reads them only where they fit.
    fn offset(&self, room: u32, desc: &PacketDesc) -> u32 {
        desc.addr.wrapping_sub(self.instance.window.wrapping_add(self.rooms.offset(room)))
    }

    fn bytes(&self, room: u32, desc: &PacketDesc) -> Vec<u8> {
        let offset = self.offset(room, desc);
        if u64::from(offset) + u64::from(desc.len) > u64::from(self.rooms.room_len()) {
            return Vec::new();
        }
        self.window.read((self.rooms.offset(room) + offset) as usize, desc.len.into())
    }

    /// Lets a packet go where its descriptor says; its room is free afterwards, unless it is held.
    fn settle(&mut self, room: u32, desc: &PacketDesc, generation: u32) -> Seen {
        let bytes = self.bytes(room, desc);
        let fate = match Way::of(desc.verdict) {
            Some(Way::Drop) => Fate::Drop,
            _ if !fits(self.offset(room, desc), desc.len, self.rooms.room_len()) => bad(Counter::BadDescriptor),
            _ if !perigee_core::judge::makes_sense(desc) => bad(Counter::BadOffload),
            Some(Way::Next) => Fate::Next,
            Some(Way::Tx(port)) if port < self.ports => Fate::Tx(port),
            Some(Way::Tx(_)) => bad(Counter::NotGranted),
            Some(Way::Ring(ring)) if ring < self.rings => Fate::Ring(ring),
            Some(Way::Ring(_)) | None => bad(Counter::BadVerdict),
            Some(Way::Listed) => Fate::Listed,
            Some(Way::Hold) => {
                let slot = self.rooms.offset(room) / SLOT_UNIT;
                match self.held.keep(slot, generation, room, self.time_ns) {
                    Ok(()) => Fate::Hold,
                    Err(_) => bad(Counter::HoldQuota),
                }
            }
        };
        if fate != Fate::Hold {
            self.rooms.give_back(room);
        }
        Seen::new(fate, bytes, desc)
    }

    /// What an entry of the output list does. `None` where it names no packet of the module's.
    fn listed(&mut self, desc: &PacketDesc, given: &[Given], descs: &[PacketDesc], moved: &mut [bool]) -> Option<Seen> {
        let generation = self.generation();
        let room = match Named::of(desc, generation)? {
            Named::Input { index, slot } => {
                let room = given.get(index)?.room;
                if self.rooms.offset(room) / SLOT_UNIT != slot {
                    return None;
                }
                if descs[index].verdict != verdict::LISTED || moved[index] {
                    return self.copy(room, desc);
                }
                moved[index] = true;
                room
            }
            Named::Spare { index, slot } => {
                let room = (*self.spares.get(index)?)?;
                if self.rooms.offset(room) / SLOT_UNIT != slot {
                    return None;
                }
                self.spares[index].take()?
            }
            Named::Held { slot, generation } => self.held.take(slot, generation)?,
        };
        Some(self.settle(room, desc, generation))
    }

    /// A copy lies in a room of its own.
    fn copy(&mut self, original: u32, desc: &PacketDesc) -> Option<Seen> {
        if !fits(self.offset(original, desc), desc.len, self.rooms.room_len()) {
            return None;
        }
        let bytes = self.bytes(original, desc);
        if bytes.len() > usize::from(self.rooms.room_len() - HEADROOM) {
            return None;
        }
        let room = self.rooms.take_one()?;
        let at = self.rooms.offset(room) + u32::from(HEADROOM);
        self.window.write(at as usize, &bytes);
        let desc = PacketDesc { addr: self.instance.window + at, ..*desc };
        let generation = self.generation();
        Some(self.settle(room, &desc, generation))
    }

    /// Puts fresh rooms where spares were used.
    pub(super) fn refill_spares(&mut self) {
        for i in 0..self.spares.len() {
            if self.spares[i].is_some() {
                continue;
            }
            self.spares[i] = self.rooms.take_one();
            let published = self.spares[i].map_or_else(Published::default, |room| {
                let at = self.rooms.offset(room);
                let addr = self.instance.window + at + u32::from(HEADROOM);
                Published { addr, port: u16::MAX, slot: at / SLOT_UNIT, ..Published::default() }
            });
            self.instance.area.spare(i).publish(published);
        }
    }

    /// What the call wrote into rooms that are not its packets', spare or held, or into their headroom in front of where its
    /// packets begin.
    pub(super) fn trespasses(&mut self, given: &[Given], descs: &[PacketDesc]) -> Vec<Trespass> {
        let mut from: Vec<Option<usize>> = vec![None; self.rooms.count() as usize];
        for (given, desc) in given.iter().zip(descs) {
            let begins = usize::try_from(self.offset(given.room, desc)).unwrap_or(usize::MAX);
            // What becomes of a listed packet is said elsewhere.
            let first = if desc.verdict == verdict::LISTED { 0 } else { begins.min(given.offset.into()) };
            from[given.room as usize] = Some(first);
        }
        for (room, from) in from.iter_mut().enumerate() {
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            let is_kept = self.spares.contains(&Some(room)) || self.held.has(self.rooms.offset(room) / SLOT_UNIT);
            if is_kept {
                *from = Some(0);
            }
        }
        let mut trespasses = Vec::new();
        for change in self.window.changes() {
            let mut at = change.start;
            while at < change.end {
                let (room, offset) = self.rooms.at(at);
                let room_end = self.rooms.offset(room.saturating_add(1).min(self.rooms.count())) as usize;
                let end = change.end.min(if room_end > at { room_end } else { change.end });
                let first = from.get(room as usize).copied().flatten();
                let allowed_from = first.map_or(end, |first| at - offset + first);
                if at < allowed_from {
                    let place = place(room, offset, first.is_some(), given);
                    trespasses.push(Trespass { at, len: end.min(allowed_from) - at, place });
                }
                at = end;
            }
        }
        trespasses
    }
}

/// In words, where a byte lies that should not have been written.
fn place(room: u32, offset: usize, is_own: bool, given: &[Given]) -> String {
    let index = |room: u32| given.iter().position(|given| given.room == room);
    if is_own {
        let packet = index(room).map_or_else(String::new, |i| format!(" of packet {i}"));
        return format!("byte {offset} of the headroom{packet}, in front of where the packet begins");
    }
    let behind = room.checked_sub(1).and_then(index).map(|i| format!("the room behind that of packet {i}"));
    let before = || index(room + 1).map(|i| format!("the room before that of packet {i}"));
    let whose = behind.or_else(before).unwrap_or_else(|| "a room that is no packet's of this call".to_owned());
    format!("byte {offset} of {whose}")
}

fn bad(cause: Counter) -> Fate {
    Fate::Bad(NAMES[cause as usize])
}
