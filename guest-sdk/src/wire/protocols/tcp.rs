//! TCP.

use crate::wire::{Cover, Format, Header, Next, TlvFormat, Tlvs, header, protocol};

/// A TCP segment. Its variable part are the options.
#[header(name = "TCP", source = "RFC 9293", ip_protocol = 6)]
pub struct Tcp {
    /// From which port.
    source_port: u16,
    /// To which port.
    destination_port: u16,
    /// Number of the first byte of the payload, or of SYN.
    sequence: u32,
    /// Number of the byte that is expected next.
    acknowledgment: u32,
    /// Length of the header with its options, in words of four bytes.
    #[bits(4)]
    #[initial = 5]
    header_words: u8,
    /// Must be 0.
    #[bits(4)]
    reserved: u8,
    /// Congestion window reduced.
    cwr: bool,
    /// Congestion was seen (RFC 3168).
    ece: bool,
    /// The urgent pointer counts.
    urg: bool,
    /// The acknowledgment counts.
    ack: bool,
    /// Hand it over at once.
    psh: bool,
    /// The connection is no more.
    rst: bool,
    /// It begins.
    syn: bool,
    /// The sender has nothing more to send.
    fin: bool,
    /// How many bytes the sender takes, before it is scaled.
    #[initial = 0xffff]
    window: u16,
    /// Checksum over pseudo-header, header and payload.
    #[hex]
    checksum: u16,
    /// Where urgent data ends.
    urgent: u16,
}

impl Header for Tcp {
    #[inline]
    fn header_len(&self) -> usize {
        usize::from(self.header_words()) * 4
    }

    fn next(&self, payload: &[u8]) -> Next {
        if payload.is_empty() {
            return Next::Payload;
        }
        Next::TcpPorts { source: self.source_port(), destination: self.destination_port() }
    }

    fn cover(&self) -> Cover {
        Cover::Pseudo(Self::CHECKSUM, protocol::TCP)
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&port) = next.tcp_ports.first() {
            self.set_destination_port(port);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a header's length has four bits")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_header_words(((Self::LEN + variable) / 4) as u8);
    }
}

impl Tcp {
    /// Option: maximum segment size, two bytes.
    pub const OPTION_MSS: u16 = 2;
    /// Option: window scale, one byte.
    pub const OPTION_WINDOW_SCALE: u16 = 3;
    /// Option: selective acknowledgment is permitted.
    pub const OPTION_SACK_PERMITTED: u16 = 4;
    /// Option: selective acknowledgment, pairs of numbers of four bytes.
    pub const OPTION_SACK: u16 = 5;
    /// Option: time stamps, two numbers of four bytes.
    pub const OPTION_TIMESTAMPS: u16 = 8;

    /// The options in its variable part.
    #[must_use]
    pub const fn options(variable: &[u8]) -> Tlvs<'_> {
        Tlvs::new(variable, TlvFormat::IP)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// A SYN of the Linux kernel, with maximum segment size, SACK permitted, time stamps and window scale.
    const SYN: [u8; 40] = [
        0x9c, 0x40, 0, 80, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, // fixed part
        2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7, // options
    ];

    #[test]
    fn options_are_found() {
        let syn = Tcp::parse(&SYN).unwrap();
        assert!(syn.syn() && !syn.ack() && !syn.fin());
        assert_eq!((syn.header_len(), syn.sequence(), syn.window()), (40, 0x1234_5678, 64_240));
        assert_eq!(Tcp::options(syn.variable).find_kind(Tcp::OPTION_MSS), Ok(Some(&[5, 0xb4][..])));
        assert_eq!(Tcp::options(syn.variable).find_kind(Tcp::OPTION_WINDOW_SCALE), Ok(Some(&[7][..])));
        assert_eq!(Tcp::options(syn.variable).find_kind(Tcp::OPTION_SACK), Ok(None));
        assert!(Tcp::parse(&SYN[..39]).is_err());
    }
}
