//! The plain packets of a burst: TCP and UDP by IPv4 without options, of sessions that there are.
//!
//! A burst is gone through in steps: all hashes, all sessions, then packet by packet. So the sessions, which in a large table are far
//! away, are asked for together. What is not plain, and all that makes, ends or refuses something, is [`Work::decide`]'s, which
//! would do the same with a plain packet.

use crate::config::Rules;
use crate::outcome::Count;
use crate::rewrite::Endpoint;
use crate::session::{Engine, Own, hash};
use crate::table::{Class, Tables};
use crate::tcp::From as By;
use crate::work::Work;
use core::hint::black_box;
use perigee_guest::abi::MAX_BATCH;
use perigee_guest::wire::checksum::Change;
use perigee_guest::wire::{Header as _, PlainIpv4, Tcp, Udp, protocol};
use perigee_guest::{Batch, Packet};

/// Where IPv4 has its checksum; where the transport begins, and its checksum is, and its fixed part ends.
const IP_CHECKSUM: usize = 24;
const TRANSPORT: usize = 34;
const UDP_CHECKSUM: usize = TRANSPORT + 6;
const UDP_END: usize = TRANSPORT + Udp::LEN;
const TCP_CHECKSUM: usize = TRANSPORT + 16;
const TCP_END: usize = TRANSPORT + Tcp::LEN;
/// Packets from which on sessions are asked for together.
const MANY: usize = 8;

/// What is known of the packets of a burst.
pub(crate) struct Burst {
    /// [`OUTBOUND`] or [`INBOUND`] with the hash of the packet's session in the lower half; 0: it is not plain.
    plans: [u64; MAX_BATCH],
    /// The first session of each one's chain.
    firsts: [u32; MAX_BATCH],
}

const OUTBOUND: u64 = 1 << 32;
const INBOUND: u64 = 2 << 32;

/// What was translated, to be counted once for all.
#[derive(Default)]
pub(crate) struct Translated {
    outbound: u64,
    inbound: u64,
}

#[cfg(test)]
std::thread_local! {
    /// No packet is plain: what the general path does is what this one has to do.
    pub(crate) static NONE_IS_PLAIN: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self { plans: [0; MAX_BATCH], firsts: [0; MAX_BATCH] }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.plans.iter().copied()
    }

    /// Computes the hashes of all packets, and reads the sessions that stand there. With a link every packet is looked at by it, and
    /// who steers has no sessions.
    pub(crate) fn prepare(&mut self, work: &Work<'_>, batch: &mut Batch<'_>) {
        let is_off = work.steers || work.link.is_some();
        #[cfg(test)]
        let is_off = is_off || NONE_IS_PLAIN.get();
        let len = batch.len().min(MAX_BATCH);
        if is_off {
            return self.plans[..len].fill(0);
        }
        for (plan, packet) in self.plans.iter_mut().zip(batch.packets()) {
            *plan = work.engine.plan(packet.bytes());
        }
        if len >= MANY {
            self.ask_for(&work.engine.tables, len);
        }
    }
}

impl Burst {
    /// Reads the chains of all packets, then a word at both ends of the first session of each: loops that do nothing else, so that
    /// many of them are on their way at once.
    fn ask_for(&mut self, tables: &Tables<'_>, len: usize) {
        let (plans, firsts) = (&self.plans[..len], &mut self.firsts[..len]);
        for (first, plan) in firsts.iter_mut().zip(plans) {
            let chains = if plan & INBOUND == 0 { &tables.by_inside } else { &tables.by_outside };
            *first = chains.first(hash_of(*plan));
        }
        let read = firsts.iter().fold(0, |read, first| {
            let session = tables.sessions.at(*first);
            read ^ session.inside ^ session.flags
        });
        // Nobody needs it, which the compiler must not know.
        black_box(read);
    }
}

impl Engine<'_> {
    /// Whether a packet is plain: where it goes, and the hash of its session.
    #[inline(always)]
    fn plan(&self, frame: &[u8]) -> u64 {
        let Some(ip) = PlainIpv4::of(frame) else { return 0 };
        let least = if ip.protocol() == protocol::UDP { Udp::LEN } else { Tcp::LEN };
        let is_known = matches!(ip.protocol(), protocol::UDP | protocol::TCP);
        let Some((from, to)) = ports(frame) else { return 0 };
        let has_ports = usize::from(ip.payload_length()) >= least && from != 0 && to != 0;
        if !is_known || !has_ports || ip.is_fragment() || !Rules::are_hosts(ip.source(), ip.destination()) {
            return 0;
        }
        let (source, destination) = ((ip.source(), from), (ip.destination(), to));
        let seed = self.tables.head.seed;
        let to_us = self.rules.pool.contains(ip.destination());
        if self.rules.is_inside(ip.source()) {
            // From inside to inside by an address of ours, and from inside to inside, are for the general way.
            if to_us || self.rules.is_inside(ip.destination()) {
                return 0;
            }
            let remote = self.seen(ip.protocol(), destination);
            OUTBOUND | u64::from(hash(seed, Own::Inside, ip.protocol(), source, remote))
        } else if to_us {
            let remote = self.seen(ip.protocol(), source);
            INBOUND | u64::from(hash(seed, Own::Outside, ip.protocol(), destination, remote))
        } else {
            0
        }
    }

    /// Translates a packet whose plan is not 0, if its session is there: true. Else it is as it was.
    #[inline(always)]
    pub(crate) fn translate_plain(&mut self, packet: &mut Packet<'_>, plan: u64, done: &mut Translated) -> bool {
        let Some(head) = packet.head::<UDP_END>() else { return false };
        let Some(start) = head.first_chunk() else { return false };
        let ip = PlainIpv4::of_head(start);
        let (from, to) = (u16::from_be_bytes([head[34], head[35]]), u16::from_be_bytes([head[36], head[37]]));
        let (source, destination, number) = ((ip.source(), from), (ip.destination(), to), ip.protocol());
        let is_outbound = plan & OUTBOUND != 0;
        let place = if is_outbound {
            self.find_inside_at(hash_of(plan), number, source, self.seen(number, destination))
        } else {
            self.find_outside_at(hash_of(plan), number, destination, self.seen(number, source))
        };
        if place == 0 {
            return false;
        }
        if number == protocol::TCP {
            return self.translate_tcp(packet, is_outbound, place, done);
        }
        let class = if is_outbound { Class::of(self.tables.sessions.at(place).class) } else { Class::Udp };
        self.touch(place, class);
        let Some(head) = packet.head_mut::<UDP_END>() else { return false };
        self.rewrite::<UDP_END, UDP_CHECKSUM>(head, is_outbound, place, done);
        true
    }

    /// The same for TCP, whose session was found.
    #[inline(never)]
    fn translate_tcp(&mut self, packet: &mut Packet<'_>, is_outbound: bool, place: u32, done: &mut Translated) -> bool {
        let frame = packet.bytes();
        let Some(ip) = PlainIpv4::of(frame) else { return false };
        let end = TRANSPORT + usize::from(ip.payload_length());
        let Ok(segment) = Tcp::parse(frame.get(TRANSPORT..end).unwrap_or_default()) else { return false };
        self.follow(place, if is_outbound { By::Inside } else { By::Outside }, segment.header);
        let Some(head) = packet.head_mut::<TCP_END>() else { return false };
        self.rewrite::<TCP_END, TCP_CHECKSUM>(head, is_outbound, place, done);
        true
    }

    #[inline(always)]
    fn rewrite<const LEN: usize, const CHECKSUM: usize>(
        &self,
        head: &mut [u8; LEN],
        is_outbound: bool,
        place: u32,
        done: &mut Translated,
    ) {
        let session = self.tables.sessions.at(place);
        if is_outbound {
            done.outbound += 1;
            rewrite::<LEN, 26, TRANSPORT, CHECKSUM>(head, (session.outside, session.outside_port));
        } else {
            done.inbound += 1;
            rewrite::<LEN, 30, { TRANSPORT + 2 }, CHECKSUM>(head, (session.inside, session.inside_port));
        }
    }
}

impl Translated {
    pub(crate) fn count(self) {
        Count::Outbound.add(self.outbound);
        Count::Inbound.add(self.inbound);
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lower half")]
const fn hash_of(plan: u64) -> u32 {
    plan as u32
}

#[inline(always)]
fn ports(frame: &[u8]) -> Option<(u16, u16)> {
    let head: &[u8; TRANSPORT + 4] = frame.first_chunk()?;
    Some((u16::from_be_bytes([head[34], head[35]]), u16::from_be_bytes([head[36], head[37]])))
}

/// Puts an endpoint in the place of the address at `ADDRESS` and the port at `PORT`, with all checksums that cover them: as
/// [`set_endpoint`](crate::rewrite::set_endpoint), at constant places. In the machine's order, in which sums of words are what they are
/// in network order, but for the order of their bytes (RFC 1071, section 2 (B)).
#[inline(always)]
fn rewrite<const LEN: usize, const ADDRESS: usize, const PORT: usize, const CHECKSUM: usize>(
    head: &mut [u8; LEN],
    (address, port): Endpoint,
) {
    let (address, port) = (address.to_be(), port.to_be());
    let before = u32::from_ne_bytes([head[ADDRESS], head[ADDRESS + 1], head[ADDRESS + 2], head[ADDRESS + 3]]);
    head[ADDRESS..ADDRESS + 4].copy_from_slice(&address.to_ne_bytes());
    let change = Change::new().u32(before, address);
    let sum = read16(head, IP_CHECKSUM);
    write16(head, IP_CHECKSUM, change.apply(sum));
    let change = change.u16(read16(head, PORT), port);
    write16(head, PORT, port);
    let sum = read16(head, CHECKSUM);
    write16(head, CHECKSUM, if CHECKSUM == UDP_CHECKSUM { change.apply_udp(sum) } else { change.apply(sum) });
}

#[inline(always)]
fn read16<const LEN: usize>(head: &[u8; LEN], at: usize) -> u16 {
    u16::from_ne_bytes([head[at], head[at + 1]])
}

#[inline(always)]
fn write16<const LEN: usize>(head: &mut [u8; LEN], at: usize, value: u16) {
    [head[at], head[at + 1]] = value.to_ne_bytes();
}
