//! What this module knows of headers: where fields are in a template, and what depends on others: lengths and checksums.

use perigee_guest::abi::tx_flags;
use perigee_guest::vary::Place;
use perigee_guest::wire::{EtherType, checksum, ethernet, ipv4, ipv6, protocol};

/// The VLAN tags of IEEE 802.1Q and 802.1ad.
const TAGS: [u16; 2] = [0x8100, 0x88a8];

/// Where the headers of a template begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    tags: usize,
    network: Network,
    /// First byte of the network header.
    l3: usize,
    transport: Transport,
    /// First byte of the transport header.
    l4: usize,
    /// Whether the template has a UDP checksum.
    has_sum: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Network {
    #[default]
    Other,
    Ipv4,
    Ipv6,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Transport {
    #[default]
    Other,
    Udp,
    Tcp,
    Icmp,
    Icmpv6,
}

/// Header, field, first bit in the header, width.
const FIELDS: &[(&str, &str, u32, u32)] = &[
    ("ethernet", "destination", 0, 48),
    ("ethernet", "source", 48, 48),
    ("vlan", "priority", 0, 3),
    ("vlan", "id", 4, 12),
    ("ipv4", "dscp", 8, 6),
    ("ipv4", "ecn", 14, 2),
    ("ipv4", "total_length", 16, 16),
    ("ipv4", "id", 32, 16),
    ("ipv4", "ttl", 64, 8),
    ("ipv4", "protocol", 72, 8),
    ("ipv4", "source", 96, 32),
    ("ipv4", "destination", 128, 32),
    ("ipv6", "traffic_class", 4, 8),
    ("ipv6", "flow_label", 12, 20),
    ("ipv6", "hop_limit", 56, 8),
    ("ipv6", "source", 64, 128),
    ("ipv6", "destination", 192, 128),
    ("udp", "source_port", 0, 16),
    ("udp", "destination_port", 16, 16),
    ("tcp", "source_port", 0, 16),
    ("tcp", "destination_port", 16, 16),
    ("tcp", "sequence", 32, 32),
    ("tcp", "acknowledgement", 64, 32),
    ("tcp", "flags", 104, 8),
    ("tcp", "window", 112, 16),
    ("icmp", "id", 32, 16),
    ("icmp", "sequence", 48, 16),
    ("icmpv6", "id", 32, 16),
    ("icmpv6", "sequence", 48, 16),
];

impl Headers {
    /// Finds the headers of a packet: Ethernet, VLAN tags, IPv4 or IPv6 without extension headers, UDP, TCP, ICMP.
    pub(crate) fn find(packet: &[u8]) -> Self {
        let mut headers = Self::default();
        let mut at = ethernet::HEADER_LEN;
        while word(packet, at - 2).is_some_and(|kind| TAGS.contains(&kind)) {
            headers.tags += 1;
            at += 4;
        }
        headers.l3 = at;
        let byte = |at: usize| packet.get(at).copied().unwrap_or_default();
        let kind = word(packet, at - 2).map(EtherType);
        let (protocol, fixed, len) = match kind {
            Some(EtherType::IPV4) => (byte(at + 9), ipv4::HEADER_LEN, usize::from(byte(at) & 15) * 4),
            Some(EtherType::IPV6) => (byte(at + 6), ipv6::HEADER_LEN, ipv6::HEADER_LEN),
            _ => return headers,
        };
        if len < fixed || packet.len() < at + len {
            return headers;
        }
        headers.network = if kind == Some(EtherType::IPV4) { Network::Ipv4 } else { Network::Ipv6 };
        headers.l4 = at + len;
        // Only the first fragment has a transport header.
        let is_fragment = headers.network == Network::Ipv4 && word(packet, at + 6).is_some_and(|w| w & 0x1fff != 0);
        let (transport, header) = match protocol {
            _ if is_fragment => return headers,
            protocol::UDP => (Transport::Udp, 8),
            protocol::TCP => (Transport::Tcp, 20),
            protocol::ICMP if headers.network == Network::Ipv4 => (Transport::Icmp, 8),
            protocol::ICMPV6 if headers.network == Network::Ipv6 => (Transport::Icmpv6, 8),
            _ => return headers,
        };
        if packet.len() >= headers.l4 + header {
            headers.transport = transport;
            headers.has_sum = word(packet, headers.l4 + 6).is_some_and(|sum| sum != 0);
        }
        headers
    }

    /// The place of a field, such as `"ipv4.source"`, where the packet has it. Of two VLAN tags, `vlan` is the outer one.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        let (header, field) = name.split_once('.')?;
        let first = match header {
            "ethernet" => 0,
            "vlan" if self.tags > 0 => ethernet::HEADER_LEN,
            "ipv4" if self.network == Network::Ipv4 => self.l3,
            "ipv6" if self.network == Network::Ipv6 => self.l3,
            "udp" if self.transport == Transport::Udp => self.l4,
            "tcp" if self.transport == Transport::Tcp => self.l4,
            "icmp" if self.transport == Transport::Icmp => self.l4,
            "icmpv6" if self.transport == Transport::Icmpv6 => self.l4,
            _ => return None,
        };
        let (_, _, bit, width) = FIELDS.iter().find(|(of, known, ..)| *of == header && *known == field)?;
        Place::bits(u32::try_from(first).ok()? * 8 + bit, *width)
    }

    /// Length of all headers: the shortest packet that still is one of the stream.
    pub(crate) fn len(&self) -> usize {
        match self.transport {
            Transport::Tcp => self.l4 + 20,
            Transport::Other => self.l3.max(self.l4),
            _ => self.l4 + 8,
        }
    }

    /// Writes the lengths that follow from the packet's own.
    #[inline]
    pub(crate) fn write_lengths(&self, bytes: &mut [u8]) {
        let len = bytes.len();
        match self.network {
            Network::Ipv4 => set_word(bytes, self.l3 + 2, len.saturating_sub(self.l3)),
            Network::Ipv6 => set_word(bytes, self.l3 + 4, len.saturating_sub(self.l3 + ipv6::HEADER_LEN)),
            Network::Other => {}
        }
        if self.transport == Transport::Udp {
            set_word(bytes, self.l4 + 4, len.saturating_sub(self.l4));
        }
    }

    /// Where the checksum of the transport header is, if there is one to write.
    fn sum_at(&self) -> Option<usize> {
        match self.transport {
            // 0 says "none", which IPv4 allows.
            Transport::Udp if self.network == Network::Ipv4 && !self.has_sum => None,
            Transport::Udp => Some(self.l4 + 6),
            Transport::Tcp => Some(self.l4 + 16),
            Transport::Icmp | Transport::Icmpv6 => Some(self.l4 + 2),
            Transport::Other => None,
        }
    }

    /// End of what the transport header's checksum covers: what the IP header says, without padding.
    #[inline]
    fn payload_end(&self, bytes: &[u8]) -> usize {
        let end = match self.network {
            Network::Ipv4 => self.l3 + usize::from(word(bytes, self.l3 + 2).unwrap_or_default()),
            _ => self.l3 + ipv6::HEADER_LEN + usize::from(word(bytes, self.l3 + 4).unwrap_or_default()),
        };
        end.min(bytes.len())
    }

    /// The sum over the part of the packet from `from` on, for [`Self::write_checksums`] of packets that have it in common.
    pub(crate) fn rest(&self, bytes: &[u8], from: usize) -> Option<Rest> {
        // Words are counted from the beginning of the transport header, which is at an even place.
        let from = from.max(self.len()).next_multiple_of(2);
        let data = bytes.get(from..self.payload_end(bytes))?;
        Some(Rest { from, sum: checksum::fold(checksum::sum(data)) })
    }

    /// Writes the checksums of the headers. `rest` is what is known of the packet's end.
    #[inline]
    pub(crate) fn write_checksums(&self, bytes: &mut [u8], rest: Option<Rest>) {
        if self.network == Network::Ipv4 {
            set_word(bytes, self.l3 + 10, 0);
            let sum = checksum::sum(bytes.get(self.l3..self.l4).unwrap_or_default());
            set_word(bytes, self.l3 + 10, checksum::finish(sum).into());
        }
        let Some(at) = self.sum_at() else { return };
        set_word(bytes, at, 0);
        let end = self.payload_end(bytes);
        let (covered, known) = rest.map_or((end, 0), |rest| (rest.from, rest.sum.into()));
        let sum = checksum::sum(bytes.get(self.l4..covered).unwrap_or_default());
        let pseudo = self.pseudo_header(bytes, end.saturating_sub(self.l4));
        let value = checksum::finish(u32::from(checksum::fold(sum)) + known + u32::from(checksum::fold(pseudo)));
        let value = if value == 0 && self.transport == Transport::Udp { 0xffff } else { value };
        set_word(bytes, at, value.into());
    }

    #[inline]
    fn pseudo_header(&self, bytes: &[u8], len: usize) -> u32 {
        let protocol = match self.transport {
            Transport::Udp => protocol::UDP,
            Transport::Tcp => protocol::TCP,
            Transport::Icmpv6 => protocol::ICMPV6,
            Transport::Icmp | Transport::Other => return 0,
        };
        let (first, len_of) = if self.network == Network::Ipv4 { (self.l3 + 12, 8) } else { (self.l3 + 8, 32) };
        checksum::pseudo_header(bytes.get(first..first + len_of).unwrap_or_default(), &[], protocol, len)
    }

    /// What is asked of the way out instead: flags, and the lengths of the layers before the transport header.
    pub(crate) fn asked(&self) -> (u32, u8, u8) {
        let network = match self.network {
            Network::Ipv4 => tx_flags::IPV4 | tx_flags::IP_CHECKSUM,
            Network::Ipv6 => tx_flags::IPV6,
            Network::Other => return (0, 0, 0),
        };
        let transport = match self.transport {
            Transport::Udp if self.sum_at().is_some() => tx_flags::UDP_CHECKSUM,
            Transport::Tcp => tx_flags::TCP_CHECKSUM,
            _ => 0,
        };
        let short = |len: usize| u8::try_from(len).unwrap_or_default();
        (network | transport, short(self.l3), short(self.l4 - self.l3))
    }
}

/// See [`Headers::rest`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    from: usize,
    sum: u16,
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|raw| u16::from_be_bytes(*raw))
}

/// Writes a length or a checksum, cut to 16 bits.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "a packet's length has 16 bits")]
fn set_word(bytes: &mut [u8], at: usize, value: usize) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = (value as u16).to_be_bytes();
    }
}
