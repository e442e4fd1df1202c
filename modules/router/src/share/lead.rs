//! The slow instance: what it tells the fast ones.

use super::record::{BEGINS, CHANGE, ENDS, NEIGHBOURS, NUMBER, PAGE, push_neighbour, push_route, push_version};
use super::{Version, Why};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{IP, flow_hash};
use crate::fib::{Entry, Net, Place, Target, room};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::abi::names::TELL_MAX;
use perigee_guest::state::{Address, MILLISECOND, Prefix, RouteTable, SECOND};
use perigee_guest::wire::{Header as _, Ipv4, Ipv6};
use perigee_guest::{Packet, Refusal, Untold, tell};

/// Fast instances are told something at most so often, but for changes of routes.
const ROUND: u64 = MILLISECOND;
/// And their version at least so often.
const REMIND: u64 = SECOND;
/// Most neighbours of a message, and most routes of a page: it is taken in between two bursts.
const SOME: usize = 32;
/// Pages in a round.
const PAGES: usize = 2;
/// Between the end of a table and its next beginning.
const REST: u64 = 10 * MILLISECOND;

/// How far the table has been told.
#[derive(Clone, Copy)]
enum Cursor {
    Begin,
    V4(Option<Prefix<Ipv4Addr>>),
    V6(Option<Prefix<Ipv6Addr>>),
}

/// What the slow instance has told.
pub(crate) struct Leader {
    /// After the last change.
    pub(crate) version: Version,
    cursor: Option<Cursor>,
    /// A fast instance lacks the table.
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
            cursor: None,
            is_wanted: true,
            next_table: 0,
            next_round: 0,
            next_reminder: 0,
            message: room(TELL_MAX)?,
        })
    }

    /// The table is being told, or is to be.
    pub(crate) const fn is_telling(&self) -> bool {
        self.cursor.is_some() || self.is_wanted
    }

    /// It goes on where another instance was. If that one was telling the table, it is told anew.
    pub(crate) fn go_on(&mut self, version: Version, was_telling: bool) {
        (self.version, self.is_wanted) = (version, was_telling);
    }

    /// The table is not what the fast instances have been told: a new life, in which nobody knows anything.
    pub(crate) fn begin_anew(&mut self) {
        self.version.epoch += 1;
        (self.is_wanted, self.next_reminder, self.cursor) = (true, 0, None);
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

    /// Tells changes of routes, all of them or none: the routes to these prefixes as they are now.
    pub(super) fn tell_changes(&mut self, tables: &Tables, nets: impl Iterator<Item = Net>) -> Result<(), Refusal> {
        let next = Version { number: self.version.number + 1, ..self.version };
        self.message.clear();
        self.message.push(CHANGE);
        push_version(&mut self.message, next);
        nets.for_each(|net| push_route(&mut self.message, tables, net, tables.fib.get(net).map(|entry| entry.target)));
        match self.send() {
            Ok(()) => self.version = next,
            Err(Untold::TooLong) => {
                return Err(Refusal::new("these are more changes than fast instances can be told at once: send fewer"));
            }
            Err(_) => {
                return Err(Refusal::new(
                    "the fast instances have no room for changes now: nothing was changed, send it again",
                ));
            }
        }
        Ok(())
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
            // Who knows what they missed.
            self.begin_anew();
        }
        if now >= self.next_reminder {
            self.message.clear();
            self.message.push(NUMBER);
            push_version(&mut self.message, self.version);
            if self.send().is_err() {
                return;
            }
            self.next_reminder = now + REMIND;
        }
        if self.cursor.is_none() && self.is_wanted && now >= self.next_table {
            self.cursor = Some(Cursor::Begin);
        }
        // The first page empties the tables there; neighbours come behind it.
        for _ in 0..PAGES {
            let Some(cursor) = self.cursor else { break };
            if !self.tell_page(tables, cursor, now) {
                return;
            }
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
        if count > 0 && self.send().is_ok() {
            tables.neighbours.forget_news(count);
        }
    }

    /// Tells a page of routes, from the cursor on. False: there was no room for it.
    fn tell_page(&mut self, tables: &mut Tables, cursor: Cursor, now: u64) -> bool {
        self.message.clear();
        self.message.extend_from_slice(&[PAGE, 0]);
        push_version(&mut self.message, self.version);
        let (flags, next) = match cursor {
            Cursor::Begin => (BEGINS, Some(Cursor::V4(None))),
            Cursor::V4(from) => {
                let next = push_page(&mut self.message, tables, &tables.fib.v4, from, Net::V4);
                (0, Some(next.map_or(Cursor::V6(None), |from| Cursor::V4(Some(from)))))
            }
            Cursor::V6(from) => {
                let next = push_page(&mut self.message, tables, &tables.fib.v6, from, Net::V6);
                (if next.is_none() { ENDS } else { 0 }, next.map(|from| Cursor::V6(Some(from))))
            }
        };
        self.message[1] = flags;
        if self.send().is_err() {
            return false;
        }
        self.cursor = next;
        if flags == BEGINS {
            self.is_wanted = false;
            tables.neighbours.note_all();
        }
        if flags == ENDS {
            Count::TablesTold.add(1);
            self.next_table = now + REST;
        }
        true
    }

    fn send(&mut self) -> Result<(), Untold> {
        let sent = tell(0, &self.message);
        (if sent.is_ok() { Count::Told } else { Count::NotTold }).add(1);
        sent
    }
}

/// Routes from one on, and the next after them.
fn push_page<A: Address>(
    message: &mut Vec<u8>,
    tables: &Tables,
    table: &RouteTable<A>,
    from: Option<Prefix<A>>,
    net: impl Fn(Prefix<A>) -> Net,
) -> Option<Prefix<A>> {
    let (mut left, mut next) = (SOME, None);
    table.visit(from, |prefix, number| {
        if left == 0 {
            next = Some(prefix);
            return false;
        }
        left -= 1;
        push_route(message, tables, net(prefix), Some(Entry::from_number(number).target));
        true
    });
    next
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
