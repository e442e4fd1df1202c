//! Wires: a DPDK port in one namespace, and what the kernel has at its other end.

use super::namespace::Counts;
use super::{Lab, Mode, Namespace, Perigee, say};

/// The kinds of port that have the kernel's stack at their other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// net_af_packet on one end of a veth pair.
    AfPacket,
    /// net_af_xdp on one end of a veth pair.
    AfXdp,
    /// net_tap, whose other end is an interface in perigee's own namespace.
    Tap,
}

/// One wire.
pub(crate) struct Wire<'a, 'lab> {
    kind: Kind,
    host: &'a Namespace<'lab>,
    peer: Option<Namespace<'lab>>,
    number: u8,
    mtu: u16,
    queues: u16,
}

impl Lab {
    /// Whether ports of that kind can be had here; says so where not.
    pub(crate) fn allows(&self, kind: Kind) -> bool {
        if kind != Kind::AfXdp {
            return true;
        }
        if self.mode() == Mode::User {
            say("not run: AF_XDP needs root");
            return false;
        }
        // 44 is AF_XDP; Python has no name for it.
        let mut python = self.command(&[], "python3");
        let tried = python.args(["-c", "import socket; socket.socket(44, socket.SOCK_RAW)"]).output();
        let works = tried.is_ok_and(|output| output.status.success());
        if !works {
            say("not run: this kernel has no AF_XDP sockets");
        }
        works
    }
}

impl<'a, 'lab> Wire<'a, 'lab> {
    /// A wire from `host`, where perigee is going to run. `number` tells the wires of one namespace apart, from 0.
    pub(crate) fn new(host: &'a Namespace<'lab>, kind: Kind, number: u8, mtu: u16) -> Self {
        let mut wire = Self { kind, host, peer: None, number, mtu, queues: 1 };
        if kind != Kind::Tap {
            let peer = host.lab().namespace();
            host.join(&wire.host_device(), &peer, &wire.peer_device(), mtu);
            host.up(&wire.host_device());
            wire.peer = Some(peer);
        }
        wire
    }

    /// The same wire, with that many queues each way. The kernel spreads flows over them.
    pub(crate) fn with_queues(self, queues: u16) -> Self {
        Self { queues, ..self }
    }

    /// The port's `[[port]]` entry in perigee's configuration, with further keys.
    pub(crate) fn port(&self, name: &str, further: &str) -> String {
        let (device, mtu) = (self.device(), self.mtu);
        format!("[[port]]\nname = \"{name}\"\ndevice = \"{device}\"\nmtu = {mtu}\n{further}\n")
    }

    /// The port's device.
    fn device(&self) -> String {
        let (number, interface) = (self.number, self.host_device());
        match self.kind {
            Kind::AfPacket => {
                // A ring's frame holds the kernel's own header, too, and must fit a data room nonetheless; blocks are whole
                // pages and whole frames. An unprivileged user may lock 8 MiB in memory; with two rings a queue, these take
                // half of it for two ports.
                let (frame, block, frames) = if self.mtu > 1_500 { (9_216, 36_864, 112) } else { (2_048, 65_536, 512) };
                let (frames, queues) = (frames / self.queues, self.queues);
                format!(
                    "net_af_packet{number},iface={interface},framesz={frame},blocksz={block},framecnt={frames},\
                     qpairs={queues}"
                )
            }
            Kind::AfXdp => format!("net_af_xdp{number},iface={interface},start_queue=0,queue_count=1"),
            Kind::Tap => format!("net_tap{number},iface={interface}"),
        }
    }

    /// The namespace of the kernel's stack at the other end.
    pub(crate) fn peer(&self) -> &Namespace<'lab> {
        self.peer.as_ref().unwrap_or(self.host)
    }

    /// The kernel's interface at the other end.
    pub(crate) fn peer_device(&self) -> String {
        if self.kind == Kind::Tap { self.host_device() } else { format!("peer{}", self.number) }
    }

    /// Waits until perigee runs, and gives the other end the addresses of that number in the lab's networks. Only now,
    /// because a TAP's interface comes into being with its port, and because what the kernel sent earlier is not counted.
    pub(crate) fn connect(&self, perigee: &mut Perigee, address: u8) {
        self.connect_by(perigee, |peer, device| peer.address(device, address));
    }

    /// As [`Self::connect`], without IPv6, with which the kernel sends something now and then unasked.
    pub(crate) fn connect_v4(&self, perigee: &mut Perigee, address: u8) {
        self.connect_by(perigee, |peer, device| peer.address_v4(device, address));
    }

    /// As [`Self::connect`], without any address, for frames of the test's own.
    pub(crate) fn connect_silently(&self, perigee: &mut Perigee) {
        self.connect_by(perigee, Namespace::up);
    }

    /// Takes the other end down, so that the kernel's counts stand still.
    pub(crate) fn disconnect(&self) {
        self.peer().ip(&format!("link set {} down", self.peer_device()));
    }

    /// What the kernel counted on its side of the wire.
    pub(crate) fn counts(&self) -> Counts {
        self.peer().counts(&self.peer_device())
    }

    /// Packets that perigee handed to its own end of the wire, and that the kernel dropped between the two ends.
    pub(crate) fn lost_between(&self) -> u64 {
        if self.kind == Kind::Tap { 0 } else { self.host.counts(&self.host_device()).tx_dropped }
    }

    /// The interface in perigee's namespace, where it outlives a run: a TAP's does not.
    pub(crate) fn lasting_device(&self) -> Option<String> {
        (self.kind != Kind::Tap).then(|| self.host_device())
    }

    /// The interface in perigee's namespace.
    pub(crate) fn host_device(&self) -> String {
        // A TAP gets no name of the common form: tcpreplay takes an interface called "tap0" for one that it shall make.
        let name = if self.kind == Kind::Tap { "kernel" } else { "port" };
        format!("{name}{}", self.number)
    }

    fn connect_by(&self, perigee: &mut Perigee, bring_up: impl FnOnce(&Namespace<'lab>, &str)) {
        perigee.wait_until_running();
        let (peer, device) = (self.peer(), self.peer_device());
        if self.kind == Kind::Tap {
            self.host.without_offloads(&device);
        }
        bring_up(peer, &device);
        peer.wait_until_up(&device);
        self.host.wait_until_up(&self.host_device());
    }
}
