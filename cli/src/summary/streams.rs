//! What became of streams, for people.

use crate::table::{Table, bit_rate, count, packet_rate};
use perigee_runtime::PaceStats;
use std::time::Duration;

/// What streams were to send, and did.
pub(crate) fn streams(streams: &[PaceStats]) -> String {
    let heads = [
        "<stream",
        "<state",
        "<pattern",
        "<rate",
        "<paced by",
        "sent",
        "got",
        "",
        "late",
        "worst us",
        "owed",
        "dropped late",
    ];
    let mut table = Table::new(&heads);
    for stream in streams {
        let worst = format!("{:.1}", Duration::from_nanos(stream.late_worst_ns).as_secs_f64() * 1e6);
        table.row([
            stream.name.clone(),
            stream.state.to_string(),
            stream.pattern.clone(),
            stream.rate.clone(),
            stream.method.clone(),
            count(stream.sent),
            packet_rate(stream.sent, stream.ran_ns),
            bit_rate(stream.sent_bytes, stream.ran_ns),
            count(stream.late),
            worst,
            count(stream.owed),
            count(stream.dropped_late),
        ]);
    }
    let missed = streams.iter().filter_map(|stream| Some((stream, stream.missed.as_ref()?)));
    let missed = missed.map(|(stream, missed)| format!("stream {} MISSED its rate: {missed}\n", stream.name));
    let kept = streams.iter().filter_map(|stream| Some((stream, stream.calibration.as_ref()?)));
    let kept = kept.map(|(stream, text)| format!("calibration of the port of stream {}: {text}\n", stream.name));
    table.text_unless_empty() + &missed.chain(kept).collect::<String>()
}
