//! The control server: HTTP and JSON on a Unix socket, for operators and their programs; and metrics for Prometheus.
//!
//! ```no_run
//! use perigee_control as control;
//! use perigee_runtime::{Run, config::Config};
//! use std::{path::Path, sync::Arc};
//! let config = Config::parse(&std::fs::read_to_string("run.toml")?, "run.toml")?;
//! let socket = control::Listener::bind(Path::new("/run/perigee/run.sock"))?;
//! let run = Arc::new(Run::start(&config, Path::new("."))?);
//! let server = control::serve(control::Settings { socket: Some(socket), ..control::Settings::new("run") }, run.clone())?;
//! while !server.stop_asked() {
//!     std::thread::sleep(std::time::Duration::from_millis(5));
//! }
//! let socket = server.close();
//! let summary = Arc::into_inner(run).expect("the server has given up its share").stop();
//! drop(socket);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One thread (`perigee-api`) speaks with clients and never waits for an lcore; what may take its time is done by two
//! others, one that looks (`perigee-look`) and one that changes (`perigee-change`). Lcores take part in a look as they do in
//! any snapshot: they answer between two bursts.

mod api;
mod captures;
mod handlers;
mod metrics;
mod openapi;
mod problem;
mod routes;
mod server;
mod socket;
mod watchers;
mod wire;
mod worker;

pub use openapi::openapi;
#[doc(hidden)]
pub use server::InProcess;
pub use server::{Server, Settings, serve};
pub use socket::{Listener, SocketFile, default_directories, is_alive};
pub use watchers::{LogFilter, Observer};

pub use perigee_runtime::{ModuleEntry, Target};

/// What a connection becomes on which a capture is handed over: `upgrade: perigee-capture` (docs/control.md, "Captures").
pub const CAPTURE_PROTOCOL: &str = "perigee-capture";

/// What `perigee ctl` calls itself in its requests (`user-agent`): a server of another version refuses it.
pub const CTL_AGENT: &str = concat!("perigee-ctl/", env!("CARGO_PKG_VERSION"));
