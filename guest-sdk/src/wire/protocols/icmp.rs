//! ICMP for IPv4, and echo for both.

use crate::wire::{Cover, Fields as _, Format, Header, Next, checksum, header};
use core::net::Ipv4Addr;

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
            Self::UNREACHABLE => Next::Header(&IcmpUnreachable::INFO),
            Self::REDIRECT => Next::Header(&IcmpRedirect::INFO),
            Self::TIME_EXCEEDED | Self::PARAMETER_PROBLEM => Next::Header(&IcmpError::INFO),
            Self::TIMESTAMP | Self::TIMESTAMP_REPLY => Next::Header(&IcmpTimestamp::INFO),
            _ => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Message(Self::CHECKSUM)
    }

    fn set_next(&mut self, next: &Format) {
        let kinds = [
            (&IcmpEcho::FORMAT, Self::ECHO_REQUEST),
            (&IcmpUnreachable::FORMAT, Self::UNREACHABLE),
            (&IcmpRedirect::FORMAT, Self::REDIRECT),
            (&IcmpError::FORMAT, Self::TIME_EXCEEDED),
            (&IcmpTimestamp::FORMAT, Self::TIMESTAMP),
        ];
        if let Some((_, kind)) = kinds.iter().find(|(format, _)| *format == next) {
            self.set_kind(*kind);
        }
    }
}

impl Icmp {
    /// I am here.
    pub const ECHO_REPLY: u8 = 0;
    /// The packet that follows did not arrive; the code says why.
    pub const UNREACHABLE: u8 = 3;
    /// There is a better way.
    pub const REDIRECT: u8 = 5;
    /// Are you there?
    pub const ECHO_REQUEST: u8 = 8;
    /// The packet that follows was on its way for too long.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The packet that follows has a wrong header.
    pub const PARAMETER_PROBLEM: u8 = 12;
    /// What time is it?
    pub const TIMESTAMP: u8 = 13;
    /// This time.
    pub const TIMESTAMP_REPLY: u8 = 14;

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

/// What follows ICMP where a packet did not arrive; the beginning of that packet follows.
#[header(name = "ICMP unreachable", source = "RFC 792, RFC 1191, RFC 4884")]
pub struct IcmpUnreachable {
    /// Must be 0.
    unused: u8,
    /// Length of the packet's beginning in words of four bytes, where extensions follow it.
    words: u8,
    /// The longest packet that would have arrived, where it was too long (code 4).
    mtu: u16,
}

impl Header for IcmpUnreachable {}

/// What follows ICMP in other errors; the beginning of the packet follows.
#[header(name = "ICMP error", source = "RFC 792, RFC 4884")]
pub struct IcmpError {
    /// Which byte is wrong, in a parameter problem.
    pointer: u8,
    /// Length of the packet's beginning in words of four bytes, where extensions follow it.
    words: u8,
    /// Must be 0.
    unused: u16,
}

impl Header for IcmpError {}

/// What follows ICMP in a redirect; the beginning of the packet follows.
#[header(name = "ICMP redirect", source = "RFC 792")]
pub struct IcmpRedirect {
    /// The better way.
    gateway: Ipv4Addr,
}

impl Header for IcmpRedirect {}

/// What follows ICMP in a question for the time or its answer: milliseconds since midnight.
#[header(name = "ICMP timestamp", source = "RFC 792")]
pub struct IcmpTimestamp {
    /// Who asked.
    identifier: u16,
    /// Which question.
    sequence: u16,
    /// When the question left.
    originate: u32,
    /// When it came.
    receive: u32,
    /// When the answer left.
    transmit: u32,
}

impl Header for IcmpTimestamp {}

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
