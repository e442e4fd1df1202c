//! The slow instance: what it tells the fast ones.

use super::record::{ALL, NEIGHBOURS, NUMBER, push_neighbour, push_version};
use super::{Version, Why};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{IP, flow_hash};
use crate::fib::{Place, Target, room};
use alloc::vec::Vec;
use core::net::IpAddr;
use perigee_guest::abi::names::TELL_MAX;
use perigee_guest::state::{MILLISECOND, SECOND};
use perigee_guest::wire::{Header as _, Ipv4, Ipv6};
use perigee_guest::{Packet, Refusal, Untold, tell};

/// Fast instances are told something at most so often.
const ROUND: u64 = MILLISECOND;
/// And their version at least so often.
const REMIND: u64 = SECOND;
/// Most neighbours of a message: it is taken in between two bursts.
const SOME: usize = 32;
/// Between two times that all neighbours are told.
const REST: u64 = 10 * MILLISECOND;

/// What the slow instance has told.
pub(crate) struct Leader {
    /// After the last change.
    pub(crate) version: Version,
    /// A fast instance lacks all neighbours.
    is_wanted: bool,
    next_table: u64,
    next_round: u64,
    next_reminder: u64,
    message: Vec<u8>,
}

impl Leader {
    /// `now` makes this life differ from an earlier one.
    pub(super) fn new(now: u64) -> Result<Self, Refusal> {
        Ok(Self {
            version: Version { epoch: now, number: 0 },
            is_wanted: true,
            next_table: 0,
            next_round: 0,
            next_reminder: 0,
            message: room(TELL_MAX)?,
        })
    }

    /// All neighbours are to be told.
    pub(crate) const fn is_telling(&self) -> bool {
        self.is_wanted
    }

    /// It goes on where another instance was.
    pub(crate) fn go_on(&mut self, version: Version, was_telling: bool) {
        (self.version, self.is_wanted) = (version, was_telling);
    }

    /// What a packet says of the fast instance that it comes from.
    #[inline]
    pub(crate) fn look(&mut self, tables: &mut Tables, packet: &Packet<'_>) {
        let mark = packet.mark();
        if mark == Why::Behind.mark() {
            self.is_wanted = true;
        } else if mark == Why::Unresolved.mark()
            && let Some(place) = next_place(tables, packet.bytes())
            && tables.neighbours.mac_of(place).is_some()
        {
            // It is known here, so somebody has not heard of it.
            tables.neighbours.note(place);
        }
    }

    /// Tells what is to be told at this time.
    #[inline]
    pub(crate) fn tell(&mut self, tables: &mut Tables, now: u64) {
        if now >= self.next_round {
            self.next_round = now + ROUND;
            self.tell_some(tables, now);
        }
    }

    fn tell_some(&mut self, tables: &mut Tables, now: u64) {
        if tables.neighbours.take_lost() {
            // Who knows what they missed: a new life, in which nobody knows anything.
            self.version.epoch += 1;
            self.next_reminder = now;
        }
        if now >= self.next_reminder {
            if self.send(NUMBER).is_err() {
                return;
            }
            self.next_reminder = now + REMIND;
        }
        if self.is_wanted && now >= self.next_table {
            // It empties the tables there; neighbours come behind it.
            if self.send(ALL).is_err() {
                return;
            }
            self.is_wanted = false;
            self.next_table = now + REST;
            tables.neighbours.note_all();
            Count::TablesTold.add(1);
        }
        self.tell_neighbours(tables);
    }

    fn tell_neighbours(&mut self, tables: &mut Tables) {
        self.message.clear();
        self.message.push(NEIGHBOURS);
        let mut count = 0;
        for (place, mac) in tables.neighbours.news().take(SOME) {
            push_neighbour(&mut self.message, place, mac);
            count += 1;
        }
        if count > 0 && self.send_message().is_ok() {
            tables.neighbours.forget_news(count);
        }
    }

    /// Tells the version.
    fn send(&mut self, kind: u8) -> Result<(), Untold> {
        self.message.clear();
        self.message.push(kind);
        push_version(&mut self.message, self.version);
        self.send_message()
    }

    fn send_message(&self) -> Result<(), Untold> {
        let sent = tell(0, &self.message);
        (if sent.is_ok() { Count::Told } else { Count::NotTold }).add(1);
        sent
    }
}

/// The neighbour to which a packet goes.
fn next_place(tables: &Tables, frame: &[u8]) -> Option<Place> {
    let packet = frame.get(IP..)?;
    let (to, target): (IpAddr, _) = if packet.first()? >> 4 == 4 {
        let to = Ipv4::parse(packet).ok()?.destination();
        (to.into(), tables.fib.v4.lookup(to))
    } else {
        let to = Ipv6::parse(packet).ok()?.destination();
        (to.into(), tables.fib.v6.lookup(to))
    };
    let way = tables.way(target.map(Target::from_number), to, || flow_hash(tables.seed, packet, tables.ecmp));
    way.ok().map(|way| way.place)
}
