//! SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal has asked to stop.
pub(crate) struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Takes the signals over from here on.
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not yet set, the second finds it set and exits.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked)).context("signal handler")?;
            flag::register(signal, Arc::clone(&asked)).context("signal handler")?;
        }
        Ok(Self(asked))
    }

    /// Whether one has come.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
