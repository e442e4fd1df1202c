//! Configuration: JSON into a type that derives `Deserialize`, without a heap.
//!
//! The host hands over what the operator wrote in TOML, so this reader meets only well-formed JSON in practice. What it
//! is for is the operator's mistakes: an error names the key, what was expected and what was found.
//!
//! Reading happens once and its speed does not matter, but its code is part of every module: the parts that do not
//! depend on the type are functions of their own, never inlined.

mod error;
mod json;
#[cfg(feature = "state")]
mod many;
mod secret;
mod types;

use crate::refusal::Refusal;
use json::Json;
#[cfg(feature = "state")]
pub use many::Many;
pub use secret::Secret;
use serde::Deserialize;
pub use types::List;

/// Reads a value. No bytes at all count as an empty table: the operator gave no configuration.
///
/// # Errors
///
/// A text that names the key and what is wrong with it.
pub fn from_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Refusal> {
    let mut json = Json::new(if bytes.is_empty() { b"{}" } else { bytes });
    let value = T::deserialize(&mut json).map_err(|error| error.refusal)?;
    match json.peek() {
        None => Ok(value),
        Some(_) => Err(Refusal::new("something follows the configuration")),
    }
}

#[cfg(test)]
mod tests;
