//! The command line of `perigee routes`.

use crate::jail::JailOption;
use clap::{Args, ValueEnum, ValueHint};
use perigee_runtime::config::parse_duration;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where the routes come from, and to whom they go.
#[derive(Args, Debug)]
#[command(
    after_long_help = "A process of its own, without root, that asks a run by its control socket. It follows all changes; what the router cannot hold is
told and counted. When it ends its routes stay for --stale, and are withdrawn then (modules/router/README.md, \"Feeds\").

Examples:
  perigee routes --from kernel --to router --map eth1=0 --map eth2=1
  perigee routes --from kernel --to router --map eth1=0 --once
  perigee routes --from fpm --to router --map 3=0        # FRR: zebra -M dplane_fpm_nl, `fpm address 127.0.0.1`"
)]
pub(crate) struct RoutesArgs {
    /// Who knows the routes: the kernel of this network namespace, or FRR, which connects and tells them.
    #[arg(long, value_enum)]
    pub(super) from: From,
    /// The router: the module's name in the configuration.
    #[arg(long, value_name = "MODULE")]
    pub(super) to: String,
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Which port an interface of the kernel is, by its name or number: needed for link-local next hops, and for routes onto a link.
    #[arg(long = "map", value_name = "INTERFACE=PORT", value_parser = mapping)]
    pub(super) map: Vec<(String, u16)>,
    /// The table of routes: `main`, or its number.
    #[arg(long, default_value = "main", value_parser = table)]
    pub(super) table: u32,
    /// Where FRR finds this process: an address of this machine's loopback, or the path of a Unix socket.
    #[arg(long, value_name = "ADDRESS|PATH", default_value = "127.0.0.1:2620", value_parser = listen)]
    pub(super) listen: Listen,
    /// For how long routes stay in the router once nobody stands for them any more; `never` lets them stay.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = stale)]
    pub(super) stale: Stale,
    /// The feed's name in the router: it changes and withdraws its own routes alone. Default: what they come from.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Bring the kernel's routes once, and end.
    #[arg(long)]
    pub(super) once: bool,
    /// Tell at the end what was done as JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) jail: JailOption,
}

/// Who knows the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// The kernel.
    Kernel,
    /// FRR, by its Forwarding Plane Manager.
    Fpm,
}

impl From {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Fpm => "fpm",
        }
    }
}

/// Where a peer finds this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    Loopback(SocketAddr),
    Path(PathBuf),
}

/// How long routes stay; nothing: for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale(pub(super) Option<Duration>);

impl Stale {
    /// How often the router is told that somebody stands for the routes.
    pub(super) fn heartbeat(self) -> Duration {
        self.0.map_or(Duration::from_secs(15), |stale| stale / 4)
    }

    /// As the router's message says it.
    pub(super) fn words(self) -> String {
        self.0.map_or_else(|| "never".to_owned(), |stale| stale.as_secs().to_string())
    }
}

fn mapping(text: &str) -> Result<(String, u16), String> {
    let (name, port) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write INTERFACE=PORT, as eth1=0")?;
    let port = port
        .parse()
        .map_err(|_| format!("{port:?} is no number of a port: they are counted from 0, as [[port]] has them"))?;
    Ok((name.to_owned(), port))
}

fn table(text: &str) -> Result<u32, String> {
    match text {
        "main" => Ok(libc::RT_TABLE_MAIN.into()),
        number => number.parse().map_err(|_| format!("{number:?} is no table: write `main`, or a number")),
    }
}

fn listen(text: &str) -> Result<Listen, String> {
    if text.contains('/') {
        return Ok(Listen::Path(text.into()));
    }
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is neither an address such as 127.0.0.1:2620 nor a path with a slash"))?;
    if !address.ip().is_loopback() {
        return Err(
            "other machines can reach it, and whoever connects gives the routes: take an address of loopback, \
                    or a Unix socket"
                .to_owned(),
        );
    }
    Ok(Listen::Loopback(address))
}

fn stale(text: &str) -> Result<Stale, String> {
    if text == "never" {
        return Ok(Stale(None));
    }
    let time = parse_duration(text)?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);
    // The router counts seconds.
    if allowed.contains(&time) && time.subsec_nanos() == 0 {
        Ok(Stale(Some(time)))
    } else {
        Err(format!("{text:?} is not a number of whole seconds from 1s on, within a year"))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_this_machine_may_give_routes() {
        assert_eq!(listen("127.0.0.1:2620"), Ok(Listen::Loopback("127.0.0.1:2620".parse().unwrap())));
        assert_eq!(listen("[::1]:7"), Ok(Listen::Loopback("[::1]:7".parse().unwrap())));
        assert_eq!(listen("/run/fpm.sock"), Ok(Listen::Path("/run/fpm.sock".into())));
        for wrong in ["0.0.0.0:2620", "192.0.2.1:2620", "[::]:2620", "fpm.sock", "2620"] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_whole_seconds() {
        assert_eq!(stale("1min"), Ok(Stale(Some(Duration::from_secs(60)))));
        assert_eq!(stale("never").map(Stale::words), Ok("never".to_owned()));
        assert!(["0s", "1500ms", "soon", "2y"].iter().all(|wrong| stale(wrong).is_err()));
        assert_eq!(mapping("eth1=3"), Ok(("eth1".to_owned(), 3)));
        assert!(["eth1", "=3", "eth1=x", "eth1=70000"].iter().all(|wrong| mapping(wrong).is_err()));
    }
}
