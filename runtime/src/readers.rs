//! Threads that read files ahead while they are played: one for each rx queue of a port whose files are not in memory.

use perigee_datapath::port::Port;
use perigee_jail as jail;
use perigee_report::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

/// Such threads, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    threads: Vec<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Readers {
    /// Starts those of all ports, whose ends somebody has.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(ports: &[Arc<dyn Port>]) -> Result<Self, Error> {
        let mut started = Self::default();
        for port in ports {
            for reader in port.readers() {
                let stop = reader.stop();
                let thread = Builder::new().name("perigee-reader".to_owned());
                let thread = jail::spawn(thread, jail::Kind::Reader, || (), move |()| reader.work());
                let thread = thread.map_err(|e| {
                    Error::Request(format!("port {:?} gets no thread that reads its files: {e}", port.name()))
                })?;
                started.threads.push((stop, thread));
            }
        }
        Ok(started)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.threads.iter().for_each(|(stop, _)| stop.store(true, Ordering::Relaxed));
        for (_, thread) in self.threads.drain(..) {
            // One that panicked has said so, and its packets have not come.
            let _ = thread.join();
        }
    }
}
