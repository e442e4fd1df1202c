//! Flows as bytes, for saved states.

use super::{FiveTuple, FiveTuple4, FiveTuple6};

impl FiveTuple {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 38;

    /// The flow as bytes: 4 or 6, source and destination with 16 bytes each, both ports in little-endian order, and the protocol.
    ///
    /// ```
    /// use perigee_guest::state::{FiveTuple, FiveTuple4};
    ///
    /// let flow = FiveTuple::from(FiveTuple4 {
    ///     source: [10, 0, 0, 1].into(),
    ///     destination: [10, 0, 0, 2].into(),
    ///     source_port: 1,
    ///     destination_port: 2,
    ///     protocol: 17,
    /// });
    /// assert_eq!(FiveTuple::from_bytes(&flow.to_bytes()), flow);
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (ports, protocol) = match self {
            Self::V4(flow) => {
                bytes[0] = 4;
                bytes[1..5].copy_from_slice(&flow.source.octets());
                bytes[17..21].copy_from_slice(&flow.destination.octets());
                ([flow.source_port, flow.destination_port], flow.protocol)
            }
            Self::V6(flow) => {
                bytes[0] = 6;
                bytes[1..17].copy_from_slice(&flow.source.octets());
                bytes[17..33].copy_from_slice(&flow.destination.octets());
                ([flow.source_port, flow.destination_port], flow.protocol)
            }
        };
        bytes[33..35].copy_from_slice(&ports[0].to_le_bytes());
        bytes[35..37].copy_from_slice(&ports[1].to_le_bytes());
        bytes[37] = protocol;
        bytes
    }

    /// The flow that [`Self::to_bytes`] gave. Where the first byte is not 4, it is one of IPv6: who reads bytes from elsewhere looks at it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let part = |at: usize| bytes[at..].first_chunk::<16>().copied().unwrap_or_default();
        let port = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (source, destination, source_port, destination_port, protocol) =
            (part(1), part(17), port(33), port(35), bytes[37]);
        if bytes[0] == 4 {
            let four = |[a, b, c, d, ..]: [u8; 16]| [a, b, c, d].into();
            let (source, destination) = (four(source), four(destination));
            FiveTuple4 { source, destination, source_port, destination_port, protocol }.into()
        } else {
            let (source, destination) = (source.into(), destination.into());
            FiveTuple6 { source, destination, source_port, destination_port, protocol }.into()
        }
    }
}
