//! What became of streams, for people.

use crate::table::{Table, bit_rate, count, packet_rate};
use perigee_runtime::{PaceStats, Snapshot};
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

/// What ends of wires have sent that is no packet, and what they could not hold until its time.
pub(super) fn held(snapshot: &Snapshot) -> String {
    let wires = snapshot.ports.iter().filter_map(|port| Some((&port.name, port.wire.as_ref()?)));
    let told = wires.flat_map(|(name, wire)| {
        let told = |number: u64, what: &str| (number != 0).then(|| format!("port {name}: {} {what}\n", count(number)));
        [
            told(wire.filler, "fillers between its packets, which the other end has dropped; no other figure has them"),
            told(wire.past, "packets came when the time of departure that they carry had passed, and left at once"),
        ]
    });
    told.flatten().collect()
}
