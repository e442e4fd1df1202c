// ANCHOR: head
//! VXLAN tunnel endpoint: frames of one port travel in UDP through the other.
#![cfg_attr(not(test), no_std)]

use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Ethernet, Ipv4, Mac, Stack as _, Udp, Vxlan};
use perigee_guest::{Batch, Module, Packet, Refusal, Setup};

perigee_guest::module!(Tunnel: process; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Frames put into the tunnel.
    WRAPPED = "wrapped",
    /// Frames taken out of it.
    UNWRAPPED = "unwrapped",
    /// Packets that are not for this tunnel, or have no room for its headers.
    DROPPED = "dropped",
}
// ANCHOR_END: head

// ANCHOR: stack
perigee_guest::stack! {
    /// What stands before a frame in the tunnel.
    struct Outer {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
        vxlan: Vxlan,
    }
}
// ANCHOR_END: stack

// ANCHOR: init
/// What can be configured.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Config {
    /// The port with the frames.
    inside: u16,
    /// The port with the tunnel.
    outside: u16,
    /// Our address in the tunnel.
    here: Ipv4Addr,
    /// The other end's address, and the MAC address by which it is reached.
    there: Ipv4Addr,
    there_mac: Mac,
    /// Which virtual network.
    vni: u32,
}

/// The tunnel.
pub struct Tunnel {
    config: Config,
    /// The headers of all packets, but for their lengths.
    outer: Outer,
}

impl Module for Tunnel {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config = setup.json()?;
        let Some(port) = setup.ports().get(usize::from(config.outside)) else {
            return Err(Refusal::new("outside: this run has no port of that number"));
        };
        let mut outer = Outer::initial();
        outer.eth.set_source(Mac(port.mac));
        outer.eth.set_destination(config.there_mac);
        outer.ip.set_source(config.here);
        outer.ip.set_destination(config.there);
        outer.vxlan.set_vni(config.vni);
        Ok(Self { config, outer })
    }
    // ANCHOR_END: init

    // ANCHOR: process
    fn process(&mut self, batch: &mut Batch<'_>) {
        for mut packet in batch {
            let (done, port) = if packet.port() == self.config.inside {
                (self.wrap(&mut packet).inspect(|()| WRAPPED.add(1)), self.config.outside)
            } else {
                (self.unwrap(&mut packet).inspect(|()| UNWRAPPED.add(1)), self.config.inside)
            };
            match done {
                Some(()) => packet.tx(port),
                None => DROPPED.add(1),
            }
        }
    }
}
// ANCHOR_END: process

// ANCHOR: wrap
impl Tunnel {
    /// Puts the headers before a frame. The source port tells flows apart (RFC 7348, section 5).
    fn wrap(&self, packet: &mut Packet<'_>) -> Option<()> {
        let flow = packet.head::<14>()?.iter().fold(0, |hash: u16, byte| hash.rotate_left(5) ^ u16::from(*byte));
        let bytes = packet.prepend(u16::try_from(Outer::LEN).ok()?)?;
        let len = bytes.len();
        let (outer, _) = Outer::of_mut(bytes).ok()?;
        *outer = self.outer;
        outer.set_lengths(len).ok()?;
        outer.udp.set_source_port(0xc000 | flow);
        outer.ip.fill_checksum(&[]);
        Some(())
    }
    // ANCHOR_END: wrap

    // ANCHOR: unwrap
    /// Takes the headers off a frame that is for this tunnel.
    fn unwrap(&self, packet: &mut Packet<'_>) -> Option<()> {
        let (outer, frame) = Outer::parse(packet.bytes()).ok()?;
        let ours = outer.ip.destination() == self.config.here && outer.vxlan.vni() == self.config.vni;
        let len = u16::try_from(frame.len()).ok().filter(|_| ours)?;
        // Padding behind the IP packet is not part of the frame.
        (packet.trim(u16::try_from(Outer::LEN).ok()?) && packet.set_len(len)).then_some(())
    }
}

#[cfg(test)]
mod tests;
// ANCHOR_END: unwrap
