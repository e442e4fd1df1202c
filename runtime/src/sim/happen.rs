//! What is scripted, as it happens.

use super::drive::Drive;
use super::timeline::Scheduled;
use crate::swap::SwapOptions;
use perigee_config::Config;
use perigee_config::sim::{ApplyEvent, Happening, LinkEvent, LossEvent, PoolEvent, SlowEvent, SwapEvent};
use perigee_core::lock;
use perigee_datapath::source::Source;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::pool::Pool;
use std::sync::Arc;

/// What comes to its end later, and when.
#[derive(Default)]
pub(super) struct Ends(Vec<(u64, End)>);

pub(super) enum End {
    Link(usize),
    Loss(usize),
    Slow(String),
    /// The rooms that were taken away.
    Pool(#[allow(clippy::vec_box, reason = "bursts are made in boxes")] Vec<Box<Burst>>),
}

impl Ends {
    /// When the next one is.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// One that is due.
    pub(super) fn due(&mut self, now: u64) -> Option<End> {
        let index = self.0.iter().position(|(at, _)| *at <= now)?;
        Some(self.0.remove(index).1)
    }

    fn add(&mut self, at: u64, end: End) {
        self.0.push((at, end));
    }
}

impl Drive<'_> {
    pub(super) fn happen(&mut self, at: u64, event: Scheduled) {
        let Scheduled { number, lasts, what, .. } = event;
        let told = match what {
            Happening::Swap(swap) => self.swap(&swap),
            Happening::Apply(apply) => self.apply(apply),
            Happening::Link(link) => self.link(at, &link, lasts),
            Happening::Loss(loss) => self.loss(at, &loss, lasts),
            Happening::Slow(slow) => self.slow(at, &slow, lasts),
            Happening::Pool(pool) => self.pool(at, &pool, lasts),
            Happening::Jump(_) => {
                // Whoever reads the clock next finds it there; what is due meanwhile is late.
                self.hold_up(at.saturating_add(lasts));
                format!("the machine is held up for {lasts} ns")
            }
            Happening::Message(message) => {
                let answers = self.run.message(&message.module, message.text.as_bytes());
                let told = match answers {
                    Ok(answers) => format!("{} answers: {:02x?}", answers.len(), answers),
                    Err(e) => e.to_string(),
                };
                format!("module {:?} gets a message: {told}", message.module)
            }
            Happening::Trap(trap) => match trap.batch {
                Some(batch) => {
                    self.traps.push((trap.module, batch, number));
                    return;
                }
                None => self.trap(&trap.module),
            },
        };
        if let Some(trace) = &self.run.parts.trace {
            trace.note(told.as_bytes());
        }
        self.happened.push((at, number, told));
    }

    /// Lets go what was for a while.
    pub(super) fn end(&mut self, at: u64, end: End) {
        match end {
            End::Link(port) => self.run.parts.ports[port].wire().into_iter().for_each(|end| end.set_link(true)),
            End::Loss(port) => self.run.parts.ports[port].wire().into_iter().for_each(|end| end.set_more_loss(0.0)),
            End::Slow(chain) => self.set_factor(&chain, 1),
            // Dropped, they go back into their pool.
            End::Pool(rooms) => drop(rooms),
        }
        if let Some(trace) = &self.run.parts.trace {
            trace.note(&at.to_le_bytes());
        }
    }

    /// Lets all go, when time is over.
    pub(super) fn end_all(&mut self, at: u64) {
        while let Some(end) = self.ends.due(u64::MAX) {
            self.end(at, end);
        }
    }

    fn swap(&mut self, swap: &SwapEvent) -> String {
        let Some(upload) = self.swaps.get(&swap.file) else { return "no such file".to_owned() };
        let options = SwapOptions { grace: swap.grace, fresh: swap.fresh, ..SwapOptions::default() };
        match self.run.swap(&swap.module, upload.clone(), &options) {
            Ok(report) => format!("module {:?} is replaced, {} packets are lost", swap.module, report.lost),
            Err(e) => format!("the swap is refused: {e}"),
        }
    }

    /// The configuration that runs, but for this module's.
    fn apply(&mut self, apply: ApplyEvent) -> String {
        let ApplyEvent { module, config } = apply;
        let mut new = Config::clone(&self.run.config());
        for entry in new.modules.iter_mut().filter(|entry| entry.name == module) {
            entry.config = Some(config.clone());
        }
        match self.run.apply(&new, self.files) {
            Ok(report) if report.restart.is_empty() => {
                let lost: u64 = report.swaps.iter().map(|swap| swap.lost).sum();
                format!("module {module:?} gets another configuration, {lost} packets are lost")
            }
            Ok(report) => format!("the configuration needs a restart: {}", report.restart.join(", ")),
            Err(e) => format!("the configuration is refused: {e}"),
        }
    }

    fn link(&mut self, at: u64, link: &LinkEvent, lasts: u64) -> String {
        let Some(port) = self.run.config().port(&link.port) else { return "no such port".to_owned() };
        self.run.parts.ports[port].wire().into_iter().for_each(|end| end.set_link(false));
        self.ends.add(at + lasts, End::Link(port));
        format!("the link of port {:?} is down for {lasts} ns", link.port)
    }

    fn loss(&mut self, at: u64, loss: &LossEvent, lasts: u64) -> String {
        let Some(port) = self.run.config().port(&loss.port) else { return "no such port".to_owned() };
        self.run.parts.ports[port].wire().into_iter().for_each(|end| end.set_more_loss(loss.part));
        self.ends.add(at + lasts, End::Loss(port));
        format!("port {:?} loses {} % more for {lasts} ns", loss.port, loss.part * 100.0)
    }

    fn slow(&mut self, at: u64, slow: &SlowEvent, lasts: u64) -> String {
        self.set_factor(&slow.chain, slow.times);
        self.ends.add(at + lasts, End::Slow(slow.chain.clone()));
        format!("the lcores of chain {:?} are {} times slower for {lasts} ns", slow.chain, slow.times)
    }

    fn set_factor(&self, chain: &str, factor: u64) {
        let slow = self.run.parts.placed.iter().filter(|placed| placed.name == chain);
        let slow: Vec<usize> = slow.map(|placed| placed.at.lcore).collect();
        for (_, lcore) in lock(&self.lcores).iter_mut().enumerate().filter(|(number, _)| slow.contains(number)) {
            lcore.costs.iter_mut().for_each(|cost| cost.factor = factor);
        }
    }

    fn pool(&mut self, at: u64, pool: &PoolEvent, lasts: u64) -> String {
        let pools = self.pools(pool);
        let mut rooms = Vec::new();
        for pool in &pools {
            // All that are free now: while it lasts, only what comes back can be used.
            loop {
                let mut burst = Burst::new();
                let n = u32::try_from(perigee_abi::MAX_BATCH).unwrap_or(u32::MAX).min(pool.available());
                if n == 0 || pool.take(&mut burst, n as usize) == 0 {
                    break;
                }
                rooms.push(burst);
            }
        }
        let taken: usize = rooms.iter().map(|burst| burst.len()).sum();
        self.ends.add(at + lasts, End::Pool(rooms));
        format!("{taken} rooms are gone for {lasts} ns")
    }

    fn pools(&self, pool: &PoolEvent) -> Vec<Arc<Pool>> {
        if let Some(port) = pool.port.as_ref().and_then(|name| self.run.config().port(name)) {
            return vec![Arc::clone(self.run.parts.ports[port].pool())];
        }
        let placed = self.run.parts.placed.iter().filter(|placed| Some(&placed.name) == pool.chain.as_ref());
        let lcores = lock(&self.lcores);
        let of = |at: perigee_datapath::seat::Spot| match &lcores.get(at.lcore)?.chains.get(at.chain)?.source {
            Source::Rooms(pool) => Some(Arc::clone(pool)),
            _ => None,
        };
        placed.filter_map(|placed| of(placed.at)).collect()
    }

    fn trap(&mut self, module: &str) -> String {
        let mut n = 0;
        for lcore in &mut *lock(&self.lcores) {
            let stages = lcore.chains.iter_mut().flat_map(|chain| &mut chain.stages);
            for stage in stages.filter(|stage| stage.place.seat.module == module && stage.failed.is_none()) {
                stage.instance.exhaust();
                n += 1;
            }
        }
        *self.ordered.entry(module.to_owned()).or_insert(0) += n;
        format!("module {module:?} fails in its next batch")
    }
}
