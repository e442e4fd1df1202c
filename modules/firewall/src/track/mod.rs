//! Follows connections: what a packet is to those that are known.

mod connection;
mod key;
mod quoted;
mod table;
mod tcp;

use crate::config::{Config, NewRate, Timeouts};
use crate::pattern::state;
use crate::seen::{Addresses, Seen};
use alloc::vec::Vec;
use connection::{Connection, Phase};
use core::net::IpAddr;
use key::{Key, NoKey, Way};
use perigee_guest::state::{Address as _, FlowLimits, FlowTable, SECOND, TokenBucket};
use perigee_guest::wire::protocol;
use perigee_guest::{Refusal, Setup};
use table::{Hashed, Inserted, Table};
use tcp::Step;

pub(crate) use tcp::RST;

/// Most connections: what the region holds.
const CONNECTION_MAX: u32 = 524_288;
/// Most source prefixes whose rate of new connections is kept.
const SOURCES: u32 = 16_384;
/// Buckets that are swept with each tick. What is over is not found anyway: this is for the counters.
const SWEEP: usize = 16;
/// How far a reset's number may lie behind what its receiver expects (RFC 5961, section 3.2, asks for the very number or one in the
/// window; windows are not followed here).
const RESET_WINDOW: u32 = 1 << 20;

/// All connections.
pub(crate) struct Tracker {
    table: Table,
    timeouts: Timeouts,
    loose: bool,
    limit: Option<(NewRate, FlowTable<IpAddr, TokenBucket>)>,
}

/// What a packet is to the connections.
pub(crate) struct Place {
    /// A bit of [`state`].
    pub(crate) state: u8,
    /// The connection that it begins, if it passes.
    begins: Option<(Hashed, Connection)>,
}

/// What came of a connection that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// There was none to begin.
    Known,
    New,
    /// One that nobody had answered, or that was over, had to go for it.
    Instead,
    /// There is no room: all that could go is alive.
    Full,
    /// Its source's prefix begins too many.
    Limited,
}

impl Place {
    const fn is(state: u8) -> Self {
        Self { state, begins: None }
    }
}

impl Tracker {
    pub(crate) fn new(config: &Config<'_>, setup: &Setup<'_>) -> Result<Self, Refusal> {
        if config.connections == 0 || config.connections > CONNECTION_MAX {
            return Err(Refusal::new("connections: 1 to 524288"));
        }
        let limit = match config.new_rate {
            None => None,
            Some(rate) => {
                let sources = FlowTable::new(FlowLimits::new(SOURCES, setup.seed()).idle(60 * SECOND))?;
                Some((rate.check()?, sources))
            }
        };
        let table = Table::new(setup, config.connections)?;
        Ok(Self { table, timeouts: config.timeouts, loose: config.loose, limit })
    }

    /// What a packet is to the connections; the one that it belongs to goes on.
    pub(crate) fn place(&mut self, seen: &Seen, bytes: &[u8], now: u64) -> Place {
        let (key, way) = match Key::of(seen, bytes) {
            Ok(key) => key,
            Err(NoKey::Untracked) => return Place::is(state::UNTRACKED),
            Err(NoKey::Error) => return Place::is(self.place_of_error(seen, bytes, now)),
            Err(NoKey::Invalid) => return Place::is(state::INVALID),
        };
        let key = self.table.hash(key);
        match self.table.find(&key, now) {
            Some((at, connection)) => self.go_on(&key, at, connection, (seen, bytes, way), now),
            None => self.begin(&key, (seen, bytes, way), now),
        }
    }

    /// A packet of a known connection.
    fn go_on(
        &mut self,
        key: &Hashed,
        at: usize,
        mut known: Connection,
        packet: (&Seen, &[u8], Way),
        now: u64,
    ) -> Place {
        let (seen, bytes, way) = packet;
        let is_original = way == known.original;
        if let Phase::Tcp(tcp) = known.phase {
            let numbers = Numbers::of(seen, bytes);
            if seen.flags & tcp::RST != 0 && !numbers.is_expected(known.expected[way as usize]) {
                return Place::is(state::INVALID);
            }
            match tcp.step(seen.flags, is_original) {
                Step::Invalid => return Place::is(state::INVALID),
                Step::Again => {
                    self.table.remove(at);
                    return self.begin(key, packet, now);
                }
                Step::To(next) => known.phase = Phase::Tcp(next),
                Step::Stay => {}
            }
            if seen.flags & tcp::ACK != 0 && seen.flags & tcp::RST == 0 {
                // What this side acknowledges, it expects of the other one.
                known.expected[1 - way as usize] = numbers.acknowledgment;
            }
        }
        known.is_answered |= !is_original;
        known.deadline = now.saturating_add(known.patience(&self.timeouts));
        self.table.update(key, at, &known);
        Place::is(if known.is_answered { state::ESTABLISHED } else { state::NEW })
    }

    /// A packet of no known connection: whether it can begin one.
    fn begin(&self, key: &Hashed, packet: (&Seen, &[u8], Way), now: u64) -> Place {
        let (seen, bytes, way) = packet;
        let phase = match seen.protocol {
            protocol::TCP => match tcp::first(seen.flags, self.loose) {
                Some(first) => Phase::Tcp(first),
                None => return Place::is(state::INVALID),
            },
            protocol::UDP => Phase::Udp,
            // An answer that nobody asked for.
            _ if seen.is_icmp() && way == Way::BToA => return Place::is(state::INVALID),
            _ if seen.is_icmp() => Phase::Icmp,
            _ => Phase::Other,
        };
        let mut new = Connection { phase, original: way, is_answered: false, deadline: 0, expected: [0; 2] };
        if seen.protocol == protocol::TCP && seen.flags & tcp::ACK != 0 {
            new.expected[1 - way as usize] = Numbers::of(seen, bytes).acknowledgment;
        }
        new.deadline = now.saturating_add(new.patience(&self.timeouts));
        Place { state: state::NEW, begins: Some((*key, new)) }
    }

    /// An error: it is related to the connection of the packet that it quotes, if it goes to who sent that.
    fn place_of_error(&mut self, seen: &Seen, bytes: &[u8], now: u64) -> u8 {
        let Some((quoted, key)) = quoted::read(seen, bytes) else { return state::INVALID };
        let (_, destination) = seen.addresses.wide();
        let (sender, _) = quoted.wide();
        let key = self.table.hash(key);
        if sender == destination && self.table.find(&key, now).is_some() { state::RELATED } else { state::INVALID }
    }

    /// A packet passes: the connection that it begins is known from now on.
    pub(crate) fn pass(&mut self, place: &Place, seen: &Seen, now: u64) -> Begun {
        let Some((key, connection)) = &place.begins else { return Begun::Known };
        if !self.is_within_limit(seen, now) {
            return Begun::Limited;
        }
        match self.table.insert(key, connection, now) {
            Inserted::Free => Begun::New,
            Inserted::Instead(_) => Begun::Instead,
            Inserted::Full => Begun::Full,
        }
    }

    fn is_within_limit(&mut self, seen: &Seen, now: u64) -> bool {
        let Some((rate, sources)) = &mut self.limit else { return true };
        let prefix = match seen.addresses {
            Addresses::V4(source, _) => IpAddr::V4(source.first(rate.v4)),
            Addresses::V6(source, _) => IpAddr::V6(source.first(rate.v6)),
        };
        let Ok(full) = TokenBucket::new(rate.per_second, rate.burst, now) else { return true };
        sources.find_or_insert(prefix, now, || full).is_none_or(|found| found.value.take(1, now))
    }

    /// Forgets some of the connections whose time is over, and says how many.
    pub(crate) fn expire(&mut self, now: u64) -> u64 {
        if let Some((_, sources)) = &mut self.limit {
            sources.expire(now, 64, |_, _| ());
        }
        self.table.sweep(now, SWEEP)
    }

    /// How many are half open, closing, alive.
    pub(crate) fn census(&mut self, now: u64) -> [u64; 3] {
        self.table.census(now)
    }

    /// What the next instance must know of the table.
    pub(crate) fn describe(&self) -> (u64, u64) {
        self.table.describe()
    }

    /// Takes over a table.
    pub(crate) fn adopt(&mut self, description: (u64, u64)) -> Result<(), Refusal> {
        self.table.adopt(description)
    }

    /// Forgets all connections.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
    }

    /// The table's bytes, where they do not go by the region.
    pub(crate) fn heap(&mut self) -> Option<&mut Vec<u8>> {
        self.table.heap()
    }
}

/// Numbers of a TCP segment.
struct Numbers {
    sequence: u32,
    acknowledgment: u32,
}

impl Numbers {
    fn of(seen: &Seen, bytes: &[u8]) -> Self {
        let word = |offset: usize| {
            let word = bytes.get(usize::from(seen.transport) + offset..).and_then(|rest| rest.first_chunk());
            word.map_or(0, |word| u32::from_be_bytes(*word))
        };
        Self { sequence: word(4), acknowledgment: word(8) }
    }

    /// Whether a reset with this number may be of the side of which so much is expected next.
    fn is_expected(&self, expected: u32) -> bool {
        expected == 0 || self.sequence.wrapping_sub(expected) < RESET_WINDOW
    }
}
