//! How single values are written in a configuration, and what they are where it says nothing.

use super::Source;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a module finds in its mailbox at `init`, as the configuration says it.
#[derive(Clone, Debug, PartialEq)]
pub enum ModuleConfig {
    /// These bytes as they are.
    Text(String),
    /// A table, which the module gets as JSON text.
    Table(toml::Table),
}

impl ModuleConfig {
    /// The bytes that the host writes into the mailbox. A table's keys come in alphabetical order, so that equal
    /// configurations give equal bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Table(table) => table_to_json(table).to_string().into_bytes(),
        }
    }
}

impl<'de> Deserialize<'de> for ModuleConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self::Text(text)),
            toml::Value::Table(table) => Ok(Self::Table(table)),
            other => Err(D::Error::custom(format!(
                "a module's config is a table or a string, not of type {}",
                other.type_str()
            ))),
        }
    }
}

fn table_to_json(table: &toml::Table) -> serde_json::Value {
    table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<serde_json::Map<_, _>>().into()
}

/// JSON knows neither dates, which become strings, nor numbers that are not finite, which become null
/// ([`super::Config::validate`] refuses those beforehand).
fn to_json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(table) => table_to_json(table),
    }
}

/// A chain's source as it stands in the file: one of three keys says of which kind it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    port: Option<String>,
    queue: Option<u16>,
    module: Option<String>,
    pool: Option<u32>,
    ring: Option<String>,
}

impl TryFrom<RawSource> for Source {
    type Error = &'static str;

    fn try_from(raw: RawSource) -> Result<Self, Self::Error> {
        if raw.queue.is_some() && raw.port.is_none() {
            return Err("`queue` is a queue of a port: it belongs to a source with `port`");
        }
        if raw.pool.is_some() && raw.module.is_none() {
            return Err(
                "`pool` is a generator's pool: it belongs to a source with `module` (a port's pool is set at the port)",
            );
        }
        match (raw.port, raw.module, raw.ring) {
            (Some(port), None, None) => Ok(Self::Port { port, queue: raw.queue.unwrap_or(0) }),
            (None, Some(module), None) => Ok(Self::Module { module, pool: raw.pool.unwrap_or(GENERATOR_POOL) }),
            (None, None, Some(ring)) => Ok(Self::Ring { ring }),
            _ => Err("a source is exactly one of: port, module, ring"),
        }
    }
}

/// A span of time as people write it: `10s`, `1ms`, `1h 30min`.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is no duration ({error}); write for example \"10s\" or \"1ms\""))
}

/// A number of bytes as people write it: `4096`, `256K`, `1.5G`. The units are powers of 1024, whether written as `K`,
/// `KB` or `KiB`, as DPDK and the kernel do with memory.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let binary = parse_size::Config::new().with_binary();
    let size = binary.parse_size(text);
    let size = size.map_err(|error| format!("{text:?} is no size ({error}); write for example \"256M\""))?;
    // What is read must be written again, and TOML's numbers have a sign.
    if i64::try_from(size).is_ok() { Ok(size) } else { Err(format!("{text:?} is beyond any memory")) }
}

pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

pub(crate) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => parse_size(&text).map_err(D::Error::custom),
        toml::Value::Integer(bytes) => u64::try_from(bytes).map_err(|_| D::Error::custom("a size cannot be negative")),
        other => Err(D::Error::custom(format!(
            "a size is a string like \"256M\" or a number of bytes, not of type {}",
            other.type_str()
        ))),
    }
}

/// Where metrics are served: `127.0.0.1:9095`, or the port alone for this machine's own address.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_metrics_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().ok().filter(|port: &u16| *port != 0);
    let address = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).or_else(|| text.parse().ok());
    address.ok_or_else(|| format!("{text:?} is no address; write for example \"127.0.0.1:9095\", or \"9095\""))
}

pub(super) fn metrics_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    parse_metrics_address(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// Rooms of a generator's pool: small enough that all of them stay in a core's cache.
pub(super) const GENERATOR_POOL: u32 = 2047;

pub(super) fn domain() -> String {
    super::domains::OWN.to_owned()
}

pub(super) const fn mtu() -> u16 {
    1500
}

pub(super) const fn descriptors() -> u16 {
    1024
}

pub(super) const fn one() -> u16 {
    1
}

pub(super) const fn yes() -> bool {
    true
}

pub(super) const fn ring_size() -> u32 {
    1024
}

pub(crate) const fn module_memory() -> u64 {
    256 << 20
}

pub(crate) const fn deadline() -> Duration {
    Duration::from_millis(100)
}

pub(crate) const fn hold_age() -> Duration {
    Duration::from_secs(1)
}

pub(crate) const fn counters() -> u32 {
    64
}

/// Whether all numbers in a value can be written as JSON.
pub(super) fn fits_json(value: &toml::Value) -> bool {
    match value {
        toml::Value::Float(number) => number.is_finite(),
        toml::Value::Array(items) => items.iter().all(fits_json),
        toml::Value::Table(table) => table.values().all(fits_json),
        _ => true,
    }
}
