//! MLD: which groups does a host of IPv6 listen to?

use crate::wire::{Header, Next, header};
use core::net::Ipv6Addr;

/// A query, report or end of version 1; a query of version 2 is longer ([`MldQuery2`]).
#[header(name = "MLD", source = "RFC 2710")]
pub struct Mld {
    /// Within how many milliseconds to answer a query.
    max_response: u16,
    /// Must be 0.
    reserved: u16,
    /// The group; `::` asks for all.
    group: Ipv6Addr,
}

impl Header for Mld {}

/// A query of version 2. The variable part are the addresses of sources.
#[header(name = "MLDv2 query", source = "RFC 9777")]
pub struct MldQuery2 {
    /// Within how many milliseconds to answer, up to 32767.
    #[initial = 10_000]
    max_response: u16,
    /// Must be 0.
    reserved: u16,
    /// The group; `::` asks for all.
    group: Ipv6Addr,
    /// Must be 0.
    #[bits(4)]
    reserved2: u8,
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

impl Header for MldQuery2 {
    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.sources()) * 16
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_sources((variable / 16) as u16);
    }
}

/// The beginning of a report of version 2; records follow.
#[header(name = "MLDv2 report", source = "RFC 9777")]
pub struct MldReport2 {
    /// Must be 0.
    reserved: u16,
    /// How many records follow.
    #[initial = 1]
    records: u16,
}

impl Header for MldReport2 {
    fn next(&self, _payload: &[u8]) -> Next {
        if self.records() == 0 { Next::Payload } else { Next::Header(&MldRecord::INFO) }
    }
}

/// A record of a report of version 2. The variable part are the addresses of sources, then auxiliary data.
#[header(name = "MLDv2 record", source = "RFC 9777")]
pub struct MldRecord {
    /// What changed: 1 and 2 current mode, 3 and 4 new mode, 5 and 6 sources allowed and blocked.
    #[initial = 4]
    kind: u8,
    /// Length of the auxiliary data in words of four bytes.
    auxiliary_words: u8,
    /// How many sources are named.
    sources: u16,
    /// The group.
    group: Ipv6Addr,
}

impl Header for MldRecord {
    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.sources()) * 16 + usize::from(self.auxiliary_words()) * 4
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_sources((variable / 16) as u16);
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, HopByHop, Icmpv6, Ipv6, Layers, Stack as _, With, checksum};
    use std::vec::Vec;

    crate::stack! {
        struct Report {
            eth: Ethernet,
            ip: Ipv6,
            alert: HopByHop,
            icmp: Icmpv6,
            report: MldReport2,
            record: With<MldRecord, 16>,
        }
    }

    #[test]
    fn a_report_names_groups_and_sources() {
        let mut packet = [0; Report::LEN];
        Report::fill(&mut packet, |p| {
            p.alert.set_first([5, 2, 0, 0, 1, 0]);
            p.record.set_group(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 9));
        })
        .unwrap();
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names[3..], ["ICMPv6", "MLDv2 report", "MLDv2 record"]);
        assert_eq!(Report::parse(&packet).unwrap().0.record.sources(), 1);
        assert_eq!(checksum::check(&packet), Ok(()));
    }
}
