//! Who can have asked: one list for ARP, neighbour discovery and echo.

use crate::Outcome;
use crate::config::Addresses;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::Mac;

/// Whether a station can have this MAC address.
pub(crate) fn is_station(mac: Mac) -> bool {
    !mac.is_multicast() && !mac.is_zero()
}

/// Checks the address that a question comes from, to which an answer would go: not that of nobody, of many, or our own.
pub(crate) fn check(address: impl Into<IpAddr>, addresses: &Addresses) -> Result<(), Outcome> {
    match address.into() {
        IpAddr::V4(address) if is_host4(address) && !addresses.has_v4(address) => Ok(()),
        IpAddr::V6(address) if is_host6(address) && !addresses.has_v6(address) => Ok(()),
        _ => Err(Outcome::Other),
    }
}

/// RFC 1122, section 3.2.1.3: "this" network, loopback, groups, and what is reserved, the broadcast address among it.
fn is_host4(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// RFC 4291, section 2.5: not the unspecified and the loopback address, groups, and IPv4's addresses in IPv6's form.
fn is_host6(address: Ipv6Addr) -> bool {
    let is_nobody = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !is_nobody && address.to_ipv4_mapped().is_none()
}
