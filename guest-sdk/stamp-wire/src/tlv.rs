//! Extensions behind a test packet (RFC 8972, section 4):
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |U|M|I|R|R|R|R|R|     Type      |            Length             |
//! ```

/// Flag: the reflector does not know this type. A sender sets it.
pub const UNRECOGNIZED: u8 = 1 << 7;
/// Flag: the length is wrong.
pub const MALFORMED: u8 = 1 << 6;
/// Flag: the check of integrity failed.
pub const INTEGRITY: u8 = 1 << 5;

/// Bytes of an extension before its value.
pub const HEADER: usize = 4;

/// Makes a packet longer (section 4.1).
pub const EXTRA_PADDING: u8 = 1;
/// Addresses and ports as the reflector sees them (section 4.2).
pub const LOCATION: u8 = 2;
/// What the reflector's clock is set by, and how it takes times (section 4.3).
pub const TIMESTAMP_INFORMATION: u8 = 3;
/// Class of service in both directions (section 4.4).
pub const CLASS_OF_SERVICE: u8 = 4;
/// Counters of both sides (section 4.5).
pub const DIRECT_MEASUREMENT: u8 = 5;
/// Over which access the sender is reached (section 4.6).
pub const ACCESS_REPORT: u8 = 6;
/// When the answer before this one left (section 4.7).
pub const FOLLOW_UP: u8 = 7;

/// Vouches for the extensions before it (section 4.8).
pub const HMAC: u8 = 8;

/// The first extension of `rest`: its type, and its length with its header. Nothing where it is cut off.
#[must_use]
pub fn first(rest: &[u8]) -> Option<(u8, usize)> {
    let [_, kind, high, low, ..] = *rest else { return None };
    let len = HEADER + usize::from(u16::from_be_bytes([high, low]));
    (len <= rest.len()).then_some((kind, len))
}

/// An extension where it lies in a packet.
#[derive(Debug)]
pub struct Tlv<'a> {
    /// Its flags.
    pub flags: &'a mut u8,
    /// Its type.
    pub kind: &'a mut u8,
    /// Its value.
    pub value: &'a mut [u8],
}

/// Takes the first extension off `rest`.
///
/// # Errors
///
/// It is cut off, or longer than what is left: the bytes that are left, of which the first are its flags.
pub fn split_first<'a>(rest: &mut &'a mut [u8]) -> Option<Result<Tlv<'a>, &'a mut [u8]>> {
    let bytes = core::mem::take(rest);
    if bytes.is_empty() {
        return None;
    }
    let len = match *bytes {
        [_, _, high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
        _ => return Some(Err(bytes)),
    };
    if bytes.len() - HEADER < len {
        return Some(Err(bytes));
    }
    let (tlv, behind) = bytes.split_at_mut(HEADER + len);
    *rest = behind;
    match tlv {
        [flags, kind, _, _, value @ ..] => Some(Ok(Tlv { flags, kind, value })),
        short => Some(Err(short)),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn extensions_follow_each_other() {
        let mut bytes = [0x80, 1, 0, 2, 7, 8, 0x80, 3, 0, 0, 0x80, 9, 0, 1];
        let mut rest = &mut bytes[..];
        let first = split_first(&mut rest).unwrap().unwrap();
        assert_eq!((*first.flags, *first.kind, &*first.value), (0x80, 1, &[7, 8][..]));
        let second = split_first(&mut rest).unwrap().unwrap();
        assert_eq!((*second.kind, second.value.len()), (3, 0));
        assert_eq!(split_first(&mut rest).unwrap().unwrap_err(), [0x80, 9, 0, 1]);
        assert!(split_first(&mut rest).is_none());
        for len in 1..4 {
            assert!(split_first(&mut &mut [0; 3][..len]).unwrap().is_err());
        }
    }
}
