//! The command line of `perigee web`.

use crate::jail::JailOption;
use clap::{Args, ValueHint};
use perigee_runtime::config::{parse_duration, parse_origin, parse_web_address};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Which run, and where its page.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee web
  perigee web --socket forward --listen 127.0.0.1:9000 --control")]
pub(crate) struct WebArgs {
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Where the page is, or its port on this machine; 0 is any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = parse_web_address)]
    pub(super) listen: SocketAddr,
    /// Let whoever has the token change the run: rates, pauses, swaps, restarts.
    #[arg(long)]
    pub(super) control: bool,
    /// How often the run is asked, while somebody looks on.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = period)]
    pub(super) every: Duration,
    /// Listen at an address that other machines reach, without encryption.
    #[arg(long)]
    pub(super) insecure: bool,
    /// What the page's address begins with in the browser, where a proxy with TLS stands in front of it.
    #[arg(long, value_name = "URL", value_parser = parse_origin)]
    pub(super) origin: Option<String>,
    #[command(flatten)]
    pub(super) jail: JailOption,
    /// A run has started this: standard input is a socket to it.
    #[arg(long, hide = true)]
    pub(super) for_run: bool,
}

/// Snapshots ask lcores, so there is a bound.
fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(60);
    if allowed.contains(&period) { Ok(period) } else { Err(format!("{text:?} is not within 100ms and 60s")) }
}
