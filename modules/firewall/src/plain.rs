//! The plain packets of a burst, where connections are not followed: IPv4 without options or tags, no parts of packets.
//!
//! A burst is gone through in steps: what rules look at in all packets, then all that is known of such packets, then packet by packet.
//! What is not plain, and all to which more is done than to pass or to drop it, is [`Firewall::judge`]'s, which would do the same with a
//! plain packet.

use crate::Firewall;
use crate::config::Policy;
use crate::counters::Cause;
use crate::known::{First, Key, Known};
use crate::pattern::state;
use crate::rule::{Action, Rule};
use crate::seen::Seen;
use perigee_guest::abi::{MAX_BATCH, rx_flags};
use perigee_guest::wire::{PlainIpv4, protocol};
use perigee_guest::{Batch, Packet, Verdict};

/// Where TCP and UDP begin, and in TCP the length of its header and its flags.
const PORTS: usize = 34;
const WORDS: usize = PORTS + 12;
const FLAGS: usize = PORTS + 13;
/// Packets from which on what is known is asked for together.
const MANY: usize = 8;
/// The line of a packet that is not plain.
const NOT_PLAIN: u32 = u32::MAX;

/// What is known of the packets of a burst.
pub(crate) struct Burst {
    keys: [Key; MAX_BATCH],
    lines: [u32; MAX_BATCH],
}

/// What became of plain packets, to be counted once for all.
#[derive(Default)]
pub(crate) struct Judged {
    accepted: u64,
    dropped: u64,
    by_policy: u64,
}

#[cfg(test)]
std::thread_local! {
    /// No packet is plain: what the general path does is what this one has to do.
    pub(crate) static NONE_IS_PLAIN: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self { keys: [Key(0, 0); MAX_BATCH], lines: [NOT_PLAIN; MAX_BATCH] }
    }

    /// Reads all packets, and asks for what is known of them.
    pub(crate) fn prepare(&mut self, known: &Known, batch: &mut Batch<'_>) {
        let len = batch.len().min(MAX_BATCH);
        for ((packet, key), line) in batch.packets().zip(&mut self.keys).zip(&mut self.lines) {
            *line = NOT_PLAIN;
            if let Some(found) = key_of(&packet) {
                (*key, *line) = (found, known.line(found));
            }
        }
        if len >= MANY {
            known.ask_for(&self.lines[..len]);
        }
        #[cfg(test)]
        if NONE_IS_PLAIN.get() {
            self.lines.fill(NOT_PLAIN);
        }
    }

    #[inline(always)]
    fn get(&self, at: usize) -> Option<(u32, Key)> {
        let line = self.lines.get(at).copied().filter(|line| *line != NOT_PLAIN)?;
        Some((line, *self.keys.get(at)?))
    }
}

impl Firewall {
    /// What becomes of a plain packet, the one at this place of the burst, if that is to pass or to be dropped and nothing else.
    #[inline(always)]
    pub(crate) fn judge_plain(&mut self, packet: &Packet<'_>, at: usize, judged: &mut Judged) -> Option<Verdict> {
        let (line, key) = self.burst.get(at)?;
        let first = match self.known.as_ref()?.get(line, key) {
            Some(first) => first,
            None => self.learn(packet, line, key)?,
        };
        let passes = match first {
            First::Accept => {
                judged.accepted += 1;
                true
            }
            First::Drop => {
                judged.dropped += 1;
                false
            }
            First::None => {
                judged.by_policy += 1;
                self.policy == Policy::Accept
            }
            First::Pattern(_) => return None,
        };
        Some(if passes { self.verdict_for(packet) } else { Verdict::DROP })
    }

    /// Asks the rules about a plain packet, and remembers what they say.
    #[inline(never)]
    fn learn(&mut self, packet: &Packet<'_>, line: u32, key: Key) -> Option<First> {
        let mut seen = Seen::look(packet).ok()?;
        (seen.out_port, seen.state) = (self.way(seen.in_port).unwrap_or(u16::MAX), state::UNTRACKED);
        let first = match self.classifier.find(&seen, 0) {
            None => First::None,
            Some(pattern) => {
                let rule = self.rules.get(*self.rule_of.get(pattern as usize)? as usize)?;
                decision(rule).unwrap_or(First::Pattern(pattern))
            }
        };
        self.known.as_mut()?.put(line, key, first);
        Some(first)
    }
}

/// What a rule that does nothing else says.
fn decision(rule: &Rule) -> Option<First> {
    let is_plain = rule.log.is_none() && rule.count.is_none() && rule.mark.is_none() && rule.limit.is_none();
    match rule.action {
        Action::Accept if is_plain => Some(First::Accept),
        Action::Drop if is_plain => Some(First::Drop),
        _ => None,
    }
}

impl Judged {
    pub(crate) fn count(self, policy: Policy) {
        let by_policy = if policy == Policy::Accept { Cause::PolicyAccepted } else { Cause::PolicyDropped };
        Cause::Accepted.counter().add(self.accepted);
        Cause::Dropped.counter().add(self.dropped);
        by_policy.counter().add(self.by_policy);
    }
}

/// All that rules look at in a plain packet: what [`Seen`] has of it that is not the same for all.
#[inline(always)]
fn key_of(packet: &Packet<'_>) -> Option<Key> {
    let frame = packet.bytes();
    let ip = PlainIpv4::of(frame)?;
    let head: &[u8; PORTS + 4] = frame.first_chunk()?;
    let len = ip.payload_length();
    let (first, mut flags) = (u32::from_be_bytes([head[34], head[35], head[36], head[37]]), 0);
    // What a protocol without ports has in their place is not looked at.
    let ports = match ip.protocol() {
        protocol::UDP | protocol::SCTP if len >= 8 => first,
        protocol::TCP if len >= 20 => {
            let words = u16::from(*frame.get(WORDS)? >> 4);
            if words < 5 || words * 4 > len {
                return None;
            }
            flags = *frame.get(FLAGS)?;
            first
        }
        protocol::ICMP if len >= 4 => first >> 16,
        protocol::UDP | protocol::SCTP | protocol::TCP | protocol::ICMP => return None,
        _ => 0,
    };
    if ip.is_fragment() || packet.rx_flags() & rx_flags::VLAN_STRIPPED != 0 {
        return None;
    }
    let link = u64::from(packet.port()) << 16;
    let rest = link | u64::from(flags) << 8 | u64::from(ip.protocol());
    Some(Key(u64::from(ip.source()) << 32 | u64::from(ip.destination()), u64::from(ports) << 32 | rest))
}
