//! Signals that end a process by default, and what each means here. Whoever wants a run to end gets a clean stop with its
//! summary; what the kernel sends of itself, when there is too much of something, costs packets and not the run.
//!
//! SIGKILL, SIGQUIT and the signals of faults (SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS) end it at once: that is
//! what they are for. The library ignores the real-time signals with the start of DPDK (`runtime/dpdk/src/eal.rs`).

use anyhow::{Context, Result};
use perigee_runtime::jail;
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A clean stop; the second of them, after [`MOMENT`], ends the process.
const STOP: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
/// A clean stop, as often as they come: an alarm that whoever started the run has set, a limit of CPU time that the kernel
/// enforces soon, a power failure. 30 is SIGPWR.
const STOP_ONLY: [i32; 5] = [SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, 30];
/// Nothing: a file that has reached its limit and a full queue of signals are told where they are met; the others mean
/// nothing here. 16 is SIGSTKFLT. Rust's start has SIGPIPE ignored.
const NOTHING: [i32; 5] = [SIGXFSZ, SIGIO, SIGUSR1, SIGUSR2, 16];

/// Signals within this time are one wish: `timeout` sends its signal to the process and to its group, and who holds Ctrl-C
/// sends many.
const MOMENT: Duration = Duration::from_secs(1);
/// How often it is looked whether the moment has passed.
const LOOK: Duration = Duration::from_millis(100);

/// Whether a signal has asked to stop.
pub(crate) struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Takes the signals over from here on.
    pub(crate) fn listen() -> Result<Self> {
        let (asked, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let is_ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        // Who starts a run by nohup wants it to outlive the terminal.
        for signal in STOP.into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(SIGHUP)) {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&over)).context("signal handler")?;
            flag::register(signal, Arc::clone(&asked)).context("signal handler")?;
        }
        for signal in STOP_ONLY {
            flag::register(signal, Arc::clone(&asked)).context("signal handler")?;
        }
        for signal in NOTHING {
            flag::register(signal, Arc::default()).context("signal handler")?;
        }
        let asked_first = Arc::clone(&asked);
        let watch = move || {
            jail::enter_thread(jail::Kind::Watchdog);
            let mut first = None;
            while first.is_none_or(|first: Instant| first.elapsed() < MOMENT) {
                std::thread::sleep(LOOK);
                if first.is_none() && asked_first.load(Ordering::Relaxed) {
                    first = Some(Instant::now());
                }
            }
            over.store(true, Ordering::Relaxed);
        };
        // A thread of its own, because the one that stops the run may be what does not come back.
        std::thread::Builder::new().name("perigee-signals".to_owned()).spawn(watch).context("a thread for signals")?;
        Ok(Self(asked))
    }

    /// Whether one has come.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which signals the program was started to ignore, by its `status` in /proc.
fn ignored(status: &str) -> impl Fn(i32) -> bool + use<> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    move |signal| bits >> (signal - 1) & 1 != 0
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn status_tells_what_is_ignored() {
        let is_ignored = ignored("Name:\tx\nSigIgn:\t0000000000000201\n");
        assert!(is_ignored(SIGHUP) && is_ignored(SIGUSR1) && !is_ignored(SIGTERM));
        assert!(!ignored("")(SIGHUP));
    }
}
