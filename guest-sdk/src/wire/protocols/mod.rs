//! The protocols: one file each, or one for a family.

#[cfg(test)]
mod any_bytes;
mod arp;
#[cfg(test)]
mod captured;
mod dhcp;
pub mod dns;
mod ethernet;
mod icmp;
mod icmpv6;
pub mod ipfix;
mod ipv4;
mod ipv6;
mod ntp;
mod ptp;
pub mod quic;
pub mod sflow;
mod slow;
mod tcp;
mod udp;
mod vxlan;

pub use arp::Arp;
pub use dhcp::{Dhcp, Dhcpv6, Dhcpv6Relay};
pub use dns::{Dns, DnsTcp};
pub use ethernet::{Ethernet, Vlan};
pub use icmp::{Icmp, IcmpEcho};
pub use icmpv6::{Icmpv6, NdMac, NeighborAdvertisement, NeighborSolicitation};
pub use ipfix::{Ipfix, IpfixSet, NetFlow9};
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use ntp::{Ntp, NtpTime};
pub use ptp::{Ptp, PtpAnnounce, PtpManagement, PtpPeerDelayRequest, PtpResponse, PtpSignaling, PtpTimestamp};
pub use quic::{QuicLong, QuicShort, QuicSource};
pub use sflow::{
    Sflow, SflowCounters, SflowExpandedCounters, SflowExpandedFlow, SflowFlow, SflowIpv4, SflowIpv6, SflowPacket,
    SflowPort, SflowRecord, SflowSwitch,
};
pub use slow::{Lacp, Marker, SlowProtocol};
pub use tcp::Tcp;
pub use udp::Udp;
pub use vxlan::Vxlan;

use super::{Fields as _, Header as _, Info};

/// Lists the headers once, for all that goes through them.
macro_rules! headers {
    ($($header:ident),+ $(,)?) => {
        /// All headers of the SDK, those first that are looked for most often.
        pub const HEADERS: &[&Info] = &[$(&$header::INFO),+];

        /// What the documentation of each of [`HEADERS`] says: of the header, and of its fields in their order. For tables.
        #[cfg(not(target_arch = "wasm32"))]
        pub const DOCS: &[(&str, &[&str])] = &[$(($header::DOC, $header::FIELD_DOCS)),+];
    };
}

headers![
    Ipv4,
    Ipv6,
    Udp,
    Tcp,
    Vlan,
    Arp,
    Icmp,
    Icmpv6,
    Vxlan,
    Ethernet,
    IcmpEcho,
    NeighborSolicitation,
    NeighborAdvertisement,
    NdMac,
    Dns,
    DnsTcp,
    Dhcp,
    Dhcpv6,
    Dhcpv6Relay,
    Ntp,
    Ipfix,
    NetFlow9,
    IpfixSet,
    Sflow,
    SflowIpv4,
    SflowIpv6,
    SflowRecord,
    SflowFlow,
    SflowExpandedFlow,
    SflowCounters,
    SflowExpandedCounters,
    SflowPacket,
    SflowSwitch,
    SflowPort,
    QuicLong,
    QuicSource,
    QuicShort,
    Ptp,
    PtpTimestamp,
    PtpPeerDelayRequest,
    PtpResponse,
    PtpAnnounce,
    PtpSignaling,
    PtpManagement,
    SlowProtocol,
    Lacp,
    Marker,
];
