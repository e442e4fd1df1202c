//! TRex's field engine: the instructions of a stream's `vm`.

use super::ranges;
use super::written::{number, table};
use super::yaml::{Kind, Node};
use super::{Converted, Refused};
use toml::{Table, Value};

/// What a stream's instructions came to.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) vary: Vec<Value>,
    pub(super) sizes: Option<Value>,
}

/// A variable: its draw, and what is done with it.
struct Variable<'n> {
    name: &'n str,
    /// Bytes of its values.
    size: usize,
    draw: Table,
    node: &'n Node,
    /// It moves on when this one begins anew.
    carried_by: Option<&'n str>,
}

/// A place that a variable is written to.
struct Write<'n> {
    /// The variable's name, and for a tuple the part of it.
    name: &'n str,
    place: Table,
    node: &'n Node,
}

const FLOW: [&str; 11] = [
    "type",
    "name",
    "op",
    "size",
    "init_value",
    "min_value",
    "max_value",
    "step",
    "value_list",
    "next_var",
    "split_to_cores",
];
const TUPLE: [&str; 8] = ["type", "name", "ip_min", "ip_max", "port_min", "port_max", "limit_flows", "flags"];
const LIMITED: [&str; 9] =
    ["type", "name", "size", "limit", "seed", "min_value", "max_value", "next_var", "split_to_cores"];
const WRITTEN: [&str; 5] = ["type", "name", "add_value", "is_big_endian", "pkt_offset"];
const MASKED: [&str; 8] =
    ["type", "name", "add_value", "is_big_endian", "pkt_offset", "pkt_cast_size", "mask", "shift"];

/// Converts the instructions for a stream whose packets begin with `packet`.
pub(super) fn program(vm: &Node, packet: &[u8], converted: &mut Converted) -> Result<Program, Refused> {
    let instructions = match &vm.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            vm.only(&["instructions", "split_by_var", "cache_size", "cache"])?;
            match vm.get("instructions") {
                Some(node) if !node.is_empty() => node.list()?,
                _ => &[],
            }
        }
        _ if vm.is_empty() => &[],
        _ => vm.list()?,
    };
    let (mut variables, mut writes, mut trimmed) = (Vec::new(), Vec::new(), None);
    for node in instructions {
        match node.need("type")?.text()? {
            "flow_var" => variables.push(flow(node, converted)?),
            "flow_var_rand_limit" => variables.push(limited(node)?),
            "tuple_flow_var" => variables.push(tuple(node)?),
            "write_flow_var" => writes.push(written(node, &variables, packet)?),
            "write_mask_flow_var" => writes.push(masked(node, packet)?),
            "trim_pkt_size" => {
                node.only(&["type", "name"])?;
                trimmed = Some(node.need("name")?);
            }
            // All checksums are computed, unless the stream says otherwise.
            "fix_checksum_ipv4" | "fix_checksum_hw" | "fix_checksum_icmpv6" => {}
            other => {
                let known = "flow_var, flow_var_rand_limit, tuple_flow_var, write_flow_var, write_mask_flow_var, trim_pkt_size, \
                             fix_checksum_ipv4, fix_checksum_hw, fix_checksum_icmpv6";
                return Err(Refused::new(node.line, format!("the instruction {other:?} is not known; known: {known}")));
            }
        }
    }
    assemble(variables, writes, trimmed)
}

/// Puts variables and places together.
fn assemble(variables: Vec<Variable<'_>>, writes: Vec<Write<'_>>, trimmed: Option<&Node>) -> Result<Program, Refused> {
    let mut program = Program::default();
    let trimmed_name = trimmed.map(Node::text).transpose()?;
    for write in &writes {
        let base = write.name.split('.').next().unwrap_or_default();
        if !variables.iter().any(|variable| variable.name == base || variable.name == write.name) {
            return Err(Refused::new(write.node.line, format!("no variable before it is called {:?}", write.name)));
        }
    }
    for variable in carried_first(variables)? {
        let own: Vec<&Write<'_>> =
            writes.iter().filter(|write| write.name.split('.').next() == Some(variable.name)).collect();
        if trimmed_name == Some(variable.name) {
            program.sizes = Some(variable.draw.into());
            program.vary.extend(own.iter().filter_map(|write| length(write)));
            continue;
        }
        program.vary.extend(items(&variable, &own));
    }
    match (trimmed, &program.sizes) {
        (Some(node), None) => Err(Refused::new(node.line, format!("no variable is called {:?}", node.text()?))),
        _ => Ok(program),
    }
}

/// The items of a variable: one, where it is written to one place and has values of one kind.
fn items(variable: &Variable<'_>, writes: &[&Write<'_>]) -> Vec<Value> {
    let is_tuple = variable.draw.contains_key("clients");
    let mut first = variable.draw.clone();
    if let Some(before) = variable.carried_by {
        first.insert("carry".to_owned(), before.into());
    }
    if let [only] = writes
        && (!is_tuple || only.name.ends_with(".ip"))
    {
        first.extend(only.place.clone());
        first.insert("name".to_owned(), variable.name.into());
        return vec![first.into()];
    }
    first.insert("name".to_owned(), variable.name.into());
    let of = |write: &&Write<'_>| {
        let mut item = write.place.clone();
        let name = write.name.strip_suffix(".ip").filter(|_| is_tuple).unwrap_or(write.name);
        item.insert("of".to_owned(), name.into());
        Value::from(item)
    };
    std::iter::once(first.into()).chain(writes.iter().map(of)).collect()
}

/// A place for the packet's length; none where it is a header's own length, which follows by itself.
fn length(write: &Write<'_>) -> Option<Value> {
    let field = write.place.get("field").and_then(Value::as_str).unwrap_or_default();
    if ["length", "total_length", "payload_length"].iter().any(|name| field.ends_with(&format!(".{name}"))) {
        return None;
    }
    let mut item = write.place.clone();
    item.insert("of".to_owned(), "length".into());
    Some(item.into())
}

/// A variable whose round lets another one move on comes before that one.
fn carried_first(variables: Vec<Variable<'_>>) -> Result<Vec<Variable<'_>>, Refused> {
    let mut sorted: Vec<Variable<'_>> = Vec::new();
    let mut rest = variables;
    while !rest.is_empty() {
        let next = rest.iter().position(|one| !rest.iter().any(|other| other.next() == Some(one.name)));
        let Some(next) = next else {
            return Err(Refused::new(rest[0].node.line, "variables that move on each other go round in a circle"));
        };
        let mut one = rest.remove(next);
        one.carried_by = sorted.iter().find(|before| before.next() == Some(one.name)).map(|before| before.name);
        sorted.push(one);
    }
    Ok(sorted)
}

impl<'n> Variable<'n> {
    /// The variable that moves on when this one begins anew.
    fn next(&self) -> Option<&'n str> {
        self.node.get("next_var").filter(|node| !node.is_empty()).and_then(|node| node.text().ok())
    }
}

fn flow<'n>(node: &'n Node, converted: &mut Converted) -> Result<Variable<'n>, Refused> {
    node.only(&FLOW)?;
    let (name, size) = (node.need("name")?.text()?, size(node)?);
    let op = node.get("op").map_or(Ok("inc"), Node::text)?;
    let mut draw = Table::new();
    let step = node.get("step").map_or(Ok(1), Node::signed)?;
    match op {
        "inc" if step == 1 => {}
        "inc" | "dec" => {
            draw.insert("step".into(), (if op == "inc" { step } else { step.saturating_neg() }).into());
        }
        "random" => {
            draw.insert("draw".into(), "random".into());
        }
        other => {
            let what = format!("op {other:?} is not known; known: inc, dec, random");
            return Err(Refused::new(node.need("op")?.line, what));
        }
    }
    if let Some(list) = node.get("value_list").filter(|list| !list.is_empty()) {
        let values = list.list()?.iter().map(|value| value.unsigned().map(number)).collect::<Result<Vec<_>, _>>()?;
        if values.len() > 16 {
            return Err(Refused::new(
                list.line,
                format!("{} values are more than the 16 that an item takes", values.len()),
            ));
        }
        draw.insert("values".into(), values.into());
    } else {
        let least = node.get("min_value").map_or(Ok(0), Node::unsigned)?;
        let most = most(node, size)?;
        draw.extend(table([("from", number(least)), ("to", number(most))]));
        if let Some(init) = node.get("init_value").filter(|_| op != "random") {
            let start = init.unsigned()?;
            if (least..=most).contains(&start) {
                let usual = if op == "dec" { most } else { least };
                draw.extend((start != usual).then(|| ("start".to_owned(), number(start))));
            } else {
                let first = if op == "dec" { most } else { least };
                let what = format!("init_value {start} is not from {least} to {most}: {name} begins at {first}");
                converted.tell(init.line, what);
            }
        }
    }
    Ok(Variable { name, size, draw, node, carried_by: None })
}

fn size(node: &Node) -> Result<usize, Refused> {
    let Some(size) = node.get("size") else { return Ok(4) };
    match size.unsigned()? {
        number @ (1 | 2 | 4 | 8) => Ok(usize::try_from(number).unwrap_or(8)),
        other => Err(Refused::new(size.line, format!("a variable of {other} bytes: there are 1, 2, 4 and 8"))),
    }
}

/// The largest value of a variable.
fn most(node: &Node, size: usize) -> Result<u64, Refused> {
    let limit = u64::MAX >> (64 - 8 * size);
    let Some(most) = node.get("max_value") else { return Ok(limit) };
    match most.unsigned()? {
        number if number <= limit => Ok(number),
        number => Err(Refused::new(most.line, format!("max_value {number} has no room in {size} bytes"))),
    }
}

fn limited(node: &Node) -> Result<Variable<'_>, Refused> {
    node.only(&LIMITED)?;
    let size = size(node)?;
    let least = node.get("min_value").map_or(Ok(0), Node::unsigned)?;
    let most = most(node, size)?;
    let period = number(node.need("limit")?.unsigned()?);
    let mut draw =
        table([("draw", "repeatable".into()), ("from", number(least)), ("to", number(most)), ("period", period)]);
    if let Some(seed) = node.get("seed") {
        draw.insert("seed".to_owned(), number(seed.unsigned()?));
    }
    Ok(Variable { name: node.need("name")?.text()?, size, draw, node, carried_by: None })
}

fn tuple(node: &Node) -> Result<Variable<'_>, Refused> {
    node.only(&TUPLE)?;
    let address = |key| node.need(key)?.unsigned().map(address);
    let [first, last] =
        [("port_min", 1024), ("port_max", 65535)].map(|(key, usual)| node.get(key).map_or(Ok(usual), Node::unsigned));
    let mut clients = table([
        ("from", address("ip_min")?),
        ("to", address("ip_max")?),
        ("ports", vec![number(first?), number(last?)].into()),
    ]);
    let unlimited = node.get("flags").map_or(Ok(0), Node::unsigned)? & 1 == 1;
    if let Some(flows) = node.get("limit_flows").filter(|_| !unlimited) {
        clients
            .extend(Some(flows.unsigned()?).filter(|flows| *flows != 0).map(|flows| ("flows".into(), number(flows))));
    }
    let draw = table([("clients", clients.into())]);
    Ok(Variable { name: node.need("name")?.text()?, size: 4, draw, node, carried_by: None })
}

fn address(number: u64) -> Value {
    u32::try_from(number)
        .map_or_else(|_| super::written::number(number), |bits| std::net::Ipv4Addr::from_bits(bits).to_string().into())
}

fn written<'n>(node: &'n Node, variables: &[Variable<'_>], packet: &[u8]) -> Result<Write<'n>, Refused> {
    node.only(&WRITTEN)?;
    let name = node.need("name")?.text()?;
    let variable = variables.iter().find(|variable| variable.name == name);
    let size = if name.ends_with(".port") { 2 } else { variable.map_or(4, |variable| variable.size) };
    let mut place = Table::new();
    ranges::place(packet, offset(node)? * 8, size * 8, &mut place);
    rest(node, &mut place)?;
    Ok(Write { name, place, node })
}

fn masked<'n>(node: &'n Node, packet: &[u8]) -> Result<Write<'n>, Refused> {
    node.only(&MASKED)?;
    let size = node.need("pkt_cast_size")?;
    let bytes = usize::try_from(size.unsigned()?).ok().filter(|bytes| [1, 2, 4].contains(bytes));
    let bytes = bytes.ok_or_else(|| Refused::new(size.line, "pkt_cast_size is 1, 2 or 4"))?;
    let mut place = Table::new();
    ranges::place(packet, offset(node)? * 8, bytes * 8, &mut place);
    rest(node, &mut place)?;
    let mask = node.get("mask").map_or(Ok(u64::MAX), Node::unsigned)?;
    if mask != u64::MAX {
        place.insert("mask".into(), format!("{mask:#x}").into());
    }
    let shift = node.get("shift").map_or(Ok(0), Node::signed)?;
    if shift != 0 {
        place.insert("shift".into(), shift.into());
    }
    Ok(Write { name: node.need("name")?.text()?, place, node })
}

fn offset(node: &Node) -> Result<usize, Refused> {
    let offset = node.need("pkt_offset")?;
    usize::try_from(offset.unsigned()?)
        .map_err(|_| Refused::new(offset.line, "the offset is behind every packet's end"))
}

/// What is added, and the order of the bytes.
fn rest(node: &Node, place: &mut Table) -> Result<(), Refused> {
    let add = node.get("add_value").map_or(Ok(0), Node::signed)?;
    if add != 0 {
        place.insert("add".into(), add.into());
    }
    if !node.get("is_big_endian").map_or(Ok(true), Node::bool)? {
        place.insert("little_endian".into(), true.into());
    }
    Ok(())
}
