//! Counts the stacks that lcores were seen in, while they run.

use crate::host::Host;
use crate::lane::Lane;
use crate::mark::NOBODY;
use crate::profile::{self, Profile, Seats};
use crate::{code, sampler};
use perigee_core::lock;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::sync::{Mutex, OnceLock};

/// Most different stacks that are told apart; samples of further ones are counted as lost.
const MOST_STACKS: usize = 200_000;

/// What was seen of an lcore: its CPU, the seat whose call it was in, addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) cpu: u32,
    pub(crate) seat: Option<u64>,
    pub(crate) addresses: Box<[u64]>,
}

/// Samples lcores, from [`Self::begin`] on.
#[derive(Debug)]
pub struct Profiler {
    hz: u32,
    lanes: Mutex<Vec<&'static Lane>>,
    seats: Mutex<Seats>,
    counts: Mutex<Counts>,
    host: OnceLock<Host>,
}

#[derive(Debug, Default)]
struct Counts {
    stacks: HashMap<Seen, u64>,
    beyond: u64,
}

impl Profiler {
    /// Samples a second where nothing else is said: a prime, so that it does not go along with what happens a thousand times a second.
    pub const HZ: u32 = 997;

    /// Of threads to come. From here on modules that are loaded tell where their code lies.
    #[must_use]
    pub fn new(hz: u32) -> Self {
        code::want();
        Self { hz, lanes: Mutex::default(), seats: Mutex::default(), counts: Mutex::default(), host: OnceLock::new() }
    }

    /// Samples a second.
    #[must_use]
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Installs the signal's handler and opens the files that have the program's names: before the jail, and behind the start of DPDK,
    /// which loads its drivers.
    ///
    /// # Errors
    /// The kernel refuses the handler.
    pub fn prepare(&self) -> std::io::Result<()> {
        self.host.get_or_init(Host::look);
        sampler::install()
    }

    /// Lets `perf` find the file that will have the modules' code ([`Profile::jitdump`]), which is called `jit-PID.dump`.
    ///
    /// # Errors
    /// The file lies where nothing may be run.
    pub fn show_to_perf(&self, jitdump: &File) -> std::io::Result<()> {
        sampler::show_to_perf(jitdump)
    }

    /// A place for the samples of an lcore. It lasts as long as the process: a late signal finds it.
    pub fn lane(&self, cpu: u32) -> &'static Lane {
        let lane: &'static Lane = Box::leak(Box::new(Lane::new(cpu)));
        lock(&self.lanes).push(lane);
        lane
    }

    /// Samples the calling thread from now on.
    ///
    /// # Errors
    /// The kernel gives no timer.
    pub fn begin(&self, lane: &'static Lane) -> std::io::Result<()> {
        sampler::start(lane, self.hz)
    }

    /// The calling thread is sampled no more.
    pub fn leave(&self) {
        sampler::leave();
    }

    /// Says which chain and module a seat belongs to.
    pub fn name_seat(&self, number: u64, chain: &str, module: &str) {
        let mut seats = lock(&self.seats);
        seats.entry(number).or_insert_with(|| (chain.to_owned(), module.to_owned()));
    }

    /// Counts what has come: at least once a second, or some is lost.
    pub fn count(&self) {
        let mut counts = lock(&self.counts);
        let Counts { stacks, beyond } = &mut *counts;
        for lane in lock(&self.lanes).iter() {
            while let Some(sample) = lane.pop() {
                let seat = Some(sample.seat).filter(|seat| *seat != NOBODY);
                let seen = Seen { cpu: lane.cpu, seat, addresses: sample.addresses().into() };
                let has_room = stacks.len() < MOST_STACKS;
                match stacks.entry(seen) {
                    Entry::Occupied(mut counted) => *counted.get_mut() += 1,
                    Entry::Vacant(place) if has_room => drop(place.insert(1)),
                    Entry::Vacant(_) => *beyond += 1,
                }
            }
        }
    }

    /// Ends all timers, and counts what came last.
    pub fn end(&self) {
        lock(&self.lanes).iter().for_each(|lane| sampler::end(lane));
        self.count();
    }

    /// What came of it, with names: after [`Self::end`]. Takes a while, as it reads what the program's files say of their functions.
    #[must_use]
    pub fn result(&self) -> Profile {
        let counts = lock(&self.counts);
        let lost = lock(&self.lanes).iter().map(|lane| lane.lost()).sum::<u64>() + counts.beyond;
        let no_host = Host::default();
        let host = self.host.get().unwrap_or(&no_host);
        code::with_all(|codes| profile::of(&counts.stacks, &lock(&self.seats), codes, host, self.hz, lost))
    }
}
