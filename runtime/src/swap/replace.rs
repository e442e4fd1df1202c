//! The control thread's part of a swap: all that can be done aside, the orders to the lcores, and the grace period.

use super::Swapping;
use super::canary::{self, Cage};
use super::cost::Traffic;
use super::options::SwapOptions;
use crate::parts::Loaded;
use crate::parts::orders::{SWITCH_PATIENCE, full, silent};
use perigee_abi::names;
use perigee_config::ModuleConfig;
use perigee_core::HEADROOM;
use perigee_core::clock::nanos;
use perigee_core::lock;
use perigee_datapath::orders::Command;
use perigee_datapath::seat::{Seat, Spot};
use perigee_datapath::switch::{At, Occupant, Order, Switched, Task, Ticket};
use perigee_load::Upload;
use perigee_report::Error;
use perigee_report::{SwapReport, Swaps};
use perigee_wasm::flat::{Ahead, RegionFile};
use perigee_wasm::module::Module;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Reports that are kept.
const LATEST: usize = 64;

/// What the run keeps of its swaps.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) swaps: Swaps,
    graces: Vec<Grace>,
}

/// A swap whose old instances are still there.
struct Grace {
    number: u64,
    module: String,
    old: Arc<Loaded>,
    /// By lcore and place.
    places: Vec<(usize, At)>,
    /// In nanoseconds of the run's clock.
    until: u64,
}

/// Which step of a swap failed, and why; nothing has changed then.
type Refused = (&'static str, String);

impl Swapping<'_> {
    /// What [`crate::Run::swap`] says.
    pub(crate) fn swap(&self, module: &str, upload: &Upload, options: &SwapOptions) -> Result<SwapReport, Error> {
        let mut ledger = self.ledger();
        let result = self.replace(&mut ledger, module, upload, options);
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
        self.check_targets(module, &new).map_err(|what| ("check", what))?;
        let inherits = inherits(&old.module, &new.module, options.fresh).map_err(|what| ("check", what))?;
        let begin = Instant::now();
        canary::sing(&new, &self.cage()).map_err(|what| ("canary", what))?;
        let canary_ns = nanos(begin.elapsed());
        let begin = Instant::now();
        let (new, traffic) = (Arc::new(new), Traffic::of(self.parts, &seats));
        let orders = self.prepare(&seats, &new, inherits).map_err(|what| ("prepare", what))?;
        let prepare_ns = nanos(begin.elapsed());
        let begin = Instant::now();
        // Until the new module is the one that is known, nobody makes an instance of the old one in the place of one that failed.
        let change = lock(&self.parts.maker.changes);
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
            until: self.parts.clock.now_ns().saturating_add(nanos(options.grace)),
        };
        ledger.graces.push(grace);
        if options.grace.is_zero() {
            self.end_graces(ledger, |grace| grace.module == module);
        }
        Ok(report)
    }

    /// Who is told something listens: the new module itself, and those that it may tell. And who reads a state region has one like it.
    fn check_targets(&self, name: &str, new: &Loaded) -> Result<(), String> {
        let mut config = (*self.config()).clone();
        if let Some(index) = config.module(name) {
            config.modules[index] = new.entry.clone();
        }
        let listens = |target: &str| match target == name {
            true => new.module.has(names::MESSAGE),
            false => self.parts.maker.loaded(target).is_ok_and(|loaded| loaded.module.has(names::MESSAGE)),
        };
        let len = |target: &str| match target == name {
            true => Some(new.module.numbers.state_region().1),
            false => self.parts.maker.loaded(target).ok().map(|loaded| loaded.module.numbers.state_region().1),
        };
        match config.deaf_targets(listens).into_iter().chain(config.unfit_regions(len)).next() {
            Some((module, what)) => Err(format!("module {module:?} {what}")),
            None => Ok(()),
        }
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
        let Spot { lcore, chain } = seat.at;
        let place = At { chain, stage: seat.stage };
        let region = if inherits { self.region(lcore, place)? } else { None };
        let ahead = region.map(|(file, len)| Ahead::new(&file, len)).transpose()?;
        let stage =
            self.parts.maker.stage_of(seat, &self.parts.ports, new, &self.config()).map_err(|e| e.to_string())?;
        Ok((lcore, Order { place, new: Box::new(stage), inherits, ahead }))
    }

    /// The flat state region at a place, once it belongs to the instance there alone.
    fn region(&self, lcore: usize, place: At) -> Result<Option<(Arc<RegionFile>, usize)>, String> {
        let begin = Instant::now();
        loop {
            let facts: Option<Occupant> = self.order_lcore(lcore, |reply| Task::Look { place, reply })?;
            match facts {
                None => return Ok(None),
                Some(facts) if facts.failed || !facts.settling => return Ok(facts.region),
                Some(_) if begin.elapsed() > SWITCH_PATIENCE => {
                    return Err("the state region of the last swap is not settled yet: try again".to_owned());
                }
                Some(_) => self.parts.orders.rest(Duration::from_millis(5)),
            }
        }
    }

    fn order_lcore<T>(&self, lcore: usize, task: impl FnOnce(Sender<T>) -> Task) -> Result<T, String> {
        self.parts.orders.ask(lcore, |reply| Command::Swap(task(reply)))
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
            match self.parts.orders.push(lcore, Command::Swap(task)) {
                Ok(()) => waiting.push((lcore, ticket, answer)),
                Err(Command::Swap(task)) => {
                    drop(task.give_up());
                    refused = Some(full(lcore));
                }
                Err(_) => refused = Some(full(lcore)),
            }
        }
        let mut switched = Vec::new();
        for (lcore, ticket, answer) in waiting {
            match self.parts.orders.outcome(lcore, &ticket, &answer) {
                Some(s) => {
                    refused = refused.or_else(|| s.refused.clone());
                    switched.push((lcore, s));
                }
                None => refused = Some(silent(lcore)),
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
    pub(crate) fn tend(&self) {
        self.parts.maker.regions.close();
        // A swap that is under way does it itself.
        let Ok(mut ledger) = self.changes.ledger.try_lock() else { return };
        self.hear_of_failures(&mut ledger);
        let now = self.parts.clock.now_ns();
        self.end_graces(&mut ledger, |grace| grace.until <= now);
    }

    /// Where a new instance has failed on one lcore, the old module goes on on all.
    pub(super) fn hear_of_failures(&self, ledger: &mut Ledger) {
        while let Some(gone) = self.parts.control.gone.pop() {
            let at = |(lcore, place): &(usize, At)| *place == gone.place && self.cpu(*lcore) == Some(gone.cpu);
            let Some(index) = ledger.graces.iter().position(|grace| grace.places.iter().any(at)) else { continue };
            let number = ledger.graces[index].number;
            let why = gone.stage.failed.as_ref().map(ToString::to_string).unwrap_or_default();
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
        self.parts.placed.iter().find(|chain| chain.at.lcore == lcore).map(|chain| chain.lcore)
    }
}

/// The entry of the new module: the old one's, but for what the options say.
fn entry(old: &Loaded, options: &SwapOptions) -> perigee_config::Module {
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

fn report_silence(result: Result<(), String>) {
    if let Err(what) = result {
        tracing::warn!("{what}");
    }
}
