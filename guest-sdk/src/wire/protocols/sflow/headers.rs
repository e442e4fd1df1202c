//! The headers of sFlow. All numbers have four bytes, and all lengths are multiples of four (XDR, RFC 4506).

use crate::wire::{Fields as _, Format, Header, Next, header};
use core::net::{Ipv4Addr, Ipv6Addr};

/// The beginning of an sFlow datagram. The address of who speaks follows, and the rest of the header with it.
#[header(name = "sFlow", source = "sflow.org, version 5", udp_port = 6343)]
pub struct Sflow {
    /// Version: 5.
    #[initial = 5]
    version: u32,
    /// 1: an IPv4 address follows ([`SflowIpv4`]), 2: IPv6 ([`SflowIpv6`]).
    #[initial = 1]
    address_type: u32,
}

impl Header for Sflow {
    fn is_valid(&self) -> bool {
        self.version() == 5 && matches!(self.address_type(), 1 | 2)
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::Header(if self.address_type() == 2 { &SflowIpv6::INFO } else { &SflowIpv4::INFO })
    }

    fn set_next(&mut self, next: &Format) {
        self.set_address_type(if *next == SflowIpv6::FORMAT { 2 } else { 1 });
    }
}

/// The rest of the header, with an IPv4 address. Samples follow.
#[header(name = "sFlow agent", source = "sflow.org, version 5")]
pub struct SflowIpv4 {
    /// Who speaks.
    agent: Ipv4Addr,
    /// Which of the agent's parts.
    sub_agent: u32,
    /// Number of the datagram among those of the part.
    sequence: u32,
    /// Milliseconds since the agent began.
    uptime: u32,
    /// How many samples follow.
    sample_count: u32,
}

impl Header for SflowIpv4 {}

/// The rest of the header, with an IPv6 address. Samples follow.
#[header(name = "sFlow IPv6 agent", source = "sflow.org, version 5")]
pub struct SflowIpv6 {
    /// Who speaks.
    agent: Ipv6Addr,
    /// Which of the agent's parts.
    sub_agent: u32,
    /// Number of the datagram among those of the part.
    sequence: u32,
    /// Milliseconds since the agent began.
    uptime: u32,
    /// How many samples follow.
    sample_count: u32,
}

impl Header for SflowIpv6 {}

/// What each sample begins with, and each record of a sample: what it is, and how long.
#[header(name = "sFlow record", source = "sflow.org, version 5")]
pub struct SflowRecord {
    /// Who defines the format: a private enterprise number; 0: sFlow itself.
    #[bits(20)]
    enterprise: u32,
    /// The format.
    #[bits(12)]
    format: u16,
    /// Length of what follows.
    length: u32,
}

impl Header for SflowRecord {
    fn total_len(&self, _available: usize) -> usize {
        usize::try_from(self.length()).unwrap_or(usize::MAX).saturating_add(Self::LEN)
    }

    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length(u32::try_from(payload).unwrap_or(u32::MAX));
    }
}

impl SflowRecord {
    /// Sample: of packets ([`SflowFlow`]).
    pub const FLOW: u16 = 1;
    /// Sample: of counters ([`SflowCounters`]).
    pub const COUNTERS: u16 = 2;
    /// Sample: of packets, with wider numbers ([`SflowExpandedFlow`]).
    pub const EXPANDED_FLOW: u16 = 3;
    /// Sample: of counters, with wider numbers ([`SflowExpandedCounters`]).
    pub const EXPANDED_COUNTERS: u16 = 4;
    /// Record of packets: the beginning of a packet ([`SflowPacket`]).
    pub const PACKET: u16 = 1;
    /// Record of packets: VLANs ([`SflowSwitch`]).
    pub const SWITCH: u16 = 1001;
    /// Record of counters: those of any port ([`SflowPort`]).
    pub const PORT: u16 = 1;
}

/// A sample of packets. Records follow.
#[header(name = "sFlow flow sample", source = "sflow.org, version 5")]
pub struct SflowFlow {
    /// Number of the sample among those of its source.
    sequence: u32,
    /// Kind of source; 0: a port.
    source_type: u8,
    /// Which source.
    #[bits(24)]
    source_index: u32,
    /// One of so many packets is sampled.
    rate: u32,
    /// How many packets could have been sampled.
    pool: u32,
    /// How many samples were lost.
    drops: u32,
    /// How the port where it came in is said; 0: as its number.
    #[bits(2)]
    input_format: u8,
    /// Where it came in.
    #[bits(30)]
    input: u32,
    /// How the port where it went out is said; 0: as its number, 1: as the reason why it was dropped, 2: as how many ports.
    #[bits(2)]
    output_format: u8,
    /// Where it went out.
    #[bits(30)]
    output: u32,
    /// How many records follow.
    record_count: u32,
}

impl Header for SflowFlow {}

/// A sample of packets, with wider numbers. Records follow.
#[header(name = "sFlow expanded flow sample", source = "sflow.org, version 5")]
pub struct SflowExpandedFlow {
    /// Number of the sample among those of its source.
    sequence: u32,
    /// Kind of source; 0: a port.
    source_type: u32,
    /// Which source.
    source_index: u32,
    /// One of so many packets is sampled.
    rate: u32,
    /// How many packets could have been sampled.
    pool: u32,
    /// How many samples were lost.
    drops: u32,
    /// How the port where it came in is said ([`SflowFlow::input_format`]).
    input_format: u32,
    /// Where it came in.
    input: u32,
    /// How the port where it went out is said ([`SflowFlow::output_format`]).
    output_format: u32,
    /// Where it went out.
    output: u32,
    /// How many records follow.
    record_count: u32,
}

impl Header for SflowExpandedFlow {}

/// A sample of counters. Records follow.
#[header(name = "sFlow counter sample", source = "sflow.org, version 5")]
pub struct SflowCounters {
    /// Number of the sample among those of its source.
    sequence: u32,
    /// Kind of source; 0: a port.
    source_type: u8,
    /// Which source.
    #[bits(24)]
    source_index: u32,
    /// How many records follow.
    record_count: u32,
}

impl Header for SflowCounters {}

/// A sample of counters, with wider numbers. Records follow.
#[header(name = "sFlow expanded counter sample", source = "sflow.org, version 5")]
pub struct SflowExpandedCounters {
    /// Number of the sample among those of its source.
    sequence: u32,
    /// Kind of source; 0: a port.
    source_type: u32,
    /// Which source.
    source_index: u32,
    /// How many records follow.
    record_count: u32,
}

impl Header for SflowExpandedCounters {}

/// Record: the beginning of a packet, which follows; behind it zeros to a multiple of four.
#[header(name = "sFlow packet", source = "sflow.org, version 5")]
pub struct SflowPacket {
    /// What the packet begins with: [`SflowPacket::ETHERNET`] or another.
    #[initial = Self::ETHERNET]
    protocol: u32,
    /// Length of the whole packet, with its check sequence.
    frame_length: u32,
    /// Bytes at its end that are not counted in what follows, or not there: the check sequence, for example.
    stripped: u32,
    /// How many bytes of it follow.
    header_length: u32,
}

impl Header for SflowPacket {
    fn total_len(&self, _available: usize) -> usize {
        usize::try_from(self.header_length()).unwrap_or(usize::MAX).saturating_add(Self::LEN)
    }

    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_header_length(u32::try_from(payload).unwrap_or(u32::MAX));
    }
}

impl SflowPacket {
    /// Protocol: Ethernet.
    pub const ETHERNET: u32 = 1;
    /// Protocol: IPv4.
    pub const IPV4: u32 = 11;
    /// Protocol: IPv6.
    pub const IPV6: u32 = 12;
}

/// Record: VLANs of a packet.
#[header(name = "sFlow switch", source = "sflow.org, version 5")]
pub struct SflowSwitch {
    /// VLAN where it came in.
    source_vlan: u32,
    /// Priority where it came in.
    source_priority: u32,
    /// VLAN where it went out.
    destination_vlan: u32,
    /// Priority where it went out.
    destination_priority: u32,
}

impl Header for SflowSwitch {}

/// Record: counters of a port, as in RFC 2233.
#[header(name = "sFlow port counters", source = "sflow.org, version 5")]
pub struct SflowPort {
    /// Number of the port.
    index: u32,
    /// Its type; 6: Ethernet.
    #[initial = 6]
    kind: u32,
    /// Its speed in bits per second.
    speed: u64,
    /// 1: both ways at once, 2: one way at a time, 3: in, 4: out.
    direction: u32,
    /// Bit 0: it is on, bit 1: it has a link.
    #[hex]
    status: u32,
    /// Bytes in.
    in_bytes: u64,
    /// Packets in, to one receiver.
    in_unicast: u32,
    /// Packets in, to a group.
    in_multicast: u32,
    /// Packets in, to all.
    in_broadcast: u32,
    /// Packets in that had no room.
    in_discards: u32,
    /// Packets in that were broken.
    in_errors: u32,
    /// Packets in of unknown protocols.
    in_unknown: u32,
    /// Bytes out.
    out_bytes: u64,
    /// Packets out, to one receiver.
    out_unicast: u32,
    /// Packets out, to a group.
    out_multicast: u32,
    /// Packets out, to all.
    out_broadcast: u32,
    /// Packets out that had no room.
    out_discards: u32,
    /// Packets out that failed.
    out_errors: u32,
    /// 1: it takes packets for others too.
    promiscuous: u32,
}

impl Header for SflowPort {}
