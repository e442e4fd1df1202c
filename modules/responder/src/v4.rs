//! ARP, and echo over IPv4.

use crate::config::Addresses;
use crate::{Answer, Outcome};
use perigee_guest::wire::{Arp, Icmp, Ipv4, Mac, arp, icmp, ipv4, protocol};

/// The options by which a sender chooses the route: an answer would have to take it backwards, and nobody should ask
/// for that (RFC 7126).
const SOURCE_ROUTES: [u8; 2] = [131, 137];

/// Turns an ARP request for one of the addresses into its reply. A sender address of 0.0.0.0 is a probe (RFC 5227), and
/// is answered too: the address is taken.
pub(crate) fn answer_arp(payload: &mut [u8], addresses: &Addresses, mac: Mac) -> Answer {
    let mut arp = Arp::new_checked(payload).map_err(|_| Outcome::Malformed)?;
    if arp.operation() != arp::REQUEST || !addresses.has_v4(arp.target()) {
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
    let mut ip = Ipv4::new_checked(&mut *payload).map_err(|_| Outcome::Malformed)?;
    let (source, destination) = (ip.source(), ip.destination());
    if !addresses.has_v4(destination) || ip.protocol() != protocol::ICMP {
        return Err(Outcome::Other);
    }
    if !known_good && !ip.checksum_is_good() {
        return Err(Outcome::BadChecksum);
    }
    if ip.is_fragment() {
        return Err(Outcome::Fragment);
    }
    // An answer to many, or to nobody, is not for us to send.
    if source.is_multicast() || source.is_broadcast() || source.is_unspecified() {
        return Err(Outcome::Other);
    }
    check_options(&ip)?;
    let mut icmp = Icmp::new_checked(ip.payload_mut()).map_err(|_| Outcome::Malformed)?;
    if icmp.kind() != icmp::ECHO_REQUEST || icmp.code() != 0 {
        return Err(Outcome::Other);
    }
    if !icmp.checksum_is_good() {
        return Err(Outcome::BadChecksum);
    }
    icmp.set_kind(icmp::ECHO_REPLY);
    ip.set_source(destination);
    ip.set_destination(source);
    ip.set_ttl(64);
    ip.fill_checksum();
    Ok((Outcome::Echo, from))
}

/// Walks over the options: each but the two of one byte says how long it is.
fn check_options(ip: &Ipv4<&mut [u8]>) -> Result<(), Outcome> {
    let mut options = ip.options();
    while let Some((&kind, rest)) = options.split_first() {
        options = match kind {
            ipv4::OPTION_END => return Ok(()),
            ipv4::OPTION_NOTHING => rest,
            _ if SOURCE_ROUTES.contains(&kind) => return Err(Outcome::Other),
            _ => {
                let len = rest.first().map_or(0, |&len| usize::from(len));
                options.get(len..).filter(|_| len >= 2).ok_or(Outcome::Malformed)?
            }
        };
    }
    Ok(())
}
