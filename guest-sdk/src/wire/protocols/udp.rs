//! UDP.

use crate::wire::{Cover, Format, Header, Next, header, protocol};

/// A UDP datagram.
#[header(name = "UDP", source = "RFC 768", ip_protocol = 17)]
pub struct Udp {
    /// From which port.
    source_port: u16,
    /// To which port.
    destination_port: u16,
    /// Length of header and payload.
    #[initial = 8]
    length: u16,
    /// Checksum over pseudo-header, header and payload; 0: none, which only IPv4 allows.
    #[hex]
    checksum: u16,
}

impl Header for Udp {
    #[inline]
    fn total_len(&self, _available: usize) -> usize {
        usize::from(self.length())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::UdpPorts { source: self.source_port(), destination: self.destination_port() }
    }

    fn cover(&self) -> Cover {
        Cover::Pseudo(Self::CHECKSUM, protocol::UDP)
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&port) = next.udp_ports.first() {
            self.set_destination_port(port);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length((Self::LEN + payload) as u16);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn lengths_must_agree() {
        let bytes = [0, 53, 0, 99, 0, 10, 0, 0, 1, 2, 3];
        let udp = Udp::parse(&bytes).unwrap();
        assert_eq!((udp.source_port(), udp.destination_port(), udp.payload), (53, 99, &[1, 2][..]));
        assert!(Udp::parse(&bytes[..9]).is_err());
        assert!(Udp::parse(&[0, 0, 0, 0, 0, 7, 0, 0]).is_err());
    }
}
