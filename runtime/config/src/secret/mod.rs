//! Secrets of modules: `secrets = { NAME = { file = "…" } }` beside `config`.
//!
//! This is the one place that knows what a secret is: how its file must be ([`file`]), in which form a module gets it
//! ([`Secrets::document`]), what is told of it to everybody ([`Secret::digest`]), and what of a module's own words is not passed on
//! ([`Secrets::hide`]). A [`Secret`] cannot be printed or serialized; its bytes are wiped when the last who has it lets it go.

mod digest;
mod file;
#[cfg(test)]
mod tests;
mod veil;

pub use file::{LEAST, MOST, Unfit, look, read_file};

use crate::{Config, Module};
use perigee_report::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use veil::Veil;
use zeroize::Zeroizing;

/// The key of the document that a module gets, under which its secrets are.
pub const KEY: &str = "secrets";
/// Most secrets of one module.
pub const SECRETS_MAX: usize = 16;
/// Most bytes of a secret's name.
const NAME_MAX: usize = 64;

/// A secret. Copies share its bytes.
#[derive(Clone)]
pub struct Secret(Arc<Kept>);

struct Kept {
    bytes: Zeroizing<Vec<u8>>,
    veil: Veil,
    digest: OnceLock<String>,
}

impl Secret {
    /// The secret that a file of these bytes has. What may be a secret is said in docs/configuration.md.
    ///
    /// # Errors
    /// There are too few bytes, or too many.
    pub fn of_file(bytes: &[u8]) -> Result<Self, Unfit> {
        let bytes = Zeroizing::new(file::without_line_end(bytes).to_vec());
        file::check_len(bytes.len())?;
        Ok(Self(Arc::new(Kept { veil: Veil::new(&bytes), bytes, digest: OnceLock::new() })))
    }

    /// What is told of it: enough to see whether two runs had the same, and slow to guess by.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.0.digest.get_or_init(|| digest::tell(&self.0.bytes))
    }

    /// Whether a digest, perhaps of another run, tells of this secret; nothing where it is of no kind that is known.
    #[must_use]
    pub fn is_told_by(&self, digest: &str) -> Option<bool> {
        digest::tells_of(digest, &self.0.bytes)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A secret's entry in the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretEntry {
    /// Its file, relative to the configuration's directory.
    pub file: String,
    /// The secret, once it was read ([`Config::read_secrets`]).
    #[serde(skip)]
    pub secret: Option<Secret>,
}

/// A module's secrets by their names.
#[derive(Clone, Default, PartialEq)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is told of them, by their names.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, secret)| (name.clone(), secret.digest().to_owned())).collect()
    }

    /// The document that a module gets: its configuration, and where it has secrets the key `secrets` with each as hexadecimal
    /// digits under its name. Keys stay in alphabetical order.
    ///
    /// # Errors
    /// The configuration is no table, or has such a key itself.
    pub fn document(&self, config: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        if self.is_empty() {
            return Ok(Zeroizing::new(config.to_vec()));
        }
        let config = if config.is_empty() { b"{}" } else { config };
        let table: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(config).map_err(|_| told(NO_TABLE))?;
        if table.contains_key(KEY) {
            return Err(told(TAKEN));
        }
        let text = |(key, value): (&String, &serde_json::Value)| format!("{}:{value}", serde_json::Value::from(&**key));
        let (before, behind): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| key.as_str() < KEY);
        let (before, behind) = (before.into_iter().map(text), behind.into_iter().map(text));
        Ok(self.spliced(&before.collect::<Vec<_>>(), &behind.collect::<Vec<_>>()))
    }

    /// All in one buffer that is long enough from the start: one that grows leaves copies behind.
    fn spliced(&self, before: &[String], behind: &[String]) -> Zeroizing<Vec<u8>> {
        let others: usize = before.iter().chain(behind).map(|text| text.len() + 1).sum();
        let ours: usize = self.0.iter().map(|(name, secret)| name.len() + 2 * secret.0.bytes.len() + 6).sum();
        let mut document = Zeroizing::new(Vec::with_capacity(others + ours + KEY.len() + 8));
        document.push(b'{');
        for text in before {
            document.extend_from_slice(text.as_bytes());
            document.push(b',');
        }
        document.extend_from_slice(b"\"secrets\":{");
        for (at, (name, secret)) in self.0.iter().enumerate() {
            document.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            document.extend_from_slice(name.as_bytes());
            document.extend_from_slice(b"\":\"");
            let digits = secret.0.bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            document.extend(digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            document.push(b'"');
        }
        document.push(b'}');
        for text in behind {
            document.push(b',');
            document.extend_from_slice(text.as_bytes());
        }
        document.push(b'}');
        document
    }

    /// Puts stars in the place of what stands in these bytes of a secret: as it is, as hexadecimal digits, as base64; from eight
    /// bytes of them on. What a module does to a secret before it says it, nobody can know.
    pub fn hide(&self, bytes: &mut [u8]) {
        self.0.values().for_each(|secret| secret.0.veil.hide(bytes));
    }
}

impl FromIterator<(String, Secret)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (String, Secret)>>(secrets: T) -> Self {
        Self(secrets.into_iter().collect())
    }
}

/// Names only.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a document has no place for secrets.
pub(crate) const NO_TABLE: (&str, &str) =
    ("it gets its secrets as a key of its config, and that is a text", "make its config a table");
pub(crate) const TAKEN: (&str, &str) =
    ("its config has a key \"secrets\", under which it gets its secrets", "call that key otherwise");

/// What is wrong and what to do, as one text.
fn told((what, help): (&str, &str)) -> String {
    format!("{what}: {help}")
}

/// Whether a secret can have this name: it is a key of JSON and of digests in all that is told.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(plain)
}

impl Module {
    /// Its secrets.
    ///
    /// # Errors
    /// One was not read; which.
    pub fn secrets(&self) -> Result<Secrets, Error> {
        let secret = |(name, entry): (&String, &SecretEntry)| match &entry.secret {
            Some(secret) => Ok((name.clone(), secret.clone())),
            None => Err(Error::Module {
                name: self.name.clone(),
                what: format!("its secret {name:?} was not read from {:?}: Config::read_secrets does it", entry.file),
            }),
        };
        self.secrets.iter().map(secret).collect()
    }
}

impl Config {
    /// Reads the modules' secrets that were not read yet; paths start from `base`. To be called while files can be read: a run does it
    /// before it gives up its rights.
    ///
    /// # Errors
    /// A file is not fit: it names the file, and what to do.
    pub fn read_secrets(&mut self, base: &Path) -> Result<(), Error> {
        self.give_secrets(|file| {
            let path = base.join(file);
            read_file(&path).map_err(|unfit| Error::File { source: std::io::Error::other(unfit.to_string()), path })
        })
    }

    /// As [`Self::read_secrets`], from files that somebody hands over by the paths that the configuration has for them.
    ///
    /// # Errors
    /// One is missing, or can be no secret's.
    pub fn give_secrets<E: From<Error>>(
        &mut self,
        mut of: impl FnMut(&str) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<(), E> {
        for module in &mut self.modules {
            for (name, entry) in module.secrets.iter_mut().filter(|(_, entry)| entry.secret.is_none()) {
                let what = |unfit| format!("its secret {name:?}, file {:?}, {unfit}", entry.file);
                let secret = Secret::of_file(&of(&entry.file)?);
                let secret = secret.map_err(|unfit| Error::Module { name: module.name.clone(), what: what(unfit) })?;
                entry.secret = Some(secret);
            }
        }
        Ok(())
    }
}
