//! ICMP for IPv4, and echo for both.

use crate::wire::{Cover, Fields as _, Format, Header, Next, checksum, header};

/// An ICMP message. What follows depends on its type.
#[header(name = "ICMP", source = "RFC 792", ip_protocol = 1)]
pub struct Icmp {
    /// The type: [`Icmp::ECHO_REQUEST`] and others.
    kind: u8,
    /// More about the type.
    code: u8,
    /// Checksum of the message.
    #[hex]
    checksum: u16,
}

impl Header for Icmp {
    fn next(&self, _payload: &[u8]) -> Next {
        match self.kind() {
            Self::ECHO_REPLY | Self::ECHO_REQUEST => Next::Header(&IcmpEcho::INFO),
            _ => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Message(Self::CHECKSUM)
    }

    fn set_next(&mut self, next: &Format) {
        if *next == IcmpEcho::FORMAT {
            self.set_kind(Self::ECHO_REQUEST);
        }
    }
}

impl Icmp {
    /// I am here.
    pub const ECHO_REPLY: u8 = 0;
    /// Are you there?
    pub const ECHO_REQUEST: u8 = 8;

    /// Sets the type, and changes the checksum by as much.
    #[inline]
    pub fn change_kind(&mut self, kind: u8) {
        let word = |kind| u16::from_be_bytes([kind, self.code()]);
        let value = checksum::update(self.checksum(), word(self.kind()), word(kind));
        self.set_checksum(value);
        self.set_kind(kind);
    }
}

/// What follows ICMP and ICMPv6 in an echo request or reply: a ping.
#[header(name = "echo", source = "RFC 792, RFC 4443")]
pub struct IcmpEcho {
    /// Who asked.
    identifier: u16,
    /// Which question.
    sequence: u16,
}

impl Header for IcmpEcho {}

#[cfg(test)]
mod test {
    use super::*;
    use zerocopy::IntoBytes as _;

    #[test]
    fn a_reply_keeps_a_good_checksum() {
        let mut icmp = Icmp::default();
        icmp.set_kind(Icmp::ECHO_REQUEST);
        icmp.set_code(1);
        icmp.set_checksum(checksum::finish(checksum::sum(icmp.as_bytes())));
        icmp.change_kind(Icmp::ECHO_REPLY);
        assert_eq!(checksum::fold(checksum::sum(icmp.as_bytes())), 0xffff);
        assert_eq!(icmp.next(&[]), Next::Header(&IcmpEcho::INFO));
        assert_eq!(Icmp::FORMAT.ip_protocols, [1]);
    }
}
