//! The summary of a run, for people.

use crate::run::End;
use crate::table::{Table, bit_rate, count, packet_rate, port_bit_rate};
use perigee_runtime::{ChainStats, ModuleStats, Snapshot, Summary};
use std::time::Duration;

/// The whole summary.
pub(crate) fn text(summary: &Summary, end: End) -> String {
    let snapshot = &summary.snapshot;
    [
        head(snapshot, end),
        ports(snapshot),
        chains(snapshot),
        times(snapshot),
        drops(snapshot),
        remarks(snapshot),
        modules(snapshot),
        pools(summary),
        accounting(summary),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect::<Vec<_>>()
    .join("\n")
}

/// The counters of a run that goes on.
pub(crate) fn now(snapshot: &Snapshot) -> String {
    let elapsed = Duration::from_nanos(snapshot.elapsed_ns).as_secs_f64();
    let head = format!("After {elapsed:.3} s; rates are means over this window.\n");
    let parts = [head, ports(snapshot), chains(snapshot), times(snapshot), drops(snapshot), remarks(snapshot)];
    let parts = parts.into_iter().chain([modules(snapshot), levels(snapshot)]);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn times(snapshot: &Snapshot) -> String {
    let mut table =
        Table::new(&["<time of polls with packets", "lcore", "polls", "p50 us", "p99 us", "p99.9 us", "max us"]);
    for chain in snapshot.chains.iter().filter(|chain| chain.batch_time.count > 0) {
        let time = &chain.batch_time;
        let us = |ns: u64| format!("{:.1}", Duration::from_nanos(ns).as_secs_f64() * 1e6);
        let quantiles = [time.p50_ns, time.p99_ns, time.p999_ns, time.max_ns].map(us);
        table.row([chain.name.clone(), chain.lcore.to_string(), count(time.count)].into_iter().chain(quantiles));
    }
    table.text_unless_empty()
}

fn levels(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<pool", "rooms", "free"]);
    for pool in &snapshot.pool_levels {
        table.row([pool.name.clone(), count(pool.size.into()), count(pool.free.into())]);
    }
    table.text_unless_empty()
}

fn head(snapshot: &Snapshot, end: End) -> String {
    let why = match end {
        End::Duration => "its duration is over",
        End::Signal => "a signal asked for it",
        End::Client => "perigee ctl asked for it",
        End::Sources => "its sources have ended",
    };
    format!(
        "\nStopped: {why}. Measured over {:.3} s, from the start to the request to stop; rates are means over\n\
         this window, bits are those of frames without FCS, preamble and gap. Time stamp counter: {} MHz; deadlines of\n\
         modules were checked at least every {:.1} ms.\n",
        Duration::from_nanos(snapshot.elapsed_ns).as_secs_f64(),
        count(snapshot.tsc_hz / 1_000_000),
        Duration::from_nanos(snapshot.ticker_worst_gap_ns).as_secs_f64() * 1e3,
    )
}

fn ports(snapshot: &Snapshot) -> String {
    let window = snapshot.elapsed_ns;
    let mut table = Table::new(&[
        "<port",
        "<device",
        "rx packets",
        "rate",
        "",
        "tx packets",
        "rate",
        "",
        "missed",
        "no room",
        "errors",
    ]);
    for port in &snapshot.ports {
        // A device's arguments would make the table too wide to read.
        let device = port.device.split(',').next().unwrap_or("");
        table.row([
            port.name.clone(),
            device.to_owned(),
            count(port.rx_packets),
            packet_rate(port.rx_packets, window),
            port_bit_rate(port.rx_packets, port.rx_bytes, window),
            count(port.tx_packets),
            packet_rate(port.tx_packets, window),
            port_bit_rate(port.tx_packets, port.tx_bytes, window),
            count(port.rx_missed + port.kernel_drops),
            count(port.rx_nombuf),
            count(port.rx_errors + port.tx_errors),
        ]);
    }
    table.text_unless_empty()
}

fn chains(snapshot: &Snapshot) -> String {
    let heads = [
        "<chain",
        "lcore",
        "received",
        "created",
        "sent",
        "dropped",
        "held",
        "in",
        "out",
        "",
        "packets/call",
        "cycles/packet",
    ];
    let mut table = Table::new(&heads);
    for chain in &snapshot.chains {
        let taken = taken(chain);
        table.row([
            chain.name.clone(),
            chain.lcore.to_string(),
            count(chain.received),
            count(chain.created),
            count(chain.sent),
            count(chain.dropped_total()),
            count(chain.held),
            packet_rate(taken, snapshot.elapsed_ns),
            packet_rate(chain.sent, snapshot.elapsed_ns),
            bit_rate(chain.sent_bytes, snapshot.elapsed_ns),
            quotient(taken * modules_in(snapshot, chain), chain.batches),
            quotient(chain.cycles_busy, taken),
        ]);
    }
    table.text_unless_empty()
}

fn drops(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<dropped in chain", "lcore", "<cause", "packets"]);
    for chain in &snapshot.chains {
        for (cause, packets) in chain.dropped.iter().filter(|(_, packets)| **packets > 0) {
            table.row([chain.name.clone(), chain.lcore.to_string(), cause.clone(), count(*packets)]);
        }
    }
    table.text_unless_empty()
}

/// What is neither an error nor a loss, and may explain a number.
fn remarks(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<remark on chain", "lcore", "<what", "times"]);
    for chain in &snapshot.chains {
        let remarks = [
            ("packets taken from its ring", chain.from_ring),
            ("packets put into rings", chain.to_ring),
            ("packets copied into a room", chain.copied_in),
            ("generator's pool was empty", chain.pool_empty),
            ("output entries that named no packet", chain.bad_outputs),
            ("departure times that no port honours", chain.tx_time_ignored),
        ];
        for (what, times) in remarks.into_iter().filter(|(_, times)| *times > 0) {
            table.row([chain.name.clone(), chain.lcore.to_string(), what.to_owned(), count(times)]);
        }
    }
    table.text_unless_empty()
}

fn modules(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<module", "<chain", "lcore", "<counter", "value"]);
    for module in &snapshot.modules {
        let place = [module.name.clone(), module.chain.clone(), module.lcore.to_string()];
        // A module may have dozens of counters: those at 0 are in the JSON.
        let counters = module.counters.iter().filter(|(_, value)| **value > 0);
        let counters = counters.map(|(name, value)| (name.clone(), count(*value)));
        let failed = module.failed.iter().map(|_| ("failed".to_owned(), "yes".to_owned()));
        let lost = (module.log_lost > 0).then(|| ("log lines lost".to_owned(), count(module.log_lost)));
        for (name, value) in counters.chain(failed).chain(lost) {
            table.row(place.clone().into_iter().chain([name, value]));
        }
    }
    table.text_unless_empty()
}

fn pools(summary: &Summary) -> String {
    let mut table = Table::new(&["<pool", "rooms", "free", "<"]);
    for pool in &summary.pools {
        let state = if pool.full { "full" } else { "NOT FULL" };
        table.row([pool.name.clone(), count(pool.size.into()), count(pool.free.into()), state.to_owned()]);
    }
    table.text_unless_empty()
}

fn accounting(summary: &Summary) -> String {
    let all = &summary.accounting;
    let dropped: u64 = all.dropped.values().sum();
    let verdict = if all.balanced { "balanced" } else { "NOT BALANCED" };
    format!(
        "accounting: received {} + created {} = sent {} + dropped {} + held {}: {verdict}\n",
        count(all.received),
        count(all.created),
        count(all.sent),
        count(dropped),
        count(all.held)
    )
}

/// How many modules each packet of a chain passes.
fn modules_in(snapshot: &Snapshot, chain: &ChainStats) -> u64 {
    let is_there = |module: &&ModuleStats| module.chain == chain.name && module.lcore == chain.lcore;
    u64::try_from(snapshot.modules.iter().filter(is_there).count()).unwrap_or(0)
}

/// Packets that a chain took from its source, whatever that is.
pub(crate) fn taken(chain: &ChainStats) -> u64 {
    chain.received + chain.created + chain.from_ring
}

/// A quotient with one decimal, where there is one.
fn quotient(number: u64, by: u64) -> String {
    match number.saturating_mul(10).checked_div(by) {
        Some(tenths) => format!("{}.{}", count(tenths / 10), tenths % 10),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::{Accounting, PoolStats, PortStats};

    fn summary() -> Summary {
        let chain = ChainStats {
            name: "load".into(),
            lcore: 1,
            created: 6_400,
            sent: 6_000,
            sent_bytes: 360_000,
            dropped: [("tx_full".to_owned(), 400)].into(),
            batches: 200,
            cycles_busy: 640_000,
            ..Default::default()
        };
        let module =
            |name: &str| ModuleStats { name: name.into(), chain: "load".into(), lcore: 1, ..Default::default() };
        let counters = [("packets".to_owned(), 6_400), ("short".to_owned(), 0)].into();
        Summary {
            invalid: None,
            snapshot: Snapshot {
                elapsed_ns: 2_000_000_000,
                tsc_hz: 2_600_000_000,
                ports: vec![PortStats {
                    name: "a".into(),
                    device: "net_null0,x=1".into(),
                    tx_packets: 6_000,
                    ..Default::default()
                }],
                modules: vec![module("gen"), ModuleStats { counters, ..module("count") }],
                chains: vec![chain],
                ..Default::default()
            },
            accounting: Accounting {
                created: 6_400,
                sent: 6_000,
                dropped: [("tx_full".to_owned(), 400)].into(),
                balanced: true,
                ..Default::default()
            },
            pools: vec![PoolStats { name: "rx of a".into(), size: 511, free: 510, full: false }],
        }
    }

    #[test]
    fn everything_is_told() {
        let text = text(&summary(), End::Signal);
        for line in [
            "Stopped: a signal asked for it. Measured over 2.000 s,",
            "  a     net_null0           0       0 pps        0 bit/s        6,000    3.00 kpps       - Gbit/s       0        0       0",
            "  load       1         0    6,400  6,000      400     0    3.20 kpps    3.00 kpps    1.44 Mbit/s          64.0          100.0",
            "  load                  1  tx_full      400",
            "  count   load       1  packets  6,400",
            "  rx of a    511   510  NOT FULL",
            "accounting: received 0 + created 6,400 = sent 6,000 + dropped 400 + held 0: balanced",
        ] {
            assert!(text.contains(line), "{line:?} is not in:\n{text}");
        }
        assert!(!text.contains("short"), "a counter at 0 is left out:\n{text}");
    }

    #[test]
    fn quotients_without_a_divisor_are_no_numbers() {
        assert_eq!(quotient(1, 0), "-");
        assert_eq!(quotient(1_999, 2), "999.5");
    }
}
