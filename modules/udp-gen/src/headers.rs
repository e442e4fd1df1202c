//! The headers of each packet.

use perigee_guest::wire::{Ethernet, Ipv4, Udp};

perigee_guest::stack! {
    /// The headers of each packet.
    pub(crate) struct Headers {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
    }
}
