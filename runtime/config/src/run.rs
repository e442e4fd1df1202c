//! What concerns the run as a whole: `[run]`.

use crate::values;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// What concerns the run as a whole: `[run]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// How long to run; `None`: until a signal comes or all sources have ended.
    #[serde(deserialize_with = "values::some_duration")]
    pub duration: Option<Duration>,
    /// Where the modules' random numbers start: the same seed gives the same numbers.
    pub seed: u64,
    /// Packets asked of a source at once, 1 to 256.
    pub burst: u16,
    /// A module is called at least this often, even when no packets come.
    #[serde(deserialize_with = "values::duration")]
    pub tick: Duration,
    /// What an lcore does when nothing comes; `None`: nap where all ports are virtual, else spin.
    pub idle: Option<Idle>,
    /// Whether packets lie in huge pages.
    pub huge_pages: HugePages,
    /// Bytes that EAL reserves when it runs without huge pages.
    #[serde(deserialize_with = "values::size")]
    pub eal_memory: u64,
    /// Directory in which each failure of a module gets a folder with evidence; relative to the configuration's directory.
    pub evidence: Option<String>,
    /// An lcore that gives no sign of life for this long is told of; `None`: [`Config::watchdog`](crate::Config::watchdog) says it.
    #[serde(deserialize_with = "values::some_duration")]
    pub watchdog: Option<Duration>,
    /// One that gives none for this long ends the process; `None`: it does not.
    #[serde(deserialize_with = "values::some_duration")]
    pub watchdog_abort: Option<Duration>,
    /// Arguments for EAL, appended as they are.
    pub eal_args: Vec<String>,
    /// How strict the jail is; `None`: who starts the run decides (the runtime's `Options::jail`).
    pub jail: Option<JailMode>,
    /// Whom a process becomes that was started as root: a name, or `UID:GID`; `None`: nobody.
    pub user: Option<String>,
    /// The control socket, relative to the configuration's directory; `off`: none; `None`: the default place.
    pub control: Option<String>,
    /// Bytes that all captures together may take.
    #[serde(deserialize_with = "values::size")]
    pub capture_memory: u64,
    /// Where metrics are served over TCP.
    #[serde(deserialize_with = "values::metrics_address")]
    pub metrics: Option<SocketAddr>,
    /// Where a page for browsers is served, by a process of its own.
    #[serde(deserialize_with = "values::web_address")]
    pub web: Option<SocketAddr>,
    /// The page may be served at an address that other machines reach, without encryption.
    pub web_insecure: bool,
    /// Whoever has the page's token may change the run by it.
    pub web_control: bool,
    /// What the page's address begins with in the browser, where a proxy stands in front of it: `https://perigee.example.org`.
    pub web_origin: Option<String>,
}

/// How strict the jail is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JailMode {
    /// A thread that makes a system call which is not in its list ends the process.
    On,
    /// As [`Self::On`], but such calls are made, and logged by the kernel: to find what a list lacks.
    Log,
    /// No jail: for debuggers and profilers, and for programs that embed the runtime and do more than that.
    #[default]
    Off,
}

/// What an lcore does when nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Polls on: least latency, a whole core at full load.
    Spin,
    /// Sleeps a little after many empty polls: leaves the core to others.
    Nap,
}

/// Whether packets lie in huge pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HugePages {
    /// Where the machine has free ones.
    #[default]
    Auto,
    /// Always: without them the run does not start.
    On,
    /// Never.
    Off,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            duration: None,
            seed: 1,
            burst: 64,
            tick: Duration::from_millis(1),
            idle: None,
            huge_pages: HugePages::Auto,
            eal_memory: 256 << 20,
            evidence: None,
            watchdog: None,
            watchdog_abort: None,
            eal_args: Vec::new(),
            jail: None,
            user: None,
            control: None,
            capture_memory: 64 << 20,
            metrics: None,
            web: None,
            web_insecure: false,
            web_control: false,
            web_origin: None,
        }
    }
}
