//! Passes packets on as a link would: with delay, jitter, a rate, a queue, loss, duplicates, corruption and another order.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod config;
mod flight;
mod line;
mod saved;
#[cfg(test)]
mod tests;
mod values;

use alloc::vec::Vec;
use config::Config;
use flight::{Flight, Flying};
use line::{Arrival, Fate, Line};
use perigee_guest::abi::MAX_OUTPUTS;
use perigee_guest::{Batch, Buffer, Held, Level, Module, Outputs, Packet, Refusal, Setup, Verdict};

perigee_guest::module!(
    LinkEmulator: process, state;
    window = 192 * MIB, heap = 16 * MIB, mailbox = 4 * MIB, spares = 64, state_version = 1
);

perigee_guest::counters! {
    /// Packets that came.
    PACKETS = "packets",
    /// Packets that went on, the second ones of duplicates among them.
    PASSED = "passed",
    /// Packets lost on the way.
    LOST = "lost",
    /// Packets that found no place in the queue.
    QUEUE = "queue_full",
    /// Packets dropped because the instance may not hold as many.
    NO_ROOM = "hold_full",
    /// Packets that went on twice.
    DUPLICATED = "duplicated",
    /// Packets that were to go on twice, and for whose copy there was no room.
    NOT_DUPLICATED = "not_duplicated",
    /// Packets in which one bit was turned over.
    CORRUPTED = "corrupted",
    /// Packets that were made late, to be overtaken.
    REORDERED = "reordered",
    /// Nanoseconds by which packets went on after their time, all together.
    LATE = "late_ns",
}

/// The emulator: one direction of a link.
pub struct LinkEmulator {
    line: Line,
    flight: Flight,
    /// All packets are under way for a while.
    takes_time: bool,
    /// Packets come twice.
    duplicates: bool,
    /// Bytes of a packet that is being copied.
    scratch: Vec<u8>,
    is_told: bool,
}

impl Module for LinkEmulator {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let cable = config.cable()?;
        Ok(Self {
            takes_time: cable.takes_time(),
            duplicates: cable.duplicate.is_possible(),
            flight: Flight::new(cable.reorder.is_possible()),
            line: Line::new(cable, setup.seed())?,
            scratch: Vec::new(),
            is_told: false,
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        self.flight.set_quota(batch.hold_quota());
        self.release(batch, now);
        PACKETS.add(batch.len() as u64);
        // What has a verdict in place goes before what is listed: so either all go this way, or none.
        let direct = !self.duplicates && self.flight.is_empty() && batch.outputs().remaining() == MAX_OUTPUTS;
        let (packets, mut outputs) = batch.split();
        let mut behind = packets.len();
        for mut packet in packets {
            behind -= 1;
            // What has no room does not have the line either.
            if self.takes_time && self.flight.is_full() {
                self.refuse();
                continue;
            }
            match self.line.send(now, packet.len()) {
                Fate::Queued => QUEUE.add(1),
                Fate::Lost => LOST.add(1),
                Fate::Arrives(arrival) => {
                    corrupt(&mut packet, arrival.bit);
                    REORDERED.add(arrival.late.into());
                    if arrival.due > now || self.flight.has_earlier(arrival.due) {
                        self.hold(packet, arrival);
                    } else if direct && self.flight.is_empty() {
                        PASSED.add(1);
                        packet.next();
                    } else {
                        pass_on(packet, arrival.twice, &mut outputs, behind);
                    }
                }
            }
        }
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self, state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, state)
    }
}

impl LinkEmulator {
    /// Keeps a packet until it is due.
    fn hold(&mut self, packet: Packet<'_>, arrival: Arrival) {
        if self.flight.is_full() {
            self.refuse();
            return;
        }
        self.flight.add(Flying { due: arrival.due, twice: arrival.twice, held: packet.hold() }, arrival.late);
    }

    /// A packet is dropped because no more may be held, which is told once.
    fn refuse(&mut self) {
        NO_ROOM.add(1);
        if !self.is_told {
            self.is_told = true;
            Level::Warn.log("packets are dropped: more are under way than this module may hold (`grants.hold`)");
        }
    }

    /// Lets those go on that are due, as far as the output list has room.
    fn release(&mut self, batch: &mut Batch<'_>, now: u64) {
        let (mut copies, mut passed, mut late) = (0, 0, 0);
        while let Some(flying) = self.flight.pop_due(now) {
            let copy = flying.twice && read(batch, &flying.held, &mut self.scratch);
            let words = flying.held.to_words();
            if let Err(held) = batch.outputs().give_back(flying.held, Verdict::NEXT) {
                self.flight.put_back(Flying { held, ..flying });
                break;
            }
            passed += 1;
            late += now - flying.due;
            if copy && send_copy(&mut batch.outputs(), copies, &self.scratch, words) {
                copies += 1;
            } else {
                NOT_DUPLICATED.add(flying.twice.into());
            }
        }
        DUPLICATED.add(copies as u64);
        PASSED.add(passed + copies as u64);
        LATE.add(late);
    }
}

/// Turns one bit over.
fn corrupt(packet: &mut Packet<'_>, bit: Option<u64>) {
    let Some(bit) = bit else { return };
    let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
    if let Some(byte) = packet.bytes_mut().get_mut(at) {
        *byte ^= 0x80 >> (bit % 8);
        CORRUPTED.add(1);
    }
}

/// Passes a packet on at once, twice where it is to be so and the list has room for that beside those behind it.
fn pass_on(packet: Packet<'_>, twice: bool, outputs: &mut Outputs<'_>, behind: usize) {
    let room = outputs.remaining();
    let listed = packet.list();
    if !outputs.put(&listed, Verdict::NEXT) {
        NO_ROOM.add(1);
        return;
    }
    let copied = twice && room > behind + 1 && outputs.put(&listed, Verdict::NEXT);
    PASSED.add(1 + u64::from(copied));
    DUPLICATED.add(copied.into());
    NOT_DUPLICATED.add((twice && !copied).into());
}

/// Reads a held packet's bytes, and says whether that worked.
fn read(batch: &mut Batch<'_>, held: &Held, scratch: &mut Vec<u8>) -> bool {
    scratch.clear();
    match batch.held_bytes(held) {
        Some(bytes) if scratch.try_reserve(bytes.len()).is_ok() => {
            scratch.extend_from_slice(bytes);
            true
        }
        _ => false,
    }
}

/// Sends a copy of a held packet in the spare room behind those that are used already.
fn send_copy(outputs: &mut Outputs<'_>, used: usize, bytes: &[u8], words: [u32; 7]) -> bool {
    for _ in 0..used {
        let _ = outputs.spare();
    }
    let Some(mut spare) = outputs.spare() else { return false };
    let Some(room) = u16::try_from(bytes.len()).ok().and_then(|len| spare.bytes_mut(len)) else { return false };
    room.copy_from_slice(bytes);
    // The mark and the stripped tag, as `Held::to_words` has them.
    let [_, _, _, mark, flags, _, vlan] = words;
    spare.set_mark(mark);
    if let (1.., Ok(tci)) = (flags, u16::try_from(vlan)) {
        spare.insert_vlan(tci);
    }
    outputs.send(spare, Verdict::NEXT)
}
