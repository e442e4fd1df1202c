//! A packet is used after its verdict.
fn process(packet: perigee_guest::Packet<'_>) -> u16 {
    packet.next();
    packet.len()
}

fn main() {}
