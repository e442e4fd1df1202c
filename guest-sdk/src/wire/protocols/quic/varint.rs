//! Numbers of one to eight bytes (RFC 9000, section 16).

use crate::wire::Error;

/// The greatest number.
pub const MAX_VARINT: u64 = (1 << 62) - 1;

/// The number at the beginning of `bytes`, and what follows it.
///
/// # Errors
///
/// It is cut off.
pub fn read_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    let &first = bytes.first().ok_or(Error)?;
    let (number, rest) = bytes.split_at_checked(1 << (first >> 6)).ok_or(Error)?;
    let value = number[1..].iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Ok((value, rest))
}

/// How many bytes a number needs.
///
/// # Errors
///
/// It is greater than [`MAX_VARINT`].
pub const fn varint_len(value: u64) -> Result<usize, Error> {
    match value {
        0..=0x3f => Ok(1),
        0x40..=0x3fff => Ok(2),
        0x4000..=0x3fff_ffff => Ok(4),
        0x4000_0000..=MAX_VARINT => Ok(8),
        _ => Err(Error),
    }
}

/// Writes a number in as few bytes as it needs, and says how many these are.
///
/// # Errors
///
/// There is no room, or it is greater than [`MAX_VARINT`].
pub fn write_varint(bytes: &mut [u8], value: u64) -> Result<usize, Error> {
    let len = varint_len(value)?;
    let place = bytes.get_mut(..len).ok_or(Error)?;
    place.copy_from_slice(&value.to_be_bytes()[8 - len..]);
    // The upper two bits are the power of two of the length.
    place[0] |= [0x00, 0x40, 0x80, 0xc0][len.ilog2() as usize];
    Ok(len)
}
