//! Ranges of ports as prefixes of port numbers.

use crate::pattern::{ANY_PORT, Range};
use crate::seen::NO_PORT;

/// Bits of a port number.
pub(super) const BITS: u8 = 16;

/// All ports whose upper `len` bits are those of `value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortPrefix {
    pub(super) len: u8,
    pub(super) value: u16,
}

impl PortPrefix {
    /// As a part of a key.
    pub(super) fn key(self) -> u32 {
        u32::from(self.len) << BITS | u32::from(self.value)
    }
}

/// The prefixes that a range is made of, at most thirty (Gupta and McKeown, 2001). Any port, and none, is the prefix of no bits,
/// which also packets without a port have.
pub(super) fn prefixes(range: Range<u32>) -> impl Iterator<Item = PortPrefix> {
    let mut next = if range == ANY_PORT { None } else { Some(range.from) };
    let mut any = (range == ANY_PORT).then_some(PortPrefix { len: 0, value: 0 });
    let last = range.to.min(NO_PORT - 1);
    core::iter::from_fn(move || {
        if let Some(any) = any.take() {
            return Some(any);
        }
        let from = next.filter(|from| *from <= last)?;
        // The largest block that begins here and does not reach beyond the end.
        let mut free = from.trailing_zeros().min(BITS.into());
        while from + (1 << free) - 1 > last {
            free -= 1;
        }
        next = Some(from + (1 << free));
        let len = u32::from(BITS) - free;
        Some(PortPrefix { len: u8::try_from(len).unwrap_or(BITS), value: u16::try_from(from).unwrap_or(u16::MAX) })
    })
}

/// The prefix of this length that a port has.
#[inline]
pub(super) fn of(port: u32, len: u8) -> PortPrefix {
    let kept = (NO_PORT - 1) << u32::from(BITS.saturating_sub(len));
    PortPrefix { len, value: u16::try_from(port & kept & (NO_PORT - 1)).unwrap_or(0) }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_prefixes_of_a_range_have_its_ports_and_no_others(a: u16, b: u16, more: Vec<u16>) {
            let range = Range { from: u32::from(a.min(b)), to: u32::from(a.max(b)) };
            let all: Vec<_> = prefixes(range).collect();
            prop_assert!(all.len() <= 30);
            let edges = [range.from, range.to, range.from.saturating_sub(1), (range.to + 1).min(65_535), 0, 65_535];
            for port in more.into_iter().map(u32::from).chain(edges) {
                let found = all.iter().filter(|prefix| of(port, prefix.len) == **prefix).count();
                prop_assert_eq!(found, usize::from(range.has(port)), "port {}", port);
            }
        }
    }

    #[test]
    fn any_port_is_one_prefix() {
        assert_eq!(prefixes(ANY_PORT).collect::<Vec<_>>(), [PortPrefix { len: 0, value: 0 }]);
        assert_eq!(prefixes(Range { from: 0, to: 65_535 }).collect::<Vec<_>>(), [PortPrefix { len: 0, value: 0 }]);
        assert_eq!(prefixes(Range { from: 1024, to: 65_535 }).count(), 6);
    }
}
