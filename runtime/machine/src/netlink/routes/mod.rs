//! Messages about routes (rtnetlink(7)), as the kernel says them and as routing programs repeat them: any bytes are read, or said to
//! be none, and nothing of them is believed but what is inside the message.
//!
//! Crates that read such messages know all of rtnetlink, and allocate for each attribute. What routes need is this file.

mod read;
#[cfg(test)]
mod tests;

pub use read::Messages;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct nlmsghdr`, of `struct rtmsg`, `struct nhmsg`, `struct ifinfomsg`.
const HEADER: usize = 16;
const ROUTE: usize = 12;
const NEXT_HOP: usize = 8;
const LINK: usize = 16;
/// By linux/rtnetlink.h; libc has no name for it.
const RTM_GETNEXTHOP: u16 = 106;
/// Groups of news that a socket is bound to, as bits; that of next hops has number 32.
const GROUPS: [u32; 6] = [0x1, 0x10, 0x40, 0x100, 0x400, 1 << 31];

/// Members of a group of next hops, and hops of a route, that are looked at: what has more is odd.
pub const MOST_HOPS: usize = 64;

/// All news about links, addresses, routes and next hops: what a socket is bound to.
pub const ALL_NEWS: u32 = GROUPS[0] | GROUPS[1] | GROUPS[2] | GROUPS[3] | GROUPS[4] | GROUPS[5];

/// The destinations of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Net {
    /// Of the first address. No bit is set behind the length.
    pub address: IpAddr,
    /// How many bits of it count.
    pub len: u8,
}

/// A way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// To whom; to the destination itself where it is nobody.
    pub gateway: Option<IpAddr>,
    /// The kernel's number of the interface; 0 where it does not say.
    pub interface: u32,
    /// How many of the packets, beside other hops.
    pub weight: u16,
    /// The kernel does not use it: its interface is down.
    pub is_dead: bool,
}

/// What a route does with packets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Behind {
    /// One of these.
    Hops(Vec<Hop>),
    /// What the next-hop object of that number says.
    Object(u32),
    /// They are dropped in silence.
    Blackhole,
    /// They are dropped, and their senders told.
    Unreachable,
    /// Nothing that a router which forwards plain packets can do, in words.
    Odd(&'static str),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// To where.
    pub net: Net,
    /// The table that it is in.
    pub table: u32,
    /// The lower, the better.
    pub metric: u32,
    /// For this type of service; 0: for all.
    pub tos: u8,
    /// What the kernel has made of an address of an interface.
    pub is_of_interface: bool,
    /// For packets that go on: no own address, no group.
    pub is_forwarding: bool,
    /// What it does.
    pub behind: Behind,
}

/// A next-hop object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// One hop.
    Hop(Hop),
    /// Other objects, with weights.
    Group(Vec<(u32, u16)>),
    /// Packets are dropped.
    Blackhole,
    /// Nothing that can be done here.
    Odd(&'static str),
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// There is such a route. `others`: it may have come beside another one with the same name, and taken nothing's place.
    Came(Route, Others),
    /// There is none any more.
    Went(Route),
    /// An object is this from now on, or nothing.
    Object(u32, Option<Object>),
    /// An interface: its number, its name, and whether it is set up; without a name it is gone.
    Link(u32, Option<String>, bool),
    /// An address came or went.
    Address,
    /// A question is answered: whether all that was told is of one moment.
    Done(bool),
    /// The kernel refuses a question, or has lost news.
    Error(i32),
    /// Something else.
    Nothing,
}

/// What a new route did to one with the same prefix, metric and type of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// It took its place.
    Replaced,
    /// It may stand beside it.
    Beside,
}

/// What is wrong with bytes.
pub type Malformed = &'static str;

/// The prefix of an address that is so long; `None` where the address is shorter.
pub fn net(address: IpAddr, len: u8) -> Option<Net> {
    let address = match address {
        IpAddr::V4(address) => {
            let behind = 32_u32.checked_sub(len.into())?;
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits().checked_shr(behind).map_or(0, |bits| bits << behind)))
        }
        IpAddr::V6(address) => {
            let behind = 128_u32.checked_sub(len.into())?;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits().checked_shr(behind).map_or(0, |bits| bits << behind)))
        }
    };
    Some(Net { address, len })
}

impl Net {
    /// Whether an address is one of these.
    pub fn contains(&self, other: IpAddr) -> bool {
        net(other, self.len).is_some_and(|of| of.address == self.address)
    }
}

/// As `192.0.2.0/24`; the router writes it in the same way.
impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

/// What the kernel is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// All interfaces.
    Links,
    /// All next-hop objects.
    Objects,
    /// All routes of both families.
    Routes,
}

/// A question for all of a kind, which is answered until [`News::Done`].
pub fn ask_all(question: Question) -> Vec<u8> {
    let (kind, body) = match question {
        Question::Links => (libc::RTM_GETLINK, LINK),
        Question::Objects => (RTM_GETNEXTHOP, NEXT_HOP),
        Question::Routes => (libc::RTM_GETROUTE, ROUTE),
    };
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
    let mut bytes = Vec::with_capacity(HEADER + body);
    bytes.extend(u32::try_from(HEADER + body).unwrap_or(0).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(u16::try_from(flags).unwrap_or(0).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.resize(HEADER + body, 0);
    bytes
}

/// Reads what [`Net`] is shown as.
impl std::str::FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, len) = text.split_once('/').ok_or(())?;
        let (address, len) = (address.parse().map_err(drop)?, len.parse().map_err(drop)?);
        net(address, len).filter(|net| net.address == address).ok_or(())
    }
}
