//! What is checked of a configuration: each mistake has one text that says where it is and how to mend it.

use crate::config::{Config, FORWARDS_MAX, Forward, ForwardConfig, PREFIXES_MAX, SLICES_MAX, Timers};
use crate::pool::{Pool, Ports, Range, Slice};
use crate::table::BLOCKS_MAX;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{Ipv4Addr, SocketAddrV4};
use perigee_guest::config::List;
use perigee_guest::state::Prefix;
use perigee_guest::{Refusal, Setup, Text};

/// Most addresses outside: a host keeps the number of its own in 16 bits.
const ADDRESSES_MAX: u64 = 65_534;
/// Longest timer in seconds: times are kept in 32 bits of milliseconds.
const TIMER_MAX: u32 = 30 * 86_400;

/// A refusal whose text is formatted.
fn refuse(text: core::fmt::Arguments<'_>) -> Refusal {
    let mut line = Text::<240>::new();
    let _ = line.write_fmt(text);
    line.into()
}

/// Most entries of a table: the state region takes no more.
const ENTRIES_MAX: u32 = 1 << 24;

/// How many entries a table has.
pub(crate) fn count(key: &str, count: u32) -> Result<u32, Refusal> {
    if (4..=ENTRIES_MAX).contains(&count) {
        return Ok(count);
    }
    Err(refuse(format_args!("{key}: {count}; 4 to {ENTRIES_MAX}")))
}

/// Prefixes, none of which overlaps another.
pub(crate) fn prefixes(key: &str, list: &List<Text<18>, PREFIXES_MAX>) -> Result<Vec<Range>, Refusal> {
    let mut ranges: Vec<Range> = Vec::new();
    for text in list.iter() {
        let text = text.as_str();
        let prefix: Prefix<Ipv4Addr> =
            text.parse().map_err(|error| refuse(format_args!("{key}: \"{text}\": {error}")))?;
        let range = Range { first: prefix.address().to_bits(), last: prefix.last().to_bits() };
        if let Some(other) = ranges.iter().find(|other| other.overlaps(range)) {
            let other = Ipv4Addr::from_bits(other.first);
            return Err(refuse(format_args!(
                "{key}: \"{text}\" overlaps the prefix that begins with {other}: name each address once"
            )));
        }
        ranges.push(range);
    }
    if ranges.is_empty() && key == "inside" {
        return Err(Refusal::new("inside: which addresses are inside? At least one prefix, such as \"10.0.0.0/8\""));
    }
    Ok(ranges)
}

/// An address is inside or outside, not both.
pub(crate) fn apart(inside: &[Range], pools: &[Range]) -> Result<(), Refusal> {
    let count: u64 = pools.iter().map(|range| range.len()).sum();
    if count > ADDRESSES_MAX {
        return Err(refuse(format_args!("pools: {count} addresses; at most {ADDRESSES_MAX}")));
    }
    let both = pools.iter().find(|pool| inside.iter().any(|range| range.overlaps(**pool)));
    both.map_or(Ok(()), |pool| {
        let first = Ipv4Addr::from_bits(pool.first);
        Err(refuse(format_args!(
            "pools: the prefix that begins with {first} overlaps one of `inside`: an address is on one side"
        )))
    })
}

/// Which part of the ports is ours: what the configuration says, else by the number of the instance.
pub(crate) fn slice(config: &Config, setup: &Setup<'_>) -> Result<Slice, Refusal> {
    let (instance, instances) = setup.instance();
    let slice = match config.slice {
        // Who steers has no ports of its own, but must know how they are divided.
        _ if config.steer => Slice { index: 0, of: u32::try_from(config.rings.iter().count()).unwrap_or(1).max(1) },
        Some(_) if instances > 1 => {
            return Err(Refusal::new(
                "slice: the chain runs on several lcores, which divide the ports by themselves: leave it away",
            ));
        }
        Some(slice) => Slice { index: slice.index, of: slice.of },
        None => Slice { index: instance, of: instances.max(1) },
    };
    if slice.of == 0 || slice.of as usize > SLICES_MAX || slice.index >= slice.of {
        return Err(refuse(format_args!(
            "slice: {} of {}: `of` must be 1 to {SLICES_MAX}, and `index` less than it",
            slice.index, slice.of
        )));
    }
    Ok(slice)
}

/// The dynamic ports, which the slices divide evenly; each has an even number, so that parity and pairs stay within it.
pub(crate) fn ports([first, last]: [u16; 2], slice: Slice) -> Result<Ports, Refusal> {
    if first == 0 || first >= last {
        return Err(refuse(format_args!("ports: [{first}, {last}]: the first must be at least 1 and below the last")));
    }
    let all = Ports { first, last };
    if slice.of > 1 && !all.len().is_multiple_of(2 * slice.of) {
        return Err(refuse(format_args!(
            "ports: {} ports cannot be divided among {} instances in even parts: make it a multiple of {}",
            all.len(),
            slice.of,
            2 * slice.of
        )));
    }
    Ok(all)
}

/// Blocks divide the ports of an instance, and with `deterministic` there are as many as hosts.
pub(crate) fn blocks(pool: &Pool, inside: &[Range]) -> Result<(), Refusal> {
    let Some(blocks) = pool.blocks else { return Ok(()) };
    let ports = pool.ports().len();
    if blocks.size == 0 || !ports.is_multiple_of(blocks.size.into()) {
        return Err(refuse(format_args!(
            "blocks.size: {} does not divide the {ports} ports of each address: choose one that does, or other `ports`",
            blocks.size
        )));
    }
    if blocks.most == 0 || usize::from(blocks.most) > BLOCKS_MAX {
        return Err(refuse(format_args!("blocks.most: {}; 1 to {BLOCKS_MAX}", blocks.most)));
    }
    if blocks.deterministic && blocks.most != 1 {
        return Err(Refusal::new("blocks.most: with `deterministic` each host has one block: leave it away"));
    }
    let hosts: u64 = inside.iter().map(|range| range.len()).sum();
    let there = u64::from(pool.block_count()) * u64::from(pool.len());
    if blocks.deterministic && hosts > there {
        return Err(refuse(format_args!(
            "blocks.deterministic: `inside` has {hosts} addresses, and the pools have {there} blocks: smaller blocks, \
             more addresses outside, or fewer inside"
        )));
    }
    Ok(())
}

/// Forwards, no two from one port, none from a port that may be given to somebody else.
pub(crate) fn forwards(
    list: &List<ForwardConfig, FORWARDS_MAX>,
    inside: &[Range],
    pools: &[Range],
    dynamic: Ports,
) -> Result<Vec<Forward>, Refusal> {
    let numbers = |socket: SocketAddrV4| (socket.ip().to_bits(), socket.port());
    let mut forwards: Vec<Forward> = Vec::new();
    for one in list.iter() {
        let (out, own) = (one.outside, one.inside);
        let forward = Forward { protocol: one.protocol.number(), outside: numbers(out), inside: numbers(own) };
        if out.port() == 0 || own.port() == 0 {
            return Err(refuse(format_args!("forwards: {out} to {own}: a port is 1 to 65535")));
        }
        if !inside.iter().any(|range| range.contains(forward.inside.0)) {
            return Err(refuse(format_args!("forwards: {own} is in no prefix of `inside`")));
        }
        if inside.iter().any(|range| range.contains(forward.outside.0)) {
            return Err(refuse(format_args!("forwards: {out} is an address of `inside`: the first one is outside")));
        }
        if pools.iter().any(|range| range.contains(forward.outside.0)) && dynamic.contains(out.port()) {
            return Err(refuse(format_args!(
                "forwards: {out} lies among the dynamic ports {} to {}: choose another port, or other `ports`",
                dynamic.first, dynamic.last
            )));
        }
        if forwards.iter().any(|other| (other.protocol, other.outside) == (forward.protocol, forward.outside)) {
            return Err(refuse(format_args!("forwards: {out} stands twice")));
        }
        forwards.push(forward);
    }
    if pools.is_empty() && forwards.is_empty() {
        return Err(Refusal::new("pools: which addresses stand for those inside? Such as \"198.51.100.0/28\""));
    }
    Ok(forwards)
}

pub(crate) fn timers(timers: Timers) -> Result<(), Refusal> {
    let all = [
        ("udp", timers.udp),
        ("icmp", timers.icmp),
        ("tcp_transitory", timers.tcp_transitory),
        ("tcp_established", timers.tcp_established),
    ];
    let wrong = all.into_iter().find(|(_, seconds)| !(1..=TIMER_MAX).contains(seconds));
    wrong.map_or(Ok(()), |(name, seconds)| {
        Err(refuse(format_args!("timers.{name}: {seconds} seconds; 1 to {TIMER_MAX}")))
    })
}

/// The rings, one for each instance.
pub(crate) fn rings(config: &Config, slice: Slice, setup: &Setup<'_>) -> Result<Vec<u16>, Refusal> {
    let rings: Vec<u16> = config.rings.iter().copied().collect();
    let there = setup.ring_count();
    if let Some(ring) = rings.iter().find(|ring| u32::from(**ring) >= there) {
        return Err(refuse(format_args!("rings: {ring}: this run has {there} rings, which are counted from 0")));
    }
    if config.steer && (rings.is_empty() || config.slice.is_some()) {
        return Err(Refusal::new("steer: needs `rings`, one for each instance that translates, and no `slice`"));
    }
    if !rings.is_empty() && rings.len() != slice.of as usize {
        let (rings, instances) = (rings.len(), slice.of);
        return Err(refuse(format_args!("rings: {rings} of them for {instances} instances: one for each")));
    }
    Ok(rings)
}
