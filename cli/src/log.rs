//! The process's log: to standard error, under a filter that can be changed while it runs.

use crate::{output, terminal};
use anyhow::{Context, Result};
use perigee_control::LogFilter;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tracing_subscriber::EnvFilter;

/// Puts another filter in force.
type Reload = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// The log, as the control server sees it.
struct Log {
    filter: Mutex<String>,
    reload: Reload,
}

static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Starts the log. `level` is what the command line says; else the environment decides, else warnings are told.
pub(crate) fn start(level: Option<&str>) -> Result<()> {
    let from_environment = std::env::var("PERIGEE_LOG").ok();
    let text = level.or(from_environment.as_deref()).unwrap_or("warn");
    let filter = EnvFilter::try_new(text).with_context(|| format!("log level {text:?}"))?;
    let color = output::wants_color(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_ansi(color).with_writer(|| terminal::LogWriter);
    let log = log.with_env_filter(filter).with_filter_reloading();
    let handle = log.reload_handle();
    let reload: Reload = Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
    log.init();
    // Started once; a second start would have failed above.
    let _ = LOG.set(Arc::new(Log { filter: Mutex::new(text.to_owned()), reload }));
    Ok(())
}

/// The log that was started.
pub(crate) fn filter() -> Option<Arc<dyn LogFilter>> {
    LOG.get().map(|log| Arc::clone(log) as Arc<dyn LogFilter>)
}

/// The filter in force, for a process that is started from here.
pub(crate) fn now() -> String {
    LOG.get().map_or_else(|| "warn".to_owned(), |log| log.get())
}

impl LogFilter for Log {
    fn get(&self) -> String {
        self.filter.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(text).map_err(|error| format!("log filter {text:?}: {error}"))?;
        (self.reload)(filter)?;
        text.clone_into(&mut self.filter.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}
