//! The control server of `run`, `gen` and `forward`: where it listens, and that it is gone when the run is.

use crate::args::RunOptions;
use crate::supervisor::Supervisor;
use crate::{log, output};
use anyhow::{Context, Result};
use perigee_control::{Listener, Server, Settings, serve};
use perigee_runtime::Run;
use perigee_runtime::config::Config;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the word in place of a path means.
const OFF: &str = "off";

/// Where the server will listen. Bound before the run starts: the process may make no files later.
pub(crate) struct Doors(Settings);

impl Doors {
    /// Opens them as the command line says, or else the configuration, whose paths start from `base`.
    pub(crate) fn open(name: &str, config: &Config, base: &Path, options: &RunOptions) -> Result<Self> {
        let configured =
            config.run.control.as_ref().map(|path| if path == OFF { path.into() } else { base.join(path) });
        let socket = match options.control.clone().or(configured) {
            Some(path) if path == Path::new(OFF) => None,
            Some(path) => Some(Listener::bind(&path)?),
            None => default_socket(name),
        };
        if let Some(socket) = &socket {
            tracing::info!("control socket {}", socket.path().display());
        }
        let address = options.metrics.or(config.run.metrics);
        let bind = |address| TcpListener::bind(address).with_context(|| format!("metrics at {address}"));
        let metrics = address.map(bind).transpose()?;
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            output::warning(&format!("metrics at {address} can be read from other machines"));
        }
        let log = log::filter();
        Ok(Self(Settings { socket, metrics, log, ..Settings::new(name) }))
    }

    /// The socket's file.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.0.socket.as_ref().map(|socket| socket.path().to_owned())
    }

    /// Starts the server in front of a run; the supervisor is told of changed configurations.
    pub(crate) fn serve(self, run: &Arc<Run>, supervisor: &Arc<Supervisor>) -> Result<Server> {
        let settings = Settings { observer: Some(Arc::clone(supervisor) as Arc<_>), ..self.0 };
        Ok(serve(settings, Arc::clone(run) as Arc<_>)?)
    }
}

/// A run that nobody has named a socket for goes on without one where there is no place for it.
fn default_socket(name: &str) -> Option<Listener> {
    match Listener::bind_default(name) {
        Ok(socket) => Some(socket),
        Err(error) => {
            output::warning(&format!("the run cannot be asked while it runs: {error}"));
            None
        }
    }
}

/// What a run is called: its configuration's file without its ending.
pub(crate) fn name_of(file: &Path) -> String {
    let name = PathBuf::from(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "run".to_owned())
}
