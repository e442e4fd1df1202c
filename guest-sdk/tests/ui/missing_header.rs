//! A field of a header that the stack does not have.
use perigee_guest::wire::{Ethernet, Ipv4};

perigee_guest::stack! { struct Plain { eth: Ethernet, ip: Ipv4 } }

fn change(packet: &mut Plain) {
    packet.udp.set_length(8);
}

fn main() {}
