//! Answers for addresses: ARP, IPv6 neighbour discovery, ICMP and ICMPv6 echo. With it a port can be pinged.
//!
//! An answer is written over the question and goes back to the port that it came from, with its VLAN tags as they are.
#![cfg_attr(not(test), no_std)]

mod config;
mod sender;
#[cfg(test)]
mod sender_tests;
#[cfg(test)]
mod tests;
mod v4;
mod v6;

use config::{Addresses, Config, Other};
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::wire::{Ethernet, Header as _, Mac, ether_type};
use perigee_guest::{Batch, Counter, Module, Packet, Refusal, Setup, Verdict};

perigee_guest::module!(Responder: process; mailbox = 4 * KIB);

/// What became of a packet. The numbers are the places of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Answered: ARP.
    Arp,
    /// Answered: neighbour discovery.
    Ndp,
    /// Answered: ICMP echo.
    Echo,
    /// Answered: ICMPv6 echo.
    Echo6,
    /// Not answered: a part of a packet.
    Fragment,
    /// Not answered: a checksum is wrong.
    BadChecksum,
    /// Not answered: lengths or fields that cannot be.
    Malformed,
    /// Not answered: somebody else says that one of the addresses is his.
    Conflict,
    /// Not answered: something else, or not for these addresses.
    Other,
}

impl Outcome {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Arp, "arp"),
        (Self::Ndp, "ndp"),
        (Self::Echo, "echo"),
        (Self::Echo6, "echo6"),
        (Self::Fragment, "fragment"),
        (Self::BadChecksum, "bad_checksum"),
        (Self::Malformed, "malformed"),
        (Self::Conflict, "conflict"),
        (Self::Other, "other"),
    ];

    const fn counter(self) -> Counter {
        Counter::at(self as usize)
    }
}

/// An answer that has been written: what it is, and to whom it goes.
type Answer = Result<(Outcome, Mac), Outcome>;

/// The responder.
pub struct Responder {
    addresses: Addresses,
    /// The MAC address by port: the port's own, or the configured one.
    macs: [Option<Mac>; MAX_PORTS],
    other: Verdict,
}

impl Module for Responder {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        for (outcome, name) in Outcome::ALL {
            setup.counter(outcome.counter(), name);
        }
        let mut macs = [None; MAX_PORTS];
        for (mac, port) in macs.iter_mut().zip(setup.ports()) {
            *mac = Some(config.mac.unwrap_or(Mac(port.mac)));
        }
        Ok(Self {
            addresses: Addresses::new(&config)?,
            macs,
            other: if config.other == Other::Next { Verdict::NEXT } else { Verdict::DROP },
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for mut packet in batch {
            match self.answer(&mut packet) {
                Ok(outcome) => {
                    outcome.counter().add(1);
                    packet.tx_back();
                }
                Err(outcome) => {
                    outcome.counter().add(1);
                    packet.finish(self.other);
                }
            }
        }
    }
}

impl Responder {
    /// Turns a packet into its answer; an error says why there is none, and leaves the packet as it was.
    fn answer(&self, packet: &mut Packet<'_>) -> Result<Outcome, Outcome> {
        let Some(Some(mac)) = self.macs.get(usize::from(packet.port())).copied() else { return Err(Outcome::Other) };
        let frame = Ethernet::parse(packet.bytes()).map_err(|_| Outcome::Malformed)?;
        let (source, destination) = (frame.source(), frame.destination());
        let (number, start) = Ethernet::untagged(packet.bytes()).map_err(|_| Outcome::Malformed)?;
        // Not to us, or from nobody. From our own MAC address it may well be: a TAP's port and its kernel have the same.
        if destination != mac && !destination.is_multicast() || !sender::is_station(source) {
            return Err(Outcome::Other);
        }

        let addresses = &self.addresses;
        let (outcome, to) = match number {
            ether_type::ARP => v4::answer_arp(&mut packet.bytes_mut()[start..], addresses, mac),
            ether_type::IPV4 if destination == mac => {
                let known_good = packet.rx_flags() & perigee_guest::abi::rx_flags::IP_CHECKSUM_GOOD != 0;
                v4::answer_echo(&mut packet.bytes_mut()[start..], addresses, source, known_good)
            }
            ether_type::IPV6 => v6::answer(packet, start, addresses, mac),
            _ => Err(Outcome::Other),
        }?;
        if let Ok((frame, _)) = Ethernet::split_mut(packet.bytes_mut()) {
            frame.set_destination(to);
            frame.set_source(mac);
        }
        Ok(outcome)
    }
}
