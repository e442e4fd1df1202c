//! Values of header fields, as a file of streams writes them.

use perigee_guest::wire::{Field, Mac, Show};
use std::net::{Ipv4Addr, Ipv6Addr};
use toml::Value;

/// Writes a value into its field, which lies in `packet`.
///
/// # Errors
/// What is wrong with the value.
pub(super) fn write(field: &Field, value: &Value, packet: &mut [u8]) -> Result<(), String> {
    if field.bits > 64 && field.show == Show::Bytes {
        let bytes = value.as_str().and_then(digits).filter(|bytes| bytes.len() * 8 == field.bits);
        let bytes = bytes.ok_or_else(|| wrong(value, field))?;
        let place = packet.get_mut(field.bytes()).ok_or("it lies behind the packet's end")?;
        place.copy_from_slice(&bytes);
        return Ok(());
    }
    let number = number(field, value).ok_or_else(|| wrong(value, field))?;
    if field.set(packet, number) { Ok(()) } else { Err("it lies behind the packet's end".to_owned()) }
}

/// A value as a number that fits the field.
fn number(field: &Field, value: &Value) -> Option<u128> {
    let most = u128::MAX >> (128 - field.bits.clamp(1, 128));
    let number = match value {
        Value::Boolean(yes) => u128::from(*yes),
        Value::Integer(number) if *number < 0 && field.show == Show::Signed => {
            // All bits of the number above the field must be its sign.
            let least = -1_i128 << (field.bits - 1);
            return (i128::from(*number) >= least).then(|| i128::from(*number).cast_unsigned() & most);
        }
        Value::Integer(number) => u128::try_from(*number).ok()?,
        Value::String(text) => of_text(field, text)?,
        _ => return None,
    };
    (number <= most).then_some(number)
}

fn of_text(field: &Field, text: &str) -> Option<u128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u128::from_str_radix(digits, 16).ok();
    }
    match field.show {
        Show::Mac => text.parse::<Mac>().ok().map(|Mac(bytes)| big_endian(&bytes)),
        Show::Ipv4 => text.parse::<Ipv4Addr>().ok().map(|address| u128::from(address.to_bits())),
        Show::Ipv6 => text.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits),
        Show::Bytes => digits(text).map(|bytes| big_endian(&bytes)),
        Show::Decimal | Show::Signed | Show::Hex => None,
    }
}

fn big_endian(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn wrong(value: &Value, field: &Field) -> String {
    let bits = field.bits;
    let wanted = match field.show {
        Show::Mac => "a MAC address, as \"02:00:00:00:00:01\"".to_owned(),
        Show::Ipv4 => "an IPv4 address, as \"10.0.0.1\"".to_owned(),
        Show::Ipv6 => "an IPv6 address, as \"2001:db8::1\"".to_owned(),
        Show::Bytes => format!("{} bytes in hexadecimal digits", bits.div_ceil(8)),
        Show::Signed => format!("a number of {bits} bits, which may be negative"),
        Show::Decimal | Show::Hex => {
            format!("a number up to {}, or \"0x...\"", u128::MAX >> (128 - bits.clamp(1, 128)))
        }
    };
    format!("{value} is not what fits here: {wanted}")
}

/// Bytes from pairs of hexadecimal digits, with white space and colons between them as one likes.
pub(crate) fn digits(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let pairs = digits.chunks(2).map(|pair| {
        let [high, low] = pair else { return None };
        u8::try_from(high.to_digit(16)? << 4 | low.to_digit(16)?).ok()
    });
    pairs.collect()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |number: u8| char::from(DIGITS[usize::from(number & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn values_are_written_where_they_belong() {
        let check = |show, bits, value: Value, expected: &[u8]| {
            let mut packet = vec![0; expected.len()];
            write(&Field::new("x", 0, bits, show), &value, &mut packet).unwrap();
            assert_eq!(packet, expected, "{value}");
        };
        check(Show::Mac, 48, "02:00:00:00:00:01".into(), &[2, 0, 0, 0, 0, 1]);
        check(Show::Ipv4, 32, "10.0.0.1".into(), &[10, 0, 0, 1]);
        check(Show::Ipv4, 32, 1.into(), &[0, 0, 0, 1]);
        check(Show::Hex, 16, "0x88a8".into(), &[0x88, 0xa8]);
        check(Show::Decimal, 12, 4095.into(), &[0xff, 0xf0]);
        check(Show::Signed, 8, (-2).into(), &[0xfe]);
        check(Show::Decimal, 1, true.into(), &[0x80]);
        check(Show::Bytes, 96, "00 01 02 03 04 05 06 07 08 09 0a 0b".into(), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let told = |show, bits, value: Value| write(&Field::new("x", 0, bits, show), &value, &mut [0; 16]).unwrap_err();
        assert_eq!(told(Show::Decimal, 8, 256.into()), "256 is not what fits here: a number up to 255, or \"0x...\"");
        assert!(told(Show::Ipv4, 32, "10.0.0".into()).contains("an IPv4 address"));
        assert!(told(Show::Mac, 48, "10.0.0.1".into()).contains("a MAC address"));
        assert!(told(Show::Signed, 8, (-129).into()).contains("may be negative"));
        assert!(told(Show::Decimal, 8, (-1).into()).contains("up to 255"));
        assert!(told(Show::Bytes, 96, "00".into()).contains("12 bytes in hexadecimal digits"));
    }

    #[test]
    fn digits_come_and_go() {
        assert_eq!(digits("02:0a FF").unwrap(), [2, 10, 255]);
        assert_eq!(digits("0"), None);
        assert_eq!(digits("zz"), None);
        assert_eq!(hex(&[2, 10, 255]), "020aff");
    }
}
