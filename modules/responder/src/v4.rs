//! ARP, and echo over IPv4.

use crate::config::Addresses;
use crate::{Answer, Outcome};
use perigee_guest::wire::{Arp, Header as _, Icmp, IcmpEcho, Ipv4, Mac, checksum, protocol};

/// The options by which a sender chooses the route: an answer would have to take it backwards, and nobody should ask
/// for that (RFC 7126).
const SOURCE_ROUTES: [u16; 2] = [131, 137];

/// Turns an ARP request for one of the addresses into its reply. A sender address of 0.0.0.0 is a probe (RFC 5227), and
/// is answered too: the address is taken.
pub(crate) fn answer_arp(payload: &mut [u8], addresses: &Addresses, mac: Mac) -> Answer {
    let mut arp = Arp::parse_mut(payload).map_err(|_| Outcome::Malformed)?;
    if arp.operation() != Arp::REQUEST || !addresses.has_v4(arp.target()) {
        return Err(Outcome::Other);
    }
    let asker = arp.sender_mac();
    if asker.is_multicast() || asker.is_zero() {
        return Err(Outcome::Malformed);
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
    // An answer to many, or to nobody, is not for us to send.
    if source.is_multicast() || source.is_broadcast() || source.is_unspecified() {
        return Err(Outcome::Other);
    }
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
