//! IGMP: which groups does a host of IPv4 listen to?

use crate::wire::{Cover, Fields as _, Format, Header, Next, header};
use core::net::Ipv4Addr;

/// An IGMP message of any version.
#[header(name = "IGMP", source = "RFC 9776", ip_protocol = 2)]
pub struct Igmp {
    /// The type: [`Igmp::QUERY`] and others.
    #[initial = Self::QUERY]
    #[hex]
    kind: u8,
    /// Within which time to answer a query, in tenths of a second up to 127.
    #[initial = 100]
    max_response: u8,
    /// Checksum of the message.
    #[hex]
    checksum: u16,
}

impl Header for Igmp {
    fn next(&self, payload: &[u8]) -> Next {
        match (self.kind(), payload.len()) {
            (Self::QUERY, 8..) => Next::Header(&IgmpQuery3::INFO),
            (Self::QUERY | Self::REPORT_1 | Self::REPORT_2 | Self::LEAVE, _) => Next::Header(&IgmpGroup::INFO),
            (Self::REPORT_3, _) => Next::Header(&IgmpReport3::INFO),
            _ => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Message(Self::CHECKSUM)
    }

    fn set_next(&mut self, next: &Format) {
        if *next == IgmpReport3::FORMAT {
            self.set_kind(Self::REPORT_3);
            self.set_max_response(0);
        }
    }
}

impl Igmp {
    /// Who listens?
    pub const QUERY: u8 = 0x11;
    /// I listen, in version 1.
    pub const REPORT_1: u8 = 0x12;
    /// I listen, in version 2.
    pub const REPORT_2: u8 = 0x16;
    /// I listen no more, in version 2.
    pub const LEAVE: u8 = 0x17;
    /// What I listen to, in version 3.
    pub const REPORT_3: u8 = 0x22;
}

/// The group of a query, report or leave of versions 1 and 2.
#[header(name = "IGMP group", source = "RFC 2236")]
pub struct IgmpGroup {
    /// The group; 0.0.0.0 asks for all.
    group: Ipv4Addr,
}

impl Header for IgmpGroup {}

/// A query of version 3. The variable part are the addresses of sources.
#[header(name = "IGMPv3 query", source = "RFC 9776")]
pub struct IgmpQuery3 {
    /// The group; 0.0.0.0 asks for all.
    group: Ipv4Addr,
    /// Must be 0.
    #[bits(4)]
    reserved: u8,
    /// Routers shall not act on it.
    suppress: bool,
    /// Querier's robustness variable.
    #[bits(3)]
    #[initial = 2]
    qrv: u8,
    /// Querier's query interval code, in seconds up to 127.
    #[initial = 125]
    qqic: u8,
    /// How many sources are named.
    sources: u16,
}

impl Header for IgmpQuery3 {
    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.sources()) * 4
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_sources((variable / 4) as u16);
    }
}

/// The beginning of a report of version 3; records follow.
#[header(name = "IGMPv3 report", source = "RFC 9776")]
pub struct IgmpReport3 {
    /// Must be 0.
    reserved: u16,
    /// How many records follow.
    #[initial = 1]
    records: u16,
}

impl Header for IgmpReport3 {
    fn next(&self, _payload: &[u8]) -> Next {
        if self.records() == 0 { Next::Payload } else { Next::Header(&IgmpRecord::INFO) }
    }
}

/// A record of a report of version 3. The variable part are the addresses of sources, then auxiliary data.
#[header(name = "IGMPv3 record", source = "RFC 9776")]
pub struct IgmpRecord {
    /// What changed: 1 and 2 current mode, 3 and 4 new mode, 5 and 6 sources allowed and blocked.
    #[initial = 4]
    kind: u8,
    /// Length of the auxiliary data in words of four bytes.
    auxiliary_words: u8,
    /// How many sources are named.
    sources: u16,
    /// The group.
    group: Ipv4Addr,
}

impl Header for IgmpRecord {
    fn header_len(&self) -> usize {
        Self::LEN + (usize::from(self.sources()) + usize::from(self.auxiliary_words())) * 4
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_sources((variable / 4) as u16);
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ipv4, Layers, Stack as _, With, checksum};
    use std::vec::Vec;

    crate::stack! { struct Report { ip: With<Ipv4, 4>, igmp: Igmp, report: IgmpReport3, record: With<IgmpRecord, 8> } }

    #[test]
    fn a_report_names_groups_and_sources() {
        let mut packet = [0; Report::LEN];
        Report::fill(&mut packet, |p| {
            // Router alert.
            p.ip.options = [0x94, 4, 0, 0];
            p.record.set_group([239, 1, 2, 3].into());
        })
        .unwrap();
        let names: Vec<_> = Layers::starting_with(&Ipv4::INFO, &packet).map(|place| place.name()).collect();
        assert_eq!(names, ["IPv4", "IGMP", "IGMPv3 report", "IGMPv3 record"]);
        let (headers, _) = Report::parse(&packet).unwrap();
        assert_eq!((headers.igmp.kind(), headers.record.sources()), (Igmp::REPORT_3, 2));
        assert!(checksum::verify(checksum::sum(&packet[24..])));
    }

    #[test]
    fn the_length_tells_the_version_of_a_query() {
        let query = [0x11, 100, 0, 0, 239, 1, 2, 3, 2, 125, 0, 0];
        for (len, name) in [(8, "IGMP group"), (12, "IGMPv3 query")] {
            let names: Vec<_> = Layers::starting_with(&Igmp::INFO, &query[..len]).map(|place| place.name()).collect();
            assert_eq!(names, ["IGMP", name]);
        }
    }
}
