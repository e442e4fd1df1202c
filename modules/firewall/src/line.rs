//! Log lines about packets.

use crate::pattern::state;
use crate::rule::Action;
use crate::seen::{Addresses, NO_PORT, Seen, UNTAGGED};
use core::fmt::Write as _;
use perigee_guest::{Level, Text};

/// Logs what a rule does with a packet.
pub(crate) fn write(rule: u32, prefix: &str, action: Action, seen: &Seen) {
    let mut line = Text::<240>::new();
    let action = match action {
        Action::Accept => "accept",
        Action::Drop => "drop",
        Action::Reject(_) => "reject",
        Action::Next => "next",
    };
    let _ = write!(line, "{prefix}rule {}: {action} {} ", rule + 1, state_name(seen.state));
    let (source, destination) = (seen.source_port, seen.destination_port);
    let has_ports = source < NO_PORT && destination < NO_PORT;
    let _ = match seen.addresses {
        Addresses::V4(from, to) if has_ports => write!(line, "{from}:{source} > {to}:{destination}"),
        Addresses::V6(from, to) if has_ports => write!(line, "[{from}]:{source} > [{to}]:{destination}"),
        Addresses::V4(from, to) => write!(line, "{from} > {to}"),
        Addresses::V6(from, to) => write!(line, "{from} > {to}"),
    };
    let _ = write!(line, " protocol {}", seen.protocol);
    if seen.is_icmp() && destination < NO_PORT {
        let _ = write!(line, " type {} code {}", destination >> 8, destination & 0xff);
    }
    if seen.protocol == 6 {
        let _ = write!(line, " flags {:#04x}", seen.flags);
    }
    if seen.vlan != UNTAGGED {
        let _ = write!(line, " vlan {}", seen.vlan);
    }
    let _ = write!(line, " port {}", seen.in_port);
    Level::Info.log(line.as_str());
}

fn state_name(bit: u8) -> &'static str {
    match bit {
        state::NEW => "new",
        state::ESTABLISHED => "established",
        state::RELATED => "related",
        state::INVALID => "invalid",
        _ => "untracked",
    }
}
