//! A module's signature: minisign's format, and what its trusted comment says. Signatures of the old kind, over the file
//! itself and not over its hash, are not taken: nobody makes them any more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};
use perigee_report::text;
use std::fmt;

/// A key that may sign, as minisign writes it.
#[derive(Clone)]
pub struct Key {
    key: PublicKey,
    text: String,
    id: KeyId,
}

/// The number by which a key is spoken of. Anybody can make a key with a given number: it finds a key, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

/// A signature that was read, and not verified yet.
pub struct Unverified {
    signature: Signature,
    /// The key that it claims.
    pub id: KeyId,
}

/// What a signature vouches for beside the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `name:` in its trusted comment.
    pub name: Option<String>,
    /// `version:` in its trusted comment.
    pub version: Option<u64>,
}

/// Most bytes of a name in a signature.
const MOST_NAME: usize = 128;

impl Key {
    /// Reads the line of a public key, or the whole text of its file.
    ///
    /// # Errors
    /// It is no public key of minisign's.
    pub fn read(text: &str) -> Result<Self, String> {
        let line =
            text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("untrusted comment:"));
        let line = line.unwrap_or_default();
        let wrong = |e: &dyn fmt::Display| {
            format!(
                "\"{}\" is no public key of minisign's ({e}): the second line of its .pub file is meant",
                text::line(line, text::NAME)
            )
        };
        let key = PublicKey::from_base64(line).map_err(|e| wrong(&e))?;
        let id = key_id(line).ok_or_else(|| wrong(&"it is too short"))?;
        Ok(Self { key, text: line.to_owned(), id })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key itself, in its usual form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Verifies a signature of these bytes; only then its comment means something.
    ///
    /// # Errors
    /// It is another key's, or the bytes or the comment are not what was signed, or the comment contradicts itself.
    pub fn verify(&self, bytes: &[u8], signature: &Unverified) -> Result<Claims, String> {
        let verified = self.key.verify(bytes, &signature.signature, false);
        verified.map_err(|e| format!("its signature by key {} is wrong: {e}", signature.id))?;
        claims(signature.signature.trusted_comment())
    }
}

impl Unverified {
    /// Reads a signature's text.
    ///
    /// # Errors
    /// It is no signature of minisign's, or of an algorithm that is not known.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = |e: &dyn fmt::Display| {
            format!("its signature is not in minisign's format: {}", text::line(&e, text::REPORT))
        };
        if text.len() as u64 > super::upload::MOST_SIGNATURE {
            return Err(wrong(&format!("it has {} bytes", text.len())));
        }
        // The decoder looks at four lines. What stands behind them is not signed, and is not passed on as if it were.
        if text.lines().skip(4).any(|line| !line.trim().is_empty()) {
            return Err(wrong(&"there is more than its four lines"));
        }
        let signature = Signature::decode(text).map_err(|e| wrong(&e))?;
        let line = text.lines().nth(1).unwrap_or_default();
        let id = key_id(line).ok_or_else(|| wrong(&"it is too short"))?;
        Ok(Self { signature, id })
    }
}

/// The eight bytes after the algorithm's two, in a key as in a signature.
fn key_id(line: &str) -> Option<KeyId> {
    let bytes = STANDARD.decode(line.trim()).ok()?;
    Some(KeyId(bytes.get(2..10)?.try_into().ok()?))
}

/// Reads `name:` and `version:` among the words of a trusted comment; minisign's own `timestamp:` and `file:` are not ours.
fn claims(comment: &str) -> Result<Claims, String> {
    let mut claims = Claims::default();
    for word in comment.split_ascii_whitespace() {
        match word.split_once(':') {
            Some(("name", name)) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(plain) {
                    return Err(format!(
                        "its signature names the module \"{}\": letters, digits, - _ . are taken",
                        text::line(name, text::NAME)
                    ));
                }
                if claims.name.replace(name.to_owned()).is_some() {
                    return Err("its signature has two names".to_owned());
                }
            }
            Some(("version", version)) => {
                let number = version.parse::<u64>().ok().filter(|n| n.to_string() == version);
                let number = number.ok_or_else(|| {
                    format!("its signature has version \"{}\", not a whole number", text::line(version, text::NAME))
                })?;
                if claims.version.replace(number).is_some() {
                    return Err("its signature has two versions".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(claims)
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As minisign shows it: the number is little-endian.
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({})", self.id)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// From the manual of the crate that verifies: a key and a signature of `test` that the tool itself has made.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";

    #[test]
    fn a_signature_of_the_tool_is_verified_and_its_key_has_the_number_that_the_tool_shows() {
        let key = Key::read(KEY).expect("a key");
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
        let signature = Unverified::read(SIGNATURE).expect("a signature");
        assert_eq!(signature.id, key.id());
        assert_eq!(key.verify(b"test", &signature), Ok(Claims::default()));
        assert!(key.verify(b"Test", &signature).is_err());
    }

    #[test]
    fn a_comment_says_name_and_version_once() {
        let said = claims("timestamp:17 file:x name:acl.v2 version:12").expect("both");
        assert_eq!(said, Claims { name: Some("acl.v2".into()), version: Some(12) });
        for wrong in
            ["name:", "name:a name:b", "version:1 version:2", "version:-1", "version:+1", "version:01", "name:a/b"]
        {
            assert!(claims(wrong).is_err(), "{wrong}");
        }
    }
}
