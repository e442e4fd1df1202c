//! The summary of a run, for people.

use crate::table::{Table, bit_rate, count, packet_rate, port_bit_rate};
use perigee_runtime::{ChainStats, ModuleStats, Snapshot, Summary, UNWRITTEN};
use std::time::Duration;

mod measured;
mod paths;
mod queues;
mod stages;
mod stamps;
mod streams;

pub(crate) use measured::{fit, percentile, some_us, us};
pub(crate) use streams::streams;

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The time was over.
    Duration,
    /// A signal asked for it.
    Signal,
    /// A client of the control server asked for it.
    Client,
    /// Its virtual time was over.
    Simulated,
    /// All sources have given what they had, or a generator has failed.
    Sources,
}

/// The whole summary.
pub(crate) fn text(summary: &Summary, end: End) -> String {
    let snapshot = &summary.snapshot;
    [
        head(snapshot, end),
        ports(snapshot),
        believed(snapshot),
        chains(snapshot),
        times(snapshot),
        drops(snapshot),
        queues::text(snapshot),
        streams(&snapshot.streams),
        measured::text(snapshot),
        paths::text(snapshot),
        stages::text(snapshot),
        wires(snapshot),
        played(snapshot),
        flows(snapshot),
        remarks(snapshot),
        port_remarks(snapshot),
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
    let parts = [head, ports(snapshot), believed(snapshot), chains(snapshot), times(snapshot), drops(snapshot)];
    let parts = parts.into_iter().chain([
        queues::text(snapshot),
        streams(&snapshot.streams),
        measured::text(snapshot),
        paths::text(snapshot),
        stages::text(snapshot),
        wires(snapshot),
        played(snapshot),
        flows(snapshot),
        remarks(snapshot),
        port_remarks(snapshot),
        modules(snapshot),
        levels(snapshot),
    ]);
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
        End::Simulated => return simulated(snapshot),
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

fn simulated(snapshot: &Snapshot) -> String {
    format!(
        "\nSimulated: {:.6} s of virtual time; rates are means over it, bits are those of frames without FCS, preamble and\n\
         gap, cycles are nanoseconds that the configuration's `cost` says.\n",
        Duration::from_nanos(snapshot.elapsed_ns).as_secs_f64(),
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
            count(port.rx_missed + port.rx_too_long + port.kernel_drops),
            count(port.rx_nombuf),
            count(port.rx_errors + port.tx_errors),
        ]);
    }
    table.text_unless_empty()
}

/// What "sent" means where the driver cannot know what became of the packets.
fn believed(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<port", "<what its tx packets are"]);
    for port in snapshot.ports.iter().filter(|port| port.means.is_sent_believed && port.tx_packets > 0) {
        table.row([port.name.clone(), port.means.sent.clone()]);
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
        let taken = chain.taken();
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
    let of_ports = snapshot.ports.iter().map(|port| (port, UNWRITTEN, port.unwritten));
    for (port, cause, packets) in of_ports.filter(|(_, _, packets)| *packets > 0) {
        table.row([format!("port {}", port.name), "-".to_owned(), cause.to_owned(), count(packets)]);
    }
    table.text_unless_empty()
}

/// How files were played.
fn played(snapshot: &Snapshot) -> String {
    let mut table =
        Table::new(&["<played by", "packets", "rounds", "late", "latest by us", "in a round", "MiB of memory"]);
    let mut beside = Table::new(&["<of its files", "<what", "times"]);
    for (port, replay) in snapshot.ports.iter().filter_map(|port| Some((port, port.replay.as_ref()?))) {
        let counts = [replay.packets, replay.rounds, replay.late, replay.late_worst_ns / 1_000, replay.in_round];
        let memory = replay.memory.div_ceil(1 << 20);
        table.row([port.name.clone()].into_iter().chain(counts.map(count)).chain([count(memory)]));
        let remarks = [
            ("packets longer than its mtu allows, left out (too_long)", replay.too_long),
            ("packets of which nothing makes a frame, left out (not_ethernet)", replay.not_ethernet),
            ("packets that were cut short when they were captured (snapped)", replay.snapped),
            ("times earlier than one before (backwards)", replay.backwards),
            ("packets without a time (timeless)", replay.timeless),
            ("files that end within a record (cut)", replay.cut),
            ("polls in which packets were due and no room was free (waited_for_rooms)", replay.waited_for_rooms),
            ("packets that were due before the disk had given them (starved)", replay.starved),
            ("us in which packets were due that the disk had not given (starved_ns)", replay.starved_ns / 1_000),
            ("rounds whose files somebody had written to (changed)", replay.changed),
        ];
        for (what, times) in remarks.into_iter().filter(|(_, times)| *times != 0) {
            beside.row([port.name.clone(), what.to_owned(), count(times)]);
        }
    }
    [table.text_unless_empty(), beside.text_unless_empty()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Which rules packets have met, and who did what they say.
/// What became of packets on simulated wires, where that was something else than to arrive.
fn wires(snapshot: &Snapshot) -> String {
    let heads = [
        "<sent into a wire by",
        "lost",
        "queue full",
        "early drops",
        "cut",
        "twice",
        "corrupted",
        "late",
        "on the way",
    ];
    let mut table = Table::new(&heads);
    for (port, wire) in snapshot.ports.iter().filter_map(|port| Some((port, port.wire.as_ref()?))) {
        let counts = [
            wire.lost,
            wire.queue_full,
            wire.early,
            wire.cut,
            wire.duplicated,
            wire.corrupted,
            wire.reordered,
            wire.under_way,
        ];
        if counts.iter().any(|count| *count != 0) {
            table.row([port.name.clone()].into_iter().chain(counts.map(count)));
        }
    }
    table.text_unless_empty() + &streams::held(snapshot)
}

fn flows(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<flow rule of port", "rule", "<match", "<action", "<done by", "hits"]);
    for port in &snapshot.ports {
        for (number, rule) in port.flows.iter().enumerate() {
            let hits = rule.hits.map_or_else(|| "not counted".to_owned(), count);
            let (matches, action, place) = (rule.matches.clone(), rule.action.clone(), rule.place.clone());
            table.row([port.name.clone(), number.to_string(), matches, action, place, hits]);
        }
    }
    table.text_unless_empty()
}

/// How long a chain waited because it had used its share, in milliseconds.
fn waited_ms(snapshot: &Snapshot, chain: &ChainStats) -> u64 {
    chain.cycles_waited.checked_div(snapshot.tsc_hz / 1_000).unwrap_or(0)
}

/// What is neither an error nor a loss, and may explain a number.
fn remarks(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<remark on chain", "lcore", "<what", "times"]);
    for chain in &snapshot.chains {
        let remarks = [
            ("packets taken from its ring", chain.from_ring),
            ("packets put into rings", chain.to_ring),
            ("packets that flow rules brought from other rx queues", chain.from_queue),
            ("packets that flow rules handed to other rx queues", chain.to_queue),
            ("packets copied into a room", chain.copied_in),
            ("generator's pool was empty", chain.pool_empty),
            ("milliseconds waited, its share of the lcore used", waited_ms(snapshot, chain)),
            ("output entries that named no packet", chain.bad_outputs),
            ("departure times that no port honours", chain.tx_time_ignored),
        ];
        for (what, times) in remarks.into_iter().filter(|(_, times)| *times > 0) {
            table.row([chain.name.clone(), chain.lcore.to_string(), what.to_owned(), count(times)]);
        }
    }
    for port in snapshot.ports.iter().filter(|port| port.discarded > 0) {
        let what = "packets that were sent to it waited in it at the end";
        table.row([format!("port {}", port.name), "-".to_owned(), what.to_owned(), count(port.discarded)]);
    }
    table.text_unless_empty()
}

/// What happened to ports, and why packets did not come in.
fn port_remarks(snapshot: &Snapshot) -> String {
    let mut table = Table::new(&["<remark on port", "<what", "times"]);
    for port in &snapshot.ports {
        let numbers = [
            ("packets too long to come in whole", port.rx_too_long),
            ("packets that the kernel's ring had no place for", port.kernel_drops),
        ];
        for (what, times) in numbers.into_iter().filter(|(_, times)| *times > 0) {
            table.row([port.name.clone(), what.to_owned(), count(times)]);
        }
        for event in &port.events {
            table.row([port.name.clone(), event.clone(), String::new()]);
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
        let beside = [
            ("log lines lost", module.log_lost),
            ("messages told", module.told),
            ("messages not told", module.tell_full),
            ("messages heard", module.heard),
            ("messages refused", module.hear_refused),
        ];
        let beside = beside.into_iter().filter(|(_, value)| *value > 0);
        let beside = beside.map(|(name, value)| (name.to_owned(), count(value)));
        for (name, value) in counters.chain(failed).chain(beside) {
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

/// A quotient with one decimal, where there is one.
fn quotient(number: u64, by: u64) -> String {
    match number.saturating_mul(10).checked_div(by) {
        Some(tenths) => format!("{}.{}", count(tenths / 10), tenths % 10),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests;
