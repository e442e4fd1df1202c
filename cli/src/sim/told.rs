//! What came of a simulation, in words and as JSON.

use super::{SimArgs, Tried};
use crate::summary::{self, End};
use crate::table::count;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// For people.
pub(super) fn text(tried: &Tried, args: &SimArgs) -> String {
    let mut text = String::new();
    let last = &tried.last;
    if args.seeds.is_none() || !last.broken.is_empty() {
        text += &summary::text(&last.summary, End::Simulated);
        text.push('\n');
    }
    for (at, number, what) in &last.happened {
        let _ = writeln!(text, "  {:>14} ms  event {number}: {what}", millis(*at));
    }
    let _ = writeln!(
        text,
        "{} of virtual time in {:.3} s, {:.1} times as fast as it passes: {} turns, {} packets seen on wires",
        seconds(tried.simulated),
        tried.took.as_secs_f64(),
        tried.simulated.as_secs_f64() / tried.took.as_secs_f64().max(1e-9),
        count(tried.turns),
        count(tried.packets),
    );
    if tried.last.broken.is_empty() && args.seeds.is_some() {
        let _ = writeln!(text, "{} seeds from {}: nothing broke", count(tried.seeds), tried.first);
    }
    let _ = writeln!(text, "seed {}, digest {}", last.seed, last.digest);
    if !last.broken.is_empty() {
        let _ = writeln!(
            text,
            "\nSeed {} breaks what should hold. To see it again:\n  {}",
            last.seed,
            command(tried, args)
        );
    }
    text
}

/// The command that shows it again.
fn command(tried: &Tried, args: &SimArgs) -> String {
    let mut command = format!("perigee sim {} --seed {}", args.config.display(), tried.last.seed);
    if let Some(duration) = args.duration {
        let _ = write!(command, " --for {}ns", duration.as_nanos());
    }
    if let Some(lcores) = args.lcores {
        let _ = write!(command, " --lcores {lcores}");
    }
    if let Some(events) = tried.needed.as_ref().or(args.events.as_ref()) {
        let numbers: Vec<String> = events.iter().map(ToString::to_string).collect();
        if numbers.is_empty() {
            command += "\n(none of its events is needed for it)";
        } else {
            let _ = write!(command, " --events {}", numbers.join(","));
        }
    }
    command
}

/// For programs.
pub(super) fn json(tried: &Tried) -> Value {
    let last = &tried.last;
    let happened = last.happened.iter().map(|(at, number, what)| json!({ "at_ns": at, "event": number, "what": what }));
    json!({
        "seeds": tried.seeds,
        "seed": last.seed,
        "digest": last.digest,
        "virtual_ns": u64::try_from(tried.simulated.as_nanos()).unwrap_or(u64::MAX),
        "took_ns": u64::try_from(tried.took.as_nanos()).unwrap_or(u64::MAX),
        "turns": tried.turns,
        "packets": tried.packets,
        "happened": happened.collect::<Vec<_>>(),
        "broken": last.broken,
        "needed_events": tried.needed,
        "summary": last.summary,
    })
}

fn millis(ns: u64) -> String {
    format!("{:.6}", Duration::from_nanos(ns).as_secs_f64() * 1e3)
}

fn seconds(time: Duration) -> String {
    if time >= Duration::from_secs(1) {
        format!("{:.3} s", time.as_secs_f64())
    } else {
        format!("{:.3} ms", time.as_secs_f64() * 1e3)
    }
}
