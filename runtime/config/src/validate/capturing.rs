//! Checks of the captures that a run makes from its start on.

use super::Problems;
use crate::capture::Point;
use crate::{Config, Source};
use std::time::Duration;

/// The least memory of a history.
const LEAST_HISTORY: u64 = 1 << 20;
/// The least time that it keeps packets.
const LEAST_KEEP: Duration = Duration::from_millis(1);

pub(super) fn captures(config: &Config, found: &mut Problems) {
    for (index, capture) in config.capturing.iter().enumerate() {
        let path = format!("capture[{index}]");
        let who = format!("capture {:?}", capture.file);
        let mut wrong = |key: &str, what: &str, help: &str| {
            found.error(format!("{path}.{key}"), format!("{who}: {what}"), help);
        };
        if capture.at.is_empty() {
            wrong("at", "no point is named", crate::capture::POINTS);
        }
        if capture.file.is_empty() || capture.file.ends_with('/') {
            wrong("file", "it has no name", "name the file, as \"packets.pcapng\"");
        }
        if capture.snaplen == 0 {
            wrong("snaplen", "0 bytes of each packet are none", "take 1 or more, or leave it out: whole packets");
        }
        if [capture.rotate_count, capture.keep, capture.rotate_size].contains(&Some(0)) {
            wrong("keep", "0 packets, bytes or files are none", "take 1 or more, or leave it out");
        }
        if capture.keep.is_some() && !capture.rotates() {
            wrong("keep", "it is about files that follow each other", "add rotate_size, rotate_time or rotate_count");
        }
        if config.capturing[..index].iter().any(|other| other.file == capture.file) {
            wrong("file", "two captures write it", "give each a file of its own");
        }
        points(config, &capture.at, &path, &who, found);
    }
}

/// Checks of the packets that a run remembers.
pub(super) fn histories(config: &Config, found: &mut Problems) {
    found.names("history", config.histories.iter().map(|history| &*history.name));
    for (index, history) in config.histories.iter().enumerate() {
        let path = format!("history[{index}]");
        let who = format!("history {:?}", history.name);
        let mut wrong = |key: &str, what: &str, help: &str| {
            found.error(format!("{path}.{key}"), format!("{who}: {what}"), help);
        };
        if history.at.is_empty() {
            wrong("at", "no point is named", crate::capture::POINTS);
        }
        if history.snaplen == 0 {
            wrong("snaplen", "0 bytes of each packet are none", "take 1 or more, or leave it out: whole packets");
        }
        if history.memory < LEAST_HISTORY {
            wrong(
                "memory",
                "that is too little to remember anything",
                "take 1 MiB or more; 64 MiB hold a second of 500,000 short packets",
            );
        }
        if history.keep.is_some_and(|keep| keep < LEAST_KEEP) {
            wrong("keep", "packets would be forgotten at once", "take 1ms or more, or leave it out");
        }
        points(config, &history.at, &path, &who, found);
    }
}

fn points(config: &Config, at: &[String], path: &str, who: &str, found: &mut Problems) {
    let chains: Vec<&str> = config.chains.iter().map(|chain| &*chain.name).collect();
    let ports: Vec<&str> = config.ports.iter().map(|port| &*port.name).collect();
    for text in at {
        let place = format!("{path}.at");
        let point = match Point::parse(text) {
            Ok(point) => point,
            Err(what) => {
                found.error(place, format!("{who}: {what}"), "docs/capturing.md has a table of points");
                continue;
            }
        };
        match point {
            Point::Port(name, _) => found.known(place, who, "port", name, &ports),
            Point::Rx(name) | Point::Tx(name) | Point::Drops(name) => {
                found.known(place.clone(), who, "chain", name, &chains);
                let chain = config.chains.iter().find(|chain| chain.name == name);
                if matches!(point, Point::Rx(_)) && chain.is_some_and(|c| matches!(c.source, Source::Module { .. })) {
                    let what = format!("{who}: the packets of chain {name:?} are made by its first module");
                    found.error(place, what, "take after:0, or tx");
                }
            }
            Point::Before(name, stage) | Point::After(name, stage) => {
                found.known(place.clone(), who, "chain", name, &chains);
                let Some(chain) = config.chains.iter().find(|chain| chain.name == name) else { continue };
                let stages: Vec<&str> = chain.modules().map(String::as_str).collect();
                if stage.parse().ok().and_then(|number: usize| stages.get(number)).is_none() {
                    found.known(place, who, "stage", stage, &stages);
                }
            }
        }
    }
}
