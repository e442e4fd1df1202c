//! A fast instance.

use super::record::{BEGINS, CHANGE, ENDS, NEIGHBOURS, NUMBER, PAGE, read_neighbour, read_route, read_version};
use super::{Version, Why};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{self, Burst, Reason};
use crate::fib::{Entry, Owner, Target};
use crate::routes::exchange;
use crate::saved::Reader;
use perigee_guest::{Batch, Packet, Refusal};

/// How much a fast instance knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It has not been told everything: what it has is not used.
    Behind,
    /// It is being told the table.
    Filling,
    Current,
}

/// What a fast instance has heard.
pub(crate) struct Follower {
    ring: u16,
    version: Version,
    mode: Mode,
}

impl Follower {
    pub(super) const fn new(ring: u16) -> Self {
        Self { ring, version: Version { epoch: 0, number: 0 }, mode: Mode::Behind }
    }

    /// Forwards what it can, and hands over the rest as it came.
    pub(crate) fn process(&self, tables: &mut Tables, burst: &mut Burst, batch: &mut Batch<'_>, now: u64) {
        if self.mode != Mode::Current {
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

    /// The version that it has reached, once it has one.
    pub(crate) fn reached(&self) -> Option<Version> {
        (self.mode == Mode::Current).then_some(self.version)
    }

    /// It goes on where another instance was; without a version, it is behind.
    pub(crate) fn go_on(&mut self, reached: Option<Version>) {
        self.mode = if reached.is_some() { Mode::Current } else { Mode::Behind };
        self.version = reached.unwrap_or_default();
    }

    /// Takes in what the slow instance tells.
    pub(super) fn hear(&mut self, tables: &mut Tables, message: &[u8], now: u64) -> Result<(), Refusal> {
        let mut reader = Reader(message);
        let understood = match reader.array() {
            Some([NEIGHBOURS]) => hear_neighbours(tables, &mut reader, now),
            Some([NUMBER]) => read_version(&mut reader).map(|version| {
                if self.mode == Mode::Current && version != self.version {
                    self.mode = Mode::Behind;
                }
            }),
            Some([CHANGE]) => self.hear_change(tables, &mut reader),
            Some([PAGE]) => self.hear_page(tables, &mut reader),
            _ => None,
        };
        understood.ok_or_else(|| {
            // What it did not understand it does not have.
            self.mode = Mode::Behind;
            Refusal::new("this is not what a slow instance of this version tells, or there is no room for it")
        })
    }

    fn hear_change(&mut self, tables: &mut Tables, reader: &mut Reader<'_>) -> Option<()> {
        let version = read_version(reader)?;
        match self.mode {
            // The whole table comes later.
            Mode::Behind => return Some(()),
            Mode::Current if version != (Version { number: self.version.number + 1, ..self.version }) => {
                self.mode = Mode::Behind;
                return Some(());
            }
            Mode::Current | Mode::Filling => {}
        }
        hear_routes(tables, reader)?;
        self.version = version;
        Some(())
    }

    fn hear_page(&mut self, tables: &mut Tables, reader: &mut Reader<'_>) -> Option<()> {
        let ([flags], version) = (reader.array()?, read_version(reader)?);
        if flags & BEGINS != 0 && self.mode != Mode::Current {
            self.mode = Mode::Filling;
            tables.fib.clear(&tables.interfaces)?;
            tables.neighbours.clear();
        }
        if self.mode != Mode::Filling {
            return Some(());
        }
        hear_routes(tables, reader)?;
        if flags & ENDS != 0 {
            (self.mode, self.version) = (Mode::Current, version);
        }
        Some(())
    }
}

/// Routes as they are now, all that are left of a message.
fn hear_routes(tables: &mut Tables, reader: &mut Reader<'_>) -> Option<()> {
    let what = "a route of the slow instance";
    let mut count = 0;
    while !reader.0.is_empty() {
        let (net, route) = read_route(reader)?;
        // Own addresses each instance has of its own configuration.
        if matches!(tables.fib.get(net).map(|entry| entry.target), Some(Target::Local(_) | Target::Broadcast)) {
            continue;
        }
        let target = route.map(|route| route.target(what, tables)).transpose().ok()?;
        match exchange(what, net, target.map(|target| Entry { target, owner: Owner::OPERATOR }), tables) {
            Ok(before) => before.into_iter().for_each(|before| tables.fib.leave(before.target)),
            Err(_) => {
                target.into_iter().for_each(|target| tables.fib.leave(target));
                return None;
            }
        }
        count += 1;
    }
    Count::Routes.add(count);
    Some(())
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
