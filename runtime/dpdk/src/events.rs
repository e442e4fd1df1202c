//! What happens to a port while it runs: to its link, to the interface or the card below it, to its peer.

use perigee_core::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The most that is kept; what comes after is only in the log.
const MOST: usize = 16;

/// What has happened to a port since its start.
#[derive(Debug)]
pub(crate) struct Events {
    port: String,
    begin: Instant,
    downs: AtomicU64,
    told: Mutex<Vec<String>>,
}

impl Events {
    /// Of a port that starts now.
    pub(super) fn new(port: &str) -> Self {
        Self { port: port.to_owned(), begin: Instant::now(), downs: 0.into(), told: Mutex::default() }
    }

    /// Tells of something, and keeps it for the summary.
    pub(super) fn add(&self, what: &str) {
        tracing::warn!(port = self.port, "{what}");
        let mut told = lock(&self.told);
        if told.len() < MOST {
            told.push(format!("after {:.1} s: {what}", self.begin.elapsed().as_secs_f64()));
        }
    }

    /// The link went down.
    pub(super) fn count_down(&self) {
        self.downs.fetch_add(1, Ordering::Relaxed);
    }

    /// Times that the link went down.
    pub(super) fn downs(&self) -> u64 {
        self.downs.load(Ordering::Relaxed)
    }

    /// What was told, each with its time since the port's start.
    pub(super) fn told(&self) -> Vec<String> {
        lock(&self.told).clone()
    }

    /// Nothing has happened yet.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.told).is_empty()
    }

    /// Time since the port's start.
    pub(super) fn age(&self) -> Duration {
        self.begin.elapsed()
    }
}
