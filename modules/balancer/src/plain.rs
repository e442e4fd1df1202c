//! The plain packets of a burst: TCP and UDP by IPv4 without options, of flows that are established.
//!
//! A burst is gone through in steps: all hashes, all flows, then packet by packet. So flows, which in a large table are far away, are
//! asked for together. What is not plain, and all that makes, moves or ends something, is [`Balancer::send`]'s, which would do the
//! same with a plain packet.

use crate::Balancer;
use crate::connections::State;
use crate::forward::Tunnel;
use crate::pool::Health;
use crate::seen::{Ip, Kind, Seen, of_flags};
use perigee_guest::abi::MAX_BATCH;
use perigee_guest::state::{FiveTuple, FiveTuple4, FlowHash};
use perigee_guest::wire::{PlainIpv4, protocol};
use perigee_guest::{Batch, Packet};

/// Where the ports begin, and where TCP has its flags.
const PORTS: usize = 34;
const FLAGS: usize = PORTS + 13;
/// Packets from which on flows are asked for together.
const MANY: usize = 8;

/// What is known of the packets of a burst.
pub(crate) struct Burst {
    /// [`PLAIN`] with the hash of the packet's flow in the lower half; 0: it is not plain.
    plans: [u64; MAX_BATCH],
    /// The hashes of UDP's and of TCP's flows.
    hashes: [[u32; MAX_BATCH]; 2],
}

const PLAIN: u64 = 1 << 32;
/// Beside it: a segment of TCP.
const SEGMENT: u64 = 2 << 32;

#[cfg(test)]
std::thread_local! {
    /// No packet is plain: what the general path does is what this one has to do.
    pub(crate) static NONE_IS_PLAIN: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self { plans: [0; MAX_BATCH], hashes: [[0; MAX_BATCH]; 2] }
    }

    #[inline(always)]
    pub(crate) fn plan(&self, at: usize) -> u64 {
        self.plans.get(at).copied().unwrap_or(0)
    }
}

impl Balancer {
    /// Computes the hashes of all packets, and reads the flows that stand there.
    pub(crate) fn prepare(&mut self, batch: &mut Batch<'_>) {
        let Self { burst, connections, .. } = self;
        #[cfg(test)]
        if NONE_IS_PLAIN.get() {
            return burst.plans.fill(0);
        }
        let mut counts = [0; 2];
        for (plan, packet) in burst.plans.iter_mut().zip(batch.packets()) {
            *plan = 0;
            let Some(seen) = Plain::of(packet.bytes()) else { continue };
            // All tables have the same seed.
            let hash = connections.table(State::Udp).hash_of(&FiveTuple::V4(seen.flow)).to_number();
            let which = usize::from(seen.kind == Kind::Segment);
            *plan = if which == 0 { PLAIN } else { PLAIN | SEGMENT } | u64::from(hash);
            if let Some(place) = burst.hashes[which].get_mut(counts[which]) {
                *place = hash;
                counts[which] += 1;
            }
        }
        for ((state, count), hashes) in [State::Udp, State::Tcp].into_iter().zip(counts).zip(&mut burst.hashes) {
            if count >= MANY {
                connections.table(state).ask_for(&mut hashes[..count]);
            }
        }
    }

    /// Sends a packet whose plan is not 0, if its flow is established and its backend takes it, and says by which port. Nothing: the
    /// packet is as it was.
    #[inline(always)]
    pub(crate) fn send_plain(&mut self, packet: &mut Packet<'_>, plan: u64) -> Option<u16> {
        let plain = Plain::of_head(packet.bytes().first_chunk()?, plan & SEGMENT != 0);
        let service = self.pool.service4(&plain.flow)?;
        let state = if plain.kind == Kind::Segment { State::Tcp } else { State::Udp };
        let table = self.connections.table_mut(state);
        let hash = FlowHash::from_number(hash_of(plan));
        let number = *table.get_mut_by(&FiveTuple::V4(plain.flow), hash, self.now)?;
        if self.pool.services.get(service)?.tunnel != Tunnel::None {
            return self.tunnel_plain(packet, &plain, service, number);
        }
        let backend = self.pool.backends.get_mut(usize::from(number))?;
        let port = backend.port.unwrap_or(packet.port());
        let way = self.ports.get(usize::from(port))?;
        if backend.health == Health::Down || plain.ip.len > way.mtu {
            return None;
        }
        let len = u64::from(packet.len());
        let macs: &mut [u8; 12] = packet.head_mut()?;
        macs[..6].copy_from_slice(&backend.mac.0);
        macs[6..].copy_from_slice(&way.mac.0);
        backend.packets += 1;
        backend.bytes += len;
        Some(port)
    }

    #[inline(never)]
    fn tunnel_plain(&mut self, packet: &mut Packet<'_>, plain: &Plain, service: usize, number: u16) -> Option<u16> {
        let seen = Seen { flow: plain.flow.into(), kind: plain.kind, fragment: None, ip: plain.ip };
        if !self.pool.keeps(number) {
            return None;
        }
        self.forward(packet, &seen, service, number).ok()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half")]
const fn hash_of(plan: u64) -> u32 {
    plan as u32
}

/// A packet of a flow that may be established: a datagram, or a segment that neither begins nor ends a connection.
struct Plain {
    flow: FiveTuple4,
    kind: Kind,
    ip: Ip,
}

impl Plain {
    #[inline(always)]
    fn of(frame: &[u8]) -> Option<Self> {
        let ip = PlainIpv4::of(frame)?;
        let least = match ip.protocol() {
            protocol::UDP => 4,
            protocol::TCP => 14,
            _ => return None,
        };
        if ip.is_fragment() || ip.payload_length() < least {
            return None;
        }
        let is_segment = ip.protocol() == protocol::TCP;
        if is_segment && of_flags(*frame.get(FLAGS)?) != Kind::Segment {
            return None;
        }
        Some(Self::of_head(frame.first_chunk()?, is_segment))
    }

    /// Reads the beginning of a frame that [`Self::of`] has read before.
    #[inline(always)]
    fn of_head(head: &[u8; PORTS + 4], is_segment: bool) -> Self {
        let [.., a, b, c, d] = *head;
        let ip = head.first_chunk().map_or_else(|| PlainIpv4::of_head(&[0; PORTS]), PlainIpv4::of_head);
        let flow = FiveTuple4 {
            source: ip.source().into(),
            destination: ip.destination().into(),
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
            protocol: ip.protocol(),
        };
        let ip = Ip {
            start: 14,
            len: ip.total_length(),
            is_v6: false,
            class: ip.traffic_class(),
            is_whole: ip.dont_fragment(),
        };
        Self { flow, kind: if is_segment { Kind::Segment } else { Kind::Datagram }, ip }
    }
}
