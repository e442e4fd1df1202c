//! What is known of the run: its last two snapshots, and rates between those before, for the bars.

use crate::rates::{self, ChainRates, PortRates, per_second};
use perigee_runtime::{ChainStats, PortStats, Snapshot, text};
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Rates that are remembered of each row.
const POINTS: usize = 240;
/// Figures are told to be old when they are older than so many times the period, and at least this.
const OLD: (u32, Duration) = (2, Duration::from_secs(2));

/// Rates over time, the newest last.
pub(super) type Series = Vec<u64>;

/// Packets that were dropped or lost at one place by one cause.
#[derive(Debug)]
pub(super) struct Drops {
    /// Why.
    pub(super) cause: String,
    /// Where.
    pub(super) place: String,
    /// How many since the start.
    pub(super) total: u64,
    /// How many between the last two snapshots.
    pub(super) recent: u64,
    /// How many a second.
    pub(super) points: Series,
}

/// What is known of the run.
pub(super) struct Model {
    name: String,
    /// What it says of itself: `running`, `stopping`.
    state: String,
    every: Duration,
    /// The snapshot before.
    last: Snapshot,
    /// The newest one.
    pub(super) now: Snapshot,
    /// What packets each row of ports, chains and streams had a second.
    pub(super) points: [Vec<Series>; 3],
    /// By cause and place.
    pub(super) drops: Vec<Drops>,
    /// What modules may do, by their names.
    allowed: HashMap<String, Value>,
    came: Option<Instant>,
    problem: Option<String>,
}

impl Model {
    /// Of a run of which nothing is known.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            name: String::new(),
            state: String::new(),
            every,
            last: Snapshot::default(),
            now: Snapshot::default(),
            points: Default::default(),
            drops: Vec::new(),
            allowed: HashMap::new(),
            came: None,
            problem: None,
        }
    }

    /// Takes what the run says of itself.
    pub(super) fn status(&mut self, status: &Value) {
        self.name = text::line(status["name"].as_str().unwrap_or_default(), text::NAME);
        self.state = text::line(status["state"].as_str().unwrap_or_default(), text::NAME);
    }

    /// Takes a snapshot that came at that time.
    pub(super) fn figures(&mut self, now: Snapshot, came: Instant) {
        self.problem = None;
        self.came = Some(came);
        if now.elapsed_ns == self.now.elapsed_ns {
            return;
        }
        self.last = std::mem::replace(&mut self.now, now);
        let window = self.window();
        let ports = (0..self.now.ports.len()).map(|at| self.port(at)).map(|rates| rates.rx.packets + rates.tx.packets);
        let chains = (0..self.now.chains.len()).map(|at| self.chain(at).taken);
        let streams = (0..self.now.streams.len()).map(|at| self.stream(at).0);
        let packets: [Vec<u64>; 3] = [ports.collect(), chains.collect(), streams.collect()];
        for (series, packets) in self.points.iter_mut().zip(packets) {
            series.resize_with(packets.len(), Series::new);
            for (series, packets) in series.iter_mut().zip(packets) {
                push(series, per_second(packets, window));
            }
        }
        self.count_drops(window);
    }

    /// Takes the modules as configured.
    pub(super) fn modules(&mut self, modules: Value) {
        let Value::Array(modules) = modules else { return };
        let named = |module: Value| Some((module["name"].as_str()?.to_owned(), module));
        self.allowed = modules.into_iter().filter_map(named).collect();
    }

    /// Takes why no figures have come.
    pub(super) fn problem(&mut self, problem: &str) {
        self.problem = Some(text::line(problem, text::WORDS));
    }

    /// What is known of a module's file, trust and grants.
    pub(super) fn allowed(&self, module: &str) -> Option<&Value> {
        self.allowed.get(module)
    }

    /// Nanoseconds between the two snapshots.
    pub(super) fn window(&self) -> u64 {
        rates::window(&self.last, &self.now)
    }

    /// What a port did between the two.
    pub(super) fn port(&self, at: usize) -> PortRates {
        let Some(now) = self.now.ports.get(at) else { return PortRates::default() };
        PortRates::between(self.port_before(at), now, self.window())
    }

    /// The port as it was.
    pub(super) fn port_before(&self, at: usize) -> Option<&PortStats> {
        let before = self.last.ports.get(at)?;
        (before.name == self.now.ports[at].name).then_some(before)
    }

    /// What a chain did between the two.
    pub(super) fn chain(&self, at: usize) -> ChainRates {
        let Some(now) = self.now.chains.get(at) else { return ChainRates::default() };
        let same = |before: &&ChainStats| before.name == now.name && before.lcore == now.lcore;
        ChainRates::between(self.last.chains.get(at).filter(same), now, self.window())
    }

    /// Where the chain of a module stands among the chains.
    pub(super) fn chain_of(&self, chain: &str, lcore: u32) -> Option<usize> {
        self.now.chains.iter().position(|one| one.name == chain && one.lcore == lcore)
    }

    /// Packets and bytes that a stream sent between the two.
    pub(super) fn stream(&self, at: usize) -> (u64, u64) {
        let Some(now) = self.now.streams.get(at) else { return (0, 0) };
        let before = self.last.streams.get(at).filter(|before| before.name == now.name);
        let [sent, bytes] = before.map_or([0, 0], |before| [before.sent, before.sent_bytes]);
        (now.sent.saturating_sub(sent), now.sent_bytes.saturating_sub(bytes))
    }

    /// A module's counter between the two.
    pub(super) fn counter(&self, at: usize, name: &str) -> u64 {
        let Some(now) = self.now.modules.get(at) else { return 0 };
        let same = |one: &&perigee_runtime::ModuleStats| one.name == now.name && one.lcore == now.lcore;
        let before = self.last.modules.get(at).filter(same);
        let of = |counters: &std::collections::BTreeMap<String, u64>| counters.get(name).copied().unwrap_or(0);
        of(&now.counters).saturating_sub(before.map_or(0, |before| of(&before.counters)))
    }

    /// The run's name, its state, and for how long its lcores have run.
    pub(super) fn title(&self) -> String {
        let up = humantime::format_duration(Duration::from_secs(self.now.elapsed_ns / 1_000_000_000));
        match (self.name.as_str(), self.came) {
            ("", _) => "waiting for the run".to_owned(),
            (name, None) => format!("{name} ({})", self.state),
            (name, Some(_)) => format!("{name} ({}), up {up}", self.state),
        }
    }

    /// What is to be known before the figures are believed.
    pub(super) fn warning(&self, now: Instant) -> Option<String> {
        let Some(came) = self.came else {
            return Some(self.problem.clone().unwrap_or_else(|| "no figures yet".to_owned()));
        };
        let age = now.saturating_duration_since(came);
        let is_old = age >= (self.every * OLD.0).max(OLD.1);
        let why = self.problem.as_deref().unwrap_or("the run does not answer");
        is_old.then(|| format!("figures are {} s old: {why}", age.as_secs()))
    }

    /// What is told when the run has ended.
    pub(super) fn farewell(&self) -> String {
        match self.came {
            None => format!("the run {} has ended", self.name),
            Some(_) => format!("the run {} has ended; the last figures are of {:.1} s after its start", self.name, {
                Duration::from_nanos(self.now.elapsed_ns).as_secs_f64()
            }),
        }
    }

    fn count_drops(&mut self, window: u64) {
        let chains = self.now.chains.iter().flat_map(|chain| {
            let place = format!("chain {} lcore {}", chain.name, chain.lcore);
            chain.dropped.iter().map(move |(cause, total)| (cause.clone(), place.clone(), *total))
        });
        let ports = self.now.ports.iter().flat_map(|port| {
            let place = format!("port {}", port.name);
            port_losses(port).into_iter().map(move |(cause, total)| (cause.to_owned(), place.clone(), total))
        });
        let mut known = std::mem::take(&mut self.drops);
        for drops in &mut known {
            drops.recent = 0;
        }
        for (cause, place, total) in chains.chain(ports).filter(|(_, _, total)| *total > 0) {
            let found = known.binary_search_by(|one| (&one.cause, &one.place).cmp(&(&cause, &place)));
            match found {
                Ok(at) => {
                    known[at].recent = total.saturating_sub(known[at].total);
                    known[at].total = total;
                }
                Err(at) => {
                    // Where others were counted before, it dropped nothing then.
                    known.insert(at, Drops { cause, place, total, recent: total, points: Series::new() });
                }
            }
        }
        for drops in &mut known {
            push(&mut drops.points, per_second(drops.recent, window));
        }
        self.drops = known;
    }
}

/// What a port's packets were lost by, as metrics name it.
fn port_losses(port: &PortStats) -> [(&'static str, u64); 6] {
    [
        ("rx_missed", port.rx_missed),
        ("rx_errors", port.rx_errors),
        ("rx_nombuf", port.rx_nombuf),
        ("rx_too_long", port.rx_too_long),
        ("tx_errors", port.tx_errors),
        ("kernel", port.kernel_drops),
    ]
}

fn push(series: &mut Series, point: u64) {
    if series.len() == POINTS {
        series.remove(0);
    }
    series.push(point);
}
