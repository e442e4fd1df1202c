//! A packet is used after it was held.
fn process(mut packet: perigee_guest::Packet<'_>) {
    let held = packet.hold();
    packet.bytes_mut()[0] = 0;
    drop(held);
}

fn main() {}
