//! The operator's word on which modules may be loaded, and what each may be granted at most: by the key that signed it, or by
//! its digest.

use super::signature::{Claims, Key, KeyId, Unverified};
use super::upload::Upload;
use perigee_config::Grants;
use perigee_core::hex::hex;
use perigee_report::Error;
use perigee_report::text;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Most bytes of a policy's file.
const MOST: u64 = 1 << 20;

/// A policy: a TOML file.
#[derive(Clone, Debug)]
pub struct Policy {
    entries: Vec<Entry>,
    unsigned: Unsigned,
}

/// What becomes of a module that no entry speaks of and nobody has signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsigned {
    /// It is not loaded.
    #[default]
    Refuse,
    /// It is loaded with what a module has without grants: [`Grants::default`].
    Lowest,
}

/// What a policy says of a key or a digest.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What messages call it.
    name: String,
    who: Who,
    /// Most that such a module may be granted.
    grants: Grants,
    /// Trust domains that it may be in; `None`: any.
    pub domains: Option<Vec<String>>,
    unversioned: Unversioned,
}

#[derive(Clone, Debug)]
enum Who {
    Key(Box<Key>),
    Digest([u8; 32]),
}

/// Whether a key's signatures must carry name and version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unversioned {
    #[default]
    Refuse,
    Accept,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default)]
    unsigned: Unsigned,
    #[serde(default)]
    key: Vec<RawKey>,
    #[serde(default)]
    digest: Vec<RawDigest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    name: String,
    key: String,
    #[serde(default)]
    unversioned: Unversioned,
    domains: Option<Vec<String>>,
    #[serde(default)]
    grants: Grants,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDigest {
    name: String,
    sha256: String,
    domains: Option<Vec<String>>,
    #[serde(default)]
    grants: Grants,
}

/// Why a module may be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The entry's name; `None` for a module that is loaded though nobody vouches for it.
    pub entry: Option<String>,
    /// The key that signed it, and what the signature says.
    pub signed: Option<(KeyId, Claims)>,
    /// By which its version is remembered: key and name.
    pub identity: Option<String>,
    /// Most that it may be granted.
    pub bound: Grants,
    /// Trust domains that it may be in; `None`: any.
    pub domains: Option<Vec<String>>,
}

impl Policy {
    /// Reads a policy's file.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = super::upload::read_file(path, MOST)?;
        let say = |what: String| Error::Request(format!("{}: {what}", path.display()));
        let text = String::from_utf8(bytes).map_err(|_| say("is no text".to_owned()))?;
        Self::parse(&text).map_err(say)
    }

    /// Reads a policy's text.
    ///
    /// # Errors
    /// The text says where and what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let raw: RawPolicy = toml::from_str(text).map_err(|e| text::lines(&e.to_string()))?;
        let mut entries = Vec::new();
        for key in raw.key {
            let who = Key::read(&key.key).map_err(|e| format!("key {:?}: {e}", key.name))?;
            entries.push(Entry {
                name: key.name,
                who: Who::Key(Box::new(who)),
                grants: key.grants,
                domains: key.domains,
                unversioned: key.unversioned,
            });
        }
        for digest in raw.digest {
            let who = digest_of(&digest.sha256).ok_or_else(|| {
                let (name, text) = (&digest.name, &digest.sha256);
                format!("digest {name:?}: {text:?} is no SHA-256: 64 hexadecimal digits, as sha256sum prints them")
            })?;
            entries.push(Entry {
                name: digest.name,
                who: Who::Digest(who),
                grants: digest.grants,
                domains: digest.domains,
                unversioned: Unversioned::Accept,
            });
        }
        check(&entries)?;
        Ok(Self { entries, unsigned: raw.unsigned })
    }

    /// As [`Self::admit`], of what was handed over.
    ///
    /// # Errors
    /// It may not be loaded: why.
    pub fn admit_bytes(&self, module: &str, upload: &Upload) -> Result<Admission, String> {
        let digest = Sha256::digest(&upload.bytes).into();
        self.admit(module, &upload.bytes, &digest, upload.signature.as_deref())
    }

    /// Decides about a module: `module` is the name that its signature must carry, `digest` the SHA-256 of `bytes`.
    ///
    /// # Errors
    /// It may not be loaded: why.
    pub fn admit(
        &self,
        module: &str,
        bytes: &[u8],
        digest: &[u8; 32],
        signature: Option<&str>,
    ) -> Result<Admission, String> {
        let listed = self.entries.iter().find(|e| matches!(&e.who, Who::Digest(d) if d == digest));
        if let Some(entry) = listed {
            return Ok(entry.admission(None, None));
        }
        let Some(signature) = signature else {
            return match self.unsigned {
                Unsigned::Refuse => Err(format!(
                    "is not signed, and the policy has no entry for its digest {}: sign it (perigee sign), or add a \
                     [[digest]]",
                    hex(digest)
                )),
                Unsigned::Lowest => {
                    Ok(Admission { entry: None, signed: None, identity: None, bound: Grants::default(), domains: None })
                }
            };
        };
        let signature = Unverified::read(signature)?;
        let claimed = |e: &&Entry| matches!(&e.who, Who::Key(key) if key.id() == signature.id);
        let Some((entry, Who::Key(key))) = self.entries.iter().find(claimed).map(|e| (e, &e.who)) else {
            return Err(format!("is signed by key {}, which the policy does not have", signature.id));
        };
        let claims = key.verify(bytes, &signature)?;
        entry.judge(module, key, claims)
    }
}

impl Entry {
    /// Whether a verified signature is one of this module.
    fn judge(&self, module: &str, key: &Key, claims: Claims) -> Result<Admission, String> {
        if let Some(name) = claims.name.as_ref().filter(|name| *name != module) {
            return Err(format!(
                "is signed as {name:?}, not as {module:?}: another module's file? If it is meant, set signed_as = {name:?}"
            ));
        }
        if self.unversioned == Unversioned::Refuse && (claims.name.is_none() || claims.version.is_none()) {
            return Err(format!(
                "its signature has no name or no version: sign it with perigee sign --name {module} --version N, or let \
                 policy entry {:?} have unversioned = \"accept\"",
                self.name
            ));
        }
        // By the whole key: its number alone could be another's.
        let identity = format!("{} {module}", key.text());
        Ok(self.admission(Some((key.id(), claims)), Some(identity)))
    }

    fn admission(&self, signed: Option<(KeyId, Claims)>, identity: Option<String>) -> Admission {
        let (entry, bound, domains) = (Some(self.name.clone()), self.grants.clone(), self.domains.clone());
        Admission { entry, signed, identity, bound, domains }
    }
}

fn check(entries: &[Entry]) -> Result<(), String> {
    for (i, entry) in entries.iter().enumerate() {
        let before = &entries[..i];
        if entry.name.is_empty() {
            return Err(format!("entry number {i} has an empty name"));
        }
        if before.iter().any(|e| e.name == entry.name) {
            return Err(format!("two entries are called {:?}", entry.name));
        }
        let same = |other: &&Entry| match (&entry.who, &other.who) {
            (Who::Key(a), Who::Key(b)) => a.id() == b.id(),
            (Who::Digest(a), Who::Digest(b)) => a == b,
            _ => false,
        };
        if let Some(other) = before.iter().find(same) {
            return Err(format!("entries {:?} and {:?} are about the same key or digest", other.name, entry.name));
        }
    }
    Ok(())
}

fn digest_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(digest)
}
