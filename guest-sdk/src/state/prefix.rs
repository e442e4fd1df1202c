//! Prefixes of addresses.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An address that a prefix can be of: [`Ipv4Addr`] and [`Ipv6Addr`].
pub trait Address: Copy + Ord + FromStr + fmt::Display + sealed::Sealed {
    /// Number of its bits.
    const BITS: u8;
    /// The first of all.
    const ZERO: Self;

    /// The first address of the prefix of this length that contains it.
    #[must_use]
    fn first(self, len: u8) -> Self;

    /// The last address of that prefix.
    #[must_use]
    fn last(self, len: u8) -> Self;

    /// The next address. Nothing behind the last one.
    #[must_use]
    fn after(self) -> Option<Self>;

    /// The number in the upper bits, at most 16 of them.
    #[must_use]
    fn top(self, bits: u8) -> usize;

    /// Its bits, from the highest one on: where there are fewer than 128, zeros follow.
    #[must_use]
    fn to_bits_left(self) -> u128;

    /// The address with these bits; what an address has no room for is left away.
    #[must_use]
    fn from_bits_left(bits: u128) -> Self;
}

mod sealed {
    /// Only our own types.
    pub trait Sealed {}
    impl Sealed for core::net::Ipv4Addr {}
    impl Sealed for core::net::Ipv6Addr {}
}

macro_rules! address {
    ($type:ty, $number:ty) => {
        impl Address for $type {
            #[allow(clippy::cast_possible_truncation, reason = "32 and 128")]
            const BITS: u8 = <$number>::BITS as u8;
            const ZERO: Self = Self::from_bits(0);

            #[inline]
            fn first(self, len: u8) -> Self {
                // A shift by all bits is none, so a prefix of no bits is a case of its own.
                let hosts = <$number>::MAX.checked_shr(len.into()).unwrap_or(0);
                Self::from_bits(self.to_bits() & !hosts)
            }

            #[inline]
            fn last(self, len: u8) -> Self {
                let hosts = <$number>::MAX.checked_shr(len.into()).unwrap_or(0);
                Self::from_bits(self.to_bits() | hosts)
            }

            #[inline]
            fn after(self) -> Option<Self> {
                self.to_bits().checked_add(1).map(Self::from_bits)
            }

            #[inline]
            #[allow(clippy::cast_possible_truncation, reason = "the upper 16 bits")]
            fn top(self, bits: u8) -> usize {
                // First a shift that is known when compiling: a variable one of 128 bits is a call.
                let upper = (self.to_bits() >> (<$number>::BITS - 16)) as u16;
                usize::from(upper.checked_shr(16_u32.saturating_sub(bits.into())).unwrap_or(0))
            }

            #[inline]
            fn to_bits_left(self) -> u128 {
                u128::from(self.to_bits()) << (u128::BITS - <$number>::BITS)
            }

            #[inline]
            #[allow(clippy::cast_possible_truncation, reason = "as many bits as an address has")]
            fn from_bits_left(bits: u128) -> Self {
                Self::from_bits((bits >> (u128::BITS - <$number>::BITS)) as $number)
            }
        }
    };
}

address!(Ipv4Addr, u32);
address!(Ipv6Addr, u128);

/// All addresses that begin with the same bits. Ordered by address, a shorter one before longer ones inside it.
///
/// ```
/// use core::net::Ipv4Addr;
/// use perigee_guest::state::Prefix;
///
/// let net: Prefix<Ipv4Addr> = "10.1.0.0/16".parse()?;
/// assert!(net.contains([10, 1, 2, 3].into()) && !net.contains([10, 2, 0, 0].into()));
/// assert_eq!(net.to_string(), "10.1.0.0/16");
/// # Ok::<(), perigee_guest::state::BadPrefix>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix<A> {
    address: A,
    len: u8,
}

impl<A: Address> Prefix<A> {
    /// The prefix of `len` bits that contains an address. Nothing where an address has fewer bits.
    #[inline]
    #[must_use]
    pub fn new(address: A, len: u8) -> Option<Self> {
        (len <= A::BITS).then(|| Self { address: address.first(len), len })
    }

    /// The prefix that contains one address only.
    #[inline]
    #[must_use]
    pub const fn single(address: A) -> Self {
        Self { address, len: A::BITS }
    }

    /// The first address.
    #[inline]
    #[must_use]
    pub fn address(self) -> A {
        self.address
    }

    /// The last address.
    #[inline]
    #[must_use]
    pub fn last(self) -> A {
        self.address.last(self.len)
    }

    /// Number of bits.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a prefix is never empty; this is what it is called in routing")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether it contains an address.
    #[inline]
    #[must_use]
    pub fn contains(self, address: A) -> bool {
        self.address <= address && address <= self.last()
    }
}

/// A text that is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPrefix {
    /// It is not an address, a slash and a number of bits that the address has.
    Syntax,
    /// The address has bits set behind the prefix's length: one of both is a mistake.
    HostBits,
}

impl BadPrefix {
    /// What is wrong.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Syntax => "not a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
            Self::HostBits => "has bits set behind the prefix's length: shorten the address or lengthen the prefix",
        }
    }
}

impl fmt::Display for BadPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for BadPrefix {}

impl<A: Address> FromStr for Prefix<A> {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let (address, len) = text.split_once('/').ok_or(BadPrefix::Syntax)?;
        let address: A = address.parse().map_err(|_| BadPrefix::Syntax)?;
        // `parse` would take a sign.
        let digits = Some(len).filter(|len| len.bytes().all(|byte| byte.is_ascii_digit()));
        let len = digits.and_then(|len| len.parse().ok()).ok_or(BadPrefix::Syntax)?;
        let prefix = Self::new(address, len).ok_or(BadPrefix::Syntax)?;
        if prefix.address == address { Ok(prefix) } else { Err(BadPrefix::HostBits) }
    }
}

impl<A: Address> fmt::Display for Prefix<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}
