//! How modules are loaded: `[load]`.

use super::values;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Limits of the compiler, the cache of what it made, and where modules must come from: `[load]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Most bytes of a module's file.
    #[serde(deserialize_with = "values::size")]
    pub module_size: u64,
    /// Most CPU time that compiling one module may take, in whole seconds; three times that in all.
    #[serde(deserialize_with = "values::duration")]
    pub time: Duration,
    /// Most memory that compiling one module may take, bytes.
    #[serde(deserialize_with = "values::size")]
    pub memory: u64,
    /// Where compiled code is kept.
    pub cache: Directory,
    /// Most bytes in the cache; the code that was not used for longest goes first.
    #[serde(deserialize_with = "values::size")]
    pub cache_size: u64,
    /// The policy's file, relative to the configuration's directory; `None`: any module may be loaded.
    pub policy: Option<String>,
    /// Where the highest versions of signed modules are remembered. Only used with a policy.
    pub state: Directory,
}

/// A directory of Perigee's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    /// The system's place for it: `/var/cache/perigee` and `/var/lib/perigee` for root, else what XDG says.
    #[default]
    Auto,
    /// None.
    Off,
    /// This one, relative to the configuration's directory.
    Path(String),
}

impl From<&str> for Directory {
    fn from(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            path => Self::Path(path.to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Directory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

impl Default for Load {
    fn default() -> Self {
        Self {
            module_size: 16 << 20,
            time: Duration::from_secs(20),
            memory: 1 << 30,
            cache: Directory::Auto,
            cache_size: 256 << 20,
            policy: None,
            state: Directory::Auto,
        }
    }
}
