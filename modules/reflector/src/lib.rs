//! Sends each packet back to the port that it came from, with its MAC addresses swapped.
#![cfg_attr(not(test), no_std)]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Ethernet;
use perigee_guest::{Batch, Module, Refusal, Setup};

perigee_guest::module!(Reflector: process; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Packets sent back.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
    /// Packets dropped because they are shorter than an Ethernet header.
    SHORT = "short",
}

/// The reflector has nothing to remember.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub struct Reflector {}

impl Module for Reflector {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        setup.json()
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let total = batch.len() as u64;
        let (mut bytes, mut short) = (0, 0);
        for mut packet in batch {
            // Read before the bytes are written: after that the compiler would read it again.
            let len = packet.len();
            if Ethernet::swap_addresses_of(packet.bytes_mut()).is_err() {
                short += 1;
                continue;
            }
            bytes += u64::from(len);
            packet.tx_back();
        }
        PACKETS.add(total - short);
        BYTES.add(bytes);
        SHORT.add(short);
    }
}

#[cfg(test)]
mod tests;
