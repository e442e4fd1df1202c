//! Network namespaces, and the interfaces in them.

use super::{Finished, Job, Lab, Mode, tool, wait_until};
use serde_json::Value;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

/// Longest time that a small administrative command may take.
const SHORT: Duration = Duration::from_secs(20);

/// A network namespace. It lives as long as this value, and everything in it goes with it.
pub(crate) struct Namespace<'lab> {
    lab: &'lab Lab,
    sleeper: Job,
}

impl Lab {
    /// A new network namespace, its loopback up. Its kernel says nothing of its own accord, so that what it counts is the
    /// test's own traffic, and answers for an address only on the interface that has it.
    pub(crate) fn namespace(&self) -> Namespace<'_> {
        let namespace = Namespace { lab: self, sleeper: self.start_sleeper(&["unshare", "--net"]) };
        namespace.set("net/ipv6/conf/default/disable_ipv6", "1");
        namespace.set("net/ipv4/conf/all/arp_ignore", "1");
        namespace.ip("link set lo up");
        namespace
    }
}

impl<'lab> Namespace<'lab> {
    /// The laboratory that it belongs to.
    pub(crate) fn lab(&self) -> &'lab Lab {
        self.lab
    }

    /// A command that runs in this namespace: a tool's name or a path.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.lab.command(&self.entry(), program)
    }

    /// Starts a tool in this namespace, with arguments split at blanks.
    pub(crate) fn start(&self, program: &str, arguments: &str) -> Job {
        let mut command = self.command(program);
        command.args(arguments.split_whitespace());
        Job::start(command, self.lab.directory.path())
    }

    /// Starts a command that was made by [`Self::command`].
    pub(crate) fn start_command(&self, command: Command) -> Job {
        Job::start(command, self.lab.directory.path())
    }

    /// Runs a tool in this namespace to its end, with arguments split at blanks.
    pub(crate) fn run(&self, program: &str, arguments: &str, limit: Duration) -> Finished {
        self.start(program, arguments).wait(limit)
    }

    /// Runs `ip`, and returns what it printed.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        self.run("ip", arguments, SHORT).expect_success()
    }

    /// Runs `ip`, and tells whether that worked.
    pub(crate) fn ip_works(&self, arguments: &str) -> bool {
        self.run("ip", arguments, SHORT).status.success()
    }

    /// Joins this namespace and `other` by a veth pair, both ends down and without offloads.
    pub(crate) fn join(&self, name: &str, other: &Namespace<'_>, other_name: &str, mtu: u16) {
        let pid = other.sleeper.pid();
        self.ip(&format!("link add {name} mtu {mtu} type veth peer name {other_name} mtu {mtu} netns {pid}"));
        self.without_offloads(name);
        other.without_offloads(other_name);
    }

    /// Takes the offloads from an interface: the kernel must not leave checksums and segmentation to one whose other end is
    /// a program that sees what was really sent.
    pub(crate) fn without_offloads(&self, device: &str) {
        self.run("ethtool", &format!("-K {device} tx off tso off gso off gro off"), SHORT).expect_success();
    }

    /// Waits until an interface whose both ends are up passes packets: that takes the kernel a moment, and what is sent
    /// before is lost without a trace.
    pub(crate) fn wait_until_up(&self, device: &str) {
        wait_until(&format!("{device} was up"), SHORT, || {
            let link = self.link(device);
            link["operstate"] == "UP" || link["operstate"] == "UNKNOWN"
        });
    }

    /// Brings an interface up without addresses.
    pub(crate) fn up(&self, device: &str) {
        self.ip(&format!("link set {device} up"));
    }

    /// Gives an interface the IPv4 address of that number in the lab's network, and brings it up.
    pub(crate) fn address_v4(&self, device: &str, number: u8) {
        self.ip(&format!("addr add {}/24 dev {device}", ipv4(number)));
        self.up(device);
    }

    /// Gives an interface the addresses of that number in the lab's networks, and brings it up.
    pub(crate) fn address(&self, device: &str, number: u8) {
        self.set(&format!("net/ipv6/conf/{device}/router_solicitations"), "0");
        self.set(&format!("net/ipv6/conf/{device}/disable_ipv6"), "0");
        // Without duplicate detection, which would keep the address from being used for a second.
        self.ip(&format!("-6 addr add {}/64 dev {device} nodad", ipv6(number)));
        self.address_v4(device, number);
    }

    /// Writes a value below `/proc/sys` as this namespace sees it.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let mut shell = self.command("sh");
        shell.args(["-c", "echo \"$1\" > /proc/sys/\"$2\"", "sh", value, key]);
        self.start_command(shell).wait(SHORT).expect_success();
    }

    /// What an interface has received, sent and dropped, as the kernel counts it.
    pub(crate) fn counts(&self, device: &str) -> Counts {
        let link = self.link(device);
        let count = |way: &str, key: &str| link["stats64"][way][key].as_u64().expect("counters of an interface");
        Counts { rx: count("rx", "packets"), tx: count("tx", "packets"), tx_dropped: count("tx", "dropped") }
    }

    /// The address of an interface, as in "02:00:00:00:00:01".
    pub(crate) fn mac(&self, device: &str) -> String {
        self.link(device)["address"].as_str().expect("the address of an interface").to_owned()
    }

    /// Datagrams that arrived in this namespace and found their socket's buffer full.
    pub(crate) fn socket_drops(&self) -> u64 {
        let text = self.run("sh", "-c cat</proc/self/net/snmp", SHORT).expect_success();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let names = lines.next().expect("the names of UDP's counters").split(' ');
        let values = lines.next().expect("UDP's counters").split(' ');
        let found = names.zip(values).find(|(name, _)| *name == "RcvbufErrors");
        found.and_then(|(_, value)| value.parse().ok()).expect("a counter of full sockets")
    }

    /// What `ip` knows of an interface.
    fn link(&self, device: &str) -> Value {
        let text = self.ip(&format!("-json -stats link show dev {device}"));
        let mut all: Value = serde_json::from_str(&text).expect("`ip -json` writes JSON");
        all[0].take()
    }

    /// The words that enter this namespace, after the user namespace where there is one.
    fn entry(&self) -> Vec<OsString> {
        let pid = self.sleeper.pid().to_string();
        let user: &[&str] = if self.lab.mode() == Mode::User { &["--user", "--preserve-credentials"] } else { &[] };
        let words = ["--target", &pid, "--net"].into_iter().chain(user.iter().copied());
        std::iter::once(tool("nsenter").into_os_string()).chain(words.map(OsString::from)).collect()
    }
}

/// What the kernel counted on an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Packets received.
    pub(crate) rx: u64,
    /// Packets sent.
    pub(crate) tx: u64,
    /// Packets that were to be sent and were dropped.
    pub(crate) tx_dropped: u64,
}

/// The IPv4 address of that number in the lab's network.
pub(crate) fn ipv4(number: u8) -> String {
    format!("10.99.0.{number}")
}

/// The IPv6 address of that number in the lab's network.
pub(crate) fn ipv6(number: u8) -> String {
    format!("fd99::{number:x}")
}
