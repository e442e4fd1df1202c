//! Checks of simulated wires: each has two ends, which differ.

use super::Problems;
use crate::wire::WireEnd;
use crate::{Config, Port};

pub(super) fn end(config: &Config, index: usize, port: &Port, found: &mut Problems) {
    let (path, who) = (format!("port[{index}].device"), format!("port {:?}", port.name));
    let own = match WireEnd::parse(&port.device) {
        Ok(end) => end,
        Err((what, help)) => return found.error(path, format!("{who}: {what}"), help),
    };
    let ends = config.ports.iter().enumerate().filter_map(|(index, port)| Some((index, port.wire()?)));
    let ends: Vec<(usize, WireEnd)> = ends.filter(|(_, end)| end.wire == own.wire).collect();
    let before = |other: &&(usize, WireEnd)| other.0 < index && other.1.end == own.end;
    if let Some((first, _)) = ends.iter().find(before) {
        let what =
            format!("{who}: end {:?} of wire {:?} is port {:?} already", own.end, own.wire, config.ports[*first].name);
        found.error(path, what, "the two ends of a wire have different names");
    } else if ends.len() == 1 {
        let help = format!("add a port with device = \"wire:{},end=...\", and another name for its end", own.wire);
        found.error(path, format!("{who}: wire {:?} has no other end", own.wire), help);
    } else if ends.iter().position(|(other, _)| *other == index) > Some(1) {
        let what = format!("{who}: wire {:?} has two ends already", own.wire);
        found.error(path, what, "a wire joins two ports; give this one a wire of its own");
    }
}
