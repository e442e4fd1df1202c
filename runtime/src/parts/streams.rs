//! A stream, as the control side sees it.

use super::PlacedChain;
use super::means::Means;
use perigee_config::stream::{Pattern, Rate, Stream as Asked};
use perigee_config::wire::FRAME_BESIDE;
use perigee_core::counters::Counter;
use perigee_core::lock;
use perigee_datapath::stream::{Change, Stream};
use perigee_measure::gaps::GapTimes;
use perigee_pace::{Bucket, Verdict};
use perigee_report::{FitStats, GapStats, PaceStats, StreamFacts};
use std::sync::{Arc, Mutex};

/// A mean rate that is lower by more was missed.
const MOST_OFF: f64 = 0.001;

/// One stream.
pub(crate) struct PlacedStream {
    /// What the configuration says of it.
    pub(crate) asked: Asked,
    /// What it shares with its lcores.
    pub(crate) stream: Arc<Stream>,
    /// By what its packets are let go.
    pub(crate) means: Means,
    /// As it was asked for last.
    now: Mutex<Asked>,
}

impl PlacedStream {
    pub(crate) fn new(asked: Asked, stream: Arc<Stream>, means: Means) -> Self {
        let now = Mutex::new(asked.clone());
        Self { asked, stream, means, now }
    }

    /// The manifest's facts of it.
    pub(crate) fn facts(&self) -> StreamFacts {
        let Means { method, calibration, .. } = &self.means;
        StreamFacts {
            name: self.asked.name.clone(),
            method: method.name().to_owned(),
            calibration: calibration.clone(),
        }
    }

    /// Tells of measured gaps whether they are distributed as they should be, of a Poisson stream that had one rate all along and all of
    /// whose packets are probes of one lcore.
    pub(crate) fn fit(&self, gaps: Option<&GapTimes>, told: Option<&mut GapStats>) {
        let every = self.asked.probes.as_ref().map(|probes| probes.every);
        let is_known = self.asked.pattern == Pattern::Poisson && every == Some(1) && self.stream.is_alone();
        let Some(Rate::Packets(rate)) = self.asked.rate.filter(|_| is_known && self.stream.has_one_rate()) else {
            return;
        };
        let (Some(gaps), Some(told)) = (gaps, told) else { return };
        let buckets = gaps.times.buckets().map(|(last, middle, count)| Bucket { last, middle, count });
        let mean = told.gaps.mean_ns.unwrap_or(0.0);
        let verdict = Verdict::of(1e9 / rate.number(), mean, buckets, gaps.times.beyond());
        told.fit = verdict.map(|verdict| FitStats {
            samples: verdict.samples,
            mean_ns: verdict.mean_ns,
            deviation_ns: verdict.deviation_ns,
            lambda: verdict.lambda,
            asked_lambda: verdict.asked_lambda,
            statistic: verdict.statistic,
            critical: verdict.critical,
            fits: verdict.fits(),
        });
    }

    /// What a change comes to: the stream as it goes on, and the change with all that lcores need to know.
    pub(crate) fn going_on(&self, change: Change) -> Result<(Asked, Change), String> {
        let now = lock(&self.now).clone();
        Ok(match change {
            Change::Rate(rate) => (Asked { rate: Some(rate), ..now }, change),
            Change::Pattern(pattern, rate) => {
                let next = now.going_on(*pattern, rate)?;
                let change = Change::Pattern(Box::new(next.pattern.clone()), next.rate);
                (next, change)
            }
            Change::Pause | Change::Resume => (now, change),
        })
    }

    /// Notes what it is from now on.
    pub(crate) fn set(&self, next: Asked) {
        *lock(&self.now) = next;
    }

    /// What it has sent, and how late, by the counters of its chains.
    pub(crate) fn stats(&self, chains: &[PlacedChain], now_ns: u64) -> PaceStats {
        let mine: Vec<_> = chains.iter().filter(|chain| chain.name == self.asked.chain).collect();
        let counters: Vec<_> = mine.iter().map(|chain| chain.counters.read()).collect();
        let sum = |counter| counters.iter().map(|counters| counters.get(counter)).sum::<u64>();
        let most = |counter| counters.iter().map(|counters| counters.get(counter)).max().unwrap_or(0);
        let (state, ran_ns) = self.stream.state(now_ns);
        let asked = lock(&self.now).clone();
        let stats = PaceStats {
            name: self.asked.name.clone(),
            chain: self.asked.chain.clone(),
            state,
            method: self.means.method.name().to_owned(),
            calibration: self.means.calibration.clone(),
            rate: asked.rate.map(|rate| rate.to_string()).unwrap_or_default(),
            pattern: asked.pattern.to_string(),
            ran_ns,
            sent: sum(Counter::Sent),
            sent_bytes: sum(Counter::SentBytes),
            late: sum(Counter::SentLate),
            late_worst_ns: most(Counter::WorstLate),
            owed: sum(Counter::Owed),
            dropped_late: sum(Counter::Late),
            moved_ns: most(Counter::Moved),
            missed: None,
        };
        let short = Short {
            rate: self.rate_missed(&stats),
            pool_empty: sum(Counter::PoolEmpty),
            tx_full: sum(Counter::TxFull),
        };
        let missed = short.text(&stats);
        PaceStats { missed, ..stats }
    }

    /// By what part its rate fell short of the one that was asked for, where that can be said: of a constant or a Poisson stream that had
    /// one rate all along, and beyond what chance, and the first and last packet, account for.
    #[allow(clippy::cast_precision_loss, reason = "parts of a thousandth")]
    fn rate_missed(&self, stats: &PaceStats) -> Option<f64> {
        let of_chance = match self.asked.pattern {
            Pattern::Constant => 0.0,
            Pattern::Poisson => 5.0 / (stats.sent.max(1) as f64).sqrt(),
            _ => return None,
        };
        let rate = self.asked.rate.filter(|_| self.stream.has_one_rate() && stats.ran_ns > 0)?;
        let bits = 8.0 * stats.sent_bytes as f64;
        let sent = match rate {
            Rate::Packets(_) => stats.sent as f64,
            Rate::FrameBits(_) => bits,
            Rate::WireBits(_) => bits + 8.0 * f64::from(FRAME_BESIDE) * stats.sent as f64,
            Rate::LinkShare(_) => return None,
        };
        let asked = rate.ratio().number() * stats.ran_ns as f64 / 1e9;
        let part = 1.0 - sent / asked;
        (part > MOST_OFF + of_chance + 2.0 / (stats.sent + 1) as f64).then_some(part)
    }
}

/// What may have kept a stream from its rate.
struct Short {
    /// The part of the rate that is missing.
    rate: Option<f64>,
    pool_empty: u64,
    tx_full: u64,
}

impl Short {
    /// By how much the rate was missed, and why; `None` where it was met.
    fn text(&self, stats: &PaceStats) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(part) = self.rate {
            parts.push(format!("{:.3} % below the rate", part * 100.0));
        }
        for (packets, what) in
            [(stats.owed, "owed"), (stats.dropped_late, "dropped late"), (self.tx_full, "dropped at a full port")]
        {
            if packets > 0 {
                parts.push(format!("{packets} packets {what}"));
            }
        }
        if stats.moved_ns > 0 {
            let ms = std::time::Duration::from_nanos(stats.moved_ns).as_secs_f64() * 1e3;
            parts.push(format!("all times moved by {ms:.3} ms"));
        }
        if parts.is_empty() {
            return None;
        }
        let why = match () {
            () if self.tx_full > 0 => "the port was full",
            () if self.pool_empty > 0 => "the generator's pool was empty, its packets wait for the port",
            () if stats.late > 0 => "the lcore or the port is too slow for it, or was taken away",
            () => "its packets were not made in time",
        };
        Some(format!("{}: {why}", parts.join(", ")))
    }
}
