//! The host as docs/abi.md tells it, slow and obvious: what becomes of each packet, by which cause, with which bytes.

use super::case::{Asked, Case, HEADROOM, HowMuch, LONGEST, ROOM};
use super::script::{Batch, Record, Ref, fills, stamped};
use super::wire;
use perigee_abi::{source, tx_flags, verdict as v};
use std::collections::BTreeMap;

/// Shortest packet that may leave a module.
const SHORTEST: u16 = 14;
/// Bytes that a fresh room takes behind its headroom.
#[allow(clippy::cast_possible_truncation, reason = "two small constants")]
const FRESH: u16 = (ROOM - HEADROOM) as u16;
const MAX_BATCH: usize = 256;
const MAX_OUTPUTS: u32 = 256;
const CHECKSUMS: u32 = tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM;
/// Requests that stay with a packet from stage to stage; queue and times are asked of the way out next to come.
const CARRIED: u32 = CHECKSUMS | tx_flags::IPV4 | tx_flags::IPV6 | tx_flags::VLAN_INSERT;

/// A capture that packets are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The port that the chain reads.
    Back,
    /// The first and the second tx queue of the port that it may send to.
    Out,
    OutSecond,
    /// What another chain sends of what it finds in the ring.
    Ring,
}

/// What must come of a run.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) received: u64,
    pub(crate) created: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) bad_outputs: u64,
    pub(crate) create_not_granted: u64,
    /// Departure times asked for: of packets that may go, and of all.
    pub(crate) times: (u64, u64),
    /// By [`Lane`].
    pub(crate) sent: [Vec<Vec<u8>>; 4],
}

/// A packet and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Number of its room in [`Host::rooms`].
    room: usize,
    pub(crate) at: u32,
    pub(crate) len: u16,
    mark: u32,
    port: u16,
    asked: Asked,
}

struct Held {
    packet: Packet,
    generation: u32,
    /// What the module calls it; a copy lies where it does not know.
    name: Option<Ref>,
}

/// What becomes of a packet: a verdict, or already the cause of its drop.
type Fate = Result<u32, &'static str>;

pub(crate) struct Host<'a> {
    case: &'a Case,
    batch: u32,
    /// All rooms that were ever seen, with their bytes; none is used twice here.
    rooms: Vec<Vec<u8>>,
    /// Room and generation behind what the module calls by a name.
    seen: BTreeMap<Ref, (usize, u32)>,
    spares: Vec<usize>,
    held: Vec<Held>,
    /// The last entry had no effect because it would have made a packet.
    refused: bool,
    pub(crate) expected: Expected,
}

impl<'a> Host<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        let expected = Expected::default();
        Self {
            case,
            batch: 0,
            rooms: Vec::new(),
            seen: BTreeMap::new(),
            spares: Vec::new(),
            held: Vec::new(),
            refused: false,
            expected,
        }
    }

    fn drop(&mut self, cause: &str) {
        *self.expected.dropped.entry(cause.to_owned()).or_default() += 1;
    }

    fn room(&mut self, bytes: Vec<u8>) -> usize {
        self.rooms.push(bytes);
        self.rooms.len() - 1
    }

    /// What a port received, as the module gets it; `None` where no room holds it.
    pub(crate) fn receive(&mut self, mut frame: Vec<u8>) -> Option<Packet> {
        self.expected.received += 1;
        if frame.len() > FRESH.into() {
            self.drop("too_long_for_room");
            return None;
        }
        if frame.len() < SHORTEST.into() {
            self.drop("too_short");
            return None;
        }
        let mut asked = Asked::default();
        let mut at = HEADROOM;
        if self.case.strip && frame.len() >= 18 && frame[12..14] == [0x81, 0] {
            asked = Asked { flags: tx_flags::VLAN_INSERT, vlan: u16::from_be_bytes([frame[14], frame[15]]), ..asked };
            frame.drain(12..16);
            at += 4;
        }
        let len = u16::try_from(frame.len()).unwrap();
        let mut room = vec![0; ROOM as usize];
        room[at as usize..at as usize + frame.len()].copy_from_slice(&frame);
        Some(Packet { room: self.room(room), at, len, mark: 0, port: 0, asked })
    }

    /// A room to make a packet in.
    pub(crate) fn fresh(&mut self) -> Packet {
        Packet { room: self.room(Vec::new()), at: HEADROOM, len: 60, mark: 0, port: u16::MAX, asked: Asked::default() }
    }

    /// A batch begins: rooms are prepared as the module does it, and identities are made.
    pub(crate) fn begin(&mut self, packets: &[Packet]) {
        for (i, packet) in (0..).zip(packets) {
            let [before, behind, _] = fills(i);
            self.seen.insert(Ref::Input(self.batch, i), (packet.room, self.batch));
            let room = &mut self.rooms[packet.room];
            if self.case.generates {
                *room = stamped(self.batch, i, before);
            } else {
                room[..packet.at as usize].fill(before);
                room[packet.at as usize + usize::from(packet.len)..].fill(behind);
            }
        }
        self.spares.clear();
        for i in 0..self.case.spares {
            let room = self.room(stamped(self.batch, i, fills(i)[2]));
            self.spares.push(room);
            // A spare room has no generation: the one of no batch.
            self.seen.insert(Ref::Spare(i), (room, u32::MAX));
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.batch
    }

    pub(crate) fn spares(&self) -> u32 {
        self.case.spares
    }

    /// What the module can call by name of what it holds, with address and length.
    pub(crate) fn held(&self) -> Vec<(Ref, u32, u16)> {
        self.held.iter().filter_map(|h| Some((h.name?, h.packet.at, h.packet.len))).collect()
    }

    pub(crate) fn held_count(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap()
    }

    /// Names of all that the module saw in batches before this one.
    pub(crate) fn seen(&self) -> Vec<Ref> {
        let earlier = |r: &&Ref| matches!(r, Ref::Input(batch, _) | Ref::Output(batch, _) if *batch < self.batch);
        self.seen.keys().filter(earlier).copied().collect()
    }

    /// One call of the module: it has written what stands in `batch`.
    pub(crate) fn call(&mut self, packets: Vec<Packet>, batch: &Batch) {
        let written: Vec<&Record> = batch.entries.iter().cycle().take(batch.written as usize).collect();
        for (j, entry) in (0..).zip(&written) {
            let (room, _) = self.seen[&entry.named];
            self.seen.insert(Ref::Output(self.batch, j), (room, self.batch));
        }
        let mut inputs: Vec<(Packet, Fate)> = packets
            .into_iter()
            .enumerate()
            .map(|(i, packet)| match batch.packets.get(i) {
                Some(record) => self.in_place(packet, record),
                None => (packet, Ok(v::DROP)),
            })
            .collect();
        let mut moved = vec![false; inputs.len()];
        let mut listed = Vec::new();
        let read = batch.out_count.min(MAX_OUTPUTS);
        for (j, entry) in (0..read).zip(&written) {
            match self.entry(entry, &mut inputs, &mut moved) {
                Some((packet, fate)) => {
                    // Of a copy the module does not know where it lies.
                    let is_known = self.seen.get(&entry.named).is_some_and(|(room, _)| *room == packet.room);
                    listed.push((packet, fate, entry.asked, is_known.then_some(Ref::Output(self.batch, j))));
                }
                None if std::mem::take(&mut self.refused) => self.expected.create_not_granted += 1,
                None => self.expected.bad_outputs += 1,
            }
        }
        // The rest of the list is zeros, which name a packet of batch 0.
        self.expected.bad_outputs += u64::from(read).saturating_sub(written.len() as u64);
        let mut passed = Vec::new();
        for (i, (packet, fate)) in inputs.into_iter().enumerate() {
            if moved[i] || (self.case.generates && fate == Ok(v::DROP)) {
                continue;
            }
            self.expected.created += u64::from(self.case.generates);
            let i = u32::try_from(i).unwrap();
            let asked = batch.packets.get(i as usize).filter(|r| r.how_much == HowMuch::All).map(|r| r.asked);
            self.go(packet, fate, asked.unwrap_or_default(), Some(Ref::Input(self.batch, i)), &mut passed);
        }
        for (packet, fate, asked, name) in listed {
            self.go(packet, fate, asked, name, &mut passed);
        }
        for packet in passed {
            self.pass(packet);
        }
        self.batch += 1;
    }

    /// Writes a record over a packet's descriptor.
    fn in_place(&mut self, mut packet: Packet, record: &Record) -> (Packet, Fate) {
        if record.how_much == HowMuch::Nothing {
            return (packet, Ok(v::DROP));
        }
        let (mut at, mut len, mut asked) = (Some(packet.at), packet.len, packet.asked);
        if record.how_much != HowMuch::Verdict {
            (at, len) = (self.offset(record, packet.room), record.len);
            packet.mark = record.mark;
        }
        if record.how_much == HowMuch::All {
            asked = record.asked;
        }
        let fate = self.judge(&mut packet, at, len, asked, record);
        (packet, fate)
    }

    /// Where a record's address lies, counted from the start of `room`; `None`: not in it.
    fn offset(&self, record: &Record, room: usize) -> Option<u32> {
        let (base, _) = self.seen[&record.base?];
        (base == room).then_some(record.addr)
    }

    /// The checks of a verdict other than Drop, and what is written into the packet where they pass.
    fn judge(&mut self, packet: &mut Packet, at: Option<u32>, len: u16, asked: Asked, record: &Record) -> Fate {
        let verdict = record.verdict;
        if verdict == v::DROP {
            return Ok(v::DROP);
        }
        let Some(at) = at.filter(|at| fits(*at, len)) else { return Err("bad_descriptor") };
        (packet.at, packet.len) = (at, len);
        let has_time = asked.flags & (tx_flags::TIME | tx_flags::GAP | tx_flags::STAMP) != 0;
        self.expected.times.1 += u64::from(has_time);
        // Where the time of departure is to be written stands in what else nobody reads.
        let stamp = u64::from(record.junk & 0xffff) + 10;
        let has_place = asked.flags & tx_flags::STAMP == 0 || stamp <= len.into();
        if !has_place || !makes_sense(asked, len) {
            return Err("bad_offload");
        }
        self.expected.times.0 += u64::from(has_time);
        packet.asked = Asked { flags: asked.flags & CARRIED, ..asked };
        Ok(verdict)
    }

    /// Reads one entry of the output list; `None` where it has no effect.
    fn entry(&mut self, entry: &Record, inputs: &mut [(Packet, Fate)], moved: &mut [bool]) -> Option<(Packet, Fate)> {
        if entry.verdict == v::LISTED {
            return None;
        }
        let index = (entry.source & 0xffff) as usize;
        let grants = self.case.grants;
        if entry.source & 0xffff_0000 == source::SPARE && !grants.create {
            self.refused = true;
            return None;
        }
        let (room, generation) = self.seen[&entry.named];
        let room = (entry.wrong_slot == 0).then_some(room)?;
        let generation = (entry.wrong_generation == 0).then_some(generation);
        let mut packet = match entry.source & 0xffff_0000 {
            source::INPUT => {
                let (packet, fate) = inputs.get(index)?;
                if packet.room != room || generation != Some(self.batch) {
                    return None;
                }
                if *fate != Ok(v::LISTED) || moved[index] {
                    self.refused = !grants.create;
                    return self.copy(packet.clone(), entry);
                }
                moved[index] = true;
                self.expected.created += u64::from(self.case.generates);
                packet.clone()
            }
            source::SPARE => {
                let spare = self.spares.get_mut(index).filter(|spare| **spare == room)?;
                // It is used now: no second entry finds it.
                *spare = usize::MAX;
                self.expected.created += 1;
                Packet { room, at: 0, len: 0, mark: 0, port: u16::MAX, asked: Asked::default() }
            }
            source::HELD if index == 0 => {
                let is_it = |held: &Held| held.packet.room == room && Some(held.generation) == generation;
                let at = self.held.iter().position(is_it)?;
                self.held.remove(at).packet
            }
            _ => return None,
        };
        let at = self.offset(entry, room);
        packet.mark = entry.mark;
        let fate = self.judge(&mut packet, at, entry.len, entry.asked, entry);
        Some((packet, fate))
    }

    /// A copy of what an entry names: into a fresh room, behind its headroom.
    fn copy(&mut self, mut packet: Packet, entry: &Record) -> Option<(Packet, Fate)> {
        if self.refused {
            return None;
        }
        let at = self.offset(entry, packet.room).filter(|at| fits(*at, entry.len))? as usize;
        let bytes = self.rooms[packet.room].get(at..at + usize::from(entry.len))?.to_vec();
        if entry.len > FRESH {
            return None;
        }
        let mut room = vec![0; ROOM as usize];
        room[HEADROOM as usize..][..bytes.len()].copy_from_slice(&bytes);
        self.expected.created += 1;
        packet.room = self.room(room);
        packet.mark = entry.mark;
        let fate = self.judge(&mut packet, Some(HEADROOM), entry.len, entry.asked, entry);
        Some((packet, fate))
    }

    /// Lets a packet go its way.
    fn go(&mut self, packet: Packet, fate: Fate, asked: Asked, name: Option<Ref>, passed: &mut Vec<Packet>) {
        let verdict = match fate {
            Err(cause) => return self.drop(cause),
            Ok(verdict) => verdict,
        };
        let grants = self.case.grants;
        let queue = if asked.flags & tx_flags::QUEUE != 0 { asked.queue } else { 0 };
        match (v::kind(verdict), v::argument(verdict)) {
            (v::DROP, 0) => self.drop("verdict"),
            (v::NEXT, 0) if passed.len() == MAX_BATCH => self.drop("batch_full"),
            (v::NEXT, 0) => passed.push(packet),
            (v::TX, port @ (0 | 1)) if !grants.ports[usize::from(port)] => self.drop("tx_not_granted"),
            (v::TX, 0) if !self.case.generates => self.send(packet, Lane::Back),
            (v::TX, 1) if queue % 2 == 1 && !grants.queue => self.drop("queue_not_granted"),
            (v::TX, 1) => self.send(packet, if queue % 2 == 0 { Lane::Out } else { Lane::OutSecond }),
            (v::TX, _) => self.drop("tx_not_granted"),
            (v::RING, 0) if !grants.ring => self.drop("ring_not_granted"),
            (v::RING, 0) => self.send(packet, Lane::Ring),
            (v::HOLD, 0) if self.held.len() >= self.case.hold as usize => self.drop("hold_quota"),
            (v::HOLD, 0) => self.held.push(Held { packet, generation: self.batch, name }),
            (v::LISTED, 0) => self.drop("unlisted"),
            _ => self.drop("bad_verdict"),
        }
    }

    /// Leads what was passed on through the second stage, where there is one, and out.
    fn pass(&mut self, packet: Packet) {
        if self.case.second_stage {
            let asked = packet.asked;
            let vlan = if asked.flags & tx_flags::VLAN_INSERT != 0 { asked.vlan } else { 0 };
            let lengths = if asked.flags & CHECKSUMS != 0 { [asked.l2_len, asked.l3_len] } else { [0, 0] };
            let shown = [
                &packet.mark.to_le_bytes()[..],
                &packet.port.to_le_bytes(),
                &asked.flags.to_le_bytes(),
                &vlan.to_le_bytes(),
                &lengths,
            ];
            self.rooms[packet.room][packet.at as usize..packet.at as usize + 14].copy_from_slice(&shown.concat());
        }
        self.send(packet, Lane::Out);
    }

    fn send(&mut self, packet: Packet, lane: Lane) {
        if packet.len > LONGEST {
            return self.drop("too_long");
        }
        let at = packet.at as usize;
        let bytes = self.rooms[packet.room][at..at + usize::from(packet.len)].to_vec();
        match wire::finish(bytes, packet.asked, at) {
            Some(bytes) => self.expected.sent[lane as usize].push(bytes),
            None => self.drop("bad_offload"),
        }
    }

    /// The run ends: what is still held is dropped.
    pub(crate) fn end(mut self) -> Expected {
        for _ in std::mem::take(&mut self.held) {
            self.drop("stop");
        }
        self.expected
    }
}

/// Address and length lie in the room.
fn fits(at: u32, len: u16) -> bool {
    u64::from(at) + u64::from(len) <= u64::from(ROOM) && len >= SHORTEST
}

/// A request without other bits, contradictions, or lengths that leave a header no room.
fn makes_sense(asked: Asked, len: u16) -> bool {
    let has = |bits: u32| asked.flags & bits != 0;
    let both_l4 = has(tx_flags::UDP_CHECKSUM) && has(tx_flags::TCP_CHECKSUM);
    let one_family = has(tx_flags::IPV4) != has(tx_flags::IPV6);
    let (ip, l4) = (if has(tx_flags::IPV4) { 20 } else { 40 }, if has(tx_flags::TCP_CHECKSUM) { 20 } else { 8 });
    let l4 = if has(tx_flags::TCP_CHECKSUM | tx_flags::UDP_CHECKSUM) { l4 } else { 0 };
    let header = u16::from(asked.l2_len) + u16::from(asked.l3_len) + l4;
    let layers = (14..=127).contains(&asked.l2_len) && asked.l3_len >= ip;
    let checksum = one_family && layers && header <= len;
    let contradicts = both_l4 || (has(tx_flags::IP_CHECKSUM) && has(tx_flags::IPV6)) || (has(CHECKSUMS) && !checksum);
    let two_times = has(tx_flags::TIME) && has(tx_flags::GAP);
    !contradicts && !two_times && !has(!tx_flags::ALL)
}
