//! In front of the instances that translate: each packet goes to the ring of the one whose it is.
//!
//! A host inside has all its sessions at one instance, which follows from its address; a port outside belongs to the instance that
//! gives it away. Both follow from the configuration alone, so whoever steers decides the same.

use crate::config::Rules;
use crate::icmp::quoted_source;
use crate::outcome::{Count, Drop};
use crate::rewrite::{Endpoint, ICMP_IDENTIFIER, Ip, ports, word};
use crate::translate::{Kind, kind_of};
use perigee_guest::wire::{Ethernet, ether_type, protocol};
use perigee_guest::{Verdict, seed_mix};

/// Where a frame goes. One ring gets all of them, what is not IPv4 included.
pub(crate) fn verdict(rules: &Rules, frame: &[u8]) -> Result<Verdict, Drop> {
    let owner = if rules.rings.len() > 1 { owner(rules, frame)? } else { Some(0) };
    let Some(owner) = owner else {
        let counts = if rules.other.is_drop() { return Err(Drop::Other) } else { Count::Passed };
        counts.add(1);
        return Ok(rules.other);
    };
    let ring = rules.rings.get(owner as usize).ok_or(Drop::OtherSlice)?;
    Count::Steered.add(1);
    Ok(Verdict::ring(*ring))
}

/// The instance of a frame; nothing where it is not to be translated.
fn owner(rules: &Rules, frame: &[u8]) -> Result<Option<u32>, Drop> {
    let (number, start) = Ethernet::untagged(frame).map_err(|_| Drop::Malformed)?;
    if number != ether_type::IPV4 {
        return Ok(None);
    }
    let packet = frame.get(start..).unwrap_or_default();
    let ip = Ip::read(packet).ok_or(Drop::Malformed)?;
    if !rules.concerns(&ip) {
        return Ok(None);
    }
    if rules.is_inside(ip.source) {
        return Ok(Some(of_host(rules, ip.source)));
    }
    // Only the first fragment says for whom the others are, and who steers remembers nothing.
    if ip.is_fragment() {
        return Err(Drop::OtherSlice);
    }
    let to = destination(packet, &ip)?;
    Ok(Some(of_port(rules, ip.protocol, to)))
}

/// The instance of a host inside.
#[allow(clippy::cast_possible_truncation, reason = "a number of an instance")]
fn of_host(rules: &Rules, address: u32) -> u32 {
    (seed_mix(address.into()) % rules.rings.len() as u64) as u32
}

/// The instance of an endpoint outside: of a forward the one of its host, else the one that gives the port away.
fn of_port(rules: &Rules, number: u8, to: Endpoint) -> u32 {
    let forward = rules.forwards.iter().find(|forward| (forward.protocol, forward.outside) == (number, to));
    match forward {
        Some(forward) => of_host(rules, forward.inside.0),
        None => rules.pool.owner(to.0, to.1).unwrap_or(0),
    }
}

/// The endpoint outside that a packet is for.
fn destination(packet: &[u8], ip: &Ip) -> Result<Endpoint, Drop> {
    let transport = packet.get(ip.header_len..ip.len).ok_or(Drop::Malformed)?;
    let port = match ip.protocol {
        protocol::TCP | protocol::UDP => ports(transport).ok_or(Drop::Malformed)?.1,
        protocol::ICMP => match transport.first().and_then(|number| kind_of(*number)) {
            Some(Kind::Error) => return quoted_source(packet, ip),
            _ => word(transport, ICMP_IDENTIFIER).ok_or(Drop::Malformed)?,
        },
        _ => 0,
    };
    Ok((ip.destination, port))
}
