//! The messages that are sent.

use crate::group::What;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Spare;
use perigee_guest::wire::{
    Ethernet, HopByHop, Icmpv6, Igmp, IgmpGroup, IgmpRecord, IgmpReport3, Ipv4, Ipv6, Mac, Mld, MldRecord, MldReport2,
    Stack, With,
};

perigee_guest::stack! { struct Old4 { eth: Ethernet, ip: With<Ipv4, 4>, igmp: Igmp, body: IgmpGroup } }
perigee_guest::stack! { struct New4 { eth: Ethernet, ip: With<Ipv4, 4>, igmp: Igmp, report: IgmpReport3, record: IgmpRecord } }
perigee_guest::stack! { struct Old6 { eth: Ethernet, ip: Ipv6, alert: HopByHop, icmp: Icmpv6, body: Mld } }
perigee_guest::stack! {
    struct New6 { eth: Ethernet, ip: Ipv6, alert: HopByHop, icmp: Icmpv6, report: MldReport2, record: MldRecord }
}

/// The shortest frame, without its check sequence.
const FRAME: usize = 60;
/// The option by which routers look at a packet that is not for them: RFC 2113, and RFC 2711 with padding behind it.
const ALERT4: [u8; 4] = [0x94, 4, 0, 0];
const ALERT6: [u8; 6] = [5, 2, 0, 0, 1, 0];
/// All routers, and those that understand the newest version.
const ROUTERS4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const REPORTS4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ROUTERS6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const REPORTS6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 22);
/// Internetwork control.
const DSCP: u8 = 0x30;

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Station {
    pub(crate) mac: Mac,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Of IGMP versions 1 and 2: its type.
    Old4(Ipv4Addr, u8),
    /// Of version 3: the kind of its record.
    New4(Ipv4Addr, u8),
    /// Of MLD version 1: its type.
    Old6(Ipv6Addr, u8),
    /// Of version 2: the kind of its record.
    New6(Ipv6Addr, u8),
}

/// The message that says this, in IGMP's numbers of versions. Nothing where the version has no word for it.
pub(crate) fn message(group: &IpAddr, what: What, version: u8) -> Option<Message> {
    // The current mode, or a change of it: all sources, or none.
    let record = match what {
        What::Answer => 2,
        What::Join => 4,
        What::Leave => 3,
    };
    Some(match (*group, version, what) {
        (IpAddr::V4(group), 3.., _) => Message::New4(group, record),
        (IpAddr::V6(group), 3.., _) => Message::New6(group, record),
        (IpAddr::V4(group), 2, What::Leave) => Message::Old4(group, Igmp::LEAVE),
        (IpAddr::V4(group), 2, _) => Message::Old4(group, Igmp::REPORT_2),
        (IpAddr::V4(_), _, What::Leave) => return None,
        (IpAddr::V4(group), _, _) => Message::Old4(group, Igmp::REPORT_1),
        (IpAddr::V6(group), _, What::Leave) => Message::Old6(group, Icmpv6::MLD_DONE),
        (IpAddr::V6(group), _, _) => Message::Old6(group, Icmpv6::MLD_REPORT),
    })
}

/// Writes a message; nothing where a room is too short for one.
pub(crate) fn write(spare: &mut Spare<'_>, message: &Message, from: &Station) -> Option<()> {
    match *message {
        Message::Old4(group, kind) => {
            let to = if kind == Igmp::LEAVE { ROUTERS4 } else { group };
            fill::<Old4>(spare, |p| {
                link(&mut p.eth, from, mac_of4(to));
                network4(&mut p.ip, from, to);
                p.igmp.set_kind(kind);
                p.igmp.set_max_response(0);
                p.body.set_group(group);
            })
        }
        Message::New4(group, kind) => fill::<New4>(spare, |p| {
            link(&mut p.eth, from, mac_of4(REPORTS4));
            network4(&mut p.ip, from, REPORTS4);
            p.record.set_kind(kind);
            p.record.set_group(group);
        }),
        Message::Old6(group, kind) => {
            let to = if kind == Icmpv6::MLD_DONE { ROUTERS6 } else { group };
            fill::<Old6>(spare, |p| {
                link(&mut p.eth, from, Mac::of_ipv6_multicast(to.octets()));
                network6(&mut p.ip, &mut p.alert, from, to);
                p.icmp.set_kind(kind);
                p.body.set_max_response(0);
                p.body.set_group(group);
            })
        }
        Message::New6(group, kind) => fill::<New6>(spare, |p| {
            link(&mut p.eth, from, Mac::of_ipv6_multicast(REPORTS6.octets()));
            network6(&mut p.ip, &mut p.alert, from, REPORTS6);
            p.record.set_kind(kind);
            p.record.set_group(group);
        }),
    }
}

fn fill<S: Stack>(spare: &mut Spare<'_>, set: impl FnOnce(&mut S)) -> Option<()> {
    let bytes = spare.bytes_mut(u16::try_from(S::LEN.max(FRAME)).ok()?)?;
    bytes.fill(0);
    // What fills the frame up belongs to no header.
    S::fill(bytes.get_mut(..S::LEN)?, set).ok()
}

fn link(eth: &mut Ethernet, from: &Station, to: Mac) {
    eth.set_source(from.mac);
    eth.set_destination(to);
}

fn network4(ip: &mut With<Ipv4, 4>, from: &Station, to: Ipv4Addr) {
    ip.options = ALERT4;
    ip.set_dscp(DSCP);
    ip.set_ttl(1);
    ip.set_source(from.v4);
    ip.set_destination(to);
}

fn network6(ip: &mut Ipv6, alert: &mut HopByHop, from: &Station, to: Ipv6Addr) {
    alert.set_first(ALERT6);
    ip.set_hop_limit(1);
    ip.set_source(from.v6);
    ip.set_destination(to);
}

/// The group address of Ethernet for one of IPv4: its lower 23 bits (RFC 1112).
fn mac_of4(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
}
