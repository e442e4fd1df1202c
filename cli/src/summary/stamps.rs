//! How latencies were taken, how much of them is the measurement's own, and what a second observer saw: for people.

use super::measured::{percentile, shares, some_us, us};
use crate::table::{Table, count};
use perigee_runtime::{Floor, StreamStats};

/// Who took the times, and the floor.
pub(super) fn stamps(streams: &[StreamStats]) -> String {
    let heads = ["<latency of", "<departure by", "<arrival by", "floor, us: min", "p50", "p99-p50", "<by"];
    let mut table = Table::new(&heads);
    let mut beside = String::new();
    for stream in streams.iter().filter(|stream| stream.latency.count > 0) {
        let stamps = &stream.stamps;
        let by = [stream.name.clone(), stamps.departure.clone(), stamps.arrival.join("; ")];
        let floor = match &stamps.floor {
            Some(Floor::Known { min_ns, p50_ns, jitter_ns, calibration }) => {
                [us(*min_ns), us(*p50_ns), some_us(*jitter_ns), calibration.clone()]
            }
            Some(Floor::Unknown { command }) => {
                beside += &format!("stream {}: no floor known: {command}\n", stream.name);
                ["-"; 4].map(str::to_owned)
            }
            None => ["-"; 4].map(str::to_owned),
        };
        table.row(by.into_iter().chain(floor));
        if stamps.unstamped > 0 {
            let n = count(stamps.unstamped);
            beside += &format!(
                "stream {}: {n} probes came without the port's rx timestamp: theirs is the lcore's\n",
                stream.name
            );
        }
    }
    table.text_unless_empty() + &beside
}

/// What the second observer saw.
pub(super) fn observed(streams: &[StreamStats]) -> String {
    let heads = ["<second observer, us", "<of", "seen", "missed", "min", "p1", "p50", "p99", "max", "<"];
    let mut table = Table::new(&heads);
    let seen = streams.iter().filter_map(|stream| Some((stream, stream.observed.as_ref()?)));
    for (stream, observed) in seen.filter(|(_, observed)| observed.seen > 0) {
        let rows = [
            ("departure after our stamp", &observed.after_stamp, observed.by.join("; ")),
            ("gaps of departures", &observed.gaps.gaps, shares(&observed.gaps)),
        ];
        for (number, (of, times, last)) in rows.into_iter().enumerate() {
            let first = |n: u64| if number == 0 { count(n) } else { String::new() };
            let percentiles = ["p1", "p50", "p99"].map(|name| percentile(times, name));
            let counts = [stream.name.clone(), of.to_owned(), first(observed.seen), first(observed.missed)];
            let row = counts.into_iter().chain([some_us(times.min_ns)]).chain(percentiles);
            table.row(row.chain([some_us(times.max_ns), last]));
        }
    }
    let early = |(stream, n): (&StreamStats, u64)| {
        format!(
            "stream {}: {} probes were seen before their stamps: the system's clock was set meanwhile\n",
            stream.name,
            count(n)
        )
    };
    let early: String = streams
        .iter()
        .filter_map(|stream| Some((stream, stream.observed.as_ref()?.after_stamp.before_departure)))
        .filter(|(_, n)| *n > 0)
        .map(early)
        .collect();
    table.text_unless_empty() + &early
}
