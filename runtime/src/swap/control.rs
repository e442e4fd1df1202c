//! The control thread's part of a swap: all that can be done aside, the orders to the lcores, and the grace period.

use super::canary::{self, Cage};
use super::cost::Traffic;
use super::report::{SwapOptions, SwapReport, Swaps};
use super::switch::{At, Facts, Order, Switched, Task, Ticket};
use crate::config::ModuleConfig;
use crate::dpdk::pool::HEADROOM;
use crate::error::Error;
use crate::lcore::Command;
use crate::load::Upload;
use crate::run::{PATIENCE, Run};
use crate::setup::{Loaded, Seat};
use crate::wasm::flat::Ahead;
use crate::wasm::module::Module;
use perigee_abi::names;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Reports that are kept.
const LATEST: usize = 64;
/// Longer than an instance may take to save, and another to restore.
const SWITCH_PATIENCE: Duration = Duration::from_secs(30);

/// What the run keeps of its swaps.
#[derive(Default)]
pub(crate) struct Ledger {
    swaps: Swaps,
    graces: Vec<Grace>,
}

/// A swap whose old instances are still there.
struct Grace {
    number: u64,
    module: String,
    old: Arc<Loaded>,
    /// By lcore and place.
    places: Vec<(usize, At)>,
    until: Instant,
}

/// Which step of a swap failed, and why; nothing has changed then.
type Refused = (&'static str, String);

impl Run {
    /// Replaces a module while packets flow. The new one is loaded, checked and tried on packets that nobody misses; then
    /// its instances take the places of the old ones between two bursts, with their state and the packets that they hold.
    /// The old ones are kept for a grace period, and go on if a new one fails; look at the run ([`Self::snapshot`],
    /// [`Self::is_finished`]) now and then, for that is when the period ends.
    ///
    /// # Errors
    /// [`Error::Swap`]: the step that failed, and why. The old module goes on, without having lost a packet.
    pub fn swap(&self, module: &str, upload: impl Into<Upload>, options: &SwapOptions) -> Result<SwapReport, Error> {
        let mut ledger = self.ledger();
        let result = self.replace(&mut ledger, module, &upload.into(), options);
        match result {
            Ok(report) => {
                ledger.swaps.done += 1;
                if ledger.swaps.latest.len() == LATEST {
                    ledger.swaps.latest.remove(0);
                }
                ledger.swaps.latest.push(report.clone());
                tracing::info!(module, pause_ns = report.max_pause_ns, lost = report.lost, "replaced");
                Ok(report)
            }
            Err((step, what)) => {
                ledger.swaps.refused += 1;
                Err(Error::Swap { name: module.to_owned(), step, what })
            }
        }
    }

    /// The swaps of this run so far.
    #[must_use]
    pub fn swaps(&self) -> Swaps {
        self.ledger().swaps.clone()
    }

    /// As [`Self::swaps`], without waiting for one that is under way: `None` then.
    pub(crate) fn try_swaps(&self) -> Option<Swaps> {
        self.swaps.try_lock().ok().map(|ledger| ledger.swaps.clone())
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.swaps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(
        &self,
        ledger: &mut Ledger,
        module: &str,
        upload: &Upload,
        options: &SwapOptions,
    ) -> Result<SwapReport, Refused> {
        // Who swaps again has made up his mind about the last time.
        self.hear_of_failures(ledger);
        self.end_graces(ledger, |grace| grace.module == module);
        let text = |step: &'static str| move |e: Error| (step, e.to_string());
        let old = self.parts.maker.loaded(module).map_err(text("load"))?;
        let begin = Instant::now();
        let new = self.parts.maker.load(&entry(&old, options), upload).map_err(text("load"))?;
        let load_ns = nanos(begin.elapsed());
        let seats = self.parts.seats.of_module(module);
        check_roles(&seats, &new.module).map_err(|what| ("check", what))?;
        let inherits = inherits(&old.module, &new.module, options.fresh).map_err(|what| ("check", what))?;
        let begin = Instant::now();
        canary::sing(&new, &self.cage()).map_err(|what| ("canary", what))?;
        let canary_ns = nanos(begin.elapsed());
        let begin = Instant::now();
        let (new, traffic) = (Arc::new(new), Traffic::of(self, &seats));
        let orders = self.prepare(&seats, &new, inherits).map_err(|what| ("prepare", what))?;
        let prepare_ns = nanos(begin.elapsed());
        let begin = Instant::now();
        // Until the new module is the one that is known, nobody makes an instance of the old one in the place of one that failed.
        let change = self.parts.maker.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let switched = self.switch(orders).map_err(|what| ("switch", what))?;
        let switch_ns = nanos(begin.elapsed());
        self.parts.maker.put(module, Arc::clone(&new));
        drop(change);
        let mut report = SwapReport {
            number: ledger.swaps.done + 1,
            module: module.to_owned(),
            old_digest: old.digest.clone(),
            new_digest: new.digest.clone(),
            load_ns,
            canary_ns,
            prepare_ns,
            switch_ns,
            ..SwapReport::default()
        };
        self.fill_in(&mut report, &switched, &traffic, &seats);
        let places = switched.iter().flat_map(|(lcore, s)| s.done.iter().filter_map(|d| Some((*lcore, d.place?))));
        let grace = Grace {
            number: report.number,
            module: module.to_owned(),
            old,
            places: places.collect(),
            until: Instant::now() + options.grace,
        };
        ledger.graces.push(grace);
        if options.grace.is_zero() {
            self.end_graces(ledger, |grace| grace.module == module);
        }
        Ok(report)
    }

    pub(super) fn cage(&self) -> Cage {
        let maker = &self.parts.maker;
        Cage {
            ports: self.parts.ports.iter().map(|port| port.info(true).mac).collect(),
            rings: maker.rings,
            room_len: maker.domains.first().map_or(0, |d| d.copies.room_len()).saturating_sub(HEADROOM),
            seed: maker.seed,
        }
    }

    /// Makes the new instances, and lays ready what they take over.
    fn prepare(&self, seats: &[Arc<Seat>], new: &Arc<Loaded>, inherits: bool) -> Result<Vec<(usize, Order)>, String> {
        let mut orders = Vec::new();
        for seat in seats {
            match self.order(seat, new, inherits) {
                Ok(order) => orders.push(order),
                Err(what) => {
                    orders.into_iter().for_each(|(_, mut order)| order.new.free_spares());
                    return Err(what);
                }
            }
        }
        Ok(orders)
    }

    fn order(&self, seat: &Arc<Seat>, new: &Arc<Loaded>, inherits: bool) -> Result<(usize, Order), String> {
        let (lcore, chain) = seat.at;
        let place = At { chain, stage: seat.stage };
        let region = if inherits { self.region(lcore, place)? } else { None };
        let ahead = region.map(|(file, len)| Ahead::new(&file, len)).transpose()?;
        let stage =
            self.parts.maker.stage_of(seat, &self.parts.ports, new, &self.config()).map_err(|e| e.to_string())?;
        Ok((lcore, Order { place, new: Box::new(stage), inherits, ahead }))
    }

    /// The flat state region at a place, once it belongs to the instance there alone.
    fn region(&self, lcore: usize, place: At) -> Result<Option<(Arc<std::fs::File>, usize)>, String> {
        let begin = Instant::now();
        loop {
            let facts: Option<Facts> = self.order_lcore(lcore, |reply| Task::Look { place, reply })?;
            match facts {
                None => return Ok(None),
                Some(facts) if facts.failed || !facts.settling => return Ok(facts.region),
                Some(_) if begin.elapsed() > SWITCH_PATIENCE => {
                    return Err("the state region of the last swap is not settled yet: try again".to_owned());
                }
                Some(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn order_lcore<T>(&self, lcore: usize, task: impl FnOnce(Sender<T>) -> Task) -> Result<T, String> {
        let (reply, answer) = channel();
        let sent = self.lcores[lcore].0.push(Command::Swap(task(reply)));
        sent.map_err(|_| order_error(lcore))?;
        answer.recv_timeout(PATIENCE).map_err(|_| format!("lcore number {lcore} does not answer"))
    }

    /// All lcores switch, or none.
    fn switch(&self, orders: Vec<(usize, Order)>) -> Result<Vec<(usize, Switched)>, String> {
        let mut by_lcore = BTreeMap::<usize, Vec<Order>>::new();
        orders.into_iter().for_each(|(lcore, order)| by_lcore.entry(lcore).or_default().push(order));
        let (mut waiting, mut refused) = (Vec::new(), None);
        for (lcore, orders) in by_lcore {
            let (reply, answer) = channel();
            let ticket = Arc::new(Ticket::default());
            let task = Task::Switch { orders, ticket: Arc::clone(&ticket), reply };
            match self.lcores[lcore].0.push(Command::Swap(task)) {
                Ok(()) => waiting.push((lcore, ticket, answer)),
                Err(Command::Swap(task)) => {
                    drop(task.give_up());
                    refused = Some(order_error(lcore));
                }
                Err(_) => refused = Some(order_error(lcore)),
            }
        }
        let mut switched = Vec::new();
        for (lcore, ticket, answer) in waiting {
            match outcome(&ticket, &answer) {
                Some(s) => {
                    refused = refused.or_else(|| s.refused.clone());
                    switched.push((lcore, s));
                }
                None => refused = Some(format!("lcore number {lcore} does not answer")),
            }
        }
        let Some(why) = refused else { return Ok(switched) };
        for (lcore, s) in &switched {
            self.undo(*lcore, s.done.iter().filter_map(|done| done.place).collect(), &why);
        }
        Err(why)
    }

    /// The instances before go on at these places. The others are dropped here.
    fn undo(&self, lcore: usize, places: Vec<At>, why: &str) {
        if !places.is_empty() {
            let why = why.to_owned();
            let undone = self.order_lcore(lcore, |reply| Task::Undo { places, why, reply });
            report_silence(undone.map(drop));
        }
    }

    /// Whoever moves places lets all old instances go before.
    pub(super) fn end_all_graces(&self, ledger: &mut Ledger) {
        self.end_graces(ledger, |_| true);
    }

    fn end_graces(&self, ledger: &mut Ledger, which: impl Fn(&Grace) -> bool) {
        for grace in ledger.graces.extract_if(.., |grace| which(grace)) {
            let mut by_lcore = BTreeMap::<usize, Vec<At>>::new();
            grace.places.iter().for_each(|(lcore, place)| by_lcore.entry(*lcore).or_default().push(*place));
            for (lcore, places) in by_lcore {
                report_silence(self.order_lcore(lcore, |reply| Task::Settle { places, reply }).map(drop));
            }
        }
    }

    /// Ends grace periods, and carries failures within them to all lcores: when the run is looked at.
    pub(crate) fn tend_swaps(&self) {
        // A swap that is under way does it itself.
        let Ok(mut ledger) = self.swaps.try_lock() else { return };
        self.hear_of_failures(&mut ledger);
        let now = Instant::now();
        self.end_graces(&mut ledger, |grace| grace.until <= now);
    }

    /// Where a new instance has failed on one lcore, the old module goes on on all.
    pub(super) fn hear_of_failures(&self, ledger: &mut Ledger) {
        while let Some(gone) = self.parts.control.gone.pop() {
            let at = |(lcore, place): &(usize, At)| *place == gone.place && self.cpu(*lcore) == Some(gone.cpu);
            let Some(index) = ledger.graces.iter().position(|grace| grace.places.iter().any(at)) else { continue };
            let number = ledger.graces[index].number;
            let why = gone.stage.failed.clone().unwrap_or_default();
            self.roll_back(ledger, number, Some((gone.cpu, gone.place)), &why);
        }
    }

    /// The old instances of a swap go on, on all lcores. At `already` they do.
    pub(super) fn roll_back(&self, ledger: &mut Ledger, number: u64, already: Option<(u32, At)>, why: &str) {
        let Some(index) = ledger.graces.iter().position(|grace| grace.number == number) else { return };
        let grace = ledger.graces.remove(index);
        tracing::error!(module = grace.module, "its swap is undone, the old one goes on: {why}");
        for (lcore, place) in grace.places {
            if already != self.cpu(lcore).map(|cpu| (cpu, place)) {
                self.undo(lcore, vec![place], "its swap was undone");
            }
        }
        self.parts.maker.put(&grace.module, grace.old);
        ledger.swaps.rolled_back += 1;
        if let Some(report) = ledger.swaps.latest.iter_mut().find(|report| report.number == number) {
            report.rolled_back = Some(why.to_owned());
        }
    }

    /// The CPU of an lcore, by its number.
    fn cpu(&self, lcore: usize) -> Option<u32> {
        self.parts.placed.iter().find(|chain| chain.at.0 == lcore).map(|chain| chain.lcore)
    }
}

/// The entry of the new module: the old one's, but for what the options say.
fn entry(old: &Loaded, options: &SwapOptions) -> crate::config::Module {
    let mut entry = options.entry.clone().unwrap_or_else(|| old.entry.clone());
    if let Some(config) = &options.config {
        entry.config = Some(ModuleConfig::clone(config));
    }
    entry
}

fn check_roles(seats: &[Arc<Seat>], new: &Module) -> Result<(), String> {
    if seats.is_empty() {
        return Err("no chain has it".to_owned());
    }
    for seat in seats {
        let (needed, role) = if seat.generates { (names::GENERATE, "source") } else { (names::PROCESS, "stage") };
        if !new.has(needed) {
            return Err(format!("exports no \"{needed}\", but is a {role} of a chain"));
        }
    }
    Ok(())
}

/// Whether the new instances take over the state of the old ones: where there is any, unless it is not wanted.
fn inherits(old: &Module, new: &Module, fresh: bool) -> Result<bool, String> {
    let (region, new_region) = (old.numbers.state_region().1, new.numbers.state_region().1);
    if fresh || !(old.has(names::SAVE) || region != 0) {
        return Ok(false);
    }
    let or = "or let it begin without state (fresh)";
    if !new.has(names::RESTORE) {
        return Err(format!("exports no \"{}\", and the old one has state: export it, {or}", names::RESTORE));
    }
    if region != 0 && region != new_region {
        return Err(format!("its state region has {new_region} bytes, the old one's {region}: declare as many, {or}"));
    }
    Ok(true)
}

/// An order finds no place in an lcore's queue.
pub(super) fn order_error(lcore: usize) -> String {
    format!("lcore number {lcore} has too many requests waiting")
}

/// What an lcore says to a switch; `None` where it did not come to it, and will not.
pub(super) fn outcome<T>(ticket: &Ticket, answer: &Receiver<T>) -> Option<T> {
    match answer.recv_timeout(PATIENCE) {
        Ok(switched) => Some(switched),
        Err(_) if ticket.take() => None,
        // It has begun: a module may take its time to save.
        Err(_) => answer.recv_timeout(SWITCH_PATIENCE).ok(),
    }
}

fn report_silence(result: Result<(), String>) {
    if let Err(what) = result {
        tracing::warn!("{what}");
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
