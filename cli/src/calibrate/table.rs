//! A calibration, for people.

use super::{Calibration, Gaps, Point, floor};
use crate::summary::fit;
use crate::table::Table;
use perigee_runtime::config::stream::Method;
use perigee_runtime::pace::{MOST_OFF, best};

/// What the columns are called.
const HEADS: [&str; 20] = [
    "<method",
    "bytes",
    "<asked",
    "got pps",
    "off %",
    "<gaps of",
    "p1 ns",
    "p50",
    "p99",
    "max",
    "+-64 %",
    "+-128",
    "+-256",
    "+-512",
    "late",
    "lost",
    "latency ns",
    "p50",
    "p99-p50",
    "<",
];

/// A calibration as text: its points, how well gaps that were to be random are, what the port cannot do, and which method is best.
pub(super) fn text(calibration: &Calibration) -> String {
    let mut table = Table::new(&HEADS);
    for point in &calibration.points {
        rows(point, &mut table);
    }
    let of = |point: &Point, name: &str, gaps: &Gaps| {
        let told = fit(gaps.fit.as_ref()?);
        Some(format!("{}, {} bytes at {}, {name}: {told}\n", point.method, point.size, point.asked))
    };
    let fits = calibration.points.iter().flat_map(|point| {
        [of(point, "departures", &point.departures), of(point, "arrivals", &point.arrivals)].into_iter().flatten()
    });
    let refused = calibration.refused.iter().map(|refused| format!("{}: {}\n", refused.method, refused.why));
    let best = match best(&calibration.trials(), |_| true) {
        _ if calibration.points.iter().any(|point| point.arrivals.fit.is_some()) => String::new(),
        Some(method) => format!("best: {method}\n"),
        None => "best: none has kept all of its rates without a loss; streams are paced by software\n".to_owned(),
    };
    let key = &calibration.key;
    let head = format!("{} on {}, kernel {}, {}\n", key.device, key.cpu, key.kernel, key.dpdk);
    [head, table.text(), fits.collect(), refused.collect(), best].concat()
}

/// By what part the mean rate of a Poisson process may be off, three times in a thousand: three standard deviations.
#[allow(clippy::cast_precision_loss, reason = "a part")]
fn by_chance(point: &Point) -> f64 {
    point.departures.fit.as_ref().map_or(0.0, |fit| 3.0 / (fit.samples.max(1) as f64).sqrt())
}

/// A row for the gaps of departures and of arrivals each, the first of them with what is the point's.
fn rows(point: &Point, table: &mut Table) {
    let missed = if point.off.abs() > MOST_OFF + by_chance(point) { "MISSED " } else { "" };
    let came = match (point.method, point.strangers) {
        (Method::Filler, 1..) => format!("UNFIT: {} fillers were received ", point.strangers),
        _ => String::new(),
    };
    let remark = format!("{missed}{came}{}", point.disturbed.as_deref().unwrap_or_default());
    let none = || ["-"; 3].map(str::to_owned);
    let latency = point.latency.as_ref().map_or_else(none, floor::Latency::cells);
    let observed = point.observed.iter().map(|gaps| ("departures, the kernel", gaps));
    let all = [("departures", &point.departures), ("arrivals", &point.arrivals)].into_iter().chain(observed);
    for (number, (of, gaps)) in all.enumerate() {
        let first = |text: &str| if number == 0 { text.to_owned() } else { String::new() };
        let ns = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
        let share =
            |at: usize| gaps.within.get(at).map_or_else(|| "-".to_owned(), |part| format!("{:.1}", part * 100.0));
        let [least, half, jitter] = &latency;
        table.row([
            first(&point.method.to_string()),
            first(&point.size.to_string()),
            first(&point.asked),
            first(&format!("{:.1}", point.got_pps)),
            first(&format!("{:+.4}", point.off * 100.0)),
            of.to_owned(),
            ns(gaps.p1_ns),
            ns(gaps.p50_ns),
            ns(gaps.p99_ns),
            ns(gaps.max_ns),
            share(0),
            share(1),
            share(2),
            share(3),
            first(&point.late.to_string()),
            first(&point.lost.to_string()),
            first(least),
            first(half),
            first(jitter),
            first(&remark),
        ]);
    }
}
