//! The protocols: one file each, or one for a family.

mod arp;
mod ethernet;
mod icmp;
mod icmpv6;
mod ipv4;
mod ipv6;
mod tcp;
mod udp;
mod vxlan;

pub use arp::Arp;
pub use ethernet::{Ethernet, Vlan};
pub use icmp::{Icmp, IcmpEcho};
pub use icmpv6::{Icmpv6, NdMac, NeighborAdvertisement, NeighborSolicitation};
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
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

        /// The typed accessors of each of [`HEADERS`]. For tests.
        #[doc(hidden)]
        #[cfg(not(target_arch = "wasm32"))]
        pub const TYPED: &[crate::wire::Typed] = &[$(crate::wire::Typed::of::<$header>()),+];
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
];
