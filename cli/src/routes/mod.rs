//! `perigee routes`: brings routes of the kernel or of FRR to a router module. A process of its own, a client of a run's control
//! socket: what it reads was written by others, and a fault of it costs no packet.
//!
//! - `kernel.rs` and `fpm.rs` hear a source; `rib.rs` remembers what it has said.
//! - `places.rs` knows the router's ports, and says a route in the router's words; `table.rs` has what the router has, and finds the
//!   difference; `router.rs` speaks with the module.
//! - `feed.rs` goes round between them.

mod args;
mod feed;
mod fpm;
mod kernel;
mod places;
mod rib;
mod router;
mod source;
mod table;

pub(crate) use args::RoutesArgs;

use crate::client::Upstream;
use crate::{client, output};
use anyhow::{Context, Result, anyhow, bail};
use args::{From, Listen};
use feed::Feed;
use fpm::Fpm;
use kernel::Kernel;
use perigee_machine::netlink::{Which, look};
use perigee_runtime::jail;
use router::Router;
use source::Source;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// `perigee routes`.
pub(crate) fn routes(args: &RoutesArgs) -> Result<ExitCode> {
    if args.once && args.from == From::Fpm {
        bail!("--once is for --from kernel: FRR never says that it has told all");
    }
    let path = client::socket_of(args.socket.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the feed's runtime")?;
    runtime.block_on(async {
        let run = Upstream::new(path);
        run.check().await?;
        let name = args.name.clone().unwrap_or_else(|| args.from.name().to_owned());
        let router = Router::new(run, &args.to, name, args.stale);
        router.check().await?;
        let (source, removed, interfaces) = open(args)?;
        // Before the jail, which lets nobody install handlers.
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let signals = signals.map(signal).into_iter().collect::<std::io::Result<Vec<_>>>().context("signal handler")?;
        let [mut interrupt, mut terminate, mut hangup] =
            <[_; 3]>::try_from(signals).map_err(|_| anyhow!("signal handlers are missing"))?;
        jail::enter_as_feed(args.jail.mode(), &removed)?;
        let mut feed = Feed::new(args, router, source, interfaces);
        let ended = tokio::select! {
            ended = feed.run() => ended,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        };
        removed.iter().for_each(|path| drop(std::fs::remove_file(path)));
        ended?;
        feed.end().await?;
        output::result(&if args.json { feed.json() + "\n" } else { feed.text() + "\n" })
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the source: with it the files that are removed at the end, and the interfaces that are named by their numbers.
fn open(args: &RoutesArgs) -> Result<(Source, Vec<PathBuf>, HashMap<u32, u16>)> {
    match args.from {
        // It tells its interfaces itself, also those that come later.
        From::Kernel => Ok((Source::Kernel(Kernel::open()?), Vec::new(), HashMap::new())),
        From::Fpm => {
            let number = |name: &str| match name.parse() {
                Ok(number) => Ok(number),
                Err(_) => match look(Which::Name(name)) {
                    Ok(Some(interface)) => Ok(interface.number),
                    _ => Err(anyhow!(
                        "--map {name}: there is no such interface here; where FRR is in another namespace, give the number that `ip link` \
                         shows there"
                    )),
                },
            };
            let interfaces = args.map.iter().map(|(name, port)| Ok((number(name)?, *port))).collect::<Result<_>>()?;
            let removed = match &args.listen {
                Listen::Path(path) => vec![path.clone()],
                Listen::Loopback(_) => Vec::new(),
            };
            Ok((Source::Fpm(Fpm::listen(&args.listen)?), removed, interfaces))
        }
    }
}
