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
            (None, Some(module), None) => Ok(Self::Module { module, pool: raw.pool }),
            (None, None, Some(ring)) => Ok(Self::Ring { ring }),
            _ => Err("a source is exactly one of: port, module, ring"),
        }
    }
}

/// A span of time as people write it: `10s`, `1ms`, `1h 30min`. A number alone is seconds: `10`, `0.5`. `M` is refused: to humantime 2.4 it
/// is a month of 30.44 days, and beside rates, where it is a million, somebody will have meant minutes.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |error: &dyn std::fmt::Display| {
        format!("{text:?} is no duration ({error}); write for example \"10s\" or \"1ms\", or a number of seconds")
    };
    match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| wrong(&error)),
        Err(_) if text.split(|c: char| !c.is_alphabetic()).any(|unit| unit == "M") => {
            Err(wrong(&"M may be minutes or months: 5min, or 5months"))
        }
        Err(_) => humantime::parse_duration(text).map_err(|error| wrong(&error)),
    }
}

/// A number of packets or bits per second as people write it: `14880952`, `1M`, `2.5G`. The units are powers of 1000, as
/// everywhere with rates, and `pps`, `bit/s` or `bps` may follow.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no rate; write a number, or for example \"1M\" or \"2.5G\"");
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    let bare = ["pps", "bit/s", "bps"].iter().find_map(|end| bare.strip_suffix(end)).unwrap_or(&bare);
    let units = [("k", 3), ("K", 3), ("M", 6), ("G", 9), ("T", 12)];
    let unit = units.iter().find_map(|(unit, zeros)| Some((bare.strip_suffix(unit)?, *zeros)));
    let (number, zeros) = unit.unwrap_or((bare, 0));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // What is below one packet or bit per second would be lost silently.
    if whole.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || part.len() > zeros {
        return Err(wrong());
    }
    let rate = format!("{whole}{part:0<zeros$}").parse().map_err(|_| wrong())?;
    // What is read must be written again, and TOML's numbers have a sign.
    if i64::try_from(rate).is_ok() { Ok(rate) } else { Err(wrong()) }
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

/// A time, as `10ms`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => parse_duration(&text).map_err(D::Error::custom),
        number @ (toml::Value::Integer(_) | toml::Value::Float(_)) => {
            parse_duration(&number.to_string()).map_err(D::Error::custom)
        }
        other => Err(D::Error::custom(format!(
            "a duration is a string like \"10s\" or a number of seconds, not of type {}",
            other.type_str()
        ))),
    }
}

/// A rate, where there is one.
pub fn some_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(value) = Option::<toml::Value>::deserialize(deserializer)? else { return Ok(None) };
    match value {
        toml::Value::String(text) => parse_rate(&text).map(Some).map_err(D::Error::custom),
        toml::Value::Integer(rate) => match u64::try_from(rate) {
            Ok(rate) => Ok(Some(rate)),
            Err(_) => Err(D::Error::custom("a rate cannot be negative")),
        },
        other => Err(D::Error::custom(format!(
            "a rate is a number or a string like \"1M\", not of type {}",
            other.type_str()
        ))),
    }
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Bytes, as `64M`.
pub fn some_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}

/// Bytes, as a number or as a text with a unit.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
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

/// Where a page is served: an address, or the port alone for this machine's own address.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_web_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let address = port.or_else(|| text.parse().ok());
    address.ok_or_else(|| format!("{text:?} is no address; write for example \"127.0.0.1:8080\", or \"8080\""))
}

pub(super) fn web_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    parse_web_address(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// What an address in a browser begins with: scheme and host, and a port where it is not the scheme's own.
///
/// # Errors
/// The text that says what is wrong with it.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(plain)
    };
    rest.filter(|host| is_host(host)).map(|_| text.to_owned()).ok_or_else(|| {
        format!(
            "{text:?} is not what an address in a browser begins with; write it in small letters and without a path, for \
             example \"https://perigee.example.org\""
        )
    })
}

/// A chain's CPUs: an empty list would name none of them, and yet the chain would run.
pub(super) fn lcores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let lcores = Vec::deserialize(deserializer)?;
    if lcores.is_empty() {
        return Err(D::Error::custom("lcores is an empty list; name CPUs, or leave the key away to get one by load"));
    }
    Ok(lcores)
}

/// Rooms of a generator's pool, more where ports keep many packets: small enough that all of them stay in a core's cache.
pub(super) const GENERATOR_POOL: u32 = 2_048;

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

pub(super) const fn weight() -> u32 {
    1
}

pub(super) const fn yes() -> bool {
    true
}

pub(super) const fn ring_size() -> u32 {
    1024
}

/// Most memory of a module, bytes.
pub const fn module_memory() -> u64 {
    256 << 20
}

/// Most CPU time of a call on the data path.
pub const fn deadline() -> Duration {
    Duration::from_millis(10)
}

/// Most CPU time of any other call.
pub const fn control_deadline() -> Duration {
    Duration::from_millis(100)
}

/// How long packets may be held.
pub const fn hold_age() -> Duration {
    Duration::from_secs(1)
}

/// Most counters that are shown.
pub const fn counters() -> u32 {
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
