//! A view of a packet's headers is used after its verdict.
use perigee_guest::wire::{Ethernet, Header, Mac};

fn process(packet: perigee_guest::Packet<'_>) -> Mac {
    let frame = Ethernet::parse(packet.bytes()).unwrap();
    packet.tx(0);
    frame.source()
}

fn main() {}
