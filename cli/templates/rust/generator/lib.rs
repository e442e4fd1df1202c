//! Makes UDP packets with random source ports.
#![cfg_attr(not(test), no_std)]

use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Ethernet, Ipv4, Mac, Stack as _, Udp};
use perigee_guest::{Lcg64, Module, Refusal, Rooms, Setup, Verdict};

// Exports the module: the type, and which callbacks it has. `perigee inspect` shows them.
perigee_guest::module!(Load: generate, prefill; mailbox = 4 * KIB);

// Counters are memory that the host reads: counting is an addition.
perigee_guest::counters! {
    /// Packets made.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
}

perigee_guest::stack! {
    /// The headers of each packet, one behind the other.
    struct Headers {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
    }
}

/// The table `config` of the module in perigee.toml. A key that is not here is refused by name.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    /// Bytes of each packet, without frame check sequence.
    size: u16,
    dst_port: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { size: 60, dst_port: 9 }
    }
}

/// One instance of the module: each lcore has its own, with a seed of its own.
pub struct Load {
    size: u16,
    /// What `prefill` writes at the front of each room.
    headers: Headers,
    random: Lcg64,
}

impl Module for Load {
    /// Called once, before the first packet. What is wrong here keeps the run from starting.
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config = setup.json()?;
        if config.size < 60 || (setup.room_len() != 0 && u32::from(config.size) > setup.room_len()) {
            return Err(Refusal::new("size: 60 or more, and no more than a room of this run takes"));
        }
        let mut headers = Headers::initial();
        headers.eth.set_source(source(setup));
        headers.eth.set_destination(Mac([2, 0, 0, 0, 0, 2]));
        headers.ip.set_source(Ipv4Addr::new(10, 0, 0, 1));
        headers.ip.set_destination(Ipv4Addr::new(10, 1, 0, 1));
        headers.udp.set_destination_port(config.dst_port);
        headers.set_lengths(config.size.into()).map_err(|_| Refusal::new("size: no packet has that length"))?;
        headers.ip.fill_checksum(&[]);
        Ok(Self { size: config.size, headers, random: Lcg64::new(setup.seed()) })
    }

    /// Called once for each room of the pool: what stays the same in all packets is written here.
    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        // Where the size fits the rooms, none of the accesses below is checked again.
        let Some(rooms) = rooms.sized::<{ Headers::LEN }>(self.size) else { return };
        for mut room in rooms {
            let bytes = room.bytes_mut();
            bytes.fill(0);
            if let Ok((headers, _)) = Headers::of_mut(bytes) {
                *headers = self.headers;
            }
        }
    }

    /// Called for each batch: rooms without a verdict go back unused.
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        let Some(rooms) = rooms.sized::<{ Headers::LEN }>(self.size) else { return };
        let made = rooms.len() as u64;
        for mut room in rooms {
            // 32768 to 65535. Without a UDP checksum (0 says that there is none), nothing else depends on it.
            let port = 0x8000 | self.random.below(0x8000) as u16;
            Headers::from_head_mut(room.head_mut()).udp.set_source_port(port);
            room.finish(Verdict::NEXT);
        }
        PACKETS.add(made);
        BYTES.add(made * u64::from(self.size));
    }
}

/// The address of the port by which packets leave, or one of our own.
fn source(setup: &Setup<'_>) -> Mac {
    let port = setup.next_port().and_then(|port| setup.ports().get(usize::from(port)));
    port.map(|port| Mac(port.mac)).filter(|mac| !mac.is_zero()).unwrap_or(Mac([2, 0, 0, 0, 0, 1]))
}

#[cfg(test)]
mod tests;
