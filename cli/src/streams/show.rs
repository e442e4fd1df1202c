//! Streams and their packets in words.

use super::make::Departure;
use super::plan::{Made, Packets, Plan};
use perigee_guest::wire::{Layers, dump, hex};
use perigee_runtime::config::stream::{Late, Levels, Pattern, Rate, Stream};
use std::time::Duration;
use toml::{Table, Value};

/// Each stream: its packets, and when they leave.
pub(super) fn streams(plan: &Plan) -> String {
    plan.made.iter().map(|made| stream(plan, made)).collect()
}

fn stream(plan: &Plan, made: &Made) -> String {
    let paced = &plan.config.streams[made.stream];
    let mut text = format!("stream {} on port {}\n", paced.name, made.port);
    text += &format!("  leaves   {}{}\n", pace(paced), limits(paced));
    if let Some(probes) = &paced.probes {
        let every = if probes.every == 1 {
            "each packet is a probe".into()
        } else {
            format!("one packet in {} is a probe", probes.every)
        };
        text += &format!("  probes   {every}, received by {}\n", probes.received_by.join(", "));
    }
    let several = made.templates.len() > 1;
    for packets in &made.templates {
        if several {
            text += &format!("  weight {}\n", packets.weight.unwrap_or(1));
        }
        text += &self::packets(packets);
    }
    let said = |key: &str| made.settings.get(key).and_then(Value::as_str);
    match said("checksums") {
        Some("none") => text += "  checksums are those of the template\n",
        Some("offload") => text += "  checksums are computed by the port, as far as it can\n",
        _ => {}
    }
    text
}

/// Headers, lengths and what varies.
fn packets(packets: &Packets) -> String {
    let (template, mut layers) = (&packets.template, Layers::new(&packets.template));
    let names: Vec<&str> = layers.by_ref().map(|place| place.name()).collect();
    let rest = layers.rest();
    let payload = if rest.is_empty() { String::new() } else { format!(", {} bytes of payload", rest.len()) };
    let size = match &packets.sizes {
        None => format!("{} bytes", template.len().max(60)),
        Some(sizes) => format!("sizes {}", draw(sizes.as_table().unwrap_or(&Table::new()))),
    };
    let mut text = format!("  packets  {size}: {}{payload}\n", names.join(", "));
    for item in packets.vary.iter().filter_map(Value::as_table) {
        let place = match (item.get("field").and_then(Value::as_str), item.get("offset")) {
            (Some(field), _) => field.to_owned(),
            (None, Some(offset)) => bits(item, offset),
            (None, None) => item.get("name").map_or_else(|| "a value".to_owned(), plain),
        };
        text += &format!("  varies   {place}: {}\n", draw(item));
    }
    text
}

fn bits(item: &Table, offset: &Value) -> String {
    let number = |key: &str, usual: i64| item.get(key).and_then(Value::as_integer).unwrap_or(usual);
    format!("{} bits from byte {offset}, bit {}", number("bits", 8), number("bit", 0))
}

/// A draw of the field engine.
fn draw(item: &Table) -> String {
    let said = |key: &str| item.get(key).map(plain);
    if let Some(other) = said("of") {
        return format!("as {other}{}", said("add").map(|add| format!(" and {add}")).unwrap_or_default());
    }
    let values = match (said("values"), said("imix"), item.get("clients").and_then(Value::as_table)) {
        (Some(values), _, _) => values,
        (_, Some(imix), _) => format!("IMIX {imix}"),
        (_, _, Some(clients)) => {
            let end = |key: &str| clients.get(key).map(plain).unwrap_or_default();
            format!("flows of clients {} to {}", end("from"), end("to"))
        }
        _ => format!("{} to {}", said("from").unwrap_or("0".into()), said("to").unwrap_or("the most that fits".into())),
    };
    let order = said("draw").unwrap_or_else(|| "counter".to_owned());
    let more = ["step", "start", "times", "carry", "weights", "exponent", "period"];
    let more = more.into_iter().filter_map(|key| Some(format!(", {key} {}", said(key)?)));
    format!("{values}, {order}{}", more.collect::<String>())
}

/// A value without the marks around a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How a stream's packets follow each other.
fn pace(stream: &Stream) -> String {
    let rate = stream.rate.map(|rate: Rate| rate.to_string()).unwrap_or_default();
    match &stream.pattern {
        Pattern::Constant => format!("at {rate}, evenly"),
        Pattern::Poisson => format!("at {rate}, with gaps by chance (Poisson)"),
        Pattern::Module => "when the module says so".to_owned(),
        Pattern::Bursts { size, gap } => {
            let gap = gap
                .map_or_else(|| "as close as the link lets them be".to_owned(), |gap| format!("{} apart", time(gap)));
            format!("at {rate}, in bursts of {size} packets, {gap}")
        }
        Pattern::OnOff { on, off, fixed } => {
            let mean = if *fixed { "" } else { " in the mean" };
            format!("at {rate}, for {} on and {} off{mean}", time(*on), time(*off))
        }
        Pattern::Mmpp { rates, hold } => {
            let levels = match rates {
                Levels::Multiples(levels) => format!("at {rate}, between levels of {levels:?}"),
                Levels::Rates(rates) => {
                    format!("between {}", rates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                }
            };
            format!("{levels}, held for {}", hold.iter().map(|hold| time(*hold)).collect::<Vec<_>>().join(", "))
        }
        Pattern::Pareto { shape } => format!("at {rate}, with gaps by Pareto's law of shape {shape}"),
        Pattern::Ramp { from, to, over, repeat } => {
            format!("from {from} to {to} over {}{}", time(*over), if *repeat { ", again and again" } else { "" })
        }
        Pattern::Trace(_) => {
            format!("with the gaps of a trace{}", if rate.is_empty() { rate } else { format!(", at {rate}") })
        }
    }
}

/// When a stream begins and ends, and what becomes of it when packets are late.
fn limits(stream: &Stream) -> String {
    let mut text = String::new();
    match (&stream.after, stream.start.is_zero()) {
        (None, true) => {}
        (None, false) => text += &format!("; begins after {}", time(stream.start)),
        (Some(after), true) => text += &format!("; begins behind {after}"),
        (Some(after), false) => text += &format!("; begins {} behind {after}", time(stream.start)),
    }
    if let Some(lasts) = stream.duration {
        text += &format!("; lasts {}", time(lasts));
    }
    if let Some(count) = stream.count {
        text += &format!("; ends after {count} packets");
    }
    text += match stream.late {
        Late::CatchUp => "",
        Late::Shift => "; late packets move the following ones",
        Late::Drop => "; late packets are dropped",
    };
    text + if stream.paused { "; waits for `perigee ctl`" } else { "" }
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// A packet: when it leaves, its headers, its bytes.
pub(super) fn packet(plan: &Plan, number: usize, departure: &Departure) -> String {
    let (made, at) = (&plan.made[departure.made], departure.at);
    let (seconds, rest) = (at / 1_000_000_000, at % 1_000_000_000);
    let mut text =
        format!("packet {number} at {seconds}.{rest:09} s: {}, {} bytes\n", plan.name(made), departure.bytes.len());
    let mut body = String::new();
    // A String takes all that is written.
    let _ = dump(&departure.bytes, &mut body).and_then(|()| hex(&departure.bytes, &mut body));
    for line in body.lines() {
        text += &format!("  {line}\n");
    }
    text
}
