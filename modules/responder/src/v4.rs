//! ARP, and echo over IPv4.

use crate::config::Addresses;
use crate::{Answer, Outcome, sender};
use perigee_guest::wire::{Arp, Header as _, Icmp, IcmpEcho, Ipv4, Mac, checksum, protocol};

/// The options by which a sender chooses the route: an answer would have to take it backwards, and nobody should ask
/// for that (RFC 7126).
const SOURCE_ROUTES: [u16; 2] = [131, 137];

/// Turns an ARP request for one of the addresses into its reply. A sender address of 0.0.0.0 is a probe (RFC 5227), and
/// is answered too: the address is taken.
pub(crate) fn answer_arp(payload: &mut [u8], addresses: &Addresses, mac: Mac) -> Answer {
    let (arp, _) = Arp::split_mut(payload).map_err(|_| Outcome::Malformed)?;
    // For other hardware than Ethernet, or another protocol than IPv4.
    if !arp.is_valid() {
        return Err(Outcome::Other);
    }
    let (asker, address, is_request) = (arp.sender_mac(), arp.sender(), arp.operation() == Arp::REQUEST);
    if !sender::is_station(asker) {
        return Err(Outcome::Malformed);
    }
    // Somebody else says that one of our addresses is his, in a question or an answer (RFC 5227, section 2.4).
    if addresses.has_v4(address) && asker != mac && (is_request || arp.operation() == Arp::REPLY) {
        return Err(Outcome::Conflict);
    }
    if !is_request || !addresses.has_v4(arp.target()) {
        return Err(Outcome::Other);
    }
    if !address.is_unspecified() {
        sender::check(address, addresses)?;
    }
    arp.answer(mac);
    Ok((Outcome::Arp, asker))
}

/// Turns an echo request to one of the addresses into its reply. Options stay as they are.
pub(crate) fn answer_echo(payload: &mut [u8], addresses: &Addresses, from: Mac, known_good: bool) -> Answer {
    let ip = Ipv4::parse_mut(payload).map_err(|_| Outcome::Malformed)?;
    let (source, destination) = (ip.source(), ip.destination());
    if !addresses.has_v4(destination) || ip.protocol() != protocol::ICMP {
        return Err(Outcome::Other);
    }
    if !known_good && !ip.checksum_is_good(ip.variable) {
        return Err(Outcome::BadChecksum);
    }
    if ip.is_fragment() {
        return Err(Outcome::Fragment);
    }
    sender::check(source, addresses)?;
    check_options(ip.variable)?;
    let good = checksum::verify(checksum::sum(ip.payload));
    let icmp = Icmp::parse_mut(ip.payload).map_err(|_| Outcome::Malformed)?;
    IcmpEcho::parse(icmp.payload).map_err(|_| Outcome::Malformed)?;
    if icmp.kind() != Icmp::ECHO_REQUEST || icmp.code() != 0 {
        return Err(Outcome::Other);
    }
    if !good {
        return Err(Outcome::BadChecksum);
    }
    icmp.header.change_kind(Icmp::ECHO_REPLY);
    ip.header.set_source(destination);
    ip.header.set_destination(source);
    ip.header.set_ttl(64);
    ip.header.fill_checksum(ip.variable);
    Ok((Outcome::Echo, from))
}

/// Walks over the options, which may not choose a route.
fn check_options(options: &[u8]) -> Result<(), Outcome> {
    for option in Ipv4::options(options) {
        if SOURCE_ROUTES.contains(&option.map_err(|_| Outcome::Malformed)?.kind) {
            return Err(Outcome::Other);
        }
    }
    Ok(())
}
