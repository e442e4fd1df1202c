//! Authenticated mode: packets whose first six blocks are vouched for by an HMAC (RFC 8762, sections 4.2.2, 4.3.2 and 4.4).

use crate::test_packets::{AuthenticatedReflected, AuthenticatedSent};
use crate::{BASE, Reflected, Sent};
use hmac::{Hmac, KeyInit, Mac};
use perigee_guest::Refusal;
use perigee_guest::config::Secret;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Header;
use sha2::Sha256;

/// Length of a test packet in authenticated mode without extensions, in either direction (RFC 8762, sections 4.2.2 and 4.3.2).
pub const AUTHENTICATED_BASE: usize = 112;
/// Bytes of an HMAC: that of SHA-256, truncated (RFC 8762, section 4.4).
pub const TAG: usize = 16;
/// Fewest bytes of a key that are taken, as many as an HMAC here has.
const KEY_MIN: usize = 16;
/// Most bytes of a key; longer ones are hashed first in any case (RFC 2104).
const KEY_MAX: usize = 128;

/// The table `secrets` of sender and reflector.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub struct Secrets {
    /// The key; as many bytes more as it has if it is written in digits.
    stamp: Secret<{ 2 * KEY_MAX }>,
}

/// What is in the file of a key.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub enum KeyFormat {
    /// The key itself.
    #[default]
    Bytes,
    /// Its hexadecimal digits.
    Hex,
}

/// A key, made ready.
#[derive(Clone)]
pub struct Key {
    keyed: Hmac<Sha256>,
}

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    ///
    /// It is too short or too long, or no hexadecimal digits.
    pub fn new(bytes: &[u8], format: KeyFormat) -> Result<Self, Refusal> {
        let mut decoded = [0; KEY_MAX];
        let key = match format {
            KeyFormat::Bytes => bytes,
            KeyFormat::Hex => {
                decode(bytes, &mut decoded).ok_or(Refusal::new("secrets.stamp: no hexadecimal digits in pairs"))?
            }
        };
        if !(KEY_MIN..=KEY_MAX).contains(&key.len()) {
            return Err(Refusal::new("secrets.stamp: the key must have 16 to 128 bytes"));
        }
        let keyed = Hmac::new_from_slice(key).map_err(|_| Refusal::new("secrets.stamp: no key"));
        decoded.fill(0);
        core::hint::black_box(&decoded);
        Ok(Self { keyed: keyed? })
    }

    /// The HMAC of all parts together.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; TAG] {
        let whole: [u8; 32] = self.of(parts).finalize().into_bytes().into();
        let mut tag = [0; TAG];
        tag.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether that is their HMAC. How long it takes tells nothing of how much of it is right.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8; TAG]) -> bool {
        self.of(parts).verify_truncated_left(tag).is_ok()
    }

    fn of(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut keyed = self.keyed.clone();
        parts.iter().for_each(|part| keyed.update(part));
        keyed
    }
}

/// Reads pairs of digits.
fn decode<'a>(digits: &[u8], bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes = bytes.get_mut(..pairs.len())?;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

/// In which mode packets are.
#[derive(Clone)]
pub enum Mode {
    /// Without HMAC.
    Unauthenticated,
    /// With one.
    Authenticated(Key),
}

/// Why bytes are no test packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPacket {
    /// They are too few.
    Short,
    /// The HMAC is not that of who has the key.
    BadHmac,
}

impl Mode {
    /// The mode that a configuration asks for: authenticated where there is a key.
    ///
    /// # Errors
    ///
    /// The key is none.
    pub fn new(secrets: Option<&Secrets>, format: Option<KeyFormat>) -> Result<Self, Refusal> {
        match (secrets, format) {
            (Some(secrets), format) => {
                Ok(Self::Authenticated(Key::new(secrets.stamp.bytes(), format.unwrap_or_default())?))
            }
            (None, Some(_)) => Err(Refusal::new("key_format: only with a secret of the name stamp")),
            (None, None) => Ok(Self::Unauthenticated),
        }
    }

    /// The key, where there is one.
    #[must_use]
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Unauthenticated => None,
            Self::Authenticated(key) => Some(key),
        }
    }

    /// Length of a packet without extensions.
    #[must_use]
    pub const fn base(&self) -> usize {
        match self {
            Self::Unauthenticated => BASE,
            Self::Authenticated(_) => AUTHENTICATED_BASE,
        }
    }

    /// Reads what a sender has sent, of which all is there.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_sent(&self, payload: &[u8]) -> Result<Sent, NoPacket> {
        let Self::Authenticated(key) = self else {
            return Sent::parse(payload).map(|sent| *sent.header).map_err(|_| NoPacket::Short);
        };
        let packet = AuthenticatedSent::parse(payload).map_err(|_| NoPacket::Short)?;
        key.check(payload)?;
        let mut sent = Sent::default();
        sent.set_sequence(packet.sequence());
        sent.set_timestamp(packet.timestamp());
        sent.set_error(packet.error());
        sent.set_ssid(packet.ssid());
        Ok(sent)
    }

    /// Writes what a sender sends; nothing where `base` is too short.
    #[must_use]
    pub fn write_sent(&self, base: &mut [u8], sent: &Sent) -> Option<()> {
        let Self::Authenticated(key) = self else {
            *Sent::split_mut(base).ok()?.0 = *sent;
            return Some(());
        };
        let (packet, _) = AuthenticatedSent::split_mut(base).ok()?;
        *packet = AuthenticatedSent::default();
        packet.set_sequence(sent.sequence());
        packet.set_timestamp(sent.timestamp());
        packet.set_error(sent.error());
        packet.set_ssid(sent.ssid());
        key.complete(base)
    }

    /// Reads what a reflector has sent.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_reflected(&self, payload: &[u8]) -> Result<Reflected, NoPacket> {
        let Self::Authenticated(key) = self else {
            return Reflected::parse(payload).map(|answer| *answer.header).map_err(|_| NoPacket::Short);
        };
        let packet = AuthenticatedReflected::parse(payload).map_err(|_| NoPacket::Short)?;
        key.check(payload)?;
        let mut answer = Reflected::default();
        answer.set_sequence(packet.sequence());
        answer.set_timestamp(packet.timestamp());
        answer.set_error(packet.error());
        answer.set_ssid(packet.ssid());
        answer.set_receive_timestamp(packet.receive_timestamp());
        answer.set_sender_sequence(packet.sender_sequence());
        answer.set_sender_timestamp(packet.sender_timestamp());
        answer.set_sender_error(packet.sender_error());
        answer.set_sender_ttl(packet.sender_ttl());
        Ok(answer)
    }

    /// Writes what a reflector sends; nothing where `base` is too short.
    #[must_use]
    pub fn write_reflected(&self, base: &mut [u8], answer: &Reflected) -> Option<()> {
        let Self::Authenticated(key) = self else {
            *Reflected::split_mut(base).ok()?.0 = *answer;
            return Some(());
        };
        let (packet, _) = AuthenticatedReflected::split_mut(base).ok()?;
        *packet = AuthenticatedReflected::default();
        packet.set_sequence(answer.sequence());
        packet.set_timestamp(answer.timestamp());
        packet.set_error(answer.error());
        packet.set_ssid(answer.ssid());
        packet.set_receive_timestamp(answer.receive_timestamp());
        packet.set_sender_sequence(answer.sender_sequence());
        packet.set_sender_timestamp(answer.sender_timestamp());
        packet.set_sender_error(answer.sender_error());
        packet.set_sender_ttl(answer.sender_ttl());
        key.complete(base)
    }
}

/// The HMAC of a packet's base: over its first six blocks, at their end.
impl Key {
    const COVERED: usize = AUTHENTICATED_BASE - TAG;

    fn check(&self, packet: &[u8]) -> Result<(), NoPacket> {
        let (covered, rest) = packet.split_at_checked(Self::COVERED).ok_or(NoPacket::Short)?;
        let tag = rest.first_chunk().ok_or(NoPacket::Short)?;
        if self.verify(&[covered], tag) { Ok(()) } else { Err(NoPacket::BadHmac) }
    }

    fn complete(&self, packet: &mut [u8]) -> Option<()> {
        let (covered, rest) = packet.split_at_mut_checked(Self::COVERED)?;
        *rest.first_chunk_mut()? = self.tag(&[covered]);
        Some(())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// RFC 4231, test case 5, whose HMAC is truncated to 128 bits.
    #[test]
    fn an_hmac_is_that_of_the_rfc() {
        let key = Key::new(&[0x0c; 20], KeyFormat::Bytes).ok().unwrap();
        let tag = [0xa3, 0xb6, 0x16, 0x74, 0x73, 0x10, 0x0e, 0xe0, 0x6e, 0x0c, 0x79, 0x6c, 0x29, 0x55, 0x55, 0x2b];
        assert_eq!(key.tag(&[b"Test With", b" Truncation"]), tag);
        assert!(key.verify(&[b"Test With Truncation"], &tag));
        for bit in 0..128 {
            let mut wrong = tag;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&[b"Test With Truncation"], &wrong));
        }
    }

    #[test]
    fn keys_are_bytes_or_digits() {
        let key = Key::new(b"0123456789abcdef", KeyFormat::Bytes).ok().unwrap();
        let same = Key::new(b"30313233343536373839616263646566", KeyFormat::Hex).ok().unwrap();
        assert_eq!(key.tag(&[b"x"]), same.tag(&[b"x"]));
        let refused =
            |bytes: &[u8], format| Key::new(bytes, format).map(|_| ()).unwrap_err().text().as_str().to_owned();
        assert!(refused(b"0123456789abcde", KeyFormat::Bytes).contains("16 to 128 bytes"));
        assert!(refused(&[1; 129], KeyFormat::Bytes).contains("16 to 128 bytes"));
        assert!(refused(b"0123456789abcdef", KeyFormat::Hex).contains("16 to 128 bytes"));
        for wrong in [&b"0123456789abcdefg0123456789abcdef"[..], b"3031323334353637383961626364656", &[b'a'; 258]] {
            assert!(refused(wrong, KeyFormat::Hex).contains("no hexadecimal digits"));
        }
    }
}
