//! Ranges of addresses, and the prefixes that they are made of.

use std::net::IpAddr;

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Bits of an address.
    pub(super) const fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The highest address as a number.
    pub(super) const fn last(self) -> u128 {
        u128::MAX >> (128 - self.bits())
    }

    /// An address of this family as a number.
    pub(super) fn number(self, text: &str) -> Option<u128> {
        match (self, text.parse().ok()?) {
            (Self::V4, IpAddr::V4(address)) => Some(address.to_bits().into()),
            (Self::V6, IpAddr::V6(address)) => Some(address.to_bits()),
            _ => None,
        }
    }

    /// A number as an address.
    fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
            Self::V6 => IpAddr::V6(number.into()),
        }
    }

    /// The range of a prefix.
    pub(super) fn prefix(self, address: &str, len: u64) -> Option<(u128, u128)> {
        let len = u32::try_from(len).ok().filter(|len| *len <= self.bits())?;
        let hosts = self.last().checked_shr(len).unwrap_or(0);
        let first = self.number(address)? & !hosts;
        Some((first, first | hosts))
    }

    /// The prefixes that a range is made of, as text.
    pub(super) fn prefixes(self, (mut from, to): (u128, u128)) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            // The largest block that begins here and does not reach beyond the end.
            let mut free = from.trailing_zeros().min(self.bits());
            let block = |free: u32| u128::MAX.checked_shr(128 - free).unwrap_or(0);
            while from.checked_add(block(free)).is_none_or(|end| end > to) {
                free -= 1;
            }
            all.push(format!("{}/{}", self.address(from), self.bits() - free));
            match from.checked_add(block(free)).and_then(|end| end.checked_add(1)).filter(|next| *next <= to) {
                Some(next) => from = next,
                None => return all,
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn ranges_are_prefixes() {
        let range = |from, to| (Family::V4.number(from).unwrap(), Family::V4.number(to).unwrap());
        assert_eq!(Family::V4.prefixes(range("10.0.0.0", "10.255.255.255")), ["10.0.0.0/8"]);
        assert_eq!(
            Family::V4.prefixes(range("192.168.1.1", "192.168.1.9")),
            ["192.168.1.1/32", "192.168.1.2/31", "192.168.1.4/30", "192.168.1.8/31"]
        );
        assert_eq!(Family::V4.prefixes((0, Family::V4.last())), ["0.0.0.0/0"]);
        assert_eq!(Family::V6.prefixes((0, u128::MAX)), ["::/0"]);
        assert_eq!(Family::V6.prefixes((u128::MAX, u128::MAX)), ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"]);
        assert_eq!(
            Family::V6.prefix("2001:db8::", 32).map(|range| Family::V6.prefixes(range)),
            Some(vec!["2001:db8::/32".to_owned()])
        );
    }
}
