// ANCHOR: head
//! Generator: TCP connection requests from random sources, such as a firewall is tested with.
#![cfg_attr(not(test), no_std)]

use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::checksum::Change;
use perigee_guest::wire::{Ethernet, Ipv4, Stack as _, Tcp, With};
use perigee_guest::{Lcg64, Module, Refusal, Rooms, Setup, Verdict};

perigee_guest::module!(SynLoad: generate, prefill; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Packets made.
    PACKETS = "packets",
}
// ANCHOR_END: head

// ANCHOR: stack
perigee_guest::stack! {
    /// A connection request with the option "maximum segment size".
    struct Request {
        eth: Ethernet,
        ip: Ipv4,
        tcp: With<Tcp, 4>,
    }
}

/// Length of each packet, without frame check sequence.
const LEN: u16 = 60;
// ANCHOR_END: stack

// ANCHOR: config
/// What can be configured.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Config {
    /// Who is asked.
    target: Ipv4Addr,
    /// On which port.
    port: u16,
}
// ANCHOR_END: config

// ANCHOR: init
/// The generator.
pub struct SynLoad {
    config: Config,
    random: Lcg64,
}

impl Module for SynLoad {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        Ok(Self { config: setup.json()?, random: Lcg64::new(setup.seed()) })
    }
    // ANCHOR_END: init

    // ANCHOR: prefill
    /// Every room is filled once, when the run starts.
    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        for mut room in rooms.sized::<{ Request::LEN }>(LEN).into_iter().flatten() {
            let packet = room.bytes_mut();
            packet.fill(0);
            // What is behind the headers is padding, and no data of the connection: a frame has 60 bytes at least.
            let filled = Request::fill(&mut packet[..Request::LEN], |p| {
                p.ip.set_destination(self.config.target);
                p.tcp.set_destination_port(self.config.port);
                p.tcp.set_syn(true);
                // Option 2: segments of 1460 bytes at most.
                p.tcp.options = [2, 4, 0x05, 0xb4];
            });
            debug_assert!(filled.is_ok());
        }
    }
    // ANCHOR_END: prefill

    // ANCHOR: rest
    // ANCHOR: generate
    /// After that, only what changes is written.
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        for mut room in rooms.sized::<{ Request::LEN }>(LEN).into_iter().flatten() {
            let Request { ip, tcp, .. } = Request::from_head_mut(room.head_mut());
            let (address, port) = self.random.pair(1 << 16, 1 << 16);
            let (source, port) = (u32::from_be_bytes([10, 0, 0, 0]) | address, u16::try_from(port).unwrap_or(0));
            let address = Change::new().u32(ip.source().into(), source);
            let (ip_sum, tcp_sum) = (address, address.u16(tcp.source_port(), port));
            let (ip_sum, tcp_sum) = (ip_sum.apply(ip.checksum()), tcp_sum.apply(tcp.checksum()));
            ip.set_checksum(ip_sum);
            tcp.set_checksum(tcp_sum);
            ip.set_source(source.into());
            tcp.set_source_port(port);
            room.finish(Verdict::NEXT);
            PACKETS.add(1);
        }
    }
    // ANCHOR_END: generate
}

#[cfg(test)]
mod tests;
// ANCHOR_END: rest
