//! Who turns the lcores of a run: threads of their own, or in a simulation whoever lets time pass.

use crate::parts::Orders;
use perigee_core::lock;
use perigee_datapath::lcore::Lcore;
use perigee_datapath::orders::{Command, InstanceReport};
use perigee_jail as jail;
use perigee_profile::Profiler;
use perigee_report::Error;
use perigee_wasm::engine::THREAD_STACK;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Who has the lcores.
pub(crate) enum Lcores {
    /// Each has a thread.
    Threads(Vec<JoinHandle<Lcore>>),
    /// Whoever lets time pass, and turns them.
    Here(Arc<Mutex<Vec<Lcore>>>),
}

impl Lcores {
    /// Gives an lcore a thread.
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn spawn(&mut self, lcore: Lcore, profiler: Option<&Arc<Profiler>>) -> Result<(), Error> {
        match self {
            Self::Threads(threads) => threads.push(spawn(lcore, profiler)?),
            Self::Here(lcores) => lock(lcores).push(lcore),
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Threads(threads) => threads.len(),
            Self::Here(lcores) => lock(lcores).len(),
        }
    }

    /// What each says of its instances; nothing, where it does not answer.
    pub(crate) fn reports(&self, orders: &Orders) -> Vec<Vec<InstanceReport>> {
        let asked = |lcore| orders.ask(lcore, |reply| Command::Report { reply }).unwrap_or_default();
        match self {
            Self::Threads(_) => (0..orders.len()).map(asked).collect(),
            Self::Here(lcores) => lock(lcores).iter_mut().map(Lcore::report_all).collect(),
        }
    }

    /// Ends the threads and takes back what they had; `None` for one that panicked.
    pub(crate) fn take(&mut self) -> Vec<Option<Lcore>> {
        match self {
            Self::Threads(threads) => threads.drain(..).map(|thread| thread.join().ok()).collect(),
            Self::Here(lcores) => lock(lcores).drain(..).map(Some).collect(),
        }
    }
}

fn spawn(lcore: Lcore, profiler: Option<&Arc<Profiler>>) -> Result<JoinHandle<Lcore>, Error> {
    let cpu = lcore.cpu as usize;
    let thread = std::thread::Builder::new().name(format!("perigee-lcore{cpu}")).stack_size(THREAD_STACK);
    let sampled = profiler.map(|profiler| (Arc::clone(profiler), profiler.lane(lcore.cpu)));
    let ready = move || {
        if let Some((profiler, lane)) = &sampled
            && let Err(e) = profiler.begin(lane)
        {
            tracing::warn!(cpu, "the lcore is not in the profile, as the kernel gives it no timer: {e}");
        }
        (lcore.prepare(), sampled)
    };
    let thread = jail::spawn(thread, jail::Kind::Lcore, ready, |((lcore, _registered), sampled)| {
        let lcore = lcore.run();
        sampled.iter().for_each(|(profiler, _)| profiler.leave());
        lcore
    });
    thread.map_err(|e| Error::Lcore { lcore: cpu, what: e.to_string() })
}
