//! Two live views of one packet, both of which may write.
use perigee_guest::wire::{Ethernet, Header, Mac};

fn process(mut packet: perigee_guest::Packet<'_>) {
    let mut one = Ethernet::parse_mut(packet.bytes_mut()).unwrap();
    let mut two = Ethernet::parse_mut(packet.bytes_mut()).unwrap();
    one.set_source(Mac::BROADCAST);
    two.set_source(Mac::BROADCAST);
}

fn main() {}
