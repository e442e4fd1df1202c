//! What of a module's word counts for its grants.

use super::{Now, Stage, Way};
use crate::outlet::Outlets;
use crate::shape::Shape;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_wasm::instance::Callback;

impl Stage {
    /// Looks whether the module may do with a packet what it says. Gives the packet back, or in its place the copy that goes.
    pub(super) fn allowed(
        &mut self,
        way: Option<Way>,
        queue: u16,
        packet: Packet,
        out: &Outlets,
    ) -> Result<(Option<Way>, Packet), (Counter, Packet)> {
        let cause = match way {
            Some(Way::Tx(port)) if !self.rights.tx(port) => Counter::NotGranted,
            Some(Way::Tx(port)) if queue != 0 && !self.rights.queue(out.own_queue(port, queue)) => {
                Counter::QueueNotGranted
            }
            Some(Way::Ring(ring)) if self.rights.ring(ring) == Some(false) => Counter::RingNotGranted,
            Some(leaves @ (Way::Next | Way::Tx(_) | Way::Ring(_))) => {
                let Some(guard) = &mut self.place.guard else { return Ok((way, packet)) };
                return guard.pass(packet, leaves).map(|packet| (way, packet));
            }
            _ => return Ok((way, packet)),
        };
        Err((cause, packet))
    }

    /// Whether all packets of a batch may go this way as they are, or as their copies: what they cost is taken then, and who has a source that
    /// is not granted is gone. False, and nothing done, where that has to be seen packet by packet.
    #[inline]
    pub(super) fn all_pass(&mut self, way: Way, burst: &mut Box<Burst>, shape: &mut Shape, out: &mut Outlets) -> bool {
        match &mut self.place.guard {
            Some(guard) => guard.pass_all(burst, way, shape, &mut out.counters),
            None => true,
        }
    }

    /// What passes by without the module, if it does, passes under its limits all the same: a neighbour in the same trust domain
    /// could have written it.
    pub(super) fn limit(&mut self, burst: &mut Burst, out: &mut Outlets, now: Now) {
        let Some(guard) = &mut self.place.guard else { return };
        guard.begin(now.ns, false);
        burst.change(|packet| match guard.pass(packet, Way::Next) {
            Ok(packet) => Some(packet),
            Err((cause, packet)) => {
                out.drop_one(cause, packet);
                None
            }
        });
    }

    /// It may send to this port.
    pub fn may_tx(&self, port: usize) -> bool {
        u16::try_from(port).is_ok_and(|port| self.rights.tx(port))
    }

    /// How many packets it may make now, at most `max`.
    #[inline]
    pub fn affords(&mut self, max: usize, now: Now) -> usize {
        match &mut self.place.guard {
            Some(guard) if self.callback == Callback::Generate => guard.affords(max, now.ns),
            _ => max,
        }
    }
}
