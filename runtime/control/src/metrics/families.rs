//! The families of metrics.

use super::super::wire::ControlStatus;
use super::page::{Labels, Page};
use perigee_report::BatchTime;
use perigee_report::PortStats;
use perigee_report::{ChainStats, LcoreStats, ModuleStats, RingStats, Snapshot};
use perigee_report::{SwapReport, Swaps};
use std::collections::BTreeMap;
use std::fmt::Error;

/// Series that modules may name in one scrape, all together; those beyond are counted.
pub(super) const MAX_OWN: usize = 1024;
/// Characters of a name that a module gave.
pub(super) const MAX_NAME: usize = 64;
/// Upper bounds of the histogram: from half a microsecond, doubling, to a quarter of a second.
const BOUNDS: u32 = 20;
const FIRST_BOUND_NS: u64 = 500;

pub(super) fn run(page: &mut Page<'_>, name: &str, snapshot: &Snapshot) -> Result<(), Error> {
    let facts = [("run", name), ("version", env!("CARGO_PKG_VERSION"))].map(|(key, value)| (key, value.to_owned()));
    let abi = ("abi", perigee_abi::ABI_VERSION.to_string());
    page.info("build", "What runs here", &facts.into_iter().chain([abi]).collect())?;
    page.seconds("uptime", "Time since the lcores started", one(seconds(snapshot.elapsed_ns)))?;
    let gaps = [
        ("50", snapshot.ticker_gap_p50_ns),
        ("99.9", snapshot.ticker_gap_p999_ns),
        ("100", snapshot.ticker_worst_gap_ns),
    ];
    page.seconds(
        "ticker_gap",
        "Time between two ticks, by percentile: deadlines are late by up to this",
        gaps.map(|(percentile, ns)| (vec![("percentile", percentile.to_owned())], seconds(ns))),
    )?;
    let lcore = |lcore: &LcoreStats| vec![("lcore", lcore.lcore.to_string())];
    let stuck = snapshot.lcores.iter().map(|l| (lcore(l), seconds(l.stuck_ns)));
    page.seconds("lcore_stuck", "For how long an lcore gives no sign of life; 0 where all is well", stuck)?;
    let worst = snapshot.lcores.iter().map(|l| (lcore(l), seconds(l.stuck_worst_ns)));
    page.seconds("lcore_stuck_worst", "The longest such time so far", worst)?;
    let lost = [(Vec::new(), snapshot.faults_lost)];
    page.counter(
        "lost_fault_texts",
        "Failures that were counted and whose texts were lost, for they came too fast",
        lost,
    )?;
    let rings = snapshot.rings.iter().map(|ring| (vec![("ring", ring.name.clone())], f64::from(ring.count)));
    page.gauge("ring_packets", "Packets in a ring", rings)?;
    self::rings(page, &snapshot.rings)?;
    let pool = |name: &str| vec![("pool", name.to_owned())];
    let levels = || snapshot.pool_levels.iter();
    let free = levels().map(|level| (pool(&level.name), f64::from(level.free)));
    page.gauge("pool_free_rooms", "Data rooms that nobody uses", free)?;
    let size = levels().map(|level| (pool(&level.name), f64::from(level.size)));
    page.gauge("pool_rooms", "Data rooms of a pool", size)
}

/// Rings beside what is in them.
fn rings(page: &mut Page<'_>, rings: &[RingStats]) -> Result<(), Error> {
    let label = |ring: &RingStats| vec![("ring", ring.name.clone())];
    let places = rings.iter().map(|ring| (label(ring), f64::from(ring.size)));
    page.gauge("ring_places", "Packets that a ring holds at most", places)?;
    let pressed = || rings.iter().filter_map(|ring| Some((label(ring), ring.backpressure?)));
    let now = pressed().map(|(label, pressure)| (label, f64::from(u8::from(pressure.presses))));
    page.gauge("ring_presses", "1 while a ring stops those whose packets go there", now)?;
    let times = pressed().map(|(label, pressure)| (label, pressure.times));
    page.counter("ring_pressed", "Times that a ring began to stop those whose packets go there", times)?;
    let time = pressed().map(|(label, pressure)| (label, seconds(pressure.ns)));
    page.seconds("ring_pressed_time", "For how long it has done so in all", time)
}

/// A series for each chain on each lcore.
fn per_chain<T>(chains: &[ChainStats], value: impl Fn(&ChainStats) -> T) -> impl Iterator<Item = (Labels, T)> {
    chains.iter().map(move |chain| (chain_labels(chain), value(chain)))
}

fn chain_labels(chain: &ChainStats) -> Labels {
    vec![("chain", chain.name.clone()), ("lcore", chain.lcore.to_string())]
}

pub(super) fn chains(page: &mut Page<'_>, chains: &[ChainStats]) -> Result<(), Error> {
    let ways = chains.iter().flat_map(|chain| {
        let [into, out] = [[chain.from_ring, chain.from_queue], [chain.to_ring, chain.to_queue]];
        let numbers = [chain.received, chain.created, chain.sent].into_iter().chain(into).chain(out);
        let ways = ["received", "created", "sent", "from_ring", "from_queue", "to_ring", "to_queue"];
        ways.into_iter().zip(numbers).map(|(way, n)| (with(chain_labels(chain), "way", way), n))
    });
    page.counter("chain_packets", "Packets into and out of a chain, by way", ways)?;
    page.counter("chain_sent_bytes", "Bytes sent, without check sequence", per_chain(chains, |c| c.sent_bytes))?;
    let drops = chains
        .iter()
        .flat_map(|chain| chain.dropped.iter().map(|(cause, n)| (with(chain_labels(chain), "cause", cause), *n)));
    page.counter("chain_dropped_packets", "Packets dropped, by cause; causes without packets are left out", drops)?;
    page.gauge(
        "chain_held_packets",
        "Packets that modules hold or that wait for a full port",
        per_chain(chains, |c| count(c.held)),
    )?;
    page.counter("chain_copied_packets", "Packets copied into a room", per_chain(chains, |c| c.copied_in))?;
    page.counter("chain_batches", "Calls of modules with packets", per_chain(chains, |c| c.batches))?;
    page.counter("chain_polls", "Polls of the source", per_chain(chains, |c| c.polls))?;
    page.counter("chain_busy_cycles", "Cycles of polls in which packets came", per_chain(chains, |c| c.cycles_busy))?;
    let waited = per_chain(chains, |c| c.cycles_waited);
    page.counter(
        "chain_waited_cycles",
        "Cycles in which it had used its share of its lcore, and others had not",
        waited,
    )?;
    page.counter("chain_pool_empty", "Times that a generator's pool was empty", per_chain(chains, |c| c.pool_empty))?;
    page.counter(
        "chain_bad_outputs",
        "Entries of output lists that named no packet",
        per_chain(chains, |c| c.bad_outputs),
    )?;
    let cycles = chains.iter().filter_map(|chain| Some((chain_labels(chain), chain.cycles_per_packet?)));
    page.gauge("chain_cycles_per_packet", "Busy cycles by packets, since the start", cycles)?;
    let quantiles = chains.iter().flat_map(|chain| {
        let time = &chain.batch_time;
        let shown = [("50", time.p50_ns), ("99", time.p99_ns), ("99.9", time.p999_ns), ("100", time.max_ns)];
        shown.map(|(percentile, ns)| (with(chain_labels(chain), "percentile", percentile), seconds(ns)))
    });
    page.seconds("chain_batch_time", "Time of polls in which packets came, by percentile, since the start", quantiles)?;
    let times = chains.iter().map(|chain| histogram(chain_labels(chain), &chain.batch_time));
    page.histogram("chain_batch", "Time of polls in which packets came", times)
}

/// Cycles by what a chain does with a burst, of those polls that are measured, and the packets that came in them.
pub(super) fn phases(page: &mut Page<'_>, chains: &[ChainStats]) -> Result<(), Error> {
    let cycles = chains.iter().flat_map(|chain| {
        chain.phases.named().map(|(phase, cycles)| (with(chain_labels(chain), "phase", phase), cycles))
    });
    let help = "Cycles by what a chain does with a burst, of one poll in 251 that brought packets";
    page.counter("chain_phase_cycles", help, cycles)?;
    let packets = per_chain(chains, |chain| chain.phases.packets);
    page.counter("chain_phase_packets", "Packets of those polls: cycles of a packet are cycles by these", packets)
}

/// The fine buckets of a chain, put together under bounds that are the same on every machine.
fn histogram(labels: Labels, time: &BatchTime) -> (Labels, f64, u64, Vec<(f64, u64)>) {
    let bounds = (0..BOUNDS).map(|step| FIRST_BOUND_NS << step).chain([u64::MAX]);
    let mut fine = time.buckets.iter().peekable();
    let mut sum = 0.0;
    let coarse = bounds.map(|bound| {
        let mut n = 0;
        // A fine bucket belongs where its upper end does: a time is never told shorter than it was.
        while let Some((upper, more)) = fine.next_if(|(upper, _)| *upper <= bound) {
            n += more;
            sum += seconds(*upper) * count(*more);
        }
        (if bound == u64::MAX { f64::INFINITY } else { seconds(bound) }, n)
    });
    let coarse: Vec<_> = coarse.collect();
    (labels, sum, coarse.iter().map(|(_, n)| n).sum(), coarse)
}

pub(super) fn ports(page: &mut Page<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let ports = &snapshot.ports;
    let label = |port: &PortStats| vec![("port", port.name.clone())];
    let both = |rx: fn(&PortStats) -> u64, tx: fn(&PortStats) -> u64| {
        ports.iter().flat_map(move |port| {
            [("rx", rx(port)), ("tx", tx(port))].map(|(way, n)| (with(label(port), "way", way), n))
        })
    };
    page.counter("port_packets", "Packets of a port, as its driver counts", both(|p| p.rx_packets, |p| p.tx_packets))?;
    page.counter("port_bytes", "Bytes of a port, as its driver counts", both(|p| p.rx_bytes, |p| p.tx_bytes))?;
    let lost = ports.iter().flat_map(|port| {
        let causes = ["rx_missed", "rx_errors", "rx_nombuf", "rx_too_long", "tx_errors", "kernel"];
        let lost = [port.rx_missed, port.rx_errors, port.rx_nombuf, port.rx_too_long];
        let numbers = lost.into_iter().chain([port.tx_errors, port.kernel_drops]);
        causes.into_iter().zip(numbers).map(move |(cause, n)| (with(label(port), "cause", cause), n))
    });
    page.counter("port_lost_packets", "Packets that a port lost before or behind all chains, by cause", lost)?;
    let played = ports.iter().filter_map(|port| Some((label(port), port.replay.as_ref()?.late)));
    page.counter("port_late_packets", "Packets of files that are played which came too late", played)?;
    let unwritten = ports.iter().map(|port| (label(port), port.unwritten_bytes));
    page.counter("port_unwritten_bytes", "Bytes that a port's driver has written and its file has not", unwritten)?;
    let rules = ports.iter().flat_map(|port| port.flows.iter().enumerate().map(move |(n, rule)| (port, n, rule)));
    let met = rules.filter_map(|(port, number, rule)| {
        let labels = with(label(port), "rule", &number.to_string());
        Some((with(with(labels, "action", &rule.action), "place", &rule.place), rule.hits?))
    });
    let help =
        "Packets that met a flow rule, by its position at its port; rules whose port does not count are left out";
    page.counter("port_flow_packets", help, met)?;
    let up = ports.iter().map(|port| (label(port), f64::from(u8::from(port.link_up))));
    page.gauge("port_up", "1 where the link is up", up)?;
    let downs = ports.iter().map(|port| (label(port), port.link_downs));
    page.counter("port_link_downs", "Times that the link of a port went down", downs)
}

fn module_labels(module: &ModuleStats) -> Labels {
    let lcore = module.lcore.to_string();
    vec![("module", module.name.clone()), ("chain", module.chain.clone()), ("lcore", lcore)]
}

pub(super) fn modules(page: &mut Page<'_>, modules: &[ModuleStats]) -> Result<(), Error> {
    let failed = modules.iter().map(|m| (module_labels(m), f64::from(u8::from(m.failed.is_some()))));
    page.gauge("module_failed", "1 where an instance does not run any more", failed)?;
    let state = modules.iter().map(|m| (with(module_labels(m), "state", m.state.name()), 1.0));
    page.gauge(
        "module_state",
        "1 for the state that an instance's place is in: breaker_open needs an operator",
        state,
    )?;
    let lost = modules.iter().map(|m| (module_labels(m), m.log_lost));
    page.counter("module_lost_log_lines", "Log lines of an instance that were lost because it wrote too many", lost)?;
    let faults =
        modules.iter().flat_map(|m| m.faults.iter().map(|(class, n)| (with(module_labels(m), "class", class), *n)));
    page.counter("module_faults", "Failures of an instance's place, by class; classes without are left out", faults)?;
    let installs = modules.iter().map(|m| (module_labels(m), m.installs));
    page.counter("module_installs", "Instances that took an earlier one's place: restarts and swaps", installs)?;
    type Told = (&'static str, &'static str, fn(&ModuleStats) -> u64);
    let told: [Told; 4] = [
        ("module_told", "Messages that an instance's place has told other modules", |m| m.told),
        ("module_tell_full", "Messages that it could not tell them, for a queue was full or they were too long", |m| {
            m.tell_full
        }),
        ("module_heard", "Messages of other modules that it has taken", |m| m.heard),
        ("module_hear_refused", "Messages of other modules that it refused, or that came while it did not run", |m| {
            m.hear_refused
        }),
    ];
    for (name, help, value) in told {
        page.counter(name, help, modules.iter().map(|m| (module_labels(m), value(m))))?;
    }
    let all = modules.iter().map(|m| m.counters.len()).sum::<usize>();
    let own = modules.iter().flat_map(|m| {
        m.counters.iter().map(|(name, value)| (with(module_labels(m), "counter", &shown(name)), count(*value)))
    });
    let help = "Counters that modules name and write themselves: their word, not a measurement of Perigee's";
    page.gauge("module_own_value", help, distinct(own).take(MAX_OWN))?;
    let left_out = count(all.saturating_sub(MAX_OWN) as u64);
    page.gauge("module_own_values_left_out", "Counters of modules that are too many to be shown", one(left_out))
}

/// A name that a module gave, as far as it is shown. The encoder escapes what has a meaning in the format.
fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Without series that look like the one before: two names may differ only where they are not shown.
fn distinct(series: impl Iterator<Item = (Labels, f64)>) -> impl Iterator<Item = (Labels, f64)> {
    let mut seen = std::collections::HashSet::new();
    series.filter(move |(labels, _)| seen.insert(labels.clone()))
}

pub(super) fn swaps(page: &mut Page<'_>, swaps: &Swaps) -> Result<(), Error> {
    let results = [("done", swaps.done), ("refused", swaps.refused), ("rolled_back", swaps.rolled_back)];
    let results = results.map(|(result, n)| (vec![("result", result.to_owned())], n));
    page.counter("swaps", "Swaps of modules, by result; one that was rolled back was done before", results)?;
    // The last one of each module that is still remembered.
    let last: BTreeMap<&str, &SwapReport> = swaps.latest.iter().map(|swap| (swap.module.as_str(), swap)).collect();
    let of = |value: fn(&SwapReport) -> u64| {
        last.iter()
            .map(|(module, swap)| (vec![("module", (*module).to_owned())], seconds(value(swap))))
            .collect::<Vec<_>>()
    };
    page.seconds(
        "swap_last_pause",
        "Longest time for which an lcore stood still in a module's last swap",
        of(|s| s.max_pause_ns),
    )?;
    page.seconds("swap_last_blocked", "Effective blocked time of a module's last swap", of(|s| s.blocked_ns))?;
    page.seconds(
        "swap_last_switch",
        "From the first lcore's switch to the last one's in a module's last swap",
        of(|s| s.switch_ns),
    )
}

pub(super) fn control(page: &mut Page<'_>, control: ControlStatus) -> Result<(), Error> {
    page.counter("control_connections", "Connections to the control server", [(vec![], control.connections)])?;
    page.counter("control_requests", "Requests to the control server", [(vec![], control.requests)])?;
    let refused = [("user", control.refused), ("busy", control.busy)];
    let refused = refused.map(|(cause, n)| (vec![("cause", cause.to_owned())], n));
    page.counter("control_refused_connections", "Connections that were turned away, by cause", refused)
}

pub(super) fn with(mut labels: Labels, key: &'static str, value: &str) -> Labels {
    labels.push((key, value.to_owned()));
    labels
}

fn one(value: f64) -> [(Labels, f64); 1] {
    [(Vec::new(), value)]
}

pub(super) fn seconds(ns: u64) -> f64 {
    count(ns) / 1e9
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers; beyond 2^53 the last digits are lost")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}
