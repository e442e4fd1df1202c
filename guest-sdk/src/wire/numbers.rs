//! The numbers under which headers carry each other, by name.

/// EtherTypes (IEEE 802 numbers).
pub mod ether_type {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// An Ethernet frame within something else (transparent Ethernet bridging).
    pub const BRIDGED: u16 = 0x6558;
    /// VLAN tag (IEEE 802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// Slow protocols: LACP.
    pub const SLOW: u16 = 0x8809;
    /// MPLS.
    pub const MPLS: u16 = 0x8847;
    /// PPPoE, discovery stage.
    pub const PPPOE_DISCOVERY: u16 = 0x8863;
    /// PPPoE, session stage.
    pub const PPPOE: u16 = 0x8864;
    /// Outer VLAN tag (IEEE 802.1ad).
    pub const QINQ: u16 = 0x88a8;
    /// PTP over Ethernet (IEEE 1588).
    pub const PTP: u16 = 0x88f7;

    /// Whether a VLAN tag follows.
    #[inline]
    #[must_use]
    pub const fn is_tag(number: u16) -> bool {
        matches!(number, VLAN | QINQ)
    }
}

/// Protocol numbers of IPv4 and IPv6 (IANA protocol numbers).
pub mod protocol {
    /// IPv6's hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// IPv4 within IP.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 within IP.
    pub const IPV6: u8 = 41;
    /// IPv6's routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6's fragment header.
    pub const IPV6_FRAGMENT: u8 = 44;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ESP.
    pub const ESP: u8 = 50;
    /// AH.
    pub const AH: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// Nothing follows.
    pub const NO_NEXT: u8 = 59;
    /// IPv6's destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// Mobile IPv6, an extension header.
    pub const MOBILITY: u8 = 135;
    /// Host identity protocol, an extension header.
    pub const HIP: u8 = 139;
    /// Shim6, an extension header.
    pub const SHIM6: u8 = 140;
    /// An Ethernet frame.
    pub const ETHERNET: u8 = 143;
    /// For experiments; with IPv6 an extension header.
    pub const EXPERIMENT_1: u8 = 253;
    /// For experiments; with IPv6 an extension header.
    pub const EXPERIMENT_2: u8 = 254;
}
