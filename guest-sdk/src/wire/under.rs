//! Which of the SDK's headers are carried under a number: as tables made by the compiler, for dissecting asks them for each packet, and
//! most ports are in none.

use super::protocols::HEADERS;
use super::{Info, Next};

/// Kinds of numbers.
#[derive(Clone, Copy)]
enum Kind {
    EtherType,
    IpProtocol,
    UdpPort,
    TcpPort,
}

/// A number, and a header that may be behind it. Of several under one number, the first that fits the bytes is taken.
pub(super) type Under = (u16, &'static Info);

const ETHER_TYPES: &[Under] = &table::<{ count(Kind::EtherType) }>(Kind::EtherType);
const IP_PROTOCOLS: &[Under] = &table::<{ count(Kind::IpProtocol) }>(Kind::IpProtocol);
const UDP_PORTS: &[Under] = &table::<{ count(Kind::UdpPort) }>(Kind::UdpPort);
const TCP_PORTS: &[Under] = &table::<{ count(Kind::TcpPort) }>(Kind::TcpPort);

/// Whose port decides.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Destination,
    Source,
}

/// The number on that side, and the table that has it; nothing where none is asked for.
pub(super) const fn asked(next: Next, side: Side) -> Option<(u16, &'static [Under])> {
    match (next, side) {
        (Next::EtherType(number), Side::Destination) => Some((number, ETHER_TYPES)),
        (Next::IpProtocol(number), Side::Destination) => Some((number as u16, IP_PROTOCOLS)),
        (Next::UdpPorts { destination: number, .. }, Side::Destination)
        | (Next::UdpPorts { source: number, .. }, Side::Source) => Some((number, UDP_PORTS)),
        (Next::TcpPorts { destination: number, .. }, Side::Destination)
        | (Next::TcpPorts { source: number, .. }, Side::Source) => Some((number, TCP_PORTS)),
        _ => None,
    }
}

/// A header's number of that kind and position.
const fn number(info: &Info, kind: Kind, at: usize) -> Option<u16> {
    let format = &info.format;
    let numbers = match kind {
        Kind::EtherType => format.ether_types,
        Kind::IpProtocol if at < format.ip_protocols.len() => return Some(format.ip_protocols[at] as u16),
        Kind::IpProtocol => return None,
        Kind::UdpPort => format.udp_ports,
        Kind::TcpPort => format.tcp_ports,
    };
    if at < numbers.len() { Some(numbers[at]) } else { None }
}

const fn count(kind: Kind) -> usize {
    let (mut header, mut count) = (0, 0);
    while header < HEADERS.len() {
        let mut at = 0;
        while number(HEADERS[header], kind, at).is_some() {
            at += 1;
        }
        count += at;
        header += 1;
    }
    count
}

/// All numbers of that kind, in the order of the headers.
const fn table<const N: usize>(kind: Kind) -> [Under; N] {
    let mut table = [(0, HEADERS[0]); N];
    let (mut header, mut filled) = (0, 0);
    while header < HEADERS.len() {
        let mut at = 0;
        while let Some(number) = number(HEADERS[header], kind, at) {
            table[filled] = (number, HEADERS[header]);
            (at, filled) = (at + 1, filled + 1);
        }
        header += 1;
    }
    table
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_number_of_each_header_is_in_its_table_in_the_order_of_the_headers() {
        let is_in = |table: &[Under], number: u16, info: &'static Info| table.contains(&(number, info));
        let mut found = 0;
        for info in HEADERS.iter().copied() {
            let format = &info.format;
            let all = format.ether_types.iter().map(|number| is_in(ETHER_TYPES, *number, info));
            let all = all.chain(format.ip_protocols.iter().map(|number| is_in(IP_PROTOCOLS, (*number).into(), info)));
            let all = all.chain(format.udp_ports.iter().map(|number| is_in(UDP_PORTS, *number, info)));
            let all = all.chain(format.tcp_ports.iter().map(|number| is_in(TCP_PORTS, *number, info)));
            all.for_each(|is_there| found += usize::from(is_there));
        }
        let tables = [ETHER_TYPES, IP_PROTOCOLS, UDP_PORTS, TCP_PORTS];
        assert_eq!(found, tables.iter().map(|table| table.len()).sum::<usize>());
        for table in tables {
            let places = table.iter().map(|(_, info)| HEADERS.iter().position(|header| *header == *info));
            assert!(!table.is_empty() && places.is_sorted());
        }
    }
}
