//! Where instances work: the seats of a run. They change with the chains' stages, instances come and go on them.

use super::Domain;
use perigee_config::{self as config, Config};
use perigee_core::counters::Shared;
use perigee_core::lock;
use perigee_datapath::outlet::Outlets;
use perigee_datapath::seat::{Seat, Spot};
use perigee_datapath::source::Meta;
use perigee_datapath::source::Source;
use perigee_measure::stages::Parts as StageParts;
use perigee_wasm::log::LogQueue;
use perigee_wasm::tell::Audiences;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// All seats of a run, in the order of the configuration. Who reads them gets the list as it is at that moment.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    list: Mutex<Arc<Vec<Arc<Seat>>>>,
    numbers: AtomicU64,
    /// The same by module, for instances that tell others something.
    pub(crate) audiences: Arc<Audiences>,
}

impl Seats {
    pub(crate) fn now(&self) -> Arc<Vec<Arc<Seat>>> {
        Arc::clone(&self.list())
    }

    /// Those of the module of that name.
    pub(crate) fn of_module(&self, name: &str) -> Vec<Arc<Seat>> {
        self.now().iter().filter(|seat| seat.module == name).map(Arc::clone).collect()
    }

    /// Those of a placed chain, in its order.
    pub(crate) fn of_chain(&self, chain: usize) -> Vec<Arc<Seat>> {
        self.now().iter().filter(|seat| seat.chain == chain).map(Arc::clone).collect()
    }

    /// A placed chain has these from now on.
    pub(crate) fn put(&self, chain: usize, seats: impl IntoIterator<Item = Arc<Seat>>) {
        let mut list = self.list();
        let mut all: Vec<_> = list.iter().filter(|seat| seat.chain != chain).map(Arc::clone).collect();
        all.extend(seats);
        all.sort_by_key(|seat| (seat.chain, seat.stage));
        self.audiences.set(all.iter().map(|seat| (seat.module.clone(), Arc::clone(&seat.inbox))).collect());
        *list = Arc::new(all);
    }

    fn list(&self) -> MutexGuard<'_, Arc<Vec<Arc<Seat>>>> {
        lock(&self.list)
    }
}

/// Where it is counted how long packets take in the parts of a placed chain.
#[derive(Debug)]
pub(crate) struct PlacedTimes {
    pub(crate) parts: Arc<StageParts>,
    /// Its modules at the start.
    pub(crate) modules: Vec<String>,
}

/// A chain on an lcore, as the control thread sees it.
#[derive(Debug)]
pub(crate) struct PlacedChain {
    pub(crate) name: String,
    pub(crate) lcore: u32,
    /// Where it runs.
    pub(crate) at: Spot,
    /// Number of its port, where it reads one.
    pub(crate) port: Option<usize>,
    /// The rx queue that it reads there.
    pub(crate) queue: Option<u16>,
    /// Number of its ring, where it reads one.
    pub(crate) ring: Option<usize>,
    pub(crate) counters: Arc<Shared>,
    /// What all its seats have in common.
    pub(crate) common: Common,
    /// How long packets take in its parts, and its modules at the start; `None` where nobody asks.
    pub(crate) times: Option<PlacedTimes>,
}

/// What the seats of a placed chain get from it: [`Seat`] tells what each is.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(super) chain: usize,
    pub(super) worker: u32,
    pub(super) next_port: u32,
    pub(super) may_tx: Vec<bool>,
    pub(super) meta: Meta,
    pub(super) rooms: u32,
}

impl Common {
    pub(crate) fn new(chain: usize, worker: usize, out: &Outlets, source: &Source, ports: usize) -> Self {
        Self {
            chain,
            worker: u32::try_from(worker).unwrap_or(0),
            next_port: out.next_port(),
            may_tx: (0..ports).map(|port| out.may_tx(port)).collect(),
            meta: source.meta(),
            rooms: source.rooms(),
        }
    }
}

impl PlacedChain {
    /// It may send to the port of that number.
    pub(crate) fn may_tx(&self, port: usize) -> bool {
        self.common.may_tx.get(port).is_some_and(|may| *may)
    }

    /// The seats that its stages have by its entry in a configuration. A module keeps the seat that it has in `before`, which is said
    /// beside it by its position there.
    pub(crate) fn seats(
        &self,
        chain: &config::Chain,
        config: &Config,
        domains: &[Domain],
        before: &[Arc<Seat>],
        all: &Seats,
    ) -> Vec<(Arc<Seat>, Option<usize>)> {
        let generates = matches!(chain.source, config::Source::Module { .. });
        let modules: Vec<&String> = chain.modules().collect();
        let domain_of = |module: &str| {
            let name = config.module(module).map(|index| &config.modules[index].domain);
            domains.iter().position(|domain| Some(&domain.name) == name).unwrap_or(0)
        };
        let places: Vec<usize> = modules.iter().map(|module| domain_of(module)).collect();
        let mut free: Vec<Option<&Arc<Seat>>> = before.iter().map(Some).collect();
        let seat = |(stage, module): (usize, &&String)| {
            let from = free.iter().position(|seat| seat.is_some_and(|seat| seat.module == **module));
            let old = from.and_then(|from| free[from].take());
            let seat = Seat {
                chain: self.common.chain,
                at: self.at,
                chain_name: self.name.clone(),
                lcore: self.lcore,
                stage,
                module: (*module).clone(),
                generates: generates && stage == 0,
                worker: self.common.worker,
                instances: u32::try_from(chain.width()).unwrap_or(1),
                number: old.map_or_else(|| all.numbers.fetch_add(1, Ordering::Relaxed), |old| old.number),
                next_port: self.common.next_port,
                domain: places[stage],
                comes_in: stage > 0 && places[stage - 1] != places[stage],
                next_leaves: places.get(stage + 1) != Some(&places[stage]),
                may_tx: self.common.may_tx.clone(),
                meta: self.common.meta,
                log: old.map_or_else(LogQueue::new, |old| Arc::clone(&old.log)),
                rooms: self.common.rooms,
                inbox: old.map_or_else(Arc::default, |old| Arc::clone(&old.inbox)),
                health: old.map_or_else(Arc::default, |old| Arc::clone(&old.health)),
            };
            (Arc::new(seat), from)
        };
        modules.iter().enumerate().map(seat).collect()
    }
}
