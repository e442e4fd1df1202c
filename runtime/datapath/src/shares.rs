//! Shares of an lcore: chains that compete for it get its time by their weights.
//!
//! An lcore polls its chains in turn, and a turn takes as long as the modules in it do. So the time of each is counted, in
//! cycles between readings that the loop makes anyway, and one that is ahead of the others by its weight waits its turn until
//! they have caught up or want nothing. Chains that hand each other packets by a ring are one group: one of them could not
//! catch up while the other waits.
//!
//! Cycles count what else ran on the CPU, too. Once a millisecond at most, and only where groups compete, the thread's CPU
//! time is read, and what the groups used since is corrected by it.

use perigee_core::clock::Clock;
use perigee_core::clock::nanos;
use std::time::Duration;

/// One group of chains, as the sharing sees it.
#[derive(Clone, Copy, Debug)]
struct Group {
    weight: u64,
    /// What it has used in all, in cycles by its weight; never behind the others for want of packets.
    at: u64,
    /// Cycles since the last correction, which are not in `at` yet.
    used: u64,
    /// Turns without packets since its last one with some.
    empty: u32,
    waits: bool,
}

/// Turns without packets after which a group wants nothing: what came while another had its turn is seen before.
const EMPTY: u32 = 32;

impl Group {
    fn now(&self) -> u64 {
        self.at + self.used / self.weight
    }
}

/// Who waits on an lcore. Nothing is counted where there is only one group.
#[derive(Debug, Default)]
pub struct Shares {
    groups: Vec<Group>,
    /// Group of each chain; empty where there is only one.
    of: Vec<usize>,
    /// The last correction: when, and the thread's CPU time then.
    corrected: (u64, Duration),
    anyone_waits: bool,
    /// A millisecond: how far one group may be ahead, and how often the CPU time is read.
    period: u64,
    /// A turn that took longer was one of work, even without packets.
    work: u64,
}

impl Shares {
    /// Of the chains of one lcore: each with the number of its group and its weight.
    pub fn new(chains: &[(usize, u32)], clock: &Clock) -> Self {
        let mut names: Vec<usize> = chains.iter().map(|(group, _)| *group).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            return Self::default();
        }
        let weight = |name: &usize| chains.iter().filter(|(group, _)| group == name).map(|(_, w)| u64::from(*w)).sum();
        let group = |name| Group { weight: weight(name), at: 0, used: 0, empty: EMPTY, waits: false };
        Self {
            groups: names.iter().map(group).collect(),
            of: chains.iter().map(|(group, _)| names.binary_search(group).unwrap_or(0)).collect(),
            period: clock.cycles_in(1_000_000),
            work: clock.cycles_in(100_000),
            ..Self::default()
        }
    }

    /// It is not this chain's turn.
    #[inline]
    pub fn waits(&self, chain: usize) -> bool {
        self.of.get(chain).is_some_and(|&group| self.groups[group].waits)
    }

    /// A chain had its turn, or was asked something, from `begin` to `end`; so many packets came.
    #[inline]
    pub fn charge(&mut self, chain: usize, packets: usize, begin: u64, end: u64) {
        let Some(&group) = self.of.get(chain) else { return };
        let group = &mut self.groups[group];
        group.used += end - begin;
        let worked = packets != 0 || end - begin > self.work;
        group.empty = if worked { 0 } else { group.empty.saturating_add(1) };
    }

    /// Says whose turn it is from now on: often enough where somebody waits, else once in a while. True where somebody waits.
    #[inline]
    pub fn settle(&mut self, now: u64, cpu: impl FnOnce() -> Duration, clock: &Clock) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let passed = now - self.corrected.0;
        if passed >= self.period {
            self.correct(now, cpu(), clock);
        } else if !self.anyone_waits {
            return false;
        }
        self.decide();
        self.anyone_waits
    }

    /// What ran on this CPU beside the thread counts for nobody.
    fn correct(&mut self, now: u64, cpu: Duration, clock: &Clock) {
        let (since, before) = std::mem::replace(&mut self.corrected, (now, cpu));
        let wall = u128::from((now - since).max(1));
        let own = clock.cycles_in(nanos(cpu.saturating_sub(before)));
        let own = u128::from(own).min(wall);
        for group in &mut self.groups {
            let used = u64::try_from(u128::from(group.used) * own / wall).unwrap_or(u64::MAX);
            group.at += used / group.weight;
            group.used = 0;
        }
    }

    /// Where nobody wants anything but those who wait, these go on, and what the others did not want is not kept for them.
    fn decide(&mut self) {
        let wants = |group: &&Group| !group.waits && group.empty < EMPTY;
        let of_those_who_wait = || self.groups.iter().filter(|group| group.waits).map(Group::now).min();
        let first = self.groups.iter().filter(wants).map(Group::now).min().or_else(of_those_who_wait);
        self.anyone_waits = false;
        for group in &mut self.groups {
            let behind = first.unwrap_or(0).saturating_sub(group.now());
            if !group.waits && group.empty >= EMPTY {
                group.at += behind;
            }
            group.waits = first.is_some_and(|first| group.now() > first + self.period);
            self.anyone_waits |= group.waits;
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// A chain of the simulation: what a turn costs it, and how often packets come, both in microseconds.
    #[derive(Clone, Copy)]
    struct Model {
        group: usize,
        weight: u32,
        turn: u64,
        every: u64,
    }

    const fn model(group: usize, weight: u32, turn: u64, every: u64) -> Model {
        Model { group, weight, turn, every }
    }

    /// Runs an lcore for four seconds of virtual time, in which `stolen` of each turn's time goes to others; what share of the
    /// time each chain was busy.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "nanoseconds of some seconds")]
    fn shares(models: &[Model], stolen: f64) -> Vec<f64> {
        const US: u64 = 1_000;
        let clock = Clock::start(1_000_000_000);
        let chains: Vec<_> = models.iter().map(|m| (m.group, m.weight)).collect();
        let mut shares = Shares::new(&chains, &clock);
        let (mut now, mut cpu) = (1, 0.0);
        let (mut busy, mut next) = (vec![0; models.len()], vec![0; models.len()]);
        while now < 4_000_000 * US {
            for (i, m) in models.iter().enumerate() {
                if shares.waits(i) {
                    continue;
                }
                let has = now >= next[i];
                let own = if has { m.turn * US } else { 50 };
                let took = own + if has { (own as f64 * stolen) as u64 } else { 0 };
                cpu += own as f64;
                shares.charge(i, has.into(), now, now + took);
                now += took;
                if has {
                    busy[i] += own;
                    next[i] =
                        if m.every == 0 { now } else { next[i].max(now.saturating_sub(m.every * US)) + m.every * US };
                }
            }
            shares.settle(now, || Duration::from_nanos(cpu as u64), &clock);
        }
        let all = cpu;
        busy.into_iter().map(|busy| busy as f64 / all).collect()
    }

    fn check(models: &[Model], wanted: &[f64]) {
        [0.0, 0.7].into_iter().for_each(|stolen| check_with(models, wanted, stolen));
    }

    fn check_with(models: &[Model], wanted: &[f64], stolen: f64) {
        for (found, wanted) in shares(models, stolen).iter().zip(wanted) {
            assert!((found - wanted).abs() <= wanted * 0.05 + 0.005, "{found:.3} for {wanted:.3}, stolen {stolen}");
        }
    }

    #[test]
    fn who_stays_below_its_deadline_gets_no_more_than_its_share() {
        check(&[model(0, 1, 9_000, 0), model(1, 1, 5, 0)], &[0.5, 0.5]);
        check(&[model(0, 1, 5, 0), model(1, 1, 95_000, 0)], &[0.5, 0.5]);
        check(&[model(0, 1, 9_000, 0), model(1, 3, 5, 0)], &[0.25, 0.75]);
        check(&[model(0, 1000, 9_000, 0), model(1, 1, 5, 0)], &[0.999, 0.001]);
        check(&[model(0, 1, 9_000, 0), model(1, 1, 2, 0), model(2, 2, 700, 0)], &[0.25, 0.25, 0.5]);
        check(&[model(0, 1, 1, 0), model(1, 1, 3, 0)], &[0.5, 0.5]);
    }

    #[test]
    fn what_nobody_wants_is_lost_to_nobody() {
        // Alone, or beside one that wants nothing, or next to nothing.
        check(&[model(0, 1, 9_000, 0)], &[1.0]);
        check(&[model(0, 1, 9_000, 0), model(1, 1, 5, 1 << 30)], &[1.0, 0.0]);
        // What comes at a rate of its own is less of the time that is not stolen.
        check_with(&[model(0, 1, 5, 0), model(1, 1, 5, 500)], &[0.99, 0.01], 0.0);
        // A third of the time is less than its half: it gets that, the rest goes to the other.
        check_with(&[model(0, 1, 5, 0), model(1, 1, 10, 30)], &[0.667, 0.333], 0.0);
    }

    #[test]
    fn chains_of_one_group_take_turns() {
        // As many turns for each, whatever they cost, and beside another group as much as their weights together.
        check(&[model(0, 1, 3, 0), model(0, 1, 1, 0)], &[0.75, 0.25]);
        check(&[model(0, 1, 3, 0), model(0, 1, 1, 0), model(1, 2, 9_000, 0)], &[0.375, 0.125, 0.5]);
    }

    #[test]
    fn nobody_is_owed_time_for_a_past_without_packets() {
        let clock = Clock::start(1_000_000_000);
        let mut shares = Shares::new(&[(0, 1), (1, 1)], &clock);
        let mut now = 1;
        let mut turn = |shares: &mut Shares, chain: usize, packets: usize, took: u64| {
            shares.charge(chain, packets, now, now + took);
            now += took;
            shares.settle(now, || Duration::from_nanos(now), &clock);
        };
        for _ in 0..1_000 {
            turn(&mut shares, 0, 1, 9_000_000);
            turn(&mut shares, 1, 0, 50);
        }
        // Then the second one comes, and the first one waits for about as long as its last turn took, not for nine seconds.
        let mut waited = 0;
        for _ in 0..200_000 {
            turn(&mut shares, 1, 1, 1_000);
            waited += if shares.waits(0) { 1_000 } else { 0 };
            if !shares.waits(0) {
                break;
            }
        }
        assert!(waited <= 9_000_000, "{waited}");
    }
}
