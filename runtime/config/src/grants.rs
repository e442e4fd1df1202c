//! What a module may do. Without a grant it may drop packets and pass them on, within limits of memory and time, and nothing
//! else: [`Grants::default`].

use crate::mac::Mac;
use crate::values;
use ipnet::IpNet;
use perigee_report::ModuleInfo;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A module's manifest: `[module.grants]`, or the bound that a policy sets for a key or digest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Ports that it may name in the verdict Tx.
    pub tx: Vec<String>,
    /// Tx queues that it may ask for, counted within those that its lcore owns on a port; without any, the first.
    pub tx_queues: Vec<u16>,
    /// Rings that it may name in the verdict Ring.
    pub rings: Vec<String>,
    /// Modules whose instances it may tell something, as messages: the hostcall `tell` names them by their places in this list.
    pub tell: Vec<String>,
    /// The module whose state region it reads, in place of one of its own: of the same trust domain, with one instance.
    pub state_of: Option<String>,
    /// Histories that a trigger with this module may watch: packets of all domains that pass their points.
    pub history: Vec<String>,
    /// It may make packets: from spare rooms, and as copies. A chain's source may without.
    pub create: bool,
    /// It may say when its packets leave, and have the time of departure written into them.
    pub pace: bool,
    /// Most packets that it may send in a second, all of its instances together; `None`: as many as come.
    #[serde(deserialize_with = "values::some_rate")]
    pub packets_per_second: Option<u64>,
    /// Most bits of frames (without preamble, frame check sequence and gap) that it may send in a second, as above.
    #[serde(deserialize_with = "values::some_rate")]
    pub bits_per_second: Option<u64>,
    /// Source MAC addresses that packets which leave its trust domain may have; empty: any. Checked on a copy.
    pub source_mac: Vec<Mac>,
    /// Source addresses that IPv4, IPv6 and ARP packets which leave its trust domain may have; empty: any. Checked on a
    /// copy.
    pub source_ip: Vec<IpNet>,
    /// Most bytes of linear memory, its window included.
    #[serde(deserialize_with = "values::size")]
    pub memory: u64,
    /// Most elements of all its tables together.
    pub table: u32,
    /// Most bytes of its call stack.
    #[serde(deserialize_with = "values::size")]
    pub stack: u64,
    /// Most CPU time that one call on the data path may take: `process`, `generate`, `tick`.
    #[serde(deserialize_with = "values::duration", serialize_with = "humantime_text")]
    pub deadline: Duration,
    /// Most CPU time that any other call may take: its start, `init`, `prefill`, `message`, `save`, `restore`.
    #[serde(deserialize_with = "values::duration", serialize_with = "humantime_text")]
    pub control_deadline: Duration,
    /// Most packets that an instance may hold at a time.
    pub hold: u32,
    /// Packets held longer are freed and counted.
    #[serde(deserialize_with = "values::duration", serialize_with = "humantime_text")]
    pub hold_age: Duration,
    /// Hostcalls that do what they say; the others do nothing, and are counted.
    pub hostcalls: Vec<Hostcall>,
    /// What `perigee.time` tells.
    pub clock: ClockGrant,
    /// Most log lines in a second, for each instance, where `log` is granted; those beyond are counted.
    pub log_lines: u32,
    /// Most counters whose names and values are shown, where `counter` is granted.
    pub counters: u32,
}

/// A function that the host offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hostcall {
    /// `perigee.log`, and WASI's standard output and error.
    Log,
    /// `perigee.counter`.
    Counter,
    /// `perigee.time`.
    Time,
}

/// How fine a clock a module has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockGrant {
    /// The time at which the batch began: nothing can be measured with it within a call.
    #[default]
    Batch,
    /// The time of the moment.
    Precise,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            tx: Vec::new(),
            tx_queues: Vec::new(),
            rings: Vec::new(),
            tell: Vec::new(),
            state_of: None,
            history: Vec::new(),
            create: false,
            pace: false,
            packets_per_second: None,
            bits_per_second: None,
            source_mac: Vec::new(),
            source_ip: Vec::new(),
            memory: values::module_memory(),
            table: 65_536,
            stack: 512 << 10,
            deadline: values::deadline(),
            control_deadline: values::control_deadline(),
            hold: 0,
            hold_age: values::hold_age(),
            hostcalls: Vec::new(),
            clock: ClockGrant::Batch,
            log_lines: 100,
            counters: values::counters(),
        }
    }
}

impl Grants {
    /// What `perigee gen` and `perigee forward` grant, where the module is the operator's own: these ports, making packets, their
    /// times, the log, counters and the precise time.
    #[must_use]
    pub fn own(ports: &[&str]) -> Self {
        Self {
            tx: ports.iter().map(|&port| port.to_owned()).collect(),
            create: true,
            pace: true,
            hostcalls: vec![Hostcall::Log, Hostcall::Counter, Hostcall::Time],
            clock: ClockGrant::Precise,
            ..Self::default()
        }
    }

    /// The longest that a call may take.
    #[must_use]
    pub fn longest_call(&self) -> Duration {
        self.deadline.max(self.control_deadline)
    }

    /// Each thing that these grants have beyond `bound`, as a text: what a policy refuses.
    #[must_use]
    pub fn beyond(&self, bound: &Self) -> Vec<String> {
        let mut found = Vec::new();
        names_beyond("tx", &self.tx, &bound.tx, &mut found);
        names_beyond("tx_queues", &self.tx_queues, &bound.tx_queues, &mut found);
        names_beyond("rings", &self.rings, &bound.rings, &mut found);
        names_beyond("tell", &self.tell, &bound.tell, &mut found);
        names_beyond("state_of", self.state_of.as_slice(), bound.state_of.as_slice(), &mut found);
        names_beyond("history", &self.history, &bound.history, &mut found);
        names_beyond("hostcalls", &self.hostcalls, &bound.hostcalls, &mut found);
        if self.create && !bound.create {
            found.push("create".to_owned());
        }
        if self.pace && !bound.pace {
            found.push("pace".to_owned());
        }
        if self.clock == ClockGrant::Precise && bound.clock == ClockGrant::Batch {
            found.push("clock = \"precise\"".to_owned());
        }
        rate_beyond("packets_per_second", self.packets_per_second, bound.packets_per_second, &mut found);
        rate_beyond("bits_per_second", self.bits_per_second, bound.bits_per_second, &mut found);
        let same_mac = |ours: &Mac, theirs: &Mac| ours == theirs;
        sources_beyond("source_mac", &self.source_mac, &bound.source_mac, same_mac, &mut found);
        let within = |ours: &IpNet, theirs: &IpNet| theirs.contains(ours);
        sources_beyond("source_ip", &self.source_ip, &bound.source_ip, within, &mut found);
        let durations = [
            ("deadline", self.deadline, bound.deadline),
            ("control_deadline", self.control_deadline, bound.control_deadline),
            ("hold_age", self.hold_age, bound.hold_age),
        ];
        for (key, ours, most) in durations {
            // How long packets are held does not matter where none are.
            if ours > most && (key != "hold_age" || self.hold > 0) {
                let [ours, most] = [ours, most].map(humantime::format_duration);
                found.push(format!("{key} = \"{ours}\", where \"{most}\" is allowed"));
            }
        }
        let numbers = [
            ("memory", self.memory, bound.memory),
            ("table", self.table.into(), bound.table.into()),
            ("stack", self.stack, bound.stack),
            ("hold", self.hold.into(), bound.hold.into()),
            ("log_lines", self.granted(Hostcall::Log, self.log_lines), bound.log_lines.into()),
            ("counters", self.granted(Hostcall::Counter, self.counters), bound.counters.into()),
        ];
        for (key, ours, most) in numbers.into_iter().filter(|(_, ours, most)| ours > most) {
            found.push(format!("{key} = {ours}, where {most} is allowed"));
        }
        found
    }

    /// What a module asks for and is not granted, and what it is granted and cannot use, each as a text.
    #[must_use]
    pub fn beside(&self, module: &ModuleInfo) -> Vec<String> {
        let calls = [
            (Hostcall::Log, "log", ["perigee.log:", "wasi_snapshot_preview1.fd_write:"]),
            (Hostcall::Counter, "counter", ["perigee.counter:"; 2]),
            (Hostcall::Time, "time", ["perigee.time:", "wasi_snapshot_preview1.clock_time_get:"]),
        ];
        let mut found = Vec::new();
        for (hostcall, name, imports) in calls {
            let imported = module.imports.iter().any(|import| imports.iter().any(|name| import.starts_with(name)));
            match (imported, self.hostcalls.contains(&hostcall)) {
                (true, false) => {
                    found.push(format!("imports {name:?}, which is not granted: the call does nothing, and is counted"))
                }
                (false, true) => found.push(format!("is granted the hostcall {name:?}, and does not import it")),
                _ => {}
            }
        }
        // A module may do without: what it could tell depends on who else is there.
        if !self.tell.is_empty() && !module.imports.iter().any(|import| import.starts_with("perigee.tell:")) {
            found.push("is granted `tell`, and does not import it".to_owned());
        }
        if module.numbers.spares > 0 && !self.create {
            let spares = module.numbers.spares;
            found.push(format!("wants {spares} spare rooms and is not granted `create`: it gets none"));
        }
        found
    }

    /// Only some source addresses are granted.
    pub fn limits_sources(&self) -> bool {
        !self.source_mac.is_empty() || !self.source_ip.is_empty()
    }

    /// Rates are granted, which its instances share.
    pub fn limits_rate(&self) -> bool {
        self.packets_per_second.is_some() || self.bits_per_second.is_some()
    }

    /// A number that counts only where its hostcall is granted.
    fn granted(&self, hostcall: Hostcall, number: u32) -> u64 {
        if self.hostcalls.contains(&hostcall) { number.into() } else { 0 }
    }
}

fn names_beyond<T: PartialEq + fmt::Debug>(key: &str, ours: &[T], bound: &[T], found: &mut Vec<String>) {
    for name in ours.iter().filter(|name| !bound.contains(name)) {
        found.push(format!("{key} has {name:?}"));
    }
}

/// `None` is any rate.
fn rate_beyond(key: &str, ours: Option<u64>, bound: Option<u64>, found: &mut Vec<String>) {
    match (ours, bound) {
        (_, None) => {}
        (None, Some(most)) => found.push(format!("no {key}, where {most} is allowed")),
        (Some(ours), Some(most)) if ours > most => found.push(format!("{key} = {ours}, where {most} is allowed")),
        _ => {}
    }
}

/// Empty lists are any address.
fn sources_beyond<T: fmt::Display>(
    key: &str,
    ours: &[T],
    bound: &[T],
    within: impl Fn(&T, &T) -> bool,
    found: &mut Vec<String>,
) {
    if bound.is_empty() {
        return;
    }
    if ours.is_empty() {
        found.push(format!("no {key}, where only listed addresses are allowed"));
    }
    for address in ours.iter().filter(|address| !bound.iter().any(|bound| within(address, bound))) {
        found.push(format!("{key} has {address}"));
    }
}

fn humantime_text<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn without_a_grant_nothing_but_dropping_and_passing_on() {
        let none: Grants = toml::from_str("").expect("an empty manifest");
        assert_eq!(none, Grants::default());
        assert!(none.tx.is_empty() && none.rings.is_empty() && !none.create && none.hostcalls.is_empty());
        assert_eq!((none.hold, none.tx_queues.len()), (0, 0));
    }

    #[test]
    fn a_manifest_reads_as_it_is_written() {
        let text = r#"
            tx = ["wan"]
            packets_per_second = 1000000
            source_mac = ["02:00:00:00:00:01"]
            source_ip = ["10.0.0.0/8", "2001:db8::/32"]
            memory = "64M"
            deadline = "10ms"
            hostcalls = ["log", "counter"]
            clock = "precise""#;
        let grants: Grants = toml::from_str(text).expect("a manifest");
        assert_eq!(grants.memory, 64 << 20);
        let again: Grants = toml::from_str(&toml::to_string(&grants).expect("writes")).expect("reads");
        assert_eq!(grants, again);
    }

    #[test]
    fn what_exceeds_a_bound_is_named() {
        let bound: Grants = toml::from_str(
            r#"tx = ["lan"]
               packets_per_second = 1000
               source_ip = ["10.0.0.0/8"]
               memory = "64M"
               hold = 8
               hostcalls = ["log"]
               log_lines = 10"#,
        )
        .expect("a bound");
        assert_eq!(bound.beyond(&bound), Vec::<String>::new());
        let none = Grants { memory: 1 << 20, ..Grants::default() };
        assert_eq!(
            none.beyond(&bound),
            ["no packets_per_second, where 1000 is allowed", "no source_ip, where only listed addresses are allowed"]
        );
        let more: Grants = toml::from_str(
            r#"tx = ["lan", "wan"]
               tx_queues = [1]
               rings = ["r"]
               tell = ["other"]
               state_of = "other"
               create = true
               packets_per_second = 1001
               source_ip = ["10.1.0.0/16", "10.0.0.0/7", "192.0.2.1/32"]
               memory = "65M"
               deadline = "1s"
               hold = 9
               hold_age = "2s"
               hostcalls = ["log", "time"]
               clock = "precise"
               log_lines = 11"#,
        )
        .expect("more");
        assert_eq!(
            more.beyond(&bound),
            [
                "tx has \"wan\"",
                "tx_queues has 1",
                "rings has \"r\"",
                "tell has \"other\"",
                "state_of has \"other\"",
                "hostcalls has Time",
                "create",
                "clock = \"precise\"",
                "packets_per_second = 1001, where 1000 is allowed",
                "source_ip has 10.0.0.0/7",
                "source_ip has 192.0.2.1/32",
                "deadline = \"1s\", where \"10ms\" is allowed",
                "hold_age = \"2s\", where \"1s\" is allowed",
                "memory = 68157440, where 67108864 is allowed",
                "hold = 9, where 8 is allowed",
                "log_lines = 11, where 10 is allowed",
            ]
        );
        let beyond = more.beyond(&Grants::own(&["lan", "wan"]));
        assert_eq!(beyond.len(), 7, "{beyond:?}");
    }
}
