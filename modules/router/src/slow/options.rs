//! Options of IPv4: RFC 791, and what RFC 1812, section 4.2.2.1, has a router do with them.

use super::{Call, Slow, Trouble, drop_as};
use crate::counts::Count;
use crate::fast::{self, IP, Reason, Way};
use core::net::{IpAddr, Ipv4Addr};
use perigee_guest::Packet;
use perigee_guest::wire::{Header as _, Ipv4};

const RECORD_ROUTE: u8 = 7;
const SOURCE_ROUTES: [u16; 2] = [131, 137];

impl Slow {
    /// Forwards a packet with options: records what they ask for, and keeps them.
    pub(super) fn with_options(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, way: Way) {
        let mtu = call.tables.mtu(&way);
        let own = match (call.tables.interfaces.get(way.place.port), way.place.ip()) {
            (Some(interface), IpAddr::V4(next)) => interface.source4(next),
            _ => None,
        };
        let Ok(ip) = Ipv4::parse_mut(&mut packet.bytes_mut()[IP..]) else { return drop_as(packet, Count::Malformed) };
        if Ipv4::options(ip.variable).any(|option| option.is_err()) {
            return drop_as(packet, Count::Malformed);
        }
        let (len, dont_fragment) = (ip.total_length(), ip.dont_fragment());
        if len > mtu && dont_fragment {
            return self.refuse(call, packet, Trouble::TooBig(mtu), Count::TooBig);
        }
        if let Some(own) = own {
            record(ip.variable, own);
            ip.header.fill_checksum(ip.variable);
        }
        if len > mtu {
            return self.too_big(call, packet, way, mtu);
        }
        match fast::leave4(call.tables, &mut packet, &way, call.now) {
            Ok(port) => {
                Count::Forwarded4.add(1);
                packet.tx(port);
            }
            Err(Reason::Unresolved(way)) => {
                fast::take_hop(packet.bytes_mut());
                self.wait(call, packet, way);
            }
            Err(_) => drop_as(packet, Count::NoRoute),
        }
    }
}

/// Writes an address into the next free place of a recorded route.
pub(super) fn record(options: &mut [u8], own: Ipv4Addr) {
    let mut at = 0;
    while let Some(kind) = options.get(at).copied() {
        match kind {
            0 => return,
            1 => at += 1,
            _ => {
                let len = usize::from(options.get(at + 1).copied().unwrap_or(0));
                let Some(option) = options.get_mut(at..at + len).filter(|_| len >= 2) else { return };
                if kind == RECORD_ROUTE && len >= 3 {
                    let pointer = usize::from(option[2]);
                    if pointer >= 4
                        && let Some(place) = option.get_mut(pointer - 1..pointer + 3)
                    {
                        place.copy_from_slice(&own.octets());
                        option[2] += 4;
                    }
                }
                at += len;
            }
        }
    }
}

/// Refuses what came to the router by a route that its sender chose, or that is to go on by one (RFC 7126).
pub(super) fn check_local(options: &[u8]) -> Result<(), Count> {
    for option in Ipv4::options(options) {
        if SOURCE_ROUTES.contains(&option.map_err(|_| Count::Malformed)?.kind) {
            return Err(Count::LocalOther);
        }
    }
    Ok(())
}
