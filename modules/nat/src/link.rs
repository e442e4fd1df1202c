//! Alone between two ports: answers ARP for its addresses, asks for its neighbours, and hands packets to the next hop.
//!
//! Without this a router is in front of or behind the translator, and MAC addresses are its affair.

use crate::config::Rules;
use crate::made::{Complaint, Made, Sender};
use crate::neighbours::Neighbours;
use crate::outcome::{Count, Drop};
use crate::rewrite::Ip;
use crate::session::Engine;
use crate::strangers::Strangers;
use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::Prefix;
use perigee_guest::wire::checksum::update;
use perigee_guest::wire::{Arp, Error, Ethernet, Header as _, Icmp, Ipv4, Mac, ether_type};
use perigee_guest::{Refusal, Setup, Text, Verdict};

/// Of "unreachable": fragments are needed, and must not be made; prohibited by who runs this (RFC 792, RFC 1812).
const FRAGMENTATION_NEEDED: u8 = 4;
const PROHIBITED: u8 = 13;

/// Both sides.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct LinkConfig {
    inside: SideConfig,
    outside: SideConfig,
    #[serde(default)]
    unsolicited_syn: Unsolicited,
}

/// What becomes of a connection from outside that nobody has asked for.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Unsolicited {
    /// Nothing, and nobody is told.
    #[default]
    Drop,
    /// It is told after six seconds that there is no such port.
    Answer,
}

/// One side.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct SideConfig {
    /// The port's number.
    port: u16,
    /// Our address there, and how long the network's prefix is.
    address: Text<18>,
    /// The router to all that is not in this network.
    #[serde(default)]
    gateway: Option<Ipv4Addr>,
    /// Our MAC address there; else the port's.
    #[serde(default)]
    mac: Option<Mac>,
}

/// Which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Inside,
    Outside,
}

impl Place {
    /// The side on which an address is.
    fn of(address: Ipv4Addr, rules: &Rules) -> Self {
        if rules.is_inside(address.to_bits()) { Self::Inside } else { Self::Outside }
    }
}

struct Side {
    own: Sender,
    network: Prefix<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    mtu: usize,
}

/// What becomes of a frame before translation.
pub(crate) enum Arrival {
    /// A packet of IPv4 for us, from this side.
    Packet(Place),
    /// It was turned into an answer, to be sent back.
    Answer,
    /// Nothing more is to be done with it.
    Done,
    /// It is none of ours.
    NotOurs,
}

/// Both links.
pub(crate) struct Link {
    sides: [Side; 2],
    pub(crate) neighbours: Neighbours,
    pub(crate) made: Made,
    strangers: Option<Strangers>,
}

impl Link {
    pub(crate) fn new(config: &LinkConfig, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let sides = [Side::new("inside", &config.inside, setup)?, Side::new("outside", &config.outside, setup)?];
        if sides[0].own.port == sides[1].own.port {
            return Err(Refusal::new(
                "link: inside and outside are on one port: put a router there, and leave `link` away",
            ));
        }
        let strangers = (config.unsolicited_syn == Unsolicited::Answer).then(Strangers::new).transpose()?;
        Ok(Self { sides, neighbours: Neighbours::new(setup.seed())?, made: Made::new()?, strangers })
    }

    const fn side(&self, place: Place) -> &Side {
        &self.sides[place as usize]
    }

    /// Looks at a frame from a port.
    pub(crate) fn arrive(&mut self, frame: &mut [u8], port: u16, rules: &Rules, now: u64) -> Arrival {
        let place = match self.sides.iter().position(|side| side.own.port == port) {
            Some(0) => Place::Inside,
            Some(_) => Place::Outside,
            None => return Arrival::NotOurs,
        };
        // What has a tag of a VLAN is of another network.
        let Ok(ethernet) = Ethernet::parse(frame) else { return Arrival::NotOurs };
        match ethernet.ether_type() {
            ether_type::ARP => self.arp(frame, place, rules, now),
            ether_type::IPV4 if ethernet.destination() == self.side(place).own.mac => Arrival::Packet(place),
            _ => Arrival::NotOurs,
        }
    }

    /// Answers who asks for one of our addresses, and remembers who asks or answers.
    fn arp(&mut self, frame: &mut [u8], place: Place, rules: &Rules, now: u64) -> Arrival {
        let Ok(arp) = frame.get(Ethernet::LEN..).map_or(Err(Error), Arp::parse) else { return Arrival::NotOurs };
        let (sender, mac, target) = (arp.sender(), arp.sender_mac(), arp.target());
        let is_request = arp.operation() == Arp::REQUEST;
        let own = self.side(place).own;
        let is_ours = target == own.address || place == Place::Outside && rules.pool.contains(target.to_bits());
        // Who does not speak to us changes what is known, and makes nothing known: else anybody could fill the table.
        let is_wanted = is_ours || self.neighbours.is_wanted(place, sender);
        if is_wanted && self.is_neighbour(place, sender, mac) {
            self.neighbours.learn(place, sender, mac, now);
        }
        if !is_ours {
            return Arrival::NotOurs;
        }
        if !is_request {
            Count::ArpHeard.add(1);
            return Arrival::Done;
        }
        if let Ok((arp, _)) = Arp::split_mut(&mut frame[Ethernet::LEN..]) {
            arp.answer(own.mac);
        }
        if let Ok((ethernet, _)) = Ethernet::split_mut(frame) {
            ethernet.set_destination(mac);
            ethernet.set_source(own.mac);
        }
        Count::ArpAnswered.add(1);
        Arrival::Answer
    }

    fn is_neighbour(&self, place: Place, address: Ipv4Addr, mac: Mac) -> bool {
        let side = self.side(place);
        side.network.contains(address) && address != side.own.address && !mac.is_multicast() && !mac.is_zero()
    }

    /// Whether a packet may come from that side, has time left to live, and fits the way out.
    pub(crate) fn check(
        &mut self,
        frame: &[u8],
        start: usize,
        ip: &Ip,
        place: Place,
        rules: &Rules,
        now: u64,
    ) -> Result<(), Drop> {
        let is_outside = place == Place::Outside;
        if is_outside == rules.is_inside(ip.source) || is_outside && rules.pool.contains(ip.source) {
            return Err(Drop::Spoofed);
        }
        let ethernet = Ethernet::parse(frame).map_err(|_| Drop::Malformed)?;
        let header = Ipv4::parse(frame.get(start..).unwrap_or_default()).map_err(|_| Drop::Malformed)?;
        self.learn(place, header.source(), ethernet.source(), now);
        let own = self.side(place).own;
        if header.ttl() <= 1 {
            self.made.complain(own, frame, start, Complaint { kind: Icmp::TIME_EXCEEDED, code: 0, mtu: 0 });
            return Err(Drop::Ttl);
        }
        // By hairpin it goes back to where it came from, from outside always inside.
        let is_hairpin = place == Place::Inside && rules.pool.contains(ip.destination);
        let way_out = if is_hairpin || place == Place::Outside { Place::Inside } else { Place::Outside };
        let mtu = self.side(way_out).mtu;
        if ip.len <= mtu {
            return Ok(());
        }
        if header.dont_fragment() {
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            let what = Complaint { kind: Icmp::UNREACHABLE, code: FRAGMENTATION_NEEDED, mtu };
            self.made.complain(own, frame, start, what);
        }
        Err(Drop::TooLong)
    }

    /// Remembers a neighbour that was not known: it may have asked for us before we were here.
    fn learn(&mut self, place: Place, address: Ipv4Addr, mac: Mac, now: u64) {
        if self.is_neighbour(place, address, mac) && !self.neighbours.is_known(place, address) {
            self.neighbours.learn(place, address, mac, now);
        }
    }

    /// A packet was not translated. A host inside is told that there is no room for its session (RFC 5508, REQ-8).
    pub(crate) fn refuse(&mut self, frame: &[u8], start: usize, place: Place, why: Drop, now: u64) {
        if let (Drop::UnsolicitedSyn, Place::Outside, Some(strangers)) = (why, place, &mut self.strangers) {
            strangers.note(frame, now);
        }
        let is_full = matches!(why, Drop::TableFull | Drop::HostsFull | Drop::HostLimit | Drop::PortsExhausted);
        if is_full && place == Place::Inside {
            let what = Complaint { kind: Icmp::UNREACHABLE, code: PROHIBITED, mtu: 0 };
            self.made.complain(self.sides[0].own, frame, start, what);
        }
    }

    /// Does what is due.
    pub(crate) fn tend(&mut self, engine: &Engine<'_>, now: u64) {
        self.neighbours.expire(now);
        if let Some(strangers) = &mut self.strangers {
            strangers.answer(engine, self.sides[1].own, &mut self.made, now);
        }
    }

    /// Sends a packet on its way: one hop less to live, the next hop's MAC address, its port.
    pub(crate) fn leave(&mut self, frame: &mut [u8], start: usize, rules: &Rules, now: u64) -> Result<Verdict, Drop> {
        let (ip, _) = Ipv4::split_mut(frame.get_mut(start..).unwrap_or_default()).map_err(|_| Drop::Malformed)?;
        let destination = ip.destination();
        let word = |ttl: u8, protocol: u8| u16::from_be_bytes([ttl, protocol]);
        let (ttl, protocol) = (ip.ttl(), ip.protocol());
        let left = ttl.saturating_sub(1);
        ip.set_checksum(update(ip.checksum(), word(ttl, protocol), word(left, protocol)));
        ip.set_ttl(left);
        let place = Place::of(destination, rules);
        let side = self.side(place);
        let own = side.own;
        let hop = if side.network.contains(destination) { Some(destination) } else { side.gateway };
        let hop = hop.ok_or(Drop::NoNeighbour)?;
        let found = self.neighbours.find(place, hop, now);
        if found.ask {
            self.made.ask(own, hop);
        }
        let mac = found.mac.ok_or(Drop::NoNeighbour)?;
        let (ethernet, _) = Ethernet::split_mut(frame).map_err(|_| Drop::Malformed)?;
        ethernet.set_destination(mac);
        ethernet.set_source(own.mac);
        Ok(Verdict::tx(own.port))
    }
}

impl Side {
    fn new(name: &str, config: &SideConfig, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::from_parts(&["link.", name, what]);
        let bad_address =
            || wrong(".address: our address there with the length of its prefix, such as \"10.0.0.1/24\"");
        let number = config.port;
        let port = setup.ports().get(usize::from(number)).ok_or_else(|| wrong(".port: this run has no such port"))?;
        let (address, len) = config.address.as_str().split_once('/').ok_or_else(bad_address)?;
        let address: Ipv4Addr = address.parse().map_err(|_| bad_address())?;
        let network = len.parse().ok().and_then(|len| Prefix::new(address, len)).ok_or_else(bad_address)?;
        if config.gateway.is_some_and(|gateway| !network.contains(gateway) || gateway == address) {
            return Err(wrong(".gateway: not a neighbour: an address of the prefix of `address`, and not our own"));
        }
        let mac = config.mac.unwrap_or(Mac(port.mac));
        if mac.is_multicast() || mac.is_zero() {
            return Err(wrong(".mac: not the address of one station"));
        }
        let own = Sender { port: number, mac, address };
        Ok(Self { own, network, gateway: config.gateway, mtu: usize::from(port.mtu) })
    }
}
