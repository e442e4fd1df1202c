//! Alone between two ports: answers ARP for its addresses, asks for its neighbours, and hands packets to the next hop.
//!
//! Without this a router is in front of or behind the translator, and MAC addresses are its affair.

use crate::config::Rules;
use crate::icmp::write_error;
use crate::outcome::{Count, Drop};
use crate::rewrite::Ip;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{FlowLimits, FlowTable, MILLISECOND, Prefix, SECOND};
use perigee_guest::wire::checksum::update;
use perigee_guest::wire::{Arp, Ethernet, Header as _, Icmp, Ipv4, Mac, ether_type};
use perigee_guest::{Buffer, Outputs, Refusal, Setup, Text, Verdict};

/// Neighbours that are known at a time, and for how long.
const NEIGHBOURS: u32 = 4_096;
const NEIGHBOUR_IDLE: u64 = 600 * SECOND;
/// Between two questions for one neighbour.
const ASK_AGAIN: u64 = 250 * MILLISECOND;
/// A neighbour that is known is asked again after so long, so that one that has moved is found.
const REFRESH: u64 = 60 * SECOND;
/// Packets that are made in one call.
const MADE: usize = 8;
/// Longest frame that is made: an error of ICMP.
const FRAME_MAX: usize = Ethernet::LEN + 576;

/// Both sides.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct LinkConfig {
    inside: SideConfig,
    outside: SideConfig,
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

struct Side {
    port: u16,
    mac: Mac,
    address: Ipv4Addr,
    network: Prefix<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
}

struct Neighbour {
    mac: Option<Mac>,
    /// When it was last asked for, or has answered.
    at: u64,
}

/// A frame to be sent.
struct Made {
    port: u16,
    len: usize,
    bytes: [u8; FRAME_MAX],
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
    neighbours: FlowTable<(Place, Ipv4Addr), Neighbour>,
    made: Vec<Made>,
}

impl Link {
    pub(crate) fn new(config: &LinkConfig, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let sides = [Side::new("inside", &config.inside, setup)?, Side::new("outside", &config.outside, setup)?];
        if sides[0].port == sides[1].port {
            return Err(Refusal::new(
                "link: inside and outside are on one port: put a router there, and leave `link` away",
            ));
        }
        let mut made = Vec::new();
        made.try_reserve_exact(MADE).map_err(|_| Refusal::new("no memory for the packets that are made"))?;
        let limits = FlowLimits::new(NEIGHBOURS, setup.seed()).idle(NEIGHBOUR_IDLE);
        Ok(Self { sides, neighbours: FlowTable::new(limits)?, made })
    }

    const fn side(&self, place: Place) -> &Side {
        &self.sides[place as usize]
    }

    /// Looks at a frame from a port.
    pub(crate) fn arrive(&mut self, frame: &mut [u8], port: u16, rules: &Rules, now: u64) -> Arrival {
        let place = match self.sides.iter().position(|side| side.port == port) {
            Some(0) => Place::Inside,
            Some(_) => Place::Outside,
            None => return Arrival::NotOurs,
        };
        let Ok((number, start)) = Ethernet::untagged(frame) else { return Arrival::NotOurs };
        let Ok(ethernet) = Ethernet::parse(frame) else { return Arrival::NotOurs };
        match number {
            ether_type::ARP => self.arp(frame, start, place, rules, now),
            ether_type::IPV4 if ethernet.destination() == self.side(place).mac => Arrival::Packet(place),
            _ => Arrival::NotOurs,
        }
    }

    /// Answers who asks for one of our addresses, and remembers who asks or answers.
    fn arp(&mut self, frame: &mut [u8], start: usize, place: Place, rules: &Rules, now: u64) -> Arrival {
        let Ok(arp) = frame.get(start..).map_or(Err(perigee_guest::wire::Error), Arp::parse) else {
            return Arrival::NotOurs;
        };
        let (sender, mac, target, is_request) =
            (arp.sender(), arp.sender_mac(), arp.target(), arp.operation() == Arp::REQUEST);
        let (own, side_mac) = (self.side(place).address, self.side(place).mac);
        let is_ours = target == own || place == Place::Outside && rules.pool.contains(target.to_bits());
        let is_neighbour = self.side(place).network.contains(sender) && sender != own && !mac.is_multicast();
        // Who does not ask for us changes what is known, and makes nothing known: else anybody could fill the table.
        let is_known = self.neighbours.get(&(place, sender)).is_some();
        if is_neighbour
            && (is_ours || is_known)
            && let Some(found) =
                self.neighbours.find_or_insert((place, sender), now, || Neighbour { mac: None, at: now })
        {
            *found.value = Neighbour { mac: Some(mac), at: now };
        }
        if !is_ours {
            return Arrival::NotOurs;
        }
        if !is_request {
            Count::ArpHeard.add(1);
            return Arrival::Done;
        }
        if let Ok((arp, _)) = Arp::split_mut(&mut frame[start..]) {
            arp.answer(side_mac);
        }
        if let Ok((ethernet, _)) = Ethernet::split_mut(frame) {
            ethernet.set_destination(mac);
            ethernet.set_source(side_mac);
        }
        Count::ArpAnswered.add(1);
        Arrival::Answer
    }

    /// Whether a packet may come from that side, and how its time to live is.
    pub(crate) fn check(
        &mut self,
        frame: &[u8],
        start: usize,
        ip: &Ip,
        place: Place,
        rules: &Rules,
        now: u64,
    ) -> Result<(), Drop> {
        if (place == Place::Outside) == rules.is_inside(ip.source) {
            return Err(Drop::Spoofed);
        }
        self.learn(frame, ip, place, now);
        let ttl = frame.get(start..).and_then(|packet| Ipv4::parse(packet).ok()).map_or(0, |ip| ip.ttl());
        if ttl > 1 {
            return Ok(());
        }
        self.tell_expired(frame, start, place);
        Err(Drop::Ttl)
    }

    /// Remembers a neighbour that was not known: it may have asked for us before we were here.
    fn learn(&mut self, frame: &[u8], ip: &Ip, place: Place, now: u64) {
        let key = (place, Ipv4Addr::from_bits(ip.source));
        let Ok(ethernet) = Ethernet::parse(frame) else { return };
        let is_new = self.neighbours.get(&key).is_none_or(|neighbour| neighbour.mac.is_none());
        let side = self.side(place);
        let is_neighbour = side.network.contains(key.1) && side.address != key.1 && !ethernet.source().is_multicast();
        if is_new && is_neighbour {
            let mac = Some(ethernet.source());
            if let Some(found) = self.neighbours.find_or_insert(key, now, || Neighbour { mac, at: now }) {
                *found.value = Neighbour { mac, at: now };
            }
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
        let place = if rules.is_inside(destination.to_bits()) { Place::Inside } else { Place::Outside };
        let side = self.side(place);
        let hop = if side.network.contains(destination) { Some(destination) } else { side.gateway };
        let mac = self.mac_of(place, hop.ok_or(Drop::NoNeighbour)?, now).ok_or(Drop::NoNeighbour)?;
        let side = self.side(place);
        let (ethernet, _) = Ethernet::split_mut(frame).map_err(|_| Drop::Malformed)?;
        ethernet.set_destination(mac);
        ethernet.set_source(side.mac);
        Ok(Verdict::tx(side.port))
    }

    /// A neighbour's MAC address. Where it is not known, or was not heard of for a while, it is asked for.
    fn mac_of(&mut self, place: Place, hop: Ipv4Addr, now: u64) -> Option<Mac> {
        let found = self.neighbours.find_or_insert((place, hop), now, || Neighbour { mac: None, at: 0 })?;
        let wait = match (found.is_new, found.value.mac) {
            (true, _) => 0,
            (false, None) => ASK_AGAIN,
            (false, Some(_)) => REFRESH,
        };
        let mac = found.value.mac;
        if now.saturating_sub(found.value.at) >= wait {
            found.value.at = now;
            self.ask(place, hop);
        }
        mac
    }

    /// Makes a request of ARP.
    fn ask(&mut self, place: Place, target: Ipv4Addr) {
        let side = self.side(place);
        let (mac, address, port) = (side.mac, side.address, side.port);
        self.make(port, |frame| {
            let (ethernet, rest) = Ethernet::split_mut(frame).ok()?;
            ethernet.set_destination(Mac([0xff; 6]));
            ethernet.set_source(mac);
            ethernet.set_ether_type(ether_type::ARP);
            let (arp, _) = Arp::split_mut(rest).ok()?;
            *arp = Arp::default();
            arp.set_sender_mac(mac);
            arp.set_sender(address);
            arp.set_target(target);
            Count::ArpAsked.add(1);
            Some(60)
        });
    }

    /// Tells the sender of a packet that its time to live was over here.
    fn tell_expired(&mut self, about: &[u8], start: usize, place: Place) {
        let side = self.side(place);
        let (mac, address, port) = (side.mac, side.address.to_bits(), side.port);
        let Ok(to) = Ethernet::parse(about).map(|ethernet| ethernet.source()) else { return };
        let Some(packet) = about.get(start..) else { return };
        self.make(port, |frame| {
            let (ethernet, rest) = Ethernet::split_mut(frame).ok()?;
            ethernet.set_destination(to);
            ethernet.set_source(mac);
            ethernet.set_ether_type(ether_type::IPV4);
            let len = write_error(rest, packet, address, Icmp::TIME_EXCEEDED, 0)?;
            Count::ErrorsMade.add(1);
            Some((Ethernet::LEN + len).max(60))
        });
    }

    fn make(&mut self, port: u16, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
        if self.made.len() >= MADE {
            return;
        }
        let mut bytes = [0; FRAME_MAX];
        if let Some(len) = write(&mut bytes) {
            self.made.push(Made { port, len, bytes });
        }
    }

    /// Sends what was made.
    pub(crate) fn flush(&mut self, outputs: &mut Outputs<'_>) {
        for made in self.made.drain(..) {
            let Some(mut spare) = outputs.spare() else { break };
            let Some(bytes) = u16::try_from(made.len).ok().and_then(|len| spare.bytes_mut(len)) else { break };
            bytes.copy_from_slice(&made.bytes[..made.len]);
            if !outputs.send(spare, Verdict::tx(made.port)) {
                break;
            }
        }
    }

    /// Forgets neighbours that nobody has sent to for long.
    pub(crate) fn expire(&mut self, now: u64) {
        self.neighbours.expire(now, 16, |_, _| ());
    }
}

/// For the next instance: the neighbours, so that it has to ask for none.
impl Link {
    /// Writes their number, then each: side, address, MAC address.
    pub(crate) fn save(&self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        let known = || self.neighbours.iter().filter_map(|one| one.value.mac.map(|mac| (one.key, mac)));
        state.push(&u32::try_from(known().count()).unwrap_or_default().to_le_bytes())?;
        for ((place, address), mac) in known() {
            state.push(&[*place as u8])?;
            state.push(&address.octets())?;
            state.push(&mac.0)?;
        }
        Ok(())
    }

    fn restore(&mut self, neighbours: &[[u8; NEIGHBOUR_BYTES]], now: u64) {
        for &[place, a, b, c, d, ref mac @ ..] in neighbours {
            let place = if place == 0 { Place::Inside } else { Place::Outside };
            let key = (place, Ipv4Addr::new(a, b, c, d));
            self.neighbours.find_or_insert(key, now, || Neighbour { mac: Some(Mac(*mac)), at: now });
        }
    }
}

/// A neighbour, as saved.
const NEIGHBOUR_BYTES: usize = 11;

/// Writes the neighbours of a link, or that there is none.
pub(crate) fn save(link: Option<&Link>, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    match link {
        Some(link) => link.save(state),
        None => Ok(state.push(&[0; 4])?),
    }
}

/// Reads what [`save`] wrote, and gives what is behind it.
pub(crate) fn restore<'s>(link: Option<&mut Link>, state: &'s [u8], now: u64) -> Result<&'s [u8], Refusal> {
    let bad = || Refusal::new("the state is not one that this module saves");
    let (count, rest) = state.split_first_chunk().ok_or_else(bad)?;
    let len = u32::from_le_bytes(*count) as usize * NEIGHBOUR_BYTES;
    let (neighbours, rest) = rest.split_at_checked(len).ok_or_else(bad)?;
    if let Some(link) = link {
        link.restore(neighbours.as_chunks().0, now);
    }
    Ok(rest)
}

impl Side {
    fn new(name: &str, config: &SideConfig, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::from_parts(&["link.", name, what]);
        let bad_address =
            || wrong(".address: our address there with the length of its prefix, such as \"10.0.0.1/24\"");
        let port =
            setup.ports().get(usize::from(config.port)).ok_or_else(|| wrong(".port: this run has no such port"))?;
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
        Ok(Self { port: config.port, mac, address, network, gateway: config.gateway })
    }
}
