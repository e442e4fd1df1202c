//! Balances connections to virtual addresses over servers: Maglev hashing with weights, a table of connections, and packets that reach
//! their server in a tunnel or by its MAC address.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod config;
mod connections;
mod forward;
mod maglev;
mod messages;
mod plain;
mod pool;
mod saved;
mod seen;
#[cfg(test)]
mod tests;
mod too_big;

use config::{Config, Other};
use connections::Connections;
use forward::{NoRoom, Sources, Tunnel};
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::state::TokenBucket;
use perigee_guest::wire::Mac;
use perigee_guest::{Batch, Buffer, Counter, Module, Packet, Refusal, Setup, Verdict};
use pool::{Health, Pool};
use seen::{Kind, Seen, Unseen};

perigee_guest::module!(
    Balancer: process, tick, message, state;
    heap = 64 * MIB, mailbox = 8 * MIB, state_version = 1
);

perigee_guest::counters! {
    /// Packets that were sent to a backend.
    PACKETS = "packets",
    /// Their bytes as they came, without frame check sequence.
    BYTES = "bytes",
    /// Packets that are for no service: passed on, or dropped where the configuration says so.
    OTHER_PACKETS = "other",
    /// Packets dropped because their lengths or fields cannot be.
    MALFORMED = "malformed",
    /// Packets dropped because no backend of their service takes connections.
    NO_BACKEND = "no_backend",
    /// Later fragments dropped because the first one was not seen.
    LOST_FRAGMENTS = "fragments.unknown",
    /// Packets dropped because they do not fit on their way, their sender told or not.
    TOO_BIG = "too_big",
    /// Packets dropped because there was no room for the headers of a tunnel before them.
    NO_HEADROOM = "no_headroom",
    /// Senders that were told that a packet did not fit.
    TOLD = "too_big.told",
    /// Senders that were not told, because others were just before.
    NOT_TOLD = "too_big.limited",
    /// Packets among those sent that were errors of ICMP about a connection.
    ERRORS = "icmp.steered",
    /// Packets among those sent that were later fragments.
    FRAGMENTS = "fragments.steered",
    /// Flows that were made.
    MADE = "connections.made",
    /// Flows that went to another backend, because theirs was down.
    MOVED = "connections.moved",
    /// Flows and fragments that were forgotten, because they were not used for too long.
    EXPIRED = "connections.expired",
    /// Flows and fragments that went for others, because their table was full.
    EVICTED = "connections.evicted",
}

/// The balancer.
pub struct Balancer {
    pool: Pool,
    connections: Connections,
    sources: Sources,
    /// The key of the hash by which new connections are spread.
    hash_key: u64,
    ports: [Way; MAX_PORTS],
    other: Verdict,
    /// How many senders are told in a second that a packet did not fit.
    icmp: Option<TokenBucket>,
    burst: plain::Burst,
    now: u64,
}

/// A port, as the way to backends.
#[derive(Clone, Copy, Default)]
struct Way {
    mac: Mac,
    /// The longest IP packet.
    mtu: u16,
    /// The module may send to it.
    is_granted: bool,
}

/// Why a packet is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsent {
    Other,
    Dropped(Counter),
    /// The longest packet that would have fitted.
    TooBig(u16),
}

impl From<Unseen> for Unsent {
    fn from(unseen: Unseen) -> Self {
        if unseen == Unseen::Malformed { Self::Dropped(MALFORMED) } else { Self::Other }
    }
}

impl From<NoRoom> for Unsent {
    fn from(_: NoRoom) -> Self {
        Self::Dropped(NO_HEADROOM)
    }
}

impl Module for Balancer {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let mut ports = [Way::default(); MAX_PORTS];
        for (way, port) in ports.iter_mut().zip(setup.ports()) {
            let mtu = port.mtu.min(config.mtu.unwrap_or(u16::MAX));
            *way = Way { mac: Mac(port.mac), mtu, is_granted: port.may_tx != 0 };
        }
        let (now, rate) = (setup.now_ns(), config.icmp_per_second.into());
        Ok(Self {
            pool: config.pool(setup)?,
            connections: Connections::new(config.limits()?, setup.seed())?,
            sources: config.sources(),
            hash_key: seen::hash_key(config.hash_key.as_str())?,
            ports,
            other: if config.other == Other::Next { Verdict::NEXT } else { Verdict::DROP },
            icmp: if rate == 0 { None } else { Some(TokenBucket::new(rate, rate, now)?) },
            burst: plain::Burst::new(),
            now,
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        self.connections.expire(self.now);
        self.prepare(batch);
        let (mut packets, mut bytes) = (0, 0);
        for (at, mut packet) in batch.packets().enumerate() {
            let (len, plan) = (u64::from(packet.len()), self.burst.plan(at));
            if plan != 0
                && let Some(port) = self.send_plain(&mut packet, plan)
            {
                packets += 1;
                bytes += len;
                packet.tx(port);
            } else {
                self.send_any(packet);
            }
        }
        PACKETS.add(packets);
        BYTES.add(bytes);
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        self.connections.expire(self.now);
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        messages::answer(self, request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self, state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, state)
    }
}

impl Balancer {
    /// Sends a packet of any kind to its backend, or does what else becomes of it, counted.
    #[inline(never)]
    fn send_any(&mut self, mut packet: Packet<'_>) {
        let len = u64::from(packet.len());
        match self.send(&mut packet) {
            Ok(port) => {
                PACKETS.add(1);
                BYTES.add(len);
                packet.tx(port);
            }
            Err(Unsent::Other) => {
                OTHER_PACKETS.add(1);
                packet.finish(self.other);
            }
            Err(Unsent::Dropped(why)) => why.add(1),
            Err(Unsent::TooBig(mtu)) => {
                TOO_BIG.add(1);
                if self.tell(&mut packet, mtu) {
                    packet.tx_back();
                }
            }
        }
    }

    /// Makes a packet ready for its backend, and says by which port it leaves.
    #[inline]
    fn send(&mut self, packet: &mut Packet<'_>) -> Result<u16, Unsent> {
        let seen = Seen::of(packet.bytes())?;
        if seen.kind == Kind::Later {
            return self.send_fragment(packet, &seen);
        }
        let service = self.pool.service(&seen.flow).ok_or(Unsent::Other)?;
        let backend = self.backend(&seen, service).ok_or(Unsent::Dropped(NO_BACKEND))?;
        if let Some(identification) = seen.fragment {
            self.connections.note_fragment(seen.later(identification), backend, self.now);
        }
        ERRORS.add((seen.kind == Kind::Error).into());
        self.forward(packet, &seen, service, backend)
    }

    /// The same for a fragment without ports: it follows the first one of its packet.
    fn send_fragment(&mut self, packet: &mut Packet<'_>, seen: &Seen) -> Result<u16, Unsent> {
        if !self.pool.is_served(&seen.flow) {
            return Err(Unsent::Other);
        }
        let noted = self.connections.find(seen, self.now).filter(|backend| self.pool.keeps(*backend));
        let backend = noted.ok_or(Unsent::Dropped(LOST_FRAGMENTS))?;
        let service = self.pool.tunnelled_as(&seen.flow, backend).ok_or(Unsent::Dropped(LOST_FRAGMENTS))?;
        FRAGMENTS.add(1);
        self.forward(packet, seen, service, backend)
    }

    /// The backend that has the flow, or gets it now.
    #[inline]
    fn backend(&mut self, seen: &Seen, service: usize) -> Option<u16> {
        let known = self.connections.find(seen, self.now);
        if let Some(backend) = known {
            let is_up = || self.pool.backends[usize::from(backend)].health == Health::Up;
            // A SYN that came once before may go elsewhere: nothing is lost.
            if self.pool.keeps(backend) && (seen.kind != Kind::Syn || is_up()) {
                return Some(backend);
            }
            self.connections.forget(&seen.flow);
        }
        let backend = self.pool.choose(service, seen::hash(&seen.flow, self.hash_key))?;
        MOVED.add(known.is_some().into());
        self.connections.note(seen, backend, self.now);
        Some(backend)
    }

    /// Puts a packet on its way to a backend.
    #[inline]
    fn forward(&mut self, packet: &mut Packet<'_>, seen: &Seen, service: usize, number: u16) -> Result<u16, Unsent> {
        let tunnel = self.pool.services.get(service).map_or(Tunnel::None, |service| service.tunnel);
        let backend = self.pool.backends.get_mut(usize::from(number)).ok_or(Unsent::Dropped(NO_BACKEND))?;
        let port = backend.port.unwrap_or(packet.port());
        let way = self.ports.get(usize::from(port)).copied().unwrap_or_default();
        let mtu = way.mtu.saturating_sub(tunnel.overhead(backend.address));
        if seen.ip.len > mtu {
            return Err(Unsent::TooBig(mtu));
        }
        let len = u64::from(packet.len());
        if let (Some(to), true) = (backend.address, tunnel != Tunnel::None) {
            tunnel.wrap(packet, &seen.ip, to, self.sources, seen::hash(&seen.flow, self.hash_key))?;
        }
        forward::address(packet, way.mac, backend.mac);
        backend.packets += 1;
        backend.bytes += len;
        Ok(port)
    }

    /// Turns a packet that does not fit into an answer that says so, where there may be one.
    fn tell(&mut self, packet: &mut Packet<'_>, mtu: u16) -> bool {
        let way = self.ports.get(usize::from(packet.port())).copied().unwrap_or_default();
        let seen = Seen::of(packet.bytes()).ok().filter(|seen| too_big::may_tell(seen, packet.bytes()));
        let (Some(seen), true) = (seen, way.is_granted) else { return false };
        if !self.icmp.as_mut().is_some_and(|bucket| bucket.take(1, self.now)) {
            NOT_TOLD.add(1);
            return false;
        }
        let is_told = too_big::tell(packet, &seen, mtu, way.mac).is_ok();
        TOLD.add(is_told.into());
        is_told
    }
}
