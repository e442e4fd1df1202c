//! ARP for IPv4 over Ethernet.

use crate::wire::{Header, Mac, header};
use core::net::Ipv4Addr;

/// An ARP message.
#[header(name = "ARP", source = "RFC 826", ether_type = 0x0806)]
pub struct Arp {
    /// Kind of hardware: 1 is Ethernet.
    #[initial = 1]
    hardware: u16,
    /// Kind of protocol: an EtherType.
    #[initial = 0x0800]
    #[hex]
    protocol: u16,
    /// Length of a hardware address.
    #[initial = 6]
    hardware_len: u8,
    /// Length of a protocol address.
    #[initial = 4]
    protocol_len: u8,
    /// [`Arp::REQUEST`], [`Arp::REPLY`] or another.
    #[initial = Self::REQUEST]
    operation: u16,
    /// MAC address of who speaks.
    sender_mac: Mac,
    /// IPv4 address of who speaks.
    sender: Ipv4Addr,
    /// MAC address of who is spoken to; not known in a request.
    target_mac: Mac,
    /// IPv4 address of who is spoken to, or asked for.
    target: Ipv4Addr,
}

impl Header for Arp {
    fn is_valid(&self) -> bool {
        self.hardware() == 1 && self.protocol() == 0x0800 && self.hardware_len() == 6 && self.protocol_len() == 4
    }
}

impl Arp {
    /// Who has this address?
    pub const REQUEST: u16 = 1;
    /// I have it.
    pub const REPLY: u16 = 2;

    /// Turns a request into the reply of the one that was asked for, who has `mac`.
    pub fn answer(&mut self, mac: Mac) {
        let (asker_mac, asker, us) = (self.sender_mac(), self.sender(), self.target());
        self.set_operation(Self::REPLY);
        self.set_sender_mac(mac);
        self.set_sender(us);
        self.set_target_mac(asker_mac);
        self.set_target(asker);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_request_becomes_its_reply() {
        let mut arp = Arp::default();
        arp.set_sender_mac(Mac([2, 0, 0, 0, 0, 1]));
        arp.set_sender(Ipv4Addr::new(10, 0, 0, 1));
        arp.set_target(Ipv4Addr::new(10, 0, 0, 2));
        arp.answer(Mac([2, 0, 0, 0, 0, 2]));
        assert_eq!((arp.operation(), arp.sender(), arp.target()), (2, [10, 0, 0, 2].into(), [10, 0, 0, 1].into()));
        assert_eq!((arp.sender_mac(), arp.target_mac()), (Mac([2, 0, 0, 0, 0, 2]), Mac([2, 0, 0, 0, 0, 1])));
        arp.set_hardware_len(8);
        assert!(Arp::parse(zerocopy::IntoBytes::as_bytes(&arp)).is_err());
    }
}
