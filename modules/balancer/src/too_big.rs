//! What is told to the sender of a packet that does not fit on its way: ICMP's "fragmentation needed" (RFC 1191) and ICMPv6's "packet
//! too big" (RFC 8201).

use crate::forward::NoRoom;
use crate::seen::{Ip, Kind, Seen};
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::Packet;
use perigee_guest::state::FiveTuple;
use perigee_guest::wire::{
    Ethernet, Header as _, Icmp, IcmpUnreachable, Icmpv6, Icmpv6Error, Ipv4, Ipv6, Mac, Stack as _,
};

perigee_guest::stack! {
    /// What stands before the beginning of the packet that did not fit.
    struct Told4 { ip: Ipv4, icmp: Icmp, body: IcmpUnreachable }
}
perigee_guest::stack! {
    /// The same for IPv6.
    struct Told6 { ip: Ipv6, icmp: Icmpv6, body: Icmpv6Error }
}

/// Longest errors (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4).
const LONGEST: (usize, usize) = (576, 1_280);
/// "Fragmentation needed" among the codes of unreachable.
const NEEDED: u8 = 4;
/// The class of network control, which errors belong to (RFC 1812, section 4.3.2.5; RFC 2474, section 4.2.2).
const CONTROL: u8 = 48;

/// Whether the sender of a packet may be told (RFC 1122, section 3.2.2; RFC 4443, section 2.4): not of an error, of a later fragment, of
/// what came to many or from nobody, or of a packet that may be fragmented.
pub(crate) fn may_tell(seen: &Seen, frame: &[u8]) -> bool {
    let is_to_many = Ethernet::parse(frame).is_ok_and(|frame| frame.destination().is_multicast());
    let is_from_one = match seen.flow {
        FiveTuple::V4(flow) => is_host4(flow.source),
        FiveTuple::V6(flow) => {
            !flow.source.is_unspecified() && !flow.source.is_loopback() && !flow.source.is_multicast()
        }
    };
    seen.ip.is_whole && !matches!(seen.kind, Kind::Error | Kind::Later) && !is_to_many && is_from_one
}

/// RFC 1122, section 3.2.1.3: not "this" network, loopback, groups, or what is reserved.
fn is_host4(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// Turns a packet into the error about it, from the service's address, which has been `mac` on the way here: the longest packet that
/// would have fitted is `mtu` bytes long.
pub(crate) fn tell(packet: &mut Packet<'_>, seen: &Seen, mtu: u16, mac: Mac) -> Result<(), NoRoom> {
    let Ip { start, len, is_v6, .. } = seen.ip;
    let (header, longest) = if is_v6 { (Told6::LEN, LONGEST.1) } else { (Told4::LEN, LONGEST.0) };
    let quoted = usize::from(len).min(longest - header);
    let cut = u16::try_from(start + quoted).map_err(|_| NoRoom)?;
    let grown = u16::try_from(header).map_err(|_| NoRoom)?;
    if u32::from(grown) > packet.headroom() || !packet.set_len(cut) {
        return Err(NoRoom);
    }
    let bytes = packet.prepend(grown).ok_or(NoRoom)?;
    bytes.copy_within(header..header + start, 0);
    let (frame, message) = bytes.split_at_mut(start);
    match seen.flow {
        FiveTuple::V4(flow) => write_v4(message, flow.destination, flow.source, mtu),
        FiveTuple::V6(flow) => write_v6(message, flow.destination, flow.source, mtu),
    }
    if let Ok((frame, _)) = Ethernet::split_mut(frame) {
        frame.swap_addresses();
        frame.set_source(mac);
    }
    Ok(())
}

fn write_v4(message: &mut [u8], from: Ipv4Addr, to: Ipv4Addr, mtu: u16) {
    let _ = Told4::fill(message, |told| {
        told.ip.set_dscp(CONTROL);
        told.ip.set_source(from);
        told.ip.set_destination(to);
        told.icmp.set_kind(Icmp::UNREACHABLE);
        told.icmp.set_code(NEEDED);
        told.body.set_mtu(mtu);
    });
}

fn write_v6(message: &mut [u8], from: Ipv6Addr, to: Ipv6Addr, mtu: u16) {
    let _ = Told6::fill(message, |told| {
        told.ip.set_dscp(CONTROL);
        told.ip.set_source(from);
        told.ip.set_destination(to);
        told.icmp.set_kind(Icmpv6::TOO_BIG);
        told.body.set_parameter(mtu.into());
    });
}
