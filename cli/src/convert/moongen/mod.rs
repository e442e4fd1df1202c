//! The flow files of moongen-simple.

use super::lua::{Kind, Table as Fields, Value, read};
use super::written::{Stream, number, rate, table, unique};
use super::{Converted, Refused};
use toml::Table;

mod fields;
mod units;

use fields::{Dynamic, Packet};

/// Options of a flow.
const OPTIONS: [&str; 9] =
    ["parent", "rate", "ratePattern", "mode", "timeLimit", "dataLimit", "timestamp", "uid", "uniquePayload"];

/// A flow with all that it has from its parents.
#[derive(Clone, Debug)]
struct Flow {
    name: String,
    line: usize,
    packet: Packet,
    options: Vec<(String, Value)>,
}

impl Flow {
    fn option(&self, key: &str) -> Option<&Value> {
        let set = self.options.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value);
        set.filter(|value| !matches!(value.kind, Kind::Nil | Kind::Bool(false)))
    }
}

/// Converts a file of flows.
pub(super) fn convert(text: &str) -> Result<Converted, Refused> {
    let mut converted = Converted::default();
    let mut flows: Vec<Flow> = Vec::new();
    for call in read(text)? {
        let flow = flow(&call, &flows)?;
        let stream = stream(&flow, &mut converted)?;
        converted.streams.push(stream);
        flows.push(flow);
    }
    if flows.is_empty() {
        return Err(Refused::new(1, "there is no Flow{...} in it"));
    }
    Ok(converted)
}

/// Reads `Flow{"name", Packet.Kind{...}, option = value}`.
fn flow(call: &Value, known: &[Flow]) -> Result<Flow, Refused> {
    let wrong = |what: &str| Err(Refused::new(call.line, what));
    let Kind::Call(name, arguments) = &call.kind else { return wrong("no call") };
    let ("Flow", [Value { kind: Kind::Table(Fields { named, items }), .. }]) = (name.as_str(), arguments.as_slice())
    else {
        return wrong(&format!("`{name}` is not read here: a file has Flow{{...}} alone"));
    };
    let [Value { kind: Kind::Text(name), .. }, packet] = items.as_slice() else {
        return wrong("a flow is its name and its packet: Flow{\"name\", Packet.Udp{...}}");
    };
    if let Some((key, value)) = named.iter().find(|(key, _)| !OPTIONS.contains(&key.as_str())) {
        let what = format!("the option `{key}` is not known; known: {}", OPTIONS.join(", "));
        return Err(Refused::new(value.line, what));
    }
    let mut packet = Packet::read(packet)?;
    let mut options = Vec::new();
    if let Some((_, parent)) = named.iter().find(|(key, _)| key == "parent") {
        let Kind::Text(wanted) = &parent.kind else {
            return Err(Refused::new(parent.line, "a parent is a flow's name"));
        };
        let Some(parent) = known.iter().find(|flow| flow.name == *wanted) else {
            let what = format!("the parent {wanted:?} is not above in this file: put it there");
            return Err(Refused::new(parent.line, what));
        };
        packet.inherit(&parent.packet);
        options.clone_from(&parent.options);
    }
    options.extend(named.iter().filter(|(key, _)| key != "parent").cloned());
    Ok(Flow { name: name.clone(), line: call.line, packet, options })
}

fn stream(flow: &Flow, converted: &mut Converted) -> Result<Stream, Refused> {
    let mut stream = Stream::default();
    let made = flow.packet.made(flow.line, converted)?;
    stream.set("name", unique(&flow.name, &converted.streams));
    stream.set("port", "out");
    stream.set("headers", made.headers);
    stream.set("size", number(made.size.into()));
    let vary = vary(flow, made.dynamic, converted)?;
    stream.set_some("vary", (!vary.is_empty()).then_some(vary));
    let len = f64::from(made.size) + units::FCS;
    match flow.option("rate") {
        Some(said) => stream.set("rate", rate(units::rate(said, len)? / (len * 8.0), "pps")),
        None => {
            converted.tell(
                flow.line,
                format!("flow {:?} has no rate: it gets all of the link, rate = \"100 %\"", flow.name),
            );
            stream.set("rate", "100 %");
        }
    }
    match flow.option("ratePattern").map(|pattern| (&pattern.kind, pattern.line)) {
        None => {}
        Some((Kind::Text(text), _)) if text == "cbr" => {}
        Some((Kind::Text(text), _)) if text == "poisson" => stream.set("pattern", "poisson"),
        Some((_, line)) => return Err(Refused::new(line, "ratePattern is \"cbr\" or \"poisson\"")),
    }
    if let Some(limit) = flow.option("timeLimit") {
        stream.set("duration", units::duration(limit)?);
    }
    if let Some(limit) = flow.option("dataLimit") {
        stream.set("count", number(units::packets(limit, len)?));
    }
    for (key, instead) in [
        ("timestamp", "`probes` of a stream measures, for any packets"),
        ("uid", "streams are told apart without a field of their packets"),
        ("uniquePayload", "an item of `vary` makes payloads differ"),
    ] {
        if let Some(option) = flow.option(key) {
            converted.tell(option.line, format!("`{key}` is left away: {instead}"));
        }
    }
    Ok(stream)
}

/// The items of what changes from packet to packet, in the flow's mode.
fn vary(flow: &Flow, dynamic: Vec<Dynamic>, converted: &mut Converted) -> Result<Vec<toml::Value>, Refused> {
    let several = dynamic.len();
    let mode = flow.option("mode");
    let name = match mode.map(|mode| (&mode.kind, mode.line)) {
        None => "single".to_owned(),
        Some((Kind::Text(name), _)) => name.to_lowercase(),
        Some((_, line)) => return Err(Refused::new(line, "a mode that is a function is a program, and no Lua is run")),
    };
    let line = mode.map_or(flow.line, |mode| mode.line);
    let each: Vec<Table> = dynamic
        .into_iter()
        .map(|Dynamic { field, draw }| table([("field", field.into())]).into_iter().chain(draw).collect())
        .collect();
    match name.as_str() {
        "none" => return Ok(Vec::new()),
        "all" => {}
        _ if several <= 1 => {}
        "single" => {
            let what = format!(
                "mode \"single\": {several} fields change in turn there; here each value stays for {several} packets, and \
                 all change together"
            );
            converted.tell(line, what);
            let times = number(several as u64);
            let slow = |mut item: Table| {
                item.insert("times".to_owned(), times.clone());
                item.into()
            };
            return Ok(each.into_iter().map(slow).collect());
        }
        "alternating" | "random" | "random_alt" => {
            let what =
                format!("mode {name:?} with {several} fields that change has no counterpart: write mode = \"all\"");
            return Err(Refused::new(line, what));
        }
        _ => {
            let known = "none, single, alternating, random, random_alt, all";
            return Err(Refused::new(line, format!("mode {name:?} is not known; known: {known}")));
        }
    }
    Ok(each.into_iter().map(toml::Value::from).collect())
}
