//! What tells one flow from another.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{Ipv4Addr, Ipv6Addr};

macro_rules! five_tuple {
    ($(#[$doc:meta])* $name:ident, $address:ty, $hash:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name {
            /// From whom.
            pub source: $address,
            /// To whom.
            pub destination: $address,
            /// From which port; 0 where the protocol has none.
            pub source_port: u16,
            /// To which port; 0 where the protocol has none.
            pub destination_port: u16,
            /// Number of the protocol.
            pub protocol: u8,
        }

        impl $name {
            /// The flow of the answers.
            #[inline]
            #[must_use]
            pub fn reversed(self) -> Self {
                Self {
                    source: self.destination,
                    destination: self.source,
                    source_port: self.destination_port,
                    destination_port: self.source_port,
                    protocol: self.protocol,
                }
            }

            /// The same for both directions: this flow or its reverse, whichever begins with the smaller address and
            /// port.
            #[inline]
            #[must_use]
            pub fn symmetric(self) -> Self {
                if (self.source, self.source_port) <= (self.destination, self.destination_port) {
                    self
                } else {
                    self.reversed()
                }
            }

            /// Ports and protocol as one number.
            #[inline(always)]
            fn tail(self) -> u64 {
                u64::from(self.source_port) << 32 | u64::from(self.destination_port) << 16 | u64::from(self.protocol)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (source, destination) = (self.source, self.destination);
                let (from, to, protocol) = (self.source_port, self.destination_port, self.protocol);
                five_tuple!(@display $hash, f, source, from, destination, to, protocol)
            }
        }
    };
    (@display four, $f:ident, $source:ident, $from:ident, $destination:ident, $to:ident, $protocol:ident) => {
        write!($f, "{}:{} > {}:{} protocol {}", $source, $from, $destination, $to, $protocol)
    };
    (@display six, $f:ident, $source:ident, $from:ident, $destination:ident, $to:ident, $protocol:ident) => {
        write!($f, "[{}]:{} > [{}]:{} protocol {}", $source, $from, $destination, $to, $protocol)
    };
}

five_tuple! {
    /// A flow of IPv4.
    FiveTuple4, Ipv4Addr, four
}
five_tuple! {
    /// A flow of IPv6.
    FiveTuple6, Ipv6Addr, six
}

/// Written as numbers of 128 bits, which the hash function takes whole; single fields it would put together first.
impl Hash for FiveTuple4 {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let addresses = u64::from(self.source.to_bits()) << 32 | u64::from(self.destination.to_bits());
        state.write_u128(u128::from(self.tail()) << 64 | u128::from(addresses));
    }
}

impl Hash for FiveTuple6 {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.source.to_bits());
        state.write_u128(self.destination.to_bits());
        state.write_u128(u128::from(self.tail()) << 64);
    }
}

/// A flow of IPv4 or IPv6.
///
/// ```
/// use perigee_guest::state::{FiveTuple, FiveTuple4};
///
/// let ask = FiveTuple::from(FiveTuple4 {
///     source: [10, 0, 0, 2].into(),
///     destination: [10, 0, 0, 1].into(),
///     source_port: 40_000,
///     destination_port: 53,
///     protocol: 17,
/// });
/// assert_eq!(ask.to_string(), "10.0.0.2:40000 > 10.0.0.1:53 protocol 17");
/// assert_eq!(ask.reversed().to_string(), "10.0.0.1:53 > 10.0.0.2:40000 protocol 17");
/// assert_eq!(ask.symmetric(), ask.reversed().symmetric());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FiveTuple {
    /// Of IPv4.
    V4(FiveTuple4),
    /// Of IPv6.
    V6(FiveTuple6),
}

impl FiveTuple {
    /// The flow of the answers.
    #[inline]
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::V4(flow) => Self::V4(flow.reversed()),
            Self::V6(flow) => Self::V6(flow.reversed()),
        }
    }

    /// The same for both directions: this flow or its reverse, whichever begins with the smaller address and port.
    #[inline]
    #[must_use]
    pub fn symmetric(self) -> Self {
        match self {
            Self::V4(flow) => Self::V4(flow.symmetric()),
            Self::V6(flow) => Self::V6(flow.symmetric()),
        }
    }
}

/// As the flow inside: the two families differ in length.
impl Hash for FiveTuple {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(flow) => flow.hash(state),
            Self::V6(flow) => flow.hash(state),
        }
    }
}

impl From<FiveTuple4> for FiveTuple {
    #[inline(always)]
    fn from(flow: FiveTuple4) -> Self {
        Self::V4(flow)
    }
}

impl From<FiveTuple6> for FiveTuple {
    #[inline(always)]
    fn from(flow: FiveTuple6) -> Self {
        Self::V6(flow)
    }
}

impl fmt::Display for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(flow) => flow.fmt(f),
            Self::V6(flow) => flow.fmt(f),
        }
    }
}
