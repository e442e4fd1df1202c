//! Reads messages: of the kernel's words what routes need.

use super::super::message::{find, text, u16_at, u32_at};
use super::{Behind, HEADER, Hop, LINK, MOST_HOPS, Malformed, NEXT_HOP, News, Object, Others, ROUTE, Route, net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct rtnexthop`, and of `struct nexthop_grp`.
const MEMBER: usize = 8;
/// By linux/rtnetlink.h and linux/nexthop.h, as far as libc has no names for them.
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const RTA_VIA: u16 = 18;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP: u16 = 8;
const NLM_F_DUMP_INTR: u16 = 0x10;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u32 = 1;

/// Reads messages one by one; behind one that is malformed there are none.
#[derive(Clone, Debug)]
pub struct Messages<'b> {
    rest: &'b [u8],
    is_whole: bool,
}

impl<'b> Messages<'b> {
    /// Those in these bytes.
    pub fn new(rest: &'b [u8]) -> Self {
        Self { rest, is_whole: true }
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<News, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let len = u32_at(self.rest, 0).and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        let Some(message) = self.rest.get(..len).filter(|message| message.len() >= HEADER) else {
            self.rest = &[];
            return Some(Err("a message is longer than what there is of it, or shorter than its header"));
        };
        self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        let read = self.read(message);
        if read.is_none() {
            self.rest = &[];
        }
        Some(read.ok_or("a message is too short for what it is, or a prefix has more bits than its address"))
    }
}

impl Messages<'_> {
    fn read(&mut self, message: &[u8]) -> Option<News> {
        let (kind, flags) = (u16_at(message, 4)?, u16_at(message, 6)?);
        self.is_whole &= flags & NLM_F_DUMP_INTR == 0;
        let body = message.get(HEADER..)?;
        // Appended, or created where there may be another: only "replace" takes the place of one.
        let others = if u32::from(flags) & libc::NLM_F_REPLACE as u32 != 0 { Others::Replaced } else { Others::Beside };
        Some(match kind {
            libc::RTM_NEWROUTE => route(body)?.map_or(News::Nothing, |route| News::Came(route, others)),
            libc::RTM_DELROUTE => route(body)?.map_or(News::Nothing, News::Went),
            RTM_NEWNEXTHOP => object(body)?,
            RTM_DELNEXTHOP => News::Object(u32_at(find(body.get(NEXT_HOP..)?, NHA_ID)?, 0)?, None),
            libc::RTM_NEWLINK => {
                let name = text(find(body.get(LINK..)?, libc::IFLA_IFNAME)?);
                News::Link(u32_at(body, 4)?, Some(name), u32_at(body, 8)? & libc::IFF_UP.cast_unsigned() != 0)
            }
            libc::RTM_DELLINK => News::Link(u32_at(body, 4)?, None, false),
            libc::RTM_NEWADDR | libc::RTM_DELADDR => News::Address,
            kind if i32::from(kind) == libc::NLMSG_DONE => News::Done(std::mem::replace(&mut self.is_whole, true)),
            kind if i32::from(kind) == libc::NLMSG_ERROR => {
                News::Error(u32_at(body, 0)?.cast_signed().saturating_neg())
            }
            kind if i32::from(kind) == libc::NLMSG_OVERRUN => News::Error(libc::ENOBUFS),
            _ => News::Nothing,
        })
    }
}

/// Reads a route; inside it is nothing where that is of another family, or only remembered.
fn route(body: &[u8]) -> Option<Option<Route>> {
    let [family, len, source, tos, table, protocol, _, kind, ..] = *body.get(..ROUTE)? else { return None };
    let flags = u32_at(body, 8)?;
    let rest = body.get(ROUTE..)?;
    let find = |wanted| find(rest, wanted);
    let number = |wanted| find(wanted).and_then(|value| u32_at(value, 0));
    let any = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return Some(None),
    };
    if flags & RTM_F_CLONED != 0 {
        return Some(None);
    }
    let address = match find(libc::RTA_DST) {
        Some(bytes) => address(bytes, any)?,
        None => any,
    };
    let net = net(address, len)?;
    let mut behind = match kind {
        libc::RTN_BLACKHOLE => Behind::Blackhole,
        // Both are told, by other codes.
        libc::RTN_UNREACHABLE | libc::RTN_PROHIBIT => Behind::Unreachable,
        libc::RTN_THROW => Behind::Odd("is of type throw: the next table decides"),
        _ => hops(rest, any, flags)?,
    };
    if source != 0 {
        behind = Behind::Odd("is for some sources only");
    } else if tos != 0 {
        behind = Behind::Odd("is for one type of service only");
    }
    let is_forwarding = matches!(
        kind,
        // Where something goes away, FRR says no kind.
        libc::RTN_UNSPEC
            | libc::RTN_UNICAST
            | libc::RTN_BLACKHOLE
            | libc::RTN_UNREACHABLE
            | libc::RTN_PROHIBIT
            | libc::RTN_THROW
    );
    Some(Some(Route {
        net,
        table: number(libc::RTA_TABLE).unwrap_or(table.into()),
        metric: number(libc::RTA_PRIORITY).unwrap_or(0),
        tos,
        is_of_interface: protocol == libc::RTPROT_KERNEL,
        is_forwarding,
        behind,
    }))
}

/// Where a route leads: to an object, to several hops, or to one.
fn hops(rest: &[u8], any: IpAddr, flags: u32) -> Option<Behind> {
    if let Some(id) = find(rest, RTA_NH_ID).and_then(|id| u32_at(id, 0)) {
        // The kernel says beside it what it means, for programs that do not know of objects.
        if find(rest, libc::RTA_OIF).is_none() && find(rest, libc::RTA_MULTIPATH).is_none() {
            return Some(Behind::Object(id));
        }
    }
    let Some(mut several) = find(rest, libc::RTA_MULTIPATH) else {
        let interface = find(rest, libc::RTA_OIF).and_then(|interface| u32_at(interface, 0)).unwrap_or(0);
        return Some(match hop(rest, any, interface, 1, flags)? {
            Ok(hop) => Behind::Hops(vec![hop]),
            Err(odd) => Behind::Odd(odd),
        });
    };
    let mut hops = Vec::new();
    while !several.is_empty() {
        let (len, interface) = (usize::from(u16_at(several, 0)?), u32_at(several, 4)?);
        let [flags, weight] = [several.get(2)?, several.get(3)?];
        let inner = several.get(MEMBER..len)?;
        match hop(inner, any, interface, u16::from(*weight) + 1, u32::from(*flags))? {
            Ok(_) if hops.len() == MOST_HOPS => return Some(Behind::Odd("has too many next hops")),
            Ok(hop) => hops.push(hop),
            Err(odd) => return Some(Behind::Odd(odd)),
        }
        several = several.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Behind::Hops(hops))
}

/// Reads one hop; inside it is why a router cannot use it.
fn hop(rest: &[u8], any: IpAddr, interface: u32, weight: u16, flags: u32) -> Option<Result<Hop, &'static str>> {
    if find(rest, RTA_ENCAP).is_some() {
        return Some(Err("puts packets into others"));
    }
    if find(rest, RTA_VIA).is_some() {
        return Some(Err("has a next hop of the other family"));
    }
    let gateway = match find(rest, libc::RTA_GATEWAY) {
        Some(bytes) => Some(address(bytes, any)?).filter(|gateway| !gateway.is_unspecified()),
        None => None,
    };
    Some(Ok(Hop { gateway, interface, weight, is_dead: flags & RTNH_F_DEAD != 0 }))
}

/// Reads a next-hop object.
fn object(body: &[u8]) -> Option<News> {
    let (family, flags, rest) = (*body.first()?, u32_at(body, 4)?, body.get(NEXT_HOP..)?);
    let find = |wanted| find(rest, wanted);
    let id = u32_at(find(NHA_ID)?, 0)?;
    if let Some(members) = find(NHA_GROUP) {
        let kind = find(NHA_GROUP_TYPE).and_then(|kind| u16_at(kind, 0)).unwrap_or(0);
        let member = |member: &[u8]| Some((u32_at(member, 0)?, u16::from(*member.get(4)?) + 1));
        let is_odd = kind > 1 || members.len() > MOST_HOPS * MEMBER;
        let group = members.chunks_exact(MEMBER).map(member).collect::<Option<Vec<_>>>().filter(|_| !is_odd);
        let group = group.map_or(Object::Odd("is a group of next hops of another kind, or too large"), Object::Group);
        return Some(News::Object(id, Some(group)));
    }
    if find(NHA_BLACKHOLE).is_some() {
        return Some(News::Object(id, Some(Object::Blackhole)));
    }
    if find(NHA_ENCAP).is_some() {
        return Some(News::Object(id, Some(Object::Odd("puts packets into others"))));
    }
    let gateway = match find(NHA_GATEWAY) {
        Some(bytes) if i32::from(family) == libc::AF_INET => Some(address(bytes, IpAddr::V4(Ipv4Addr::UNSPECIFIED))?),
        Some(bytes) => Some(address(bytes, IpAddr::V6(Ipv6Addr::UNSPECIFIED))?),
        None => None,
    };
    let interface = find(NHA_OIF).and_then(|interface| u32_at(interface, 0)).unwrap_or(0);
    let is_dead = flags & RTNH_F_DEAD != 0;
    Some(News::Object(id, Some(Object::Hop(Hop { gateway, interface, weight: 1, is_dead }))))
}

/// An address of the same family as another.
fn address(bytes: &[u8], like: IpAddr) -> Option<IpAddr> {
    Some(match like {
        IpAddr::V4(_) => IpAddr::V4(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?.into()),
        IpAddr::V6(_) => IpAddr::V6(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?.into()),
    })
}
