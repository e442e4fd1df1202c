//! Leads an instance through the steps of a case, and compares what it does with what is expected.

use super::compare;
use super::suite::{Fact, Given, Step};
use perigee_runtime::trial::{Failure, Fate, Outcome, Packet, Role, Seen, Trial, rx_flags, tx_flags};
use std::collections::BTreeMap;

/// Shortest packet that can leave.
const SHORTEST: usize = 14;

/// One instance in one role, and what it has done so far.
pub(super) struct Session {
    pub(super) trial: Trial,
    role: Role,
    counters: BTreeMap<String, u64>,
    /// All that came out, where it is kept.
    record: Option<Vec<Outcome>>,
}

/// What went wrong, in words.
type Checked = Result<(), String>;

impl Session {
    /// A generator's rooms are prefilled first.
    pub(super) fn new(mut trial: Trial, role: Role) -> Result<Self, String> {
        if role == Role::Generate {
            let outcome = trial.prefill().map_err(|failure| said(&failure))?;
            inside(&outcome).map_err(|text| format!("prefill: {text}"))?;
        }
        Ok(Self { trial, role, counters: BTreeMap::new(), record: None })
    }

    /// From now on what comes out is kept.
    pub(super) fn keep_record(mut self) -> Self {
        self.record = Some(Vec::new());
        self
    }

    /// What came out.
    pub(super) fn record(&self) -> &[Outcome] {
        self.record.as_deref().unwrap_or_default()
    }

    pub(super) fn run(&mut self, steps: &[Step]) -> Checked {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Checked {
        for _ in 0..step.ticks {
            let outcome = self.trial.tick(false);
            self.take(outcome, &[], "tick")?;
        }
        let mut heads = step.heads.iter();
        if !step.packets.is_empty() {
            self.explicit(step)?;
        }
        for _ in 0..step.times {
            for &size in &step.sizes {
                let what = format!("batch of {size}");
                let packets = if self.role == Role::Process { made_up(step, size) } else { Vec::new() };
                let outcome = match self.role {
                    Role::Process => self.trial.process(&packets),
                    Role::Generate => self.trial.generate(size),
                };
                let outcome = self.take(outcome, &packets, &what)?;
                for (i, seen) in outcome.packets.iter().enumerate() {
                    let head = heads.next().map(|head| head.0.as_slice());
                    expect(step, seen, packets.get(i), head).map_err(|text| format!("{what}: packet {i}: {text}"))?;
                }
            }
        }
        if step.drain {
            let outcome = self.trial.tick(true);
            self.take(outcome, &[], "last call")?;
        }
        self.expect_counters(&step.counters)
    }

    /// A batch of packets that are given one by one.
    fn explicit(&mut self, step: &Step) -> Checked {
        let packets: Vec<Packet> = step.packets.iter().map(given).collect();
        let outcome = self.trial.process(&packets);
        let what = format!("batch of {}", packets.len());
        let outcome = self.take(outcome, &packets, &what)?;
        for (i, ((given, packet), seen)) in step.packets.iter().zip(&packets).zip(&outcome.packets).enumerate() {
            let check = || {
                expect_verdict(given.verdict.as_deref(), seen)?;
                if seen.fate == Fate::Drop {
                    return Ok(());
                }
                let mut bytes = packet.bytes.clone();
                if let Some(out) = &given.out {
                    bytes[..out.0.len()].copy_from_slice(&out.0);
                }
                compare::bytes(&bytes, &seen.bytes)?;
                compare::equal("tx flags", &packet.tx_flags, &seen.tx_flags)
            };
            check().map_err(|text| format!("{what}: packet {i} ({} bytes): {text}", packet.bytes.len()))?;
        }
        Ok(())
    }

    /// What holds after every call.
    fn take(&mut self, outcome: Result<Outcome, Failure>, packets: &[Packet], what: &str) -> Result<Outcome, String> {
        let outcome = outcome.map_err(|failure| format!("{what}: {}", said(&failure)))?;
        for (i, seen) in outcome.packets.iter().enumerate() {
            let len = packets.get(i).map_or(usize::MAX, |packet| packet.bytes.len());
            judge(seen, len).map_err(|text| format!("{what}: packet {i}: {text}"))?;
        }
        for (i, seen) in outcome.listed.iter().enumerate() {
            judge(seen, usize::MAX).map_err(|text| format!("{what}: output {i}: {text}"))?;
        }
        if outcome.bad_outputs != 0 {
            return Err(format!("{what}: {} entries of the output list name no packet", outcome.bad_outputs));
        }
        inside(&outcome).map_err(|text| format!("{what}: {text}"))?;
        self.watch_counters().map_err(|text| format!("{what}: {text}"))?;
        if let Some(record) = &mut self.record {
            record.push(outcome.clone());
        }
        Ok(outcome)
    }

    /// Counters do not fall, and have names.
    fn watch_counters(&mut self) -> Checked {
        if let Some(number) = self.trial.unnamed_counters().first() {
            return Err(format!("counter {number} counts, but init gave it no name"));
        }
        for (name, value) in self.trial.counters() {
            let before = self.counters.insert(name.clone(), value).unwrap_or(0);
            if value < before {
                return Err(format!("counter {name:?} fell from {before} to {value}"));
            }
        }
        Ok(())
    }

    fn expect_counters(&self, expected: &BTreeMap<String, u64>) -> Checked {
        let counters: BTreeMap<_, _> = self.trial.counters().into_iter().collect();
        for (name, value) in expected {
            match counters.get(name) {
                None => {
                    let known: Vec<_> = counters.keys().map(String::as_str).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return Err(format!("counter {name:?} is missing; it named {known}"));
                }
                Some(came) => compare::equal(&format!("counter {name:?}"), value, came)?,
            }
        }
        Ok(())
    }
}

/// Of a failure the line that says what it is; the rest is a backtrace.
pub(super) fn said(failure: &Failure) -> String {
    failure.to_string().lines().next().unwrap_or_default().to_owned()
}

fn inside(outcome: &Outcome) -> Checked {
    match outcome.trespasses.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "wrote outside its packets: {} bytes at {} (window + {:#x}); {} such places",
            first.len,
            first.place,
            first.at,
            outcome.trespasses.len()
        )),
    }
}

/// What the host would count as a module's mistake. A packet too short to leave is dropped, whatever is said of it; one
/// that is held beyond the quota is dropped by rule.
fn judge(seen: &Seen, len: usize) -> Checked {
    match seen.fate {
        Fate::Bad("bad_descriptor") if len < SHORTEST => Ok(()),
        Fate::Bad("hold_quota") => Ok(()),
        Fate::Bad(cause) => Err(format!(
            "verdict {:#010x} does not count: {cause} (docs/architecture.md, \"Accounting\")",
            seen.verdict
        )),
        _ => Ok(()),
    }
}

/// What a step expects of each packet.
fn expect(step: &Step, seen: &Seen, packet: Option<&Packet>, head: Option<&[u8]>) -> Checked {
    match (step.verdict.as_deref(), packet) {
        (Some("tx back"), Some(packet)) => expect_verdict(Some(&format!("tx {}", packet.port)), seen)?,
        (verdict, _) => expect_verdict(verdict, seen)?,
    }
    if let Some(packet) = packet.filter(|_| !step.order.is_empty()) {
        let mut bytes = packet.bytes.clone();
        for (to, from) in bytes.iter_mut().zip(&step.order) {
            *to = packet.bytes[*from];
        }
        compare::bytes(&bytes, &seen.bytes)?;
    }
    if let Some(head) = head {
        compare::bytes(head, &seen.bytes[..head.len().min(seen.bytes.len())])?;
    }
    if let Some(length) = step.length {
        compare::equal("length", &length, &seen.bytes.len())?;
    }
    if let Some(from) = step.zeros_from {
        let mut zeros = seen.bytes.clone();
        zeros.iter_mut().skip(from).for_each(|byte| *byte = 0);
        compare::bytes(&zeros, &seen.bytes)?;
    }
    if step.ipv4 { compare::ipv4(&seen.bytes) } else { Ok(()) }
}

fn expect_verdict(expected: Option<&str>, seen: &Seen) -> Checked {
    expected.map_or(Ok(()), |expected| compare::equal("verdict", &expected, &seen.fate.to_string().as_str()))
}

/// A batch of packets that differ.
fn made_up(step: &Step, size: usize) -> Vec<Packet> {
    let turn = |i: usize, len: usize| i % len.max(1);
    let packet = |i: usize| {
        let len = step.lengths[turn(i, step.lengths.len())];
        let head = [0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17];
        let mut bytes: Vec<u8> = head.into_iter().chain(filling(24)).take(len).collect();
        // A number, so that packets which change places are noticed.
        if let Some(place) = bytes.get_mut(30..34) {
            place.copy_from_slice(&u32::try_from(i).unwrap_or(0).to_be_bytes());
        }
        let packet = Packet { bytes, port: step.ports[turn(i, step.ports.len())], ..Packet::default() };
        with_facts(packet, &step.rx[turn(i, step.rx.len())])
    };
    (0..size).map(packet).collect()
}

/// Bytes that are those of their positions, from one position on.
fn filling(from: usize) -> impl Iterator<Item = u8> {
    (from..).map(|at| u8::try_from(at & 0xff).unwrap_or(0))
}

fn given(given: &Given) -> Packet {
    let mut bytes = given.hex.0.clone();
    let missing = given.length.unwrap_or(bytes.len()).saturating_sub(bytes.len());
    bytes.extend(filling(bytes.len()).take(missing));
    with_facts(Packet { bytes, port: given.port, ..Packet::default() }, &given.rx)
}

fn with_facts(mut packet: Packet, facts: &[Fact]) -> Packet {
    for fact in facts {
        packet.rx_flags |= match fact {
            Fact::IpGood => rx_flags::IP_CHECKSUM_GOOD,
            Fact::IpBad => rx_flags::IP_CHECKSUM_BAD,
            Fact::L4Good => rx_flags::L4_CHECKSUM_GOOD,
            Fact::L4Bad => rx_flags::L4_CHECKSUM_BAD,
            Fact::Vlan => {
                // As the host does, so that the tag comes back unless the module says otherwise.
                packet.tx_flags |= tx_flags::VLAN_INSERT;
                packet.vlan = 0x2064;
                rx_flags::VLAN_STRIPPED
            }
            Fact::Hash => {
                packet.hash = 0x1234_5678;
                rx_flags::HASH
            }
            Fact::Time => {
                packet.time = 1_000_000;
                rx_flags::TIME
            }
        };
    }
    packet
}
