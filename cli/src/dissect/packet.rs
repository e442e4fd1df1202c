//! A packet of a capture, and the header that it begins with.

use perigee_guest::wire::{Ethernet, HEADERS, Header as _, Info, Ipv4, Ipv6, Layers};
use perigee_pcap::file::{Record, ethernet};

/// A packet as it is shown.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// From 1, in its file.
    pub(super) number: u64,
    /// Nanoseconds since 1970.
    pub(super) time: Option<i128>,
    /// Bytes that it had, of which the file may have fewer.
    pub(super) length: u32,
    /// Bytes that the file has of it.
    pub(super) captured: usize,
    /// The bytes from its first header on.
    pub(super) bytes: &'a [u8],
    /// That header; `None` where nobody here knows it.
    first: Option<&'static Info>,
    /// The type of its link.
    pub(super) link: u16,
}

impl<'a> Packet<'a> {
    /// What a record has.
    pub(super) fn of(number: u64, record: &Record<'a>) -> Self {
        let Record { time, bytes, original, link } = *record;
        let (first, behind) = match ethernet::frame(link, bytes) {
            Some(ethernet::Frame { header: None, rest }) => (Some(&Ethernet::INFO), rest),
            // The header that would be made has addresses that nobody has sent: what is behind it is shown.
            Some(ethernet::Frame { header: Some(header), rest }) => (carried([header[12], header[13]]), rest),
            None => (None, bytes),
        };
        Self { number, time, length: original, captured: bytes.len(), bytes: behind, first, link }
    }

    /// Its headers; `None` where not even the first one is known.
    pub(super) fn layers(&self) -> Option<Layers<'a>> {
        self.first.map(|first| Layers::starting_with(first, self.bytes))
    }
}

/// The header under an EtherType.
fn carried(ether_type: [u8; 2]) -> Option<&'static Info> {
    match u16::from_be_bytes(ether_type) {
        0x0800 => Some(&Ipv4::INFO),
        0x86dd => Some(&Ipv6::INFO),
        other => HEADERS.iter().copied().find(|info| info.format.ether_types.contains(&other)),
    }
}
