//! The kernel's interface below a port of net_af_packet, net_af_xdp, net_pcap or net_tap: DPDK's drivers look at it when they
//! start, and few of them later, so the keeper asks the kernel about it while the run goes on.

use super::packet_socket::PacketSockets;
use super::port::Port;
use perigee_config::device::longest_of_mtu;
use perigee_machine::netlink::{Link, Netlink, Which, is_gone};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What is known of an interface.
#[derive(Debug)]
pub(crate) struct OnInterface {
    name: String,
    /// The kernel's number of the one that the port uses.
    number: AtomicU32,
    address: Option<[u8; 6]>,
    /// Number of the XDP program that hands packets to the port; 0 where there is none, or it is gone and was told of.
    program: AtomicU32,
    /// The longest frame that the port takes; 0 where its driver has no bound of its own.
    longest: u32,
    /// The port sends there as well: net_pcap can send to another one.
    sends: bool,
    /// It is set up, and has a carrier.
    is_up: AtomicBool,
    /// It is not set up: what is sent would wait until it is, and go out late.
    is_shut: AtomicBool,
    is_gone: AtomicBool,
    /// Its MTU has grown beyond the port.
    is_too_large: AtomicBool,
    /// One of the same name that the port cannot use, and that was told of.
    refused: AtomicU32,
}

impl OnInterface {
    /// The interface as it is when the port starts.
    pub(super) fn new(name: &str, link: &Link, longest: u32, sends: bool) -> Self {
        Self {
            name: name.to_owned(),
            number: link.number.into(),
            address: link.address,
            program: 0.into(),
            longest,
            sends,
            is_up: link.is_up().into(),
            is_shut: (!link.is_set_up()).into(),
            is_gone: false.into(),
            is_too_large: false.into(),
            refused: 0.into(),
        }
    }

    /// The driver has started: it may have set the interface up, and put an XDP program on it.
    pub(super) fn started(&self, has_program: bool) {
        let number = Which::Number(self.number.load(Ordering::Relaxed));
        let Ok(link) = Netlink::open().and_then(|mut netlink| netlink.ask(number)) else { return };
        self.is_up.store(link.is_up(), Ordering::Relaxed);
        self.is_shut.store(!link.is_set_up(), Ordering::Relaxed);
        self.program.store(link.program.filter(|_| has_program).unwrap_or(0), Ordering::Relaxed);
    }

    /// Name and number of the interface that packets leave by.
    pub(super) fn sends_by(&self) -> (&str, u32) {
        (&self.name, self.number.load(Ordering::Relaxed))
    }

    /// It is set up and has a carrier.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Nothing can be sent: it is not set up, or gone.
    #[inline]
    pub(super) fn is_shut(&self) -> bool {
        self.sends && self.is_shut.load(Ordering::Relaxed)
    }

    /// Asks the kernel, and tells what has changed.
    pub(super) fn look(&self, port: &Port, sockets: Option<&PacketSockets>, netlink: &mut Netlink) {
        if !self.is_gone.load(Ordering::Relaxed) {
            match netlink.ask(Which::Number(self.number.load(Ordering::Relaxed))) {
                Ok(link) => return self.is_there(port, sockets, &link),
                Err(error) if is_gone(&error) => self.has_gone(port, sockets),
                Err(_) => return,
            }
        }
        if let Ok(link) = netlink.ask(Which::Name(&self.name)) {
            self.is_new(port, sockets, &link);
        }
    }

    fn has_gone(&self, port: &Port, sockets: Option<&PacketSockets>) {
        self.is_gone.store(true, Ordering::Relaxed);
        self.is_shut.store(true, Ordering::Relaxed);
        if self.is_up.swap(false, Ordering::Relaxed) {
            port.events.count_down();
        }
        let then = if sockets.is_some_and(PacketSockets::can_move) {
            "until there is one of its name again"
        } else {
            "until the run is started anew"
        };
        port.events.add(&format!("interface {} is gone: nothing comes in and nothing goes out {then}", self.name));
    }

    /// There is one of its name again, with a number of its own.
    fn is_new(&self, port: &Port, sockets: Option<&PacketSockets>, link: &Link) {
        if self.refused.load(Ordering::Relaxed) == link.number {
            return;
        }
        let moved = sockets.map(|sockets| sockets.bind(link.number, port.promiscuous));
        if let Some(Ok(())) = moved {
            self.number.store(link.number, Ordering::Relaxed);
            self.is_gone.store(false, Ordering::Relaxed);
            let other = link.address != self.address;
            let address = if other {
                "; it has another address than modules were told: start the run anew where that matters"
            } else {
                ""
            };
            port.events.add(&format!("there is an interface {} again, and the port uses it{address}", self.name));
            return self.is_there(port, sockets, link);
        }
        self.refused.store(link.number, Ordering::Relaxed);
        port.events.add(&format!("there is an interface {} again, which only a new start of the run uses", self.name));
    }

    fn is_there(&self, port: &Port, sockets: Option<&PacketSockets>, link: &Link) {
        let (up, was_shut) = (link.is_up(), self.is_shut.load(Ordering::Relaxed));
        if was_shut && link.is_set_up() {
            sockets.inspect(|sockets| sockets.forget_errors());
        }
        self.is_shut.store(!link.is_set_up(), Ordering::Relaxed);
        if self.is_up.swap(up, Ordering::Relaxed) != up {
            if up {
                port.events.add("link up");
            } else {
                port.events.count_down();
                let why = if link.is_set_up() { "it has no carrier" } else { "it was set down" };
                port.events.add(&format!("link down: {why}"));
            }
        }
        let program = self.program.load(Ordering::Relaxed);
        if program != 0 && link.program != Some(program) {
            self.program.store(0, Ordering::Relaxed);
            let what = "the XDP program was taken off the interface: nothing comes in until the run is started anew";
            port.events.add(what);
        }
        self.look_at_mtu(port, link.mtu);
    }

    fn look_at_mtu(&self, port: &Port, mtu: u32) {
        let too_large = self.longest != 0 && longest_of_mtu(mtu) > self.longest;
        if self.is_too_large.swap(too_large, Ordering::Relaxed) == too_large {
            return;
        }
        let most = self.longest - longest_of_mtu(0);
        if too_large {
            let what = format!(
                "the interface's MTU is {mtu} now: packets of more than {most} bytes are dropped (rx_too_long)"
            );
            port.events.add(&what);
        } else {
            port.events.add(&format!("the interface's MTU is {mtu} now: all packets come in again"));
        }
    }
}

impl Port {
    /// It is on an interface of the kernel's.
    pub fn is_on_interface(&self) -> bool {
        self.device.interface.is_some()
    }

    /// Asks the kernel about the interface below, and tells what has changed.
    pub fn look_below(&self, netlink: &mut Netlink) {
        if let Some(interface) = &self.device.interface {
            interface.look(self, self.device.packet.as_ref(), netlink);
        }
    }

    /// It tells of its link itself, with what it knows of the cause.
    pub fn tells_of_link(&self) -> bool {
        self.is_on_interface() || self.memif.is_some() || self.device.is_gone()
    }

    /// Its link has changed, by what its driver says.
    pub fn link_is(&self, up: bool) {
        if !up {
            self.events.count_down();
            self.events.add("link down");
        } else if self.events.is_empty() {
            // Cards take some seconds to come up.
            tracing::info!(port = self.name(), "link up");
        } else {
            self.events.add("link up");
        }
    }
}
