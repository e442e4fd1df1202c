//! GTP-U: user packets of mobile networks.

use crate::wire::{Fields as _, Format, Header, Next, Role, header};

/// GTP-U version 1.
#[header(name = "GTP-U", source = "3GPP TS 29.281", udp_port = 2152)]
pub struct Gtpu {
    /// 1.
    #[bits(3)]
    #[initial = 1]
    version: u8,
    /// GTP rather than GTP'.
    #[initial = true]
    gtp: bool,
    /// Must be 0.
    reserved: bool,
    /// [`GtpuExtended`] follows, and names an extension header.
    extension: bool,
    /// [`GtpuOptional`] follows, with a sequence number.
    sequence: bool,
    /// [`GtpuOptional`] follows, with an N-PDU number.
    npdu: bool,
    /// Type of the message; 255: a user's packet.
    #[initial = 255]
    kind: u8,
    /// Length of all that follows these eight bytes.
    length: u16,
    /// Tunnel endpoint identifier.
    #[hex]
    teid: u32,
}

impl Header for Gtpu {
    const ROLE: Role = Role::Tunnel;

    fn is_valid(&self) -> bool {
        self.version() == 1 && self.gtp()
    }

    fn total_len(&self, _available: usize) -> usize {
        Self::LEN + usize::from(self.length())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        if self.extension() {
            return Next::Header(&GtpuExtended::INFO);
        }
        match (self.sequence() || self.npdu(), self.kind()) {
            (true, _) => Next::Header(&GtpuOptional::INFO),
            (false, 255) => Next::IpByVersion,
            _ => Next::Payload,
        }
    }

    fn set_next(&mut self, next: &Format) {
        if *next == GtpuExtended::FORMAT {
            self.set_extension(true);
        } else if *next == GtpuOptional::FORMAT && !self.npdu() {
            self.set_sequence(true);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, payload: usize) {
        self.set_length((variable + payload) as u16);
    }
}

/// What follows GTP-U with a sequence number or an N-PDU number, but without extension headers.
#[header(name = "GTP-U optional part", source = "3GPP TS 29.281")]
pub struct GtpuOptional {
    /// Sequence number, where its flag is set.
    sequence: u16,
    /// N-PDU number, where its flag is set.
    npdu: u8,
    /// Not looked at.
    #[hex]
    unused: u8,
}

impl Header for GtpuOptional {
    fn next(&self, _payload: &[u8]) -> Next {
        Next::IpByVersion
    }
}

/// What follows GTP-U with extension headers.
#[header(name = "GTP-U extended part", source = "3GPP TS 29.281")]
pub struct GtpuExtended {
    /// Sequence number, where its flag is set.
    sequence: u16,
    /// N-PDU number, where its flag is set.
    npdu: u8,
    /// Type of the next extension header; 0: none.
    #[hex]
    next_extension: u8,
}

impl Header for GtpuExtended {
    fn next(&self, payload: &[u8]) -> Next {
        next_extension(self.next_extension(), payload)
    }

    fn set_next(&mut self, next: &Format) {
        if *next == GtpuPduSession::FORMAT {
            self.set_next_extension(GtpuPduSession::KIND);
        } else if *next == GtpuExtension::FORMAT {
            self.set_next_extension(GtpuExtension::UDP_PORT);
        }
    }
}

/// Extension header of any type: its length is known (section 5.2.1). The last byte of the whole header is the type of the
/// next one: where it is longer than one word, that is the last byte of the variable part.
#[header(name = "GTP-U extension", source = "3GPP TS 29.281")]
pub struct GtpuExtension {
    /// Length in words of four bytes; 0 cannot be.
    #[initial = 1]
    words: u8,
    /// The beginning of what it says.
    #[hex]
    content: u16,
    /// In a header of one word the type of the next extension header, 0: none; in a longer one more of what it says.
    #[hex]
    last: u8,
}

impl GtpuExtension {
    /// Type of the extension header that names the UDP port of whoever caused an error, of one word.
    pub const UDP_PORT: u8 = 0x40;
}

impl Header for GtpuExtension {
    fn header_len(&self) -> usize {
        usize::from(self.words()) * 4
    }

    fn next_behind(&self, variable: &[u8], payload: &[u8]) -> Next {
        next_extension(variable.last().copied().unwrap_or(self.last()), payload)
    }

    fn set_next(&mut self, next: &Format) {
        if *next == GtpuPduSession::FORMAT && self.words() == 1 {
            self.set_last(GtpuPduSession::KIND);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "an extension header has at most 1,020 bytes")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_words(((Self::LEN + variable) / 4) as u8);
    }
}

/// Extension header: PDU session container of 5G networks, in its usual length of one word; a longer one is taken for a
/// [`GtpuExtension`].
#[header(name = "GTP-U PDU session container", source = "3GPP TS 38.415")]
pub struct GtpuPduSession {
    /// Length in words of four bytes.
    #[initial = 1]
    words: u8,
    /// 0: to the user, 1: from the user.
    #[bits(4)]
    direction: u8,
    /// Depends on the direction.
    #[bits(4)]
    flags: u8,
    /// Paging policy is present, towards the user.
    paging: bool,
    /// Reflective quality of service, towards the user.
    reflective: bool,
    /// Quality of service flow.
    #[bits(6)]
    qfi: u8,
    /// Type of the next extension header; 0: none.
    #[hex]
    next_extension: u8,
}

impl GtpuPduSession {
    /// Its type, as the header before it says.
    pub const KIND: u8 = 0x85;
}

impl Header for GtpuPduSession {
    fn is_valid(&self) -> bool {
        self.words() == 1
    }

    fn next(&self, payload: &[u8]) -> Next {
        next_extension(self.next_extension(), payload)
    }
}

/// The extension header of this type, or what follows where there is none.
fn next_extension(kind: u8, payload: &[u8]) -> Next {
    match (kind, payload.first()) {
        (0, _) => Next::IpByVersion,
        (GtpuPduSession::KIND, Some(1)) => Next::Header(&GtpuPduSession::INFO),
        _ => Next::Header(&GtpuExtension::INFO),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Ipv4, Layers, Stack as _, Udp};
    use std::vec::Vec;

    crate::stack! {
        struct User {
            eth: Ethernet,
            ip: Ipv4,
            udp: Udp,
            gtp: Gtpu,
            extended: GtpuExtended,
            session: GtpuPduSession,
            inner: Ipv4,
            inner_udp: Udp,
        }
    }

    #[test]
    fn a_users_packet_is_found_behind_extensions() {
        let mut packet = [0; 120];
        User::fill(&mut packet, |p| {
            p.gtp.set_teid(0x1234);
            p.session.set_qfi(9);
        })
        .unwrap();
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names[3..], ["GTP-U", "GTP-U extended part", "GTP-U PDU session container", "IPv4", "UDP"]);
        let (headers, _) = User::parse(&packet).unwrap();
        assert_eq!((headers.gtp.length(), headers.session.qfi()), (120 - 42 - 8, 9));
    }
}
