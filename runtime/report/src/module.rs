//! What is known of a module.

use perigee_abi::{STATE_ALIGN, STATE_UNIT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a module comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// SHA-256 of its bytes as they were handed over, in hexadecimal.
    pub sha256: String,
    /// Number of the key that signed it, verified by the policy; `None`: nobody has looked, or nobody has signed.
    pub key: Option<String>,
    /// The version that its signature says.
    pub version: Option<u64>,
    /// The policy's entry by which it was admitted.
    pub policy: Option<String>,
    /// Its code was in the cache.
    pub cached: bool,
}

/// The numbers that a module exports.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Numbers {
    /// ABI version.
    pub abi: u32,
    /// Address of the batch area.
    pub batch: u32,
    /// Address of the window.
    pub window: u32,
    /// Bytes of the window, alignment included.
    pub window_len: u32,
    /// Address of the mailbox; 0 where there is none.
    pub mailbox: u32,
    /// Bytes of the mailbox.
    pub mailbox_len: u32,
    /// Spare rooms wanted.
    pub spares: u32,
    /// Version of the state that `save` writes.
    pub state_version: u32,
    /// Address of the range in which the flat state region lies; 0 where there is none.
    pub state: u32,
    /// Bytes of that range, alignment included.
    pub state_len: u32,
}

impl Numbers {
    /// Address and length of the flat state region inside its range; a length of 0 where there is none. The length does not
    /// depend on where a linker has put the range: the next build takes over from this one.
    pub fn state_region(&self) -> (u32, u32) {
        let len = self.state_len.saturating_sub(STATE_ALIGN);
        (self.state.checked_next_multiple_of(STATE_ALIGN).unwrap_or(0), len - len % STATE_UNIT)
    }
}

/// Facts of a module, for `perigee inspect`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ModuleInfo {
    /// Its name or file.
    pub name: String,
    /// Bytes of WebAssembly.
    pub size: u64,
    /// Where it comes from: its digest, and who vouches for it.
    pub origin: Origin,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Bytes of memory that it starts with.
    pub memory_min: u64,
    /// Bytes of memory that it may grow to by its own word.
    pub memory_max: Option<u64>,
    /// Bytes of packets that the window takes, after alignment.
    pub window_usable: u32,
    /// Callbacks that it has.
    pub callbacks: Vec<String>,
    /// All exports with their types.
    pub exports: Vec<String>,
    /// All imports with their types.
    pub imports: Vec<String>,
}

impl ModuleInfo {
    /// Why its window does not take that many bytes of packets (`Config::window_bytes`); `None` where it does.
    #[must_use]
    pub fn window_lacks(&self, needed: u64) -> Option<String> {
        let usable = self.window_usable;
        (needed > usable.into()).then(|| {
            format!(
                "its window takes {usable} bytes of packets, this run's pools need {needed}: declare a window of at least \
                 {} bytes, or lower the `pool` sizes",
                needed.saturating_add(perigee_abi::WINDOW_ALIGN.into())
            )
        })
    }
}
