//! Secrets in a configuration.

use core::fmt;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A secret of at most `N` bytes, which the operator has in a file. The host puts it as hexadecimal digits under its name into the
/// table `secrets` of the configuration:
///
/// ```
/// use perigee_guest::config::Secret;
/// use perigee_guest::serde::{self, Deserialize};
///
/// #[derive(Deserialize)]
/// #[serde(crate = "serde", deny_unknown_fields)]
/// struct Config {
///     secrets: Option<Secrets>,
/// }
///
/// #[derive(Deserialize)]
/// #[serde(crate = "serde", deny_unknown_fields)]
/// struct Secrets {
///     key: Secret<64>,
/// }
/// ```
///
/// It is not printed, and is overwritten when it is dropped: make of it in `init` what is needed later, and let it go.
pub struct Secret<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Secret<N> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.bytes.fill(0);
        // Or the compiler would see that nobody reads the zeros.
        core::hint::black_box(&self.bytes);
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecretVisitor<const N: usize>;
        impl<const N: usize> Visitor<'_> for SecretVisitor<N> {
            type Value = Secret<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }

            fn visit_str<E: de::Error>(self, digits: &str) -> Result<Secret<N>, E> {
                let mut secret = Secret { bytes: [0; N], len: digits.len() / 2 };
                if secret.len > N {
                    return Err(E::custom("the secret is too long for this module"));
                }
                // An error says nothing of what was found.
                match decode(digits.as_bytes(), &mut secret.bytes) {
                    Some(()) => Ok(secret),
                    None => Err(E::custom("the secret is no hexadecimal digits")),
                }
            }
        }
        deserializer.deserialize_str(SecretVisitor)
    }
}

/// Reads pairs of hexadecimal digits.
#[inline(never)]
fn decode(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
