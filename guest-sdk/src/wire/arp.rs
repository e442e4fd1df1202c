//! ARP for IPv4 over Ethernet.

use super::{Error, Field, Mac, get, get_u16, set_u16};
use core::fmt;
use core::net::Ipv4Addr;

mod field {
    use super::Field;
    /// Hardware type, protocol type and the lengths of both kinds of address.
    pub(super) const KINDS: Field = 0..6;
    pub(super) const OPERATION: Field = 6..8;
    pub(super) const SENDER_MAC: Field = 8..14;
    pub(super) const SENDER: Field = 14..18;
    pub(super) const TARGET_MAC: Field = 18..24;
    pub(super) const TARGET: Field = 24..28;
}

/// Length of a message.
pub const LEN: usize = 28;

/// Who has this address?
pub const REQUEST: u16 = 1;
/// I have it.
pub const REPLY: u16 = 2;

/// An ARP message.
#[derive(Clone, Copy, Debug)]
pub struct Arp<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Arp<T> {
    /// A view of a message.
    ///
    /// # Errors
    ///
    /// It is too short, or not for IPv4 over Ethernet.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let data = buffer.as_ref();
        if data.len() < LEN || data[field::KINDS] != [0, 1, 8, 0, 6, 4] { Err(Error) } else { Ok(Self { buffer }) }
    }

    /// [`REQUEST`], [`REPLY`] or another.
    #[inline]
    #[must_use]
    pub fn operation(&self) -> u16 {
        get_u16(self.buffer.as_ref(), field::OPERATION)
    }

    /// The sender's MAC address.
    #[inline]
    #[must_use]
    pub fn sender_mac(&self) -> Mac {
        Mac(get(self.buffer.as_ref(), field::SENDER_MAC))
    }

    /// The sender's address; 0.0.0.0 where it only wants to know whether the target is taken.
    #[inline]
    #[must_use]
    pub fn sender(&self) -> Ipv4Addr {
        Ipv4Addr::from(get::<4>(self.buffer.as_ref(), field::SENDER))
    }

    /// The target's MAC address: in a request nothing.
    #[inline]
    #[must_use]
    pub fn target_mac(&self) -> Mac {
        Mac(get(self.buffer.as_ref(), field::TARGET_MAC))
    }

    /// The address that is asked for.
    #[inline]
    #[must_use]
    pub fn target(&self) -> Ipv4Addr {
        Ipv4Addr::from(get::<4>(self.buffer.as_ref(), field::TARGET))
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Arp<T> {
    /// Turns a request into the reply that the target has this MAC address.
    pub fn answer(&mut self, mac: Mac) {
        let (asker_mac, asker, asked) = (self.sender_mac(), self.sender(), self.target());
        let data = self.buffer.as_mut();
        set_u16(data, field::OPERATION, REPLY);
        data[field::SENDER_MAC].copy_from_slice(&mac.0);
        data[field::SENDER].copy_from_slice(&asked.octets());
        data[field::TARGET_MAC].copy_from_slice(&asker_mac.0);
        data[field::TARGET].copy_from_slice(&asker.octets());
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Arp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sender, mac) = (self.sender(), self.sender_mac());
        write!(f, "ARP operation {} sender {sender} ({mac}) target {}", self.operation(), self.target())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    /// As the Linux kernel asks.
    const REQUEST_BYTES: [u8; 28] =
        [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];

    #[test]
    fn fields_are_where_they_are() {
        let arp = Arp::new_checked(&REQUEST_BYTES[..]).unwrap();
        assert_eq!(arp.to_string(), "ARP operation 1 sender 10.0.0.1 (02:00:00:00:00:09) target 10.0.0.2");
        assert!(arp.target_mac().is_zero());
    }

    #[test]
    fn an_answer_goes_back_to_the_asker() {
        let mut bytes = REQUEST_BYTES;
        let mut arp = Arp::new_checked(&mut bytes[..]).unwrap();
        arp.answer(Mac([2, 0, 0, 0, 0, 5]));
        assert_eq!(arp.to_string(), "ARP operation 2 sender 10.0.0.2 (02:00:00:00:00:05) target 10.0.0.1");
        assert_eq!(arp.target_mac(), Mac([2, 0, 0, 0, 0, 9]));
    }

    #[test]
    fn other_kinds_are_refused() {
        assert_eq!(Arp::new_checked(&REQUEST_BYTES[..27]).map(|_| ()), Err(Error));
        for at in 0..6 {
            let mut bytes = REQUEST_BYTES;
            bytes[at] ^= 1;
            assert_eq!(Arp::new_checked(&bytes[..]).map(|_| ()), Err(Error), "{at}");
        }
    }
}
