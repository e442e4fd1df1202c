//! The slow path: what the fast one gave a reason for.
//!
//! It answers, asks, holds, cuts and complains. A packet comes with its reason, so that the two could stand on two lcores with a
//! ring between them.

mod arp;
mod ask;
mod complain;
mod fragment;
mod local4;
mod local6;
mod nd;
mod options;
mod waiting;

use crate::Tables;
use crate::counts::Count;
use crate::fast::{self, Reason, Way};
use alloc::vec::Vec;
use complain::Trouble;
use perigee_guest::state::{BadRate, NoMemory, TokenBucket};
use perigee_guest::{Lcg64, Outputs, Packet, Refusal, Verdict};
use waiting::Waiting;

/// How much the slow path may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Packets that may wait, for one neighbour and for all.
    pub(crate) queue: u8,
    pub(crate) hold: usize,
    /// ICMP errors in a second, and at once; 0: none.
    pub(crate) icmp_rate: u64,
    pub(crate) icmp_burst: u64,
}

/// What it remembers.
pub(crate) struct Slow {
    pub(crate) waiting: Waiting,
    errors: Option<TokenBucket>,
    /// Spare rooms that were used up in this batch.
    pub(crate) spent: usize,
    /// Of packets that the router makes itself.
    identification: u16,
    random: Lcg64,
    /// When the first interface is to say that it is a router.
    next_advertisement: u64,
    /// Bytes of a packet that is cut or complained about while its room is given back.
    scratch: Vec<u8>,
}

/// What there is beside a packet, in a call.
pub(crate) struct Call<'c, 'o> {
    pub(crate) tables: &'c mut Tables,
    pub(crate) outputs: &'c mut Outputs<'o>,
    /// Spare rooms of this batch that are used up.
    pub(crate) spent: usize,
    pub(crate) now: u64,
}

impl<'c, 'o> Call<'c, 'o> {
    /// What there is in a batch of which so many spare rooms are used up: its output list begins with them again.
    pub(crate) fn new(tables: &'c mut Tables, outputs: &'c mut Outputs<'o>, spent: usize, now: u64) -> Self {
        for _ in 0..spent {
            let _ = outputs.spare();
        }
        Self { tables, outputs, spent, now }
    }

    /// Makes a frame of so many bytes in a spare room and sends it. False: there is no room.
    fn send_new(&mut self, port: u16, len: usize, write: impl FnOnce(&mut [u8])) -> bool {
        let Some(mut spare) = self.outputs.spare() else { return false };
        self.spent += 1;
        // The shortest frame of Ethernet, without its check sequence, is filled with zeros.
        let Some(bytes) = u16::try_from(len.max(60)).ok().and_then(|len| spare.bytes_mut(len)) else { return false };
        bytes[len.min(60)..].fill(0);
        write(&mut bytes[..len]);
        self.outputs.send(spare, Verdict::tx(port))
    }
}

impl Slow {
    pub(crate) fn new(bounds: Bounds, seed: u64) -> Result<Self, Refusal> {
        let errors = match bounds.icmp_rate {
            0 => None,
            rate => Some(TokenBucket::new(rate, bounds.icmp_burst.max(1), 0).map_err(|error: BadRate| error)?),
        };
        let mut scratch = Vec::new();
        scratch.try_reserve_exact(SCRATCH).map_err(|_| NoMemory { bytes: SCRATCH })?;
        let random = Lcg64::new(seed);
        Ok(Self {
            waiting: Waiting::new(bounds)?,
            errors,
            spent: 0,
            identification: 0,
            random,
            next_advertisement: 0,
            scratch,
        })
    }

    /// Forwards a packet that is not plain, or does what has to be done instead.
    #[inline(never)]
    pub(crate) fn forward(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, now: u64) {
        match fast::forward(call.tables, &mut packet, now) {
            Ok((port, count)) => {
                count.add(1);
                packet.tx(port);
            }
            Err(reason) => self.handle(call, packet, reason),
        }
    }

    /// Does with a packet what its reason asks for.
    pub(crate) fn handle(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, reason: Reason) {
        match reason {
            Reason::Drop(count) => drop_as(packet, count),
            Reason::Arp => self.arp(call, packet),
            Reason::Local4 => self.local4(call, packet),
            Reason::Local6 => self.local6(call, packet),
            Reason::Options(way) => self.with_options(call, packet, way),
            Reason::Expired => self.refuse(call, packet, Trouble::Expired, Count::Expired),
            Reason::NoRoute => self.refuse(call, packet, Trouble::NoRoute, Count::NoRoute),
            Reason::Unreachable => self.refuse(call, packet, Trouble::Host, Count::Unreachable),
            Reason::BeyondScope => self.refuse(call, packet, Trouble::BeyondScope, Count::BeyondScope),
            Reason::TooBig(way, mtu) => self.too_big(call, packet, way, mtu),
            Reason::Unresolved(way) => {
                fast::take_hop(packet.bytes_mut());
                self.wait(call, packet, way);
            }
        }
    }

    /// Drops a packet, and tells its sender why.
    fn refuse(&mut self, call: &mut Call<'_, '_>, packet: Packet<'_>, trouble: Trouble, count: Count) {
        self.complain(call, packet.port(), packet.bytes(), trouble);
        drop_as(packet, count);
    }

    /// Sends a packet that the router answers with, which was received before: by its way, now or when the neighbour is known.
    fn send_answer(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, way: Way, count: Count) {
        count.add(1);
        match call.tables.macs(&way, call.now) {
            Some(macs) => {
                fast::write_macs(packet.bytes_mut(), macs);
                packet.tx(way.place.port);
            }
            None => self.wait(call, packet, way),
        }
    }

    fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}

/// Longest packet, as far as the length of a descriptor goes.
const SCRATCH: usize = 65_536;

fn drop_as(packet: Packet<'_>, count: Count) {
    count.add(1);
    packet.drop();
}
