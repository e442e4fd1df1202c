//! MAC addresses.

use super::Error;
use core::fmt;
use core::str::FromStr;

/// A MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of all stations.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether it names a group of stations.
    #[inline]
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it names nobody.
    #[inline]
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// The group address under which the neighbours of an IPv6 address are asked for it.
    #[must_use]
    pub const fn of_ipv6_multicast(group: [u8; 16]) -> Self {
        Self([0x33, 0x33, group[12], group[13], group[14], group[15]])
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut mac = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut mac {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(Error)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| Error)?;
        }
        if parts.next().is_some() { Err(Error) } else { Ok(Self(mac)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn text_and_back() {
        let mac: Mac = "02:00:5e:10:Ff:01".parse().unwrap();
        assert_eq!(mac, Mac([2, 0, 0x5e, 0x10, 0xff, 1]));
        assert_eq!(mac.to_string(), "02:00:5e:10:ff:01");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:0", "gg:00:00:00:00:00"] {
            assert_eq!(text.parse::<Mac>(), Err(Error), "{text}");
        }
    }
}
