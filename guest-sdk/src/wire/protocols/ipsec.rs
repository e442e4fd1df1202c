//! IPsec: AH and ESP. What ESP carries is encrypted, so nothing behind it is dissected.

use crate::wire::{Format, Header, Next, header};

/// Authentication header. The variable part is the integrity check value.
#[header(name = "AH", source = "RFC 4302", ip_protocol = 51)]
pub struct Ah {
    /// What follows.
    next_header: u8,
    /// Length in words of four bytes, less two.
    #[initial = 1]
    words: u8,
    /// Must be 0.
    reserved: u16,
    /// Security parameters index: which association.
    #[hex]
    spi: u32,
    /// Sequence number, against replay.
    sequence: u32,
}

impl Header for Ah {
    fn header_len(&self) -> usize {
        (usize::from(self.words()) + 2) * 4
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::IpProtocol(self.next_header())
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ip_protocols.first() {
            self.set_next_header(number);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "an integrity check value has some tens of bytes")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_words(((Self::LEN + variable) / 4 - 2) as u8);
    }
}

/// Encapsulating security payload.
#[header(name = "ESP", source = "RFC 4303", ip_protocol = 50, udp_port = 4500)]
pub struct Esp {
    /// Security parameters index: which association; 0 to 255 are reserved, and 0 on UDP port 4500 is no ESP.
    #[initial = 0x100]
    #[hex]
    spi: u32,
    /// Sequence number, against replay.
    sequence: u32,
}

impl Header for Esp {
    fn is_valid(&self) -> bool {
        self.spi() != 0
    }
}

/// What ends the plain text of ESP, behind payload and padding.
#[header(name = "ESP trailer", source = "RFC 4303")]
pub struct EspTrailer {
    /// Bytes of padding before this.
    padding: u8,
    /// What the payload is.
    next_header: u8,
}

impl Header for EspTrailer {}

impl EspTrailer {
    /// The trailer, and the padding before it, that makes `payload` bytes with both a multiple of `block`, which is a
    /// power of two up to 128. Padding is the numbers 1, 2, 3 and so on (RFC 4303, section 2.4).
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a remainder is smaller than the block")]
    pub fn for_payload(payload: usize, block: u8, next_header: u8) -> Self {
        let mut trailer = Self::default();
        let used = (payload + Self::LEN) % usize::from(block.max(1));
        trailer.set_padding(if used == 0 { 0 } else { block - used as u8 });
        trailer.set_next_header(next_header);
        trailer
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Ipv6, Layers, Stack as _, Udp, With};
    use std::vec::Vec;

    crate::stack! { struct Authentic { eth: Ethernet, ip: Ipv6, ah: With<Ah, 12>, udp: Udp } }

    #[test]
    fn what_is_authenticated_is_still_seen() {
        let mut packet = [0; 100];
        Authentic::fill(&mut packet, |p| p.ah.set_spi(9)).unwrap();
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names, ["Ethernet", "IPv6", "AH", "UDP"]);
        assert_eq!(packet[55], 4);
    }

    #[test]
    fn padding_fills_a_block() {
        for (payload, padding) in [(14, 0), (15, 15), (16, 14), (0, 14)] {
            assert_eq!(EspTrailer::for_payload(payload, 16, 4).padding(), padding, "{payload}");
        }
    }
}
