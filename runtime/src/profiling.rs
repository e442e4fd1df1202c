//! A thread that counts what the lcores were seen in, while a run is profiled.

use crate::parts::Seats;
use perigee_jail as jail;
use perigee_profile::Profiler;
use perigee_report::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often it counts: there is room for the samples of a second.
const EVERY: Duration = Duration::from_millis(50);

/// Counts until it is dropped; then no lcore is sampled any more, and all is counted.
#[derive(Debug)]
pub(crate) struct Profiling {
    profiler: Arc<Profiler>,
    seats: Arc<Seats>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Profiling {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn start(profiler: &Arc<Profiler>, seats: &Arc<Seats>) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let counted = (Arc::clone(profiler), Arc::clone(seats), Arc::clone(&stop));
        let work = move |()| {
            let (profiler, seats, stop) = counted;
            while !stop.load(Ordering::Relaxed) {
                look(&profiler, &seats);
                // Whoever ends it does not wait that long.
                std::thread::park_timeout(EVERY);
            }
        };
        let thread = Builder::new().name("perigee-profile".to_owned());
        let thread = jail::spawn(thread, jail::Kind::Watchdog, || (), work);
        let thread = thread.map_err(|e| Error::Request(format!("--profile gets no thread: {e}")))?;
        let (profiler, seats) = (Arc::clone(profiler), Arc::clone(seats));
        Ok(Self { profiler, seats, stop, thread: Some(thread) })
    }
}

/// Seats may come and go with a change of the configuration: they are named while they are there.
fn look(profiler: &Profiler, seats: &Seats) {
    for seat in seats.now().iter() {
        profiler.name_seat(seat.number, &seat.chain_name, &seat.module);
    }
    profiler.count();
}

impl Drop for Profiling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has said so, and its samples are counted below.
            let _ = thread.join();
        }
        look(&self.profiler, &self.seats);
        self.profiler.end();
    }
}
