//! Takes hops off the time to live of IPv4 packets, as a router does, and passes everything on.
#![cfg_attr(not(test), no_std)]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, checksum, ether_type};
use perigee_guest::{Batch, Module, Refusal, Setup};

// Exports the module: the type, and which callbacks it has. `perigee inspect` shows them.
perigee_guest::module!(Hop: process; mailbox = 4 * KIB);

// Counters are memory that the host reads: counting is an addition.
perigee_guest::counters! {
    /// Packets that came.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
    /// IPv4 packets that went on with fewer hops.
    FORWARDED = "forwarded",
    /// IPv4 packets dropped because they had no hop left.
    EXPIRED = "expired",
}

/// The table `config` of the module in perigee.toml. A key that is not here is refused by name.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    /// How many hops each packet loses.
    hops: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self { hops: 1 }
    }
}

/// One instance of the module: each lcore has its own, so there is nothing to lock.
pub struct Hop {
    hops: u8,
}

/// What a packet turned out to be.
enum Kind {
    Forwarded,
    Expired,
    Other,
}

impl Module for Hop {
    /// Called once, before the first packet. What is wrong here keeps the run from starting.
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config = setup.json()?;
        if config.hops == 0 {
            return Err(Refusal::new("hops: 0 would change nothing; 1 or more"));
        }
        Ok(Self { hops: config.hops })
    }

    /// Called for each batch of packets. They lie where the port put them; nothing is copied.
    fn process(&mut self, batch: &mut Batch<'_>) {
        for mut packet in batch {
            PACKETS.add(1);
            BYTES.add(packet.len().into());
            // The verdict is given by a method that takes the packet itself. One that gets none is dropped.
            match self.hop(packet.bytes_mut()) {
                Kind::Forwarded => {
                    FORWARDED.add(1);
                    packet.next();
                }
                Kind::Expired => EXPIRED.add(1),
                Kind::Other => packet.next(),
            }
        }
    }
}

impl Hop {
    /// Takes hops off a packet, if it is IPv4.
    fn hop(&self, packet: &mut [u8]) -> Kind {
        // `parse_mut` checks all lengths once; after that no access to a field can fail.
        let Ok(frame) = Ethernet::parse_mut(packet) else { return Kind::Other };
        if frame.ether_type() != ether_type::IPV4 {
            return Kind::Other;
        }
        let Ok(mut ip) = Ipv4::parse_mut(frame.payload) else { return Kind::Other };
        let ttl = ip.ttl();
        if ttl <= self.hops {
            return Kind::Expired;
        }
        // The checksum covers words of 16 bits. This one has the protocol in its lower half.
        let word = |ttl| u16::from_be_bytes([ttl, ip.protocol()]);
        let sum = checksum::update(ip.checksum(), word(ttl), word(ttl - self.hops));
        ip.set_ttl(ttl - self.hops);
        ip.set_checksum(sum);
        Kind::Forwarded
    }
}

#[cfg(test)]
mod tests;
