//! What others say: queries and reports.
//!
//! Versions are numbered as IGMP's: MLD version 1 is IGMP's 2, and MLD version 2 is IGMP's 3, which do the same.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::{
    Ethernet, Header as _, Icmpv6, Igmp, IgmpGroup, Ipv4, Ipv6, Mld, checksum, ether_type, protocol,
};

const MILLISECOND: u64 = 1_000_000;
/// Within which time a query of IGMP version 1 is answered, in milliseconds.
const VERSION_1: u64 = 10_000;

/// A message of IGMP or MLD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Query(Query),
    /// Another host listens to this group, in an older version.
    Report(IpAddr),
    /// What a host need not hear.
    Nothing,
    Malformed,
}

/// Who listens?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The group that is asked for; the unspecified address asks for all.
    pub(crate) group: IpAddr,
    /// Within how many nanoseconds to answer.
    pub(crate) within: u64,
    pub(crate) version: u8,
}

impl Query {
    /// Whether a group is asked for.
    pub(crate) fn asks_for(&self, group: &IpAddr) -> bool {
        self.group == *group || self.group.is_unspecified() && self.group.is_ipv4() == group.is_ipv4()
    }
}

/// Reads a frame; nothing where it is neither IGMP nor MLD.
pub(crate) fn hear(frame: &[u8]) -> Option<Heard> {
    let (number, start) = Ethernet::untagged(frame).ok()?;
    let packet = frame.get(start..)?;
    let heard = match number {
        ether_type::IPV4 => {
            let ip = Ipv4::parse(packet).ok()?;
            if ip.protocol() != protocol::IGMP || ip.is_fragment() {
                return None;
            }
            igmp(ip.payload)
        }
        ether_type::IPV6 => {
            let ip = Ipv6::parse(packet).ok()?;
            let carried = ip.carried(ip.payload).ok()?;
            let kind = *carried.payload.first()?;
            let is_mld = matches!(kind, Icmpv6::MLD_QUERY..=Icmpv6::MLD_DONE | Icmpv6::MLD_REPORT_2);
            if carried.protocol != protocol::ICMPV6 || carried.is_fragment || !is_mld {
                return None;
            }
            // From this link alone (RFC 9777, section 6.2).
            if ip.hop_limit() == 1 && ip.source().is_unicast_link_local() { mld(carried.payload) } else { None }
        }
        _ => return None,
    };
    let heard = heard.unwrap_or(Heard::Malformed);
    Some(if checksum::check(frame).is_ok() { heard } else { Heard::Malformed })
}

fn igmp(message: &[u8]) -> Option<Heard> {
    let igmp = Igmp::parse(message).ok()?;
    let group = |body| IgmpGroup::parse(body).ok().map(|group| group.group());
    let code = u64::from(igmp.max_response());
    Some(match igmp.kind() {
        Igmp::QUERY => {
            let (version, tenths) = match (message.len(), code) {
                (8, 0) => (1, VERSION_1 / 100),
                (8, _) => (2, code),
                (12.., _) => (3, floating(code, 4)),
                _ => return None,
            };
            let group = is_askable4(group(igmp.payload)?)?;
            Heard::Query(Query { group, within: tenths * 100 * MILLISECOND, version })
        }
        Igmp::REPORT_1 | Igmp::REPORT_2 => Heard::Report(group(igmp.payload)?.into()),
        _ => Heard::Nothing,
    })
}

fn mld(message: &[u8]) -> Option<Heard> {
    let icmp = Icmpv6::parse(message).ok()?;
    Some(match icmp.kind() {
        Icmpv6::MLD_QUERY => {
            let mld = Mld::parse(icmp.payload).ok()?;
            let code = u64::from(mld.max_response());
            let (version, milliseconds) = match message.len() {
                24 => (2, code),
                28.. => (3, floating(code, 12)),
                _ => return None,
            };
            let group = is_askable6(mld.group())?;
            Heard::Query(Query { group, within: milliseconds * MILLISECOND, version })
        }
        Icmpv6::MLD_REPORT => Heard::Report(Mld::parse(icmp.payload).ok()?.group().into()),
        _ => Heard::Nothing,
    })
}

fn is_askable4(group: Ipv4Addr) -> Option<IpAddr> {
    (group.is_unspecified() || group.is_multicast()).then_some(group.into())
}

fn is_askable6(group: Ipv6Addr) -> Option<IpAddr> {
    (group.is_unspecified() || group.is_multicast()).then_some(group.into())
}

/// A time as the newest versions write it: above the half of its range a number with an exponent of three bits and a mantissa of
/// so many.
fn floating(code: u64, mantissa_bits: u32) -> u64 {
    let top = 1 << (mantissa_bits + 3);
    if code < top {
        return code;
    }
    let exponent = code >> mantissa_bits & 7;
    let mantissa = code & ((1 << mantissa_bits) - 1);
    (mantissa | 1 << mantissa_bits) << (exponent + 3)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn times_have_exponents() {
        // RFC 9776, section 4.1.1, and RFC 9777, section 5.1.3: the ends of each range.
        assert_eq!([0, 127, 128, 0x8f, 0xff].map(|code| floating(code, 4)), [0, 127, 128, 248, 31_744]);
        assert_eq!([0x7fff, 0x8000, 0xffff].map(|code| floating(code, 12)), [32_767, 32_768, 8_387_584]);
    }
}
