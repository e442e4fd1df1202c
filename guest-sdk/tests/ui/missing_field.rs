//! A field that the header does not have.
use perigee_guest::wire::Udp;

fn change(udp: &mut Udp) {
    udp.set_ttl(8);
}

fn main() {}
