//! What an IPv6 packet carries behind its extension headers.

use super::Ipv6;
use crate::wire::{Error, Header as _, MAX_LAYERS, protocol};

/// What an IPv6 packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The protocol: the first number that is none of an extension header. Of a fragment it is what the fragment header
    /// names, which is the same in all parts of a packet.
    pub protocol: u8,
    /// What is behind the extension headers.
    pub payload: &'a [u8],
    /// This is a part of a packet, the first one among them. A packet that is whole behind a fragment header is none (RFC
    /// 6946).
    pub is_fragment: bool,
}

/// One extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionHeader<'a> {
    /// Its number ([`protocol`]).
    pub number: u8,
    /// All its bytes.
    pub bytes: &'a [u8],
}

/// Walks over the extension headers of a packet, up to what it carries ([`Self::carried`]), to a fragment, or behind
/// [`MAX_LAYERS`] of them. A header that is cut off is an error, and the last item, and so are hop-by-hop options that are
/// not the first header (RFC 8200, section 4.1).
///
/// ```
/// use perigee_guest::wire::{Error, ExtensionHeaders, protocol};
///
/// // Destination options, a fragment header of a packet that is whole, and a ping.
/// let payload = [44, 0, 1, 4, 0, 0, 0, 0, 58, 0, 0, 0, 1, 2, 3, 4, 128, 0, 0, 0, 0, 0, 0, 0];
/// let mut headers = ExtensionHeaders::new(protocol::DESTINATION_OPTIONS, &payload);
/// let numbers: Vec<_> = headers.by_ref().map(|header| header.map(|header| header.number)).collect();
/// assert_eq!(numbers, [Ok(60), Ok(44)]);
/// let carried = headers.carried();
/// assert_eq!((carried.protocol, carried.payload.len(), carried.is_fragment), (protocol::ICMPV6, 8, false));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExtensionHeaders<'a> {
    so_far: Carried<'a>,
    /// How many more are looked at.
    left: usize,
}

impl<'a> ExtensionHeaders<'a> {
    /// Those of a packet whose IPv6 header names this one as the next, with what is behind that header.
    #[must_use]
    pub const fn new(next_header: u8, payload: &'a [u8]) -> Self {
        Self { so_far: Carried { protocol: next_header, payload, is_fragment: false }, left: MAX_LAYERS }
    }

    /// What is behind the headers that were walked over.
    #[must_use]
    pub const fn carried(&self) -> Carried<'a> {
        self.so_far
    }

    /// The length of the header that begins here; nothing where none does.
    fn len(&self) -> Result<Option<usize>, Error> {
        let Carried { protocol: number, payload, .. } = self.so_far;
        let counted = |unit: usize, before: usize| {
            let words = payload.get(1).ok_or(Error)?;
            Ok(Some((usize::from(*words) + before) * unit))
        };
        match number {
            protocol::HOP_BY_HOP if self.left < MAX_LAYERS => Err(Error),
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => counted(8, 1),
            // They usually carry nothing, and then are what the packet carries.
            protocol::MOBILITY | protocol::HIP | protocol::SHIM6 | protocol::EXPERIMENT_1 | protocol::EXPERIMENT_2
                if payload.first() != Some(&protocol::NO_NEXT) =>
            {
                counted(8, 1)
            }
            protocol::IPV6_FRAGMENT => Ok(Some(8)),
            protocol::AH => counted(4, 2),
            _ => Ok(None),
        }
    }

    /// Takes one header off.
    fn take(&mut self) -> Result<Option<ExtensionHeader<'a>>, Error> {
        let Some(len) = self.len()? else { return Ok(None) };
        let number = self.so_far.protocol;
        let Some((bytes, payload)) = self.so_far.payload.split_at_checked(len) else {
            // An experiment need not be an extension header.
            let is_experiment = matches!(number, protocol::EXPERIMENT_1 | protocol::EXPERIMENT_2);
            return if is_experiment { Ok(None) } else { Err(Error) };
        };
        let is_fragment = number == protocol::IPV6_FRAGMENT && !super::Fragment::parse(bytes)?.is_whole();
        self.so_far = Carried { protocol: *bytes.first().ok_or(Error)?, payload, is_fragment };
        Ok(Some(ExtensionHeader { number, bytes }))
    }
}

impl<'a> Iterator for ExtensionHeaders<'a> {
    type Item = Result<ExtensionHeader<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.so_far.is_fragment {
            return None;
        }
        let left = self.left.checked_sub(1)?;
        let found = self.take();
        self.left = if found.is_ok() { left } else { 0 };
        found.transpose()
    }
}

impl Ipv6 {
    /// What the packet carries behind its extension headers; `payload` is what is behind this header.
    ///
    /// # Errors
    ///
    /// An extension header is cut off, or not where it may be.
    #[inline]
    pub fn carried<'a>(&self, payload: &'a [u8]) -> Result<Carried<'a>, Error> {
        let mut headers = ExtensionHeaders::new(self.next_header(), payload);
        // Most packets have none.
        if matches!(self.next_header(), protocol::TCP | protocol::UDP | protocol::ICMPV6) {
            return Ok(headers.carried());
        }
        headers.try_for_each(|header| header.map(|_| ()))?;
        Ok(headers.carried())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Numbers of extension headers, and a chain of them before a payload: number by number, with `words` each.
    fn chain(headers: &[(u8, u8)], carried: u8, payload: &[u8]) -> (u8, Vec<u8>) {
        let mut bytes = Vec::new();
        for (index, (number, words)) in headers.iter().enumerate() {
            let next = headers.get(index + 1).map_or(carried, |(number, _)| *number);
            let len = match *number {
                protocol::IPV6_FRAGMENT => 8,
                protocol::AH => (usize::from(*words) + 2) * 4,
                _ => (usize::from(*words) + 1) * 8,
            };
            let start = bytes.len();
            bytes.resize(start + len, 0);
            bytes[start] = next;
            if *number != protocol::IPV6_FRAGMENT {
                bytes[start + 1] = *words;
            }
        }
        bytes.extend(payload);
        (headers.first().map_or(carried, |(number, _)| *number), bytes)
    }

    fn carried(next_header: u8, payload: &[u8]) -> Result<Carried<'_>, Error> {
        let mut ip = Ipv6::default();
        ip.set_next_header(next_header);
        ip.carried(payload)
    }

    fn number() -> impl Strategy<Value = u8> {
        prop_oneof![Just(43), Just(44), Just(51), Just(60), Just(135), Just(139), Just(140), Just(253), Just(254)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_carried_is_found_behind_any_headers(
            headers in vec((number(), 1..4_u8), 0..8),
            hop in any::<bool>(),
            protocol in prop_oneof![Just(6), Just(17), Just(58), Just(132), Just(50), Just(59)],
            payload in vec(any::<u8>(), 8..40),
        ) {
            let headers: Vec<_> = hop.then_some((0, 1)).into_iter().chain(headers).collect();
            // A last header that names nothing behind it is what is carried.
            let is_last = |number: u8| protocol == 59 && !matches!(number, 0 | 43 | 44 | 51 | 60);
            let (first, bytes) = chain(&headers, protocol, &payload);
            let found = carried(first, &bytes).unwrap();
            match headers.last() {
                Some(&(number, _)) if is_last(number) => prop_assert_eq!(found.protocol, number),
                _ => prop_assert_eq!((found.protocol, found.payload), (protocol, &payload[..])),
            }
            prop_assert!(!found.is_fragment);
            // Wherever it is cut within the headers, that is an error or nothing is claimed of what is not there.
            for cut in 0..bytes.len() - payload.len() {
                if let Ok(found) = carried(first, &bytes[..cut]) {
                    prop_assert!(found.protocol != protocol || is_last(headers[headers.len() - 1].0));
                    prop_assert!(found.payload.is_empty() || headers.iter().any(|(number, _)| *number == found.protocol));
                }
            }
        }

        #[test]
        fn a_part_of_a_packet_says_what_the_whole_one_carries(offset in 0..8192_u16, more in any::<bool>()) {
            let (first, mut bytes) = chain(&[(60, 0), (44, 0)], 17, &[7; 8]);
            bytes[10..12].copy_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
            let found = carried(first, &bytes).unwrap();
            let whole = offset == 0 && !more;
            prop_assert_eq!((found.protocol, found.payload, found.is_fragment), (17, &[7; 8][..], !whole));
        }
    }

    #[test]
    fn a_part_is_not_walked_any_further() {
        let (first, mut bytes) = chain(&[(44, 0), (60, 0)], 17, &[7; 8]);
        bytes[3] = 1;
        let found = carried(first, &bytes).unwrap();
        assert_eq!((found.protocol, found.payload.len(), found.is_fragment), (60, 16, true));
    }

    #[test]
    fn hop_by_hop_options_are_the_first_header_only() {
        let (first, bytes) = chain(&[(60, 0), (0, 0)], 17, &[7; 8]);
        assert_eq!(carried(first, &bytes), Err(Error));
    }

    #[test]
    fn the_walk_ends() {
        let (first, bytes) = chain(&[(60, 0); 200], 17, &[7; 8]);
        let found = carried(first, &bytes).unwrap();
        assert_eq!((found.protocol, found.payload.len()), (60, (200 - MAX_LAYERS) * 8 + 8));
        assert_eq!(Ipv6::LEN, 40);
    }
}
