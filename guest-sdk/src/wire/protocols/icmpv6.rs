//! ICMPv6. Neighbour discovery and MLD have files of their own.

use super::{
    IcmpEcho, Mld, MldQuery2, MldReport2, NdRedirect, NeighborAdvertisement, NeighborSolicitation, RouterAdvertisement,
    RouterSolicitation,
};
use crate::wire::{Cover, Fields as _, Format, Header, Next, checksum, header, protocol};

/// An ICMPv6 message. What follows depends on its type.
#[header(name = "ICMPv6", source = "RFC 4443", ip_protocol = 58)]
pub struct Icmpv6 {
    /// The type: [`Icmpv6::ECHO_REQUEST`] and others.
    kind: u8,
    /// More about the type.
    code: u8,
    /// Checksum over pseudo-header and message.
    #[hex]
    checksum: u16,
}

impl Header for Icmpv6 {
    fn next(&self, payload: &[u8]) -> Next {
        match self.kind() {
            Self::ECHO_REPLY | Self::ECHO_REQUEST => Next::Header(&IcmpEcho::INFO),
            Self::UNREACHABLE..=Self::PARAMETER_PROBLEM => Next::Header(&Icmpv6Error::INFO),
            Self::ROUTER_SOLICITATION => Next::Header(&RouterSolicitation::INFO),
            Self::ROUTER_ADVERTISEMENT => Next::Header(&RouterAdvertisement::INFO),
            Self::NEIGHBOR_SOLICITATION => Next::Header(&NeighborSolicitation::INFO),
            Self::NEIGHBOR_ADVERTISEMENT => Next::Header(&NeighborAdvertisement::INFO),
            Self::REDIRECT => Next::Header(&NdRedirect::INFO),
            Self::MLD_QUERY if payload.len() >= MldQuery2::LEN => Next::Header(&MldQuery2::INFO),
            Self::MLD_QUERY | Self::MLD_REPORT | Self::MLD_DONE => Next::Header(&Mld::INFO),
            Self::MLD_REPORT_2 => Next::Header(&MldReport2::INFO),
            _ => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Pseudo(Self::CHECKSUM, protocol::ICMPV6)
    }

    fn set_next(&mut self, next: &Format) {
        let kinds = [
            (&IcmpEcho::FORMAT, Self::ECHO_REQUEST),
            (&Icmpv6Error::FORMAT, Self::UNREACHABLE),
            (&RouterSolicitation::FORMAT, Self::ROUTER_SOLICITATION),
            (&RouterAdvertisement::FORMAT, Self::ROUTER_ADVERTISEMENT),
            (&NeighborSolicitation::FORMAT, Self::NEIGHBOR_SOLICITATION),
            (&NeighborAdvertisement::FORMAT, Self::NEIGHBOR_ADVERTISEMENT),
            (&NdRedirect::FORMAT, Self::REDIRECT),
            (&Mld::FORMAT, Self::MLD_QUERY),
            (&MldQuery2::FORMAT, Self::MLD_QUERY),
            (&MldReport2::FORMAT, Self::MLD_REPORT_2),
        ];
        if let Some((_, kind)) = kinds.iter().find(|(format, _)| *format == next) {
            self.set_kind(*kind);
        }
    }
}

impl Icmpv6 {
    /// The packet that follows did not arrive; the code says why.
    pub const UNREACHABLE: u8 = 1;
    /// The packet that follows is too long.
    pub const TOO_BIG: u8 = 2;
    /// The packet that follows was on its way for too long.
    pub const TIME_EXCEEDED: u8 = 3;
    /// The packet that follows has a wrong header.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Are you there?
    pub const ECHO_REQUEST: u8 = 128;
    /// I am.
    pub const ECHO_REPLY: u8 = 129;
    /// Which groups are listened to?
    pub const MLD_QUERY: u8 = 130;
    /// I listen, in version 1.
    pub const MLD_REPORT: u8 = 131;
    /// I listen no more, in version 1.
    pub const MLD_DONE: u8 = 132;
    /// Who is a router here?
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// I am.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Who has this address?
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// I have it.
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    /// There is a better way.
    pub const REDIRECT: u8 = 137;
    /// What I listen to, in version 2.
    pub const MLD_REPORT_2: u8 = 143;

    /// Sets the type, and changes the checksum by as much.
    #[inline]
    pub fn change_kind(&mut self, kind: u8) {
        let word = |kind| u16::from_be_bytes([kind, self.code()]);
        let value = checksum::update(self.checksum(), word(self.kind()), word(kind));
        self.set_checksum(value);
        self.set_kind(kind);
    }
}

/// What follows ICMPv6 in errors; the beginning of the packet follows.
#[header(name = "ICMPv6 error", source = "RFC 4443")]
pub struct Icmpv6Error {
    /// The longest packet that would have arrived, where it was too long; which byte is wrong, in a parameter problem.
    parameter: u32,
}

impl Header for Icmpv6Error {}
