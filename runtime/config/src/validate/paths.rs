//! Checks of the paths: their names, the two places, and what identifies packets.

use super::Problems;
use crate::path::{FieldStart, Identity, MeasuredPath, Sighting};
use crate::{Chain, Config, Source};
use std::time::Duration;

/// Longer times are a slip of a unit; and twice it fits.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Packets that are remembered, 36 bytes each: up to 2.3 GiB.
const MIN_PLACES: u32 = 1 << 10;
const MAX_PLACES: u32 = 1 << 26;
/// Bytes of a field; longer ones say no more.
const MOST_BYTES: u16 = 256;
/// No frame is longer: the largest MTU, Ethernet and two tags.
const LONGEST_FRAME: u32 = 16_022;

pub(super) fn paths(config: &Config, found: &mut Problems) {
    found.names("path", config.paths.iter().map(|path| &*path.name));
    for (index, measured) in config.paths.iter().enumerate() {
        let mut place = Place { path: format!("path[{index}]"), who: format!("path {:?}", measured.name), found };
        sighting(config, "first", &measured.first, &mut place);
        sighting(config, "then", &measured.then, &mut place);
        apart(config, measured, &mut place);
        identity(measured.identity, &mut place);
        limits(measured, &mut place);
    }
}

/// Where a path's problems are written to.
struct Place<'a> {
    path: String,
    who: String,
    found: &'a mut Problems,
}

impl Place<'_> {
    fn wrong(&mut self, key: &str, what: &str, help: &str) {
        self.found.error(format!("{}.{key}", self.path), format!("{}: {what}", self.who), help);
    }
}

fn sighting(config: &Config, side: &str, sighting: &Sighting, place: &mut Place<'_>) {
    let names: Vec<&str> = config.chains.iter().map(|chain| &*chain.name).collect();
    let key = match sighting {
        Sighting::Received { .. } => format!("{side}.received_by"),
        Sighting::Sent { .. } => format!("{side}.sent_by"),
    };
    if sighting.chains().is_empty() {
        place.wrong(&key, "no chain is named", "name those that see its packets");
    }
    for (at, name) in sighting.chains().iter().enumerate() {
        place.found.known(format!("{}.{key}", place.path), &place.who, "chain", name, &names);
        if sighting.chains()[..at].contains(name) {
            place.wrong(&key, &format!("chain {name:?} is named twice"), "its packets would count twice: name it once");
        }
        let Some(chain) = config.chains.iter().find(|chain| chain.name == *name) else { continue };
        match sighting {
            Sighting::Received { .. } if !matches!(chain.source, Source::Port { .. }) => {
                let what = format!("chain {name:?} reads no port");
                place.wrong(&key, &what, "packets are seen as they come from a port, or as they go to one (`sent_by`)");
            }
            Sighting::Received { .. } => {}
            Sighting::Sent { to, .. } => sent(config, chain, side, to.as_deref(), place),
        }
    }
}

/// A chain that sends to a port, which is named or its only one.
fn sent(config: &Config, chain: &Chain, side: &str, to: Option<&str>, place: &mut Place<'_>) {
    let granted: Vec<&str> = config.sends_to(chain).collect();
    let list = granted.join(", ");
    let (name, key) = (&chain.name, format!("{side}.to"));
    match to {
        Some(port) if !granted.contains(&port) => {
            let known: Vec<&str> = config.ports.iter().map(|port| &*port.name).collect();
            place.found.known(format!("{}.{key}", place.path), &place.who, "port", port, &known);
            if known.contains(&port) {
                let help =
                    if list.is_empty() { "it sends to no port".to_owned() } else { format!("it sends to {list}") };
                place.wrong(&key, &format!("chain {name:?} does not send to port {port:?}"), &help);
            }
        }
        Some(_) => {}
        None if granted.is_empty() => {
            place.wrong(&format!("{side}.sent_by"), &format!("chain {name:?} sends to no port"), "name one that does");
        }
        None if granted.len() > 1 => {
            let what = format!("chain {name:?} sends to several ports: {list}");
            place.wrong(&format!("{side}.sent_by"), &what, "say which by `to`");
        }
        None => {}
    }
}

/// Both places are not the same one.
fn apart(config: &Config, measured: &MeasuredPath, place: &mut Place<'_>) {
    let same = measured.then.chains().iter().find(|name| {
        let is_both = measured.first.chains().contains(name);
        is_both && {
            let port = |sighting: &Sighting| config.seen_leaving_by(name, sighting);
            match (&measured.first, &measured.then) {
                (Sighting::Received { .. }, Sighting::Received { .. }) => true,
                (first @ Sighting::Sent { .. }, then @ Sighting::Sent { .. }) => port(first) == port(then),
                _ => false,
            }
        }
    });
    if let Some(name) = same {
        let what = format!("chain {name:?} is at both places, which are the same one");
        place.wrong("then", &what, "a path leads from one place to another");
    }
}

fn identity(identity: Identity, place: &mut Place<'_>) {
    let Identity::Field { from, offset, len } = identity else { return };
    if len == 0 || len > MOST_BYTES {
        let what = format!("an identity of {len} bytes");
        place.wrong("identity", &what, &format!("1 to {MOST_BYTES}; \"payload\" and \"frame\" take all there are"));
    }
    if from == FieldStart::End && offset < len {
        let what = format!("{len} bytes do not lie {offset} before a frame's end");
        place.wrong("identity", &what, "from the end `offset` says how far before it they begin: at least `len`");
    }
    let end = if from == FieldStart::End { u32::from(offset) } else { u32::from(offset) + u32::from(len) };
    if end > LONGEST_FRAME {
        let what = format!("no frame has a byte at {end}");
        place.wrong("identity", &what, &format!("the longest have {LONGEST_FRAME}"));
    }
}

fn limits(measured: &MeasuredPath, place: &mut Place<'_>) {
    if measured.timeout.is_zero() || measured.timeout > LONGEST {
        place.wrong("timeout", "the time-out is 0 or longer than an hour", "as in timeout = \"100ms\"");
    }
    if !measured.places.is_power_of_two() || !(MIN_PLACES..=MAX_PLACES).contains(&measured.places) {
        let what = format!("{} places are no power of two from {MIN_PLACES} to {MAX_PLACES}", measured.places);
        place.wrong("places", &what, "as many as packets that are seen within twice the time-out, and some more");
    }
}
