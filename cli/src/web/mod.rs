//! `perigee web`: a page for browsers, served by a process of its own that is a client of a run's control socket. A fault of
//! it costs no packet, and the run's process has no socket that anybody reaches over the network.
//!
//! - `access.rs` says who may ask; `routes.rs` what can be asked; `server.rs` bounds what clients may cost.
//! - `events.rs` asks the run once for all who look on.
//! - `page.rs` is the end of a `perigee run` that has started such a process.

mod access;
mod args;
mod assets;
mod events;
mod page;
mod problem;
mod routes;
mod server;
mod token_file;

pub(crate) use args::WebArgs;
pub(crate) use page::Page;

use crate::client::Upstream;
use crate::{client, output};
use access::Access;
use anyhow::{Context, Result, bail};
use events::Hub;
use page::Parent;
use perigee_runtime::jail;
use routes::Shared;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use token_file::TokenFile;
use tokio::signal::unix::{SignalKind, signal};

/// `perigee web`.
pub(crate) fn web(args: &WebArgs) -> Result<ExitCode> {
    if !args.for_run {
        return serve(args, None).map(|()| ExitCode::SUCCESS);
    }
    let parent = Parent::take()?;
    match serve(args, Some(&parent)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The run tells it as its own error.
        Err(error) => Ok(parent.tell_error(&error)),
    }
}

fn serve(args: &WebArgs, parent: Option<&Parent>) -> Result<()> {
    let address = args.listen;
    if !address.ip().is_loopback() && !args.insecure {
        bail!(
            "--listen {address}: other machines can reach it, and what goes there is not encrypted; listen on 127.0.0.1 and \
             put a proxy with TLS in front of it (docs/web.md), or add --insecure"
        );
    }
    let path = client::socket_of(args.socket.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the page's runtime")?;
    runtime.block_on(async {
        let run = Upstream::new(path.clone());
        if parent.is_none() {
            // A run that has started this process answers when its ports and lcores work.
            run.check().await?;
        }
        let listener = bind(address)?;
        let address = listener.local_addr().context("the page's address")?;
        let access = Access::new(address, args.origin.as_deref())?;
        let token = TokenFile::write(&path, access.token())?;
        let url = access.url();
        let shared = Arc::new(Shared { access, hub: Hub::default(), run, control: args.control });
        // Before the jail, which lets nobody install handlers.
        let end = end(parent)?;
        let listener = tokio::net::TcpListener::from_std(listener).context("the page's socket")?;
        jail::enter_as_web(args.jail.mode(), &[token.path().to_owned()])?;
        match parent {
            Some(parent) => parent.tell_ready(&url, token.path()),
            None => output::result(&format!("{url}\n"))?,
        }
        tracing::info!("the page listens at {address}; its token is in {}", token.path().display());
        tokio::select! {
            () = server::accept(listener, &shared) => {}
            () = events::poll(&shared, args.every) => {}
            () = end => {}
        }
        shared.hub.end().await;
        Ok(())
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "the page at {address}: another program listens there; name another port, or 0 for any free one"
            )
        }
        ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("the page at {address}: this machine does not have that address")
        }
        ErrorKind::PermissionDenied => {
            anyhow::anyhow!("the page at {address}: ports below 1024 are root's; name another one")
        }
        _ => anyhow::anyhow!("the page at {address}: {error}"),
    })
}

/// What ends the process: a signal, or the end of the run that has started it.
fn end(parent: Option<&Parent>) -> Result<impl Future<Output = ()> + use<>> {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals = signals.map(signal).into_iter().collect::<std::io::Result<Vec<_>>>().context("signal handler")?;
    let [mut interrupt, mut terminate, mut hangup] =
        <[_; 3]>::try_from(signals).map_err(|_| anyhow::anyhow!("signal handlers are missing"))?;
    let parent = parent.map(Parent::end).transpose()?;
    Ok(async move {
        let parent = async {
            match parent {
                Some(parent) => parent.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = parent => {}
        }
    })
}
