//! The protocols: one file each, or one for a family.

#[cfg(test)]
mod any_bytes;
mod arp;
#[cfg(test)]
mod captured;
mod dhcp;
pub mod dns;
mod ethernet;
mod geneve;
mod gre;
mod gtp;
mod icmp;
mod icmpv6;
mod igmp;
pub mod ipfix;
mod ipsec;
mod ipv4;
mod ipv6;
mod ipv6_carried;
mod ipv6_extensions;
mod mld;
mod mpls;
mod nd;
mod ntp;
mod pppoe;
mod ptp;
pub mod quic;
mod sctp;
pub mod sflow;
mod slow;
mod tcp;
mod udp;
mod vxlan;

pub use arp::Arp;
pub use dhcp::{Dhcp, Dhcpv6, Dhcpv6Relay};
pub use dns::{Dns, DnsTcp};
pub(in crate::wire) use ethernet::LENGTH_MAX;
pub use ethernet::{Ethernet, Vlan};
pub use geneve::{Geneve, GeneveOption};
pub use gre::{Gre, Nvgre};
pub use gtp::{Gtpu, GtpuExtended, GtpuExtension, GtpuOptional, GtpuPduSession};
pub use icmp::{Icmp, IcmpEcho, IcmpError, IcmpRedirect, IcmpTimestamp, IcmpUnreachable};
pub use icmpv6::{Icmpv6, Icmpv6Error};
pub use igmp::{Igmp, IgmpGroup, IgmpQuery3, IgmpRecord, IgmpReport3};
pub use ipfix::{Ipfix, IpfixSet, NetFlow9};
pub use ipsec::{Ah, Esp, EspTrailer};
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use ipv6_carried::{Carried, ExtensionHeader, ExtensionHeaders};
pub use ipv6_extensions::{DestinationOptions, Extension, Fragment, HopByHop, Routing, SegmentRouting};
pub use mld::{Mld, MldQuery2, MldRecord, MldReport2};
pub use mpls::Mpls;
pub use nd::{
    NdMac, NdMtu, NdPrefix, NdRedirect, NeighborAdvertisement, NeighborSolicitation, RouterAdvertisement,
    RouterSolicitation,
};
pub use ntp::{Ntp, NtpTime};
pub use pppoe::{Ppp, Pppoe};
pub use ptp::{Ptp, PtpAnnounce, PtpManagement, PtpPeerDelayRequest, PtpResponse, PtpSignaling, PtpTimestamp};
pub use quic::{QuicLong, QuicShort, QuicSource};
pub use sctp::{Sctp, SctpChunk, SctpData, SctpInit};
pub use sflow::{
    Sflow, SflowCounters, SflowExpandedCounters, SflowExpandedFlow, SflowFlow, SflowIpv4, SflowIpv6, SflowPacket,
    SflowPort, SflowRecord, SflowSwitch,
};
pub use slow::{Lacp, Marker, SlowProtocol};
pub use tcp::Tcp;
pub use udp::Udp;
pub use vxlan::Vxlan;

#[cfg(not(target_arch = "wasm32"))]
use super::Fields as _;
use super::{Header as _, Info};

/// Lists the headers once, for all that goes through them.
macro_rules! headers {
    ($($header:ident),+ $(,)?) => {
        /// All headers of the SDK. Of several under one number, the first that fits the bytes is taken.
        pub const HEADERS: &[&Info] = &[$(&$header::INFO),+];

        /// What the documentation of each of [`HEADERS`] says: of the header, and of its fields in their order. For tables.
        #[cfg(not(target_arch = "wasm32"))]
        pub const DOCS: &[(&str, &[&str])] = &[$(($header::DOC, $header::FIELD_DOCS)),+];

        /// The typed accessors of each of [`HEADERS`]. For tests.
        #[doc(hidden)]
        #[cfg(not(target_arch = "wasm32"))]
        pub const TYPED: &[crate::wire::Typed] = &[$(crate::wire::Typed::of::<$header>()),+];
    };
}

headers![
    Ethernet,
    Vlan,
    Arp,
    Ipv4,
    Ipv6,
    Udp,
    Tcp,
    Icmp,
    IcmpEcho,
    IcmpUnreachable,
    IcmpError,
    IcmpRedirect,
    IcmpTimestamp,
    Icmpv6,
    Icmpv6Error,
    NeighborSolicitation,
    NeighborAdvertisement,
    RouterSolicitation,
    RouterAdvertisement,
    NdRedirect,
    NdMac,
    NdPrefix,
    NdMtu,
    Mld,
    MldQuery2,
    MldReport2,
    MldRecord,
    Igmp,
    IgmpGroup,
    IgmpQuery3,
    IgmpReport3,
    IgmpRecord,
    HopByHop,
    DestinationOptions,
    SegmentRouting,
    Routing,
    Extension,
    Fragment,
    Ah,
    Esp,
    EspTrailer,
    Mpls,
    Pppoe,
    Ppp,
    Gre,
    Nvgre,
    Vxlan,
    Geneve,
    GeneveOption,
    Gtpu,
    GtpuOptional,
    GtpuExtended,
    GtpuPduSession,
    GtpuExtension,
    Sctp,
    SctpData,
    SctpInit,
    SctpChunk,
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
