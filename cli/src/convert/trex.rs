//! TRex's STL profiles in YAML.

use super::ranges::headers;
use super::vm::{Program, program};
use super::written::{Stream, micros, number, rate as rate_of, table, unique};
use super::yaml::{Node, read};
use super::{Converted, Refused};
use crate::streams::hex;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pcap_file::pcap::PcapReader;
use std::path::Path;
use toml::Value;

/// Keys of an entry, and of its `stream`.
const ENTRY: [&str; 5] = ["name", "next", "stream", "stream_id", "id"];
const STREAM: [&str; 18] = [
    "action_count",
    "advanced_mode",
    "core_id",
    "dummy_stream",
    "enabled",
    "flags",
    "flow_stats",
    "isg",
    "mac_override_by_pkt",
    "meta",
    "mode",
    "next",
    "packet",
    "random_seed",
    "rx_stats",
    "self_start",
    "start_paused",
    "vm",
];
const MODE: [&str; 11] = [
    "type",
    "pps",
    "bps_L1",
    "bps_L2",
    "percentage",
    "rate",
    "total_pkts",
    "pkts_per_burst",
    "ibg",
    "count",
    "burst_count",
];
/// Ethernet's frame check sequence, which TRex counts on layer 2.
const FCS: f64 = 4.0;

/// Converts a profile. Its captures are looked for in `base` and where the program was started.
pub(super) fn convert(text: &str, base: &Path) -> Result<Converted, Refused> {
    let root = read(text)?;
    let mut converted = Converted::default();
    let entries = root.list()?;
    // Which stream each starts when it is over.
    let mut followers = Vec::new();
    for entry in entries {
        entry.only(&ENTRY)?;
        let own = entry.get("name").map_or(Ok("stream"), Node::text)?;
        let name = unique(own, &converted.streams);
        let stream = entry.need("stream")?;
        let next = entry.get("next").or(stream.get("next")).filter(|next| !next.is_empty());
        if let Some(next) = next
            && !["-1", "NONE", "None"].contains(&next.text()?)
        {
            followers.push((next, name.clone()));
        }
        one(entry, stream, name, base, &mut converted)?;
    }
    chain(entries, &followers, converted)
}

/// Lets streams that do not start by themselves begin behind those that name them.
fn chain(entries: &[Node], followers: &[(&Node, String)], mut converted: Converted) -> Result<Converted, Refused> {
    for (next, before) in followers {
        let wanted = next.text()?;
        let Some(index) = converted.streams.iter().position(|stream| stream.name() == wanted) else {
            return Err(Refused::new(next.line, format!("there is no stream {wanted:?} to go on with")));
        };
        let stream = entries[index].need("stream")?;
        if stream.get("self_start").map_or(Ok(true), Node::bool)? {
            let what = format!("{wanted:?} starts by itself and behind {before:?} again: a stream runs once here");
            return Err(Refused::new(next.line, what));
        }
        converted.streams[index].set("after", before.clone());
    }
    for (index, entry) in entries.iter().enumerate() {
        let stream = entry.need("stream")?;
        let starts = stream.get("self_start").map_or(Ok(true), Node::bool)?;
        let name = converted.streams[index].name().to_owned();
        if !starts && !followers.iter().any(|(next, _)| next.text() == Ok(name.as_str())) {
            converted.streams[index].set("paused", true);
            converted.tell(stream.line, format!("nothing starts {name:?}: it waits for `perigee ctl`"));
        }
    }
    Ok(converted)
}

fn one(entry: &Node, stream: &Node, name: String, base: &Path, converted: &mut Converted) -> Result<(), Refused> {
    stream.only(&STREAM)?;
    refuse_what_differs(stream, converted)?;
    let packet = packet(stream.need("packet")?, base)?;
    let none = Node { line: entry.line, kind: super::yaml::Kind::List(Vec::new()) };
    let Program { vary, sizes } = program(stream.get("vm").unwrap_or(&none), &packet, converted)?;
    let mut made = Stream::default();
    made.comments.push(headers(&packet));
    made.set("name", name);
    made.set("port", "out");
    made.set("packet", hex(&packet));
    made.set_some("sizes", sizes);
    made.set_some("vary", Some(vary).filter(|vary| !vary.is_empty()));
    if let Some(seed) = stream.get("random_seed") {
        made.set_some("seed", Some(seed.unsigned()?).filter(|seed| *seed != 0).map(number));
    }
    mode(stream.need("mode")?, packet.len(), &mut made)?;
    let isg = stream.get("isg").map_or(Ok(0.0), Node::number)?;
    made.set_some("start", (isg > 0.0).then(|| micros(isg)));
    converted.streams.push(made);
    Ok(())
}

/// What would change the packets or their times is refused, what would not is told.
fn refuse_what_differs(stream: &Node, converted: &mut Converted) -> Result<(), Refused> {
    for (key, why) in [("action_count", "streams that go round"), ("flags", "addresses that TRex fills in")] {
        if let Some(node) = stream.get(key)
            && node.signed()? > 0
        {
            return Err(Refused::new(node.line, format!("`{key}`: {why} have no counterpart here; 0 is taken")));
        }
    }
    for key in ["flow_stats", "rx_stats"] {
        let Some(node) = stream.get(key).filter(|node| !node.is_empty()) else { continue };
        if node.get("enabled").map_or(Ok(true), Node::bool)? {
            converted
                .tell(node.line, format!("`{key}` is left away: `probes` measures, without a field of the packets"));
        }
    }
    if let Some(node) = stream.get("enabled")
        && !node.bool()?
    {
        return Err(Refused::new(node.line, "the stream is not enabled: take it out of the profile"));
    }
    if let Some(node) = stream.get("core_id")
        && node.signed()? >= 0
    {
        converted.tell(node.line, "`core_id` is left away: `lcores` names CPUs");
    }
    Ok(())
}

/// The packet's bytes: in the profile, or the first of a capture.
fn packet(node: &Node, base: &Path) -> Result<Vec<u8>, Refused> {
    node.only(&["pcap", "binary", "meta", "model"])?;
    let bytes = match (node.get("pcap"), node.get("binary")) {
        (Some(file), None) => capture(file, base)?,
        // Older profiles have a capture's name there.
        (None, Some(binary)) if binary.text()?.ends_with(".pcap") => capture(binary, base)?,
        (None, Some(binary)) => {
            let decoded = BASE64_STANDARD.decode(binary.text()?);
            decoded.map_err(|error| Refused::new(binary.line, format!("the packet is no base64: {error}")))?
        }
        _ => return Err(Refused::new(node.line, "a packet is either `pcap` or `binary`")),
    };
    if (14..=1536).contains(&bytes.len()) {
        return Ok(bytes);
    }
    Err(Refused::new(node.line, format!("a packet of {} bytes: templates have 14 to 1536", bytes.len())))
}

fn capture(file: &Node, base: &Path) -> Result<Vec<u8>, Refused> {
    let name = file.text()?;
    let wrong = |what: &dyn std::fmt::Display| Refused::new(file.line, format!("{name}: {what}"));
    // TRex looks beside the profile, and where it was started.
    let beside = base.join(name);
    let path = if beside.is_file() { beside.as_path() } else { Path::new(name) };
    let opened = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    let mut reader = PcapReader::new(opened).map_err(|error| wrong(&error))?;
    match reader.next_packet() {
        Some(Ok(packet)) => Ok(packet.data.into_owned()),
        Some(Err(error)) => Err(wrong(&error)),
        None => Err(wrong(&"there is no packet in it")),
    }
}

/// When the packets leave.
fn mode(mode: &Node, len: usize, made: &mut Stream) -> Result<(), Refused> {
    mode.only(&MODE)?;
    let (rate, in_pps) = rate(mode, len)?;
    let need = |key: &str| mode.need(key)?.unsigned();
    match mode.need("type")?.text()? {
        "continuous" => made.set("rate", rate),
        "single_burst" => {
            made.set("rate", rate);
            made.set("count", number(need("total_pkts")?));
        }
        "multi_burst" => {
            let size = need("pkts_per_burst")?;
            let bursts = mode.get("count").or(mode.get("burst_count"));
            let Some(within) = in_pps else {
                return Err(Refused::new(
                    mode.line,
                    "multi_burst needs a rate in pps: the pauses between bursts depend on it",
                ));
            };
            let ibg = mode.get("ibg").map_or(Ok(0.0), Node::number)?;
            #[allow(clippy::cast_precision_loss, reason = "bursts are short")]
            let (packets, gap) = (size as f64, 1e6 / within);
            let period = (packets - 1.0).max(0.0) * gap + ibg.max(gap);
            made.set("rate", rate_of(packets * 1e6 / period, "pps"));
            let shape = [("kind", "bursts".into()), ("size", number(size)), ("gap", micros(gap).into())];
            made.set("pattern", Value::from(table(shape)));
            let bursts = bursts.map_or(Ok(0), Node::unsigned)?;
            made.set_some("count", (bursts != 0).then(|| number(bursts.saturating_mul(size))));
        }
        other => {
            let what = format!("mode {other:?} is not known; known: continuous, single_burst, multi_burst");
            return Err(Refused::new(mode.line, what));
        }
    }
    Ok(())
}

/// The rate; and in packets per second, where it is.
fn rate(mode: &Node, len: usize) -> Result<(String, Option<f64>), Refused> {
    let keys = ["pps", "bps_L1", "bps_L2", "percentage"];
    let (unit, value) = match mode.get("rate") {
        Some(rate) => {
            rate.only(&["type", "value"])?;
            (rate.need("type")?.text()?, rate.need("value")?)
        }
        None => keys.iter().find_map(|key| Some((*key, mode.get(key)?))).unwrap_or(("pps", mode)),
    };
    if std::ptr::eq(value, mode) {
        return Ok((rate_of(1.0, "pps"), Some(1.0)));
    }
    let number = value.number()?;
    if number <= 0.0 {
        return Err(Refused::new(value.line, "a rate of 0: nothing would leave"));
    }
    #[allow(clippy::cast_precision_loss, reason = "packets are short")]
    let bits = (len.max(60) as f64 + FCS) * 8.0;
    match unit {
        "pps" => Ok((rate_of(number, "pps"), Some(number))),
        "bps_L1" => Ok((rate_of(number, "bit/s l1"), None)),
        "bps_L2" => Ok((rate_of(number / bits, "pps"), Some(number / bits))),
        "percentage" => Ok((rate_of(number, "%"), None)),
        other => Err(Refused::new(value.line, format!("a rate in {other:?} is not known; known: {}", keys.join(", ")))),
    }
}
