//! VXLAN.

use crate::wire::{Ethernet, Header, Next, Role, header};

/// VXLAN: an Ethernet frame in UDP.
#[header(name = "VXLAN", source = "RFC 7348", udp_port = 4789)]
pub struct Vxlan {
    /// Flags; 0x08: the network identifier counts.
    #[initial = 0x08]
    #[hex]
    flags: u8,
    /// Must be 0.
    #[bits(24)]
    reserved: u32,
    /// Which virtual network.
    #[bits(24)]
    vni: u32,
    /// Must be 0.
    reserved2: u8,
}

impl Header for Vxlan {
    const ROLE: Role = Role::Tunnel;

    fn is_valid(&self) -> bool {
        self.flags() & 0x08 != 0
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::Header(&Ethernet::INFO)
    }
}
