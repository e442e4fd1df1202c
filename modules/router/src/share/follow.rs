//! A fast instance.

use super::record::{ALL, NEIGHBOURS, NUMBER, read_neighbour, read_version};
use super::{Version, Why};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{self, Burst, Reason};
use crate::saved::Reader;
use perigee_guest::{Batch, Packet, Refusal};

/// What a fast instance has heard.
pub(crate) struct Follower {
    ring: u16,
    /// The life of the slow instance whose neighbours it knows; nothing: it is behind, and what it has is not used.
    life: Option<u64>,
}

impl Follower {
    pub(super) const fn new(ring: u16) -> Self {
        Self { ring, life: None }
    }

    /// Forwards what it can, and hands over the rest as it came.
    pub(crate) fn process(&self, tables: &mut Tables, burst: &mut Burst, batch: &mut Batch<'_>, now: u64) {
        if self.life.is_none() || !tables.fib.is_there() {
            Count::Behind.add(batch.len() as u64);
            return batch.packets().for_each(|packet| self.hand_over(packet, Why::Behind));
        }
        burst.look_up(tables, batch);
        let mut forwarded = 0;
        for (mut packet, found) in batch.packets().zip(burst.found()) {
            if let Some(port) = fast::leave_plain(tables, &mut packet, found, now) {
                forwarded += 1;
                packet.tx(port);
                continue;
            }
            self.forward(tables, packet, now);
        }
        Count::Forwarded4.add(forwarded);
    }

    #[inline(never)]
    fn forward(&self, tables: &mut Tables, mut packet: Packet<'_>, now: u64) {
        match fast::forward(tables, &mut packet, now) {
            Ok((port, count)) => {
                count.add(1);
                packet.tx(port);
            }
            Err(reason) => self.leave(packet, reason),
        }
    }

    fn leave(&self, packet: Packet<'_>, reason: Reason) {
        match (Why::of(reason), reason) {
            (Some(why), _) => {
                Count::ToSlow.add(1);
                self.hand_over(packet, why);
            }
            (None, Reason::Drop(count)) => {
                count.add(1);
                packet.drop();
            }
            (None, _) => packet.drop(),
        }
    }

    fn hand_over(&self, mut packet: Packet<'_>, why: Why) {
        packet.set_mark(why.mark());
        packet.ring(self.ring);
    }

    /// The version that it has reached, once it has one: of the routes, what it reads.
    pub(crate) fn reached(&self, tables: &Tables) -> Option<Version> {
        let life = self.life.filter(|_| tables.fib.is_there())?;
        Some(Version { epoch: life, number: tables.fib.changes() })
    }

    /// It goes on where another instance was; without a life, it is behind.
    pub(crate) fn go_on(&mut self, life: Option<u64>) {
        self.life = life;
    }

    /// Takes in what the slow instance tells.
    pub(super) fn hear(&mut self, tables: &mut Tables, message: &[u8], now: u64) -> Result<(), Refusal> {
        let mut reader = Reader(message);
        let understood = match reader.array() {
            Some([NEIGHBOURS]) => hear_neighbours(tables, &mut reader, now),
            Some([NUMBER]) => read_version(&mut reader).map(|version| {
                self.life = self.life.filter(|life| *life == version.epoch);
            }),
            // All neighbours come behind it.
            Some([ALL]) => read_version(&mut reader).map(|version| {
                if self.life.is_none() {
                    tables.neighbours.clear();
                    self.life = Some(version.epoch);
                }
            }),
            _ => None,
        };
        understood.ok_or_else(|| {
            // What it did not understand it does not have.
            self.life = None;
            Refusal::new("this is not what a slow instance of this version tells, or there is no room for it")
        })
    }
}

fn hear_neighbours(tables: &mut Tables, reader: &mut Reader<'_>, now: u64) -> Option<()> {
    while !reader.0.is_empty() {
        let (place, mac) = read_neighbour(reader)?;
        match (mac, tables.neighbours.find(place)) {
            // One for which there is no place is not known here: its packets go by the slow instance.
            (Some(mac), _) => _ = tables.neighbours.fix(place, mac, now),
            (None, Some(at)) => tables.neighbours.remove(at),
            (None, None) => {}
        }
    }
    Some(())
}
