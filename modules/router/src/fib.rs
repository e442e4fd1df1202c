//! Where packets go: prefixes, and what is behind them.

use crate::board::{self, Board};
use crate::interfaces::Interfaces;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Setup;
use perigee_guest::state::{NoMemory, Prefix, RouteTable};

/// Most next hops and groups of next hops.
pub(crate) const HOPS: usize = 1024;
pub(crate) const GROUPS: usize = 256;
/// Most next hops of a group.
pub(crate) const MEMBERS: usize = 8;
/// Most routes of each family.
pub(crate) const ROUTES4: usize = 1_000_000;
pub(crate) const ROUTES6: usize = 250_000;
/// A native test has a 250th of that.
const SHARE: usize = if cfg!(target_arch = "wasm32") { 1 } else { 250 };
/// Bytes of the parts of the state region, in whole pages: what both tables take, and what is beside them.
const REGION4: usize = pages(RouteTable::<Ipv4Addr>::region_bytes(ROUTES4 / SHARE));
const REGION6: usize = pages(RouteTable::<Ipv6Addr>::region_bytes(ROUTES6 / SHARE));
/// Bytes of all of it.
#[cfg_attr(not(any(target_arch = "wasm32", test)), allow(dead_code, reason = "natively a test has one, or none"))]
pub(crate) const REGION: usize = REGION4 + REGION6 + pages(board::LEN);

#[cfg(target_pointer_width = "32")]
const _: () = assert!(REGION > 100 << 20 && REGION <= 128 << 20, "a region for all routes of the Internet");

const fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(4096)
}

/// A neighbour's name: where it is, and its address (of IPv4 in IPv6's form).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) address: u128,
}

impl Place {
    #[inline]
    pub(crate) fn v4(port: u16, address: Ipv4Addr) -> Self {
        Self { port, address: 0xffff_0000_0000 | u128::from(address.to_bits()) }
    }

    #[inline]
    pub(crate) fn v6(port: u16, address: Ipv6Addr) -> Self {
        Self { port, address: address.to_bits() }
    }

    pub(crate) fn new(port: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::v4(port, address),
            IpAddr::V6(address) => Self::v6(port, address),
        }
    }

    pub(crate) fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self.address).to_canonical()
    }
}

/// What a route says: a number of 32 bits in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To this next hop.
    Hop(u16),
    /// To one of a group of next hops.
    Group(u16),
    /// The destination is on the link of this port.
    Link(u16),
    /// The router's own address, of this port.
    Local(u16),
    /// A link's broadcast address.
    Broadcast,
    /// Dropped in silence, or with an answer.
    Blackhole,
    Unreachable,
}

impl Target {
    pub(crate) const fn to_number(self) -> u32 {
        let (kind, index) = match self {
            Self::Hop(index) => (0, index),
            Self::Group(index) => (1, index),
            Self::Link(port) => (2, port),
            Self::Local(port) => (3, port),
            Self::Broadcast => (4, 0),
            Self::Blackhole => (5, 0),
            Self::Unreachable => (6, 0),
        };
        kind << 16 | index as u32
    }

    /// The next hop of a number that means one.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(crate) const fn hop_of(number: u32) -> Option<u16> {
        if number & 0xff_0000 == 0 { Some(number as u16) } else { None }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(crate) const fn from_number(number: u32) -> Self {
        let index = number as u16;
        // The upper byte says whose the route is.
        match (number >> 16) & 0xff {
            0 => Self::Hop(index),
            1 => Self::Group(index),
            2 => Self::Link(index),
            3 => Self::Local(index),
            4 => Self::Broadcast,
            5 => Self::Blackhole,
            _ => Self::Unreachable,
        }
    }
}

/// Whose a route is: a number of a byte, for it lies beside the target in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(pub(crate) u8);

impl Owner {
    /// The configuration's, or the operator's.
    pub(crate) const OPERATOR: Self = Self(0);
    /// Of the interfaces: no message may change it.
    pub(crate) const INTERFACES: Self = Self(15);
    /// How many there are. Those between these two are feeds.
    pub(crate) const COUNT: usize = 16;

    pub(crate) fn is_feed(self) -> bool {
        self != Self::OPERATOR && self != Self::INTERFACES
    }
}

/// What the table has for a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) target: Target,
    pub(crate) owner: Owner,
}

impl Entry {
    const fn to_number(self) -> u32 {
        (self.owner.0 as u32) << 24 | self.target.to_number()
    }

    pub(crate) const fn from_number(number: u32) -> Self {
        Self { target: Target::from_number(number), owner: Owner((number >> 24) as u8 & 15) }
    }
}

/// A next hop, and how many routes and groups lead to it; 0: the place is free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) place: Place,
    pub(crate) users: u32,
    /// The turn since which nobody uses it.
    pub(crate) since: u64,
    /// Where the neighbour stood in its table when it was last looked for.
    pub(crate) seen_at: u32,
    pub(crate) link: Link,
}

/// What a packet gets on its way to a next hop, kept from packet to packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    /// [`Neighbours::changes`](crate::neighbours::Neighbours::changes) when it was read; 0: it was not.
    pub(crate) changes: u64,
    /// The neighbour's address, and that of the port.
    pub(crate) macs: [u8; 12],
    pub(crate) port: u16,
    pub(crate) mtu: u16,
    /// Where the neighbour stands.
    pub(crate) at: u32,
}

/// Next hops that share the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) hops: [u16; MEMBERS],
    pub(crate) count: u8,
    pub(crate) users: u32,
    /// The turn since which nobody uses it.
    pub(crate) since: u64,
}

/// The prefixes of one family or of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    V4(Prefix<Ipv4Addr>),
    V6(Prefix<Ipv6Addr>),
}

/// The table of routes.
pub(crate) struct Fib {
    pub(crate) v4: RouteTable<Ipv4Addr>,
    pub(crate) v6: RouteTable<Ipv6Addr>,
    pub(crate) hops: Vec<Hop>,
    pub(crate) groups: Vec<Group>,
    /// How many routes each owner has.
    pub(crate) owned: [u32; Owner::COUNT],
    /// What others read of it, or what is read of another's; nothing natively, where a test has no region.
    board: Option<Board>,
}

impl Fib {
    pub(crate) fn new(setup: &Setup<'_>) -> Result<Self, NoMemory> {
        let (v4, v6, board) = match setup.region() {
            Some(region) => {
                let (four, rest) = region.split_at(REGION4);
                let (six, rest) = rest.split_at(REGION6);
                (RouteTable::in_region(four)?, RouteTable::in_region(six)?, Some(Board::new(rest)))
            }
            None => (RouteTable::new(ROUTES4 / SHARE)?, RouteTable::new(ROUTES6 / SHARE)?, None),
        };
        let (hops, groups) = (room(HOPS)?, room(GROUPS)?);
        Ok(Self { v4: v4.with_shortcut()?, v6, hops, groups, owned: [0; Owner::COUNT], board })
    }

    /// It is another instance's, to look up in.
    pub(crate) fn is_anothers(&self) -> bool {
        self.board.as_ref().is_some_and(Board::is_anothers)
    }

    /// Whether the tables are there: another instance's may not be yet.
    pub(crate) fn is_there(&self) -> bool {
        self.v4.is_there() && self.v6.is_there()
    }

    /// Whether so many changes of routes may be made now, and be taken back.
    pub(crate) fn is_ready(&mut self, changes: usize) -> bool {
        self.v4.is_ready(2 * changes) && self.v6.is_ready(2 * changes)
    }

    /// Whether others see changes that are made now.
    pub(crate) fn is_open(&self) -> bool {
        self.board.as_ref().is_none_or(Board::is_open)
    }

    /// How often routes have changed, for others to read.
    pub(crate) fn set_changes(&mut self, changes: u64) {
        if let Some(board) = &mut self.board {
            board.set_changes(changes);
        }
    }

    pub(crate) fn changes(&self) -> u64 {
        self.board.as_ref().map_or(0, Board::changes)
    }

    /// Knows what the numbers of routes that were found say. After each look, where the tables are another's.
    #[inline(always)]
    pub(crate) fn catch_up(&mut self) {
        if let Some(board) = &mut self.board
            && board.is_anothers()
            && board.is_news()
        {
            board.read(&mut self.hops, &mut self.groups);
        }
    }

    /// The turn that begins now: nobody who is called from then on finds a number that no route has.
    fn next_turn(&mut self) -> u64 {
        self.board.as_mut().map_or(0, Board::next_turn)
    }

    /// The turn that all who look up have reached.
    fn reached(&self) -> u64 {
        self.board.as_ref().map_or(0, Board::reached)
    }

    pub(crate) fn get(&self, net: Net) -> Option<Entry> {
        match net {
            Net::V4(prefix) => self.v4.get(prefix),
            Net::V6(prefix) => self.v6.get(prefix),
        }
        .map(Entry::from_number)
    }

    /// Puts a route in, or takes it out; what was there before comes back. An error says that the table is full.
    pub(crate) fn set(&mut self, net: Net, entry: Option<Entry>) -> Result<Option<Entry>, ()> {
        let number = entry.map(Entry::to_number);
        let before = match (net, number) {
            (Net::V4(prefix), Some(number)) => self.v4.insert(prefix, number).map_err(|_| ())?,
            (Net::V6(prefix), Some(number)) => self.v6.insert(prefix, number).map_err(|_| ())?,
            (Net::V4(prefix), None) => self.v4.remove(prefix),
            (Net::V6(prefix), None) => self.v6.remove(prefix),
        };
        let before = before.map(Entry::from_number);
        if let Some(entry) = entry {
            self.owned[usize::from(entry.owner.0 & 15)] += 1;
        }
        if let Some(before) = before {
            let owned = &mut self.owned[usize::from(before.owner.0 & 15)];
            *owned = owned.saturating_sub(1);
        }
        Ok(before)
    }

    /// The number of a next hop, which gets one more user. Nothing where there are too many.
    pub(crate) fn use_hop(&mut self, place: Place) -> Option<u16> {
        let at = match self.hops.iter().position(|hop| hop.place == place) {
            Some(known) => known,
            None => self.new_hop(place)?,
        };
        self.hops[at].users += 1;
        u16::try_from(at).ok()
    }

    fn new_hop(&mut self, place: Place) -> Option<usize> {
        let reached = self.reached();
        let free = self.hops.iter().position(|hop| hop.users == 0 && hop.since <= reached);
        let at = match free {
            Some(free) => {
                self.hops[free] = Hop::new(place);
                free
            }
            None if self.hops.len() < HOPS => {
                self.hops.push(Hop::new(place));
                self.hops.len() - 1
            }
            None => return None,
        };
        if let Some(board) = &mut self.board {
            board.set_hop(at, place);
        }
        Some(at)
    }

    /// The number of a group of next hops, each of which has been given a user for it. Nothing where there are too many.
    pub(crate) fn use_group(&mut self, hops: &[u16]) -> Option<u16> {
        let mut group = Group { count: u8::try_from(hops.len()).ok()?, users: 1, ..Group::default() };
        group.hops.get_mut(..hops.len())?.copy_from_slice(hops);
        let reached = self.reached();
        let free = self.groups.iter().position(|group| group.users == 0 && group.since <= reached);
        let at = match free {
            Some(at) => {
                self.groups[at] = group;
                at
            }
            None if self.groups.len() < GROUPS => {
                self.groups.push(group);
                self.groups.len() - 1
            }
            None => return None,
        };
        if let Some(board) = &mut self.board {
            board.set_group(at, &group);
        }
        u16::try_from(at).ok()
    }

    /// A route that led there does so no more.
    pub(crate) fn leave(&mut self, target: Target) {
        match target {
            Target::Hop(hop) => self.leave_hop(hop),
            Target::Group(number) => {
                let Some(group) = self.groups.get_mut(usize::from(number)) else { return };
                group.users = group.users.saturating_sub(1);
                let gone = *group;
                if gone.users == 0 {
                    let since = self.next_turn();
                    self.groups[usize::from(number)].since = since;
                    gone.hops.iter().take(gone.count.into()).for_each(|hop| self.leave_hop(*hop));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn leave_hop(&mut self, hop: u16) {
        let Some(entry) = self.hops.get_mut(usize::from(hop)) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users == 0 {
            let since = self.next_turn();
            self.hops[usize::from(hop)].since = since;
        }
    }

    /// The next hop of a group for a flow.
    #[inline]
    pub(crate) fn member(&self, group: u16, hash: u32) -> Option<u16> {
        let group = self.groups.get(usize::from(group))?;
        let index = (u64::from(hash) * u64::from(group.count)) >> 32;
        group.hops.get(usize::try_from(index).ok()?).copied()
    }

    /// What the interfaces bring along: their links, broadcast addresses and own addresses, in the order in which they are
    /// put in.
    fn own(interfaces: &Interfaces) -> impl Iterator<Item = (Net, Target)> {
        let four = interfaces.iter().flat_map(|(port, interface)| interface.v4().map(move |own| (port, own)));
        let six = interfaces.iter().flat_map(|(port, interface)| interface.v6().map(move |own| (port, own)));
        let four = four.flat_map(|(port, own)| {
            let (prefix, has_broadcast) = (own.prefix, own.prefix.len() < 31);
            let ends = [prefix.address(), prefix.last()].into_iter().filter(move |_| has_broadcast);
            let ends = ends.map(|end| (Net::V4(Prefix::single(end)), Target::Broadcast));
            let address = (Net::V4(Prefix::single(own.address)), Target::Local(port));
            core::iter::once((Net::V4(prefix), Target::Link(port))).chain(ends).chain([address])
        });
        let six = six.flat_map(|(port, own)| {
            let address = Net::V6(Prefix::single(own.address));
            [(Net::V6(own.prefix), Target::Link(port)), (address, Target::Local(port))]
        });
        four.chain(six)
    }

    /// Puts in what the interfaces bring along.
    pub(crate) fn add_links(&mut self, interfaces: &Interfaces) -> Result<(), ()> {
        for (net, target) in Self::own(interfaces) {
            let entry = Entry { target, owner: Owner::INTERFACES };
            if self.get(net) == Some(entry) {
                continue;
            }
            if let Some(before) = self.set(net, Some(entry))? {
                self.leave(before.target);
            }
        }
        Ok(())
    }

    /// The prefixes of what the interfaces bring along.
    pub(crate) fn own_nets(&self, interfaces: &Interfaces) -> Vec<Net> {
        Self::own(interfaces).map(|(net, _)| net).collect()
    }

    /// Forgets what is known of another instance's tables.
    pub(crate) fn forget(&mut self) {
        self.hops.clear();
        self.groups.clear();
        if let Some(board) = &mut self.board {
            board.forget();
        }
    }

    /// Says whether the region holds tables, now that another instance's content has come into it.
    pub(crate) fn adopt(&mut self) -> Option<()> {
        (self.v4.adopt() && self.v6.adopt()).then_some(())
    }
}

/// Room for `count` values.
pub(crate) fn room<T>(count: usize) -> Result<Vec<T>, NoMemory> {
    let mut values = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    values.try_reserve_exact(count).map_err(|_| NoMemory { bytes })?;
    Ok(values)
}
