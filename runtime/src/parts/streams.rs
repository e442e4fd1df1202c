//! A stream, as the control side sees it.

use super::PlacedChain;
use perigee_abi::pacing;
use perigee_config::stream::{Rate, Stream as Asked};
use perigee_core::counters::Counter;
use perigee_core::lock;
use perigee_datapath::stream::Stream;
use perigee_report::PaceStats;
use std::sync::{Arc, Mutex};

/// One stream.
pub(crate) struct PlacedStream {
    /// What the configuration says of it.
    pub(crate) asked: Asked,
    /// What it shares with its lcores.
    pub(crate) stream: Arc<Stream>,
    /// The rate that was asked for last.
    rate: Mutex<Option<Rate>>,
}

impl PlacedStream {
    pub(crate) fn new(asked: Asked, stream: Arc<Stream>) -> Self {
        let rate = Mutex::new(asked.rate);
        Self { asked, stream, rate }
    }

    /// Notes another rate.
    pub(crate) fn set_rate(&self, rate: Rate) {
        *lock(&self.rate) = Some(rate);
    }

    /// What it has sent, and how late, by the counters of its chains.
    pub(crate) fn stats(&self, chains: &[PlacedChain], now_ns: u64) -> PaceStats {
        let mine: Vec<_> = chains.iter().filter(|chain| chain.name == self.asked.chain).collect();
        let counters: Vec<_> = mine.iter().map(|chain| chain.counters.read()).collect();
        let sum = |counter| counters.iter().map(|counters| counters.get(counter)).sum::<u64>();
        let most = |counter| counters.iter().map(|counters| counters.get(counter)).max().unwrap_or(0);
        let (state, ran_ns) = self.stream.state(now_ns);
        let stats = PaceStats {
            name: self.asked.name.clone(),
            chain: self.asked.chain.clone(),
            state,
            method: pacing_name(pacing::SOFTWARE).to_owned(),
            calibration: None,
            rate: lock(&self.rate).map(|rate| rate.to_string()).unwrap_or_default(),
            pattern: self.asked.pattern.to_string(),
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
        let missed = missed(&stats, sum(Counter::PoolEmpty), sum(Counter::TxFull));
        PaceStats { missed, ..stats }
    }
}

/// By how much the rate was missed, and why; `None` where it was met.
fn missed(stats: &PaceStats, pool_empty: u64, tx_full: u64) -> Option<String> {
    let short = stats.owed + stats.dropped_late + tx_full;
    let mut parts = Vec::new();
    if short > 0 {
        #[allow(clippy::cast_precision_loss, reason = "a share for people")]
        let share = short as f64 * 100.0 / (stats.sent + short) as f64;
        parts.push(format!("{short} packets short ({share:.3} %)"));
    }
    if stats.moved_ns > 0 {
        parts.push(format!(
            "all times moved by {:.3} ms",
            std::time::Duration::from_nanos(stats.moved_ns).as_secs_f64() * 1e3
        ));
    }
    if parts.is_empty() {
        return None;
    }
    let why = match () {
        () if tx_full > 0 => "the port was full",
        () if stats.owed > 0 && pool_empty > 0 => "the generator's pool was empty: its packets wait for the port",
        () if stats.owed > 0 => "the lcore or the port is too slow for it",
        () => "packets were late",
    };
    Some(format!("{}: {why}", parts.join(", ")))
}

/// What people call a method of pacing.
fn pacing_name(method: u32) -> &'static str {
    match method {
        pacing::NONE => "none",
        _ => "software",
    }
}
