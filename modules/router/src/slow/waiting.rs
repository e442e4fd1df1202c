//! Packets that wait until their neighbour is known.

use super::{Bounds, Call, Slow, Trouble, drop_as};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{self, IP, Way};
use crate::fib::Place;
use crate::neighbours::{NONE, State, Step, TIMERS};
use alloc::collections::VecDeque;
use perigee_guest::state::NoMemory;
use perigee_guest::{Batch, Held, Packet, Verdict};

/// The packets that wait, in the order in which they came, and for whom.
pub(crate) struct Waiting {
    packets: VecDeque<(Place, Held)>,
    /// Most of them: of the configuration, and what the host allows.
    most: usize,
    quota: usize,
    each: u8,
    /// Those at the end that came in this call: they can be given back in the next one.
    fresh: usize,
    /// Somebody was found, or given up, since they were looked through.
    is_stirred: bool,
}

impl Waiting {
    pub(super) fn new(bounds: Bounds) -> Result<Self, NoMemory> {
        let mut packets = VecDeque::new();
        let bytes = bounds.hold * size_of::<(Place, Held)>();
        packets.try_reserve_exact(bounds.hold).map_err(|_| NoMemory { bytes })?;
        Ok(Self { packets, most: bounds.hold, quota: 0, each: bounds.queue, fresh: 0, is_stirred: false })
    }

    pub(crate) fn set_quota(&mut self, quota: u32) {
        self.quota = usize::try_from(quota).unwrap_or(0).min(self.most);
    }

    pub(crate) fn stir(&mut self) {
        self.is_stirred = true;
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &(Place, Held)> {
        self.packets.iter()
    }

    /// Takes over one that another instance held. An error gives it back: there is no place.
    pub(crate) fn put_back(&mut self, place: Place, held: Held) -> Result<(), Held> {
        if self.packets.len() >= self.most {
            return Err(held);
        }
        self.packets.push_back((place, held));
        self.is_stirred = true;
        Ok(())
    }
}

/// What is known of a neighbour for which a packet waits.
enum Known {
    At(u32),
    NotYet,
    Gone,
}

impl Slow {
    /// Holds a packet until the neighbour on its way is known, and has that asked for.
    pub(super) fn wait(&mut self, call: &mut Call<'_, '_>, packet: Packet<'_>, way: Way) {
        let place = way.place;
        let Some((at, step, evicted)) = call.tables.neighbours.want(place, call.now) else {
            return drop_as(packet, Count::NeighboursFull);
        };
        if evicted {
            Count::Evicted.add(1);
            self.waiting.stir();
        }
        if let Some(step) = step {
            self.do_step(call, step);
        }
        let is_full = self.waiting.packets.len() >= self.waiting.quota;
        match call.tables.neighbours.get_mut(at) {
            Some(neighbour) if neighbour.waiting < self.waiting.each && !is_full => {
                neighbour.waiting += 1;
                Count::Waited.add(1);
                self.waiting.packets.push_back((place, packet.hold()));
                self.waiting.fresh += 1;
            }
            _ => drop_as(packet, Count::QueueFull),
        }
    }

    /// Does what the time asks for.
    pub(crate) fn run_timers(&mut self, call: &mut Call<'_, '_>) {
        let mut due = [NONE; TIMERS];
        let count = call.tables.neighbours.take_due(call.now, &mut due);
        for &at in &due[..count] {
            if let Some(step) = call.tables.neighbours.run_out(at, call.now) {
                self.do_step(call, step);
            }
        }
        if call.now >= self.next_advertisement {
            self.advertise(call);
        }
    }

    fn do_step(&mut self, call: &mut Call<'_, '_>, step: Step) {
        match step {
            Step::AskAll(place) => self.ask(call, place, None),
            Step::AskOne(place, mac) => self.ask(call, place, Some(mac)),
            Step::Gone(_) => {
                Count::Gone.add(1);
                self.waiting.stir();
            }
        }
    }

    /// What was heard of a neighbour leads to this.
    pub(super) fn after_hearing(&mut self, call: &mut Call<'_, '_>, (found, step): (bool, Option<Step>)) {
        if found {
            self.waiting.stir();
        }
        if let Some(step) = step {
            self.do_step(call, step);
        }
    }

    /// Lets those go on whose neighbour is known now, and drops those whose neighbour is given up.
    pub(crate) fn release(&mut self, tables: &mut Tables, batch: &mut Batch<'_>, now: u64) {
        let fresh = core::mem::take(&mut self.waiting.fresh);
        if !core::mem::take(&mut self.waiting.is_stirred) {
            return;
        }
        self.waiting.is_stirred = fresh > 0;
        let count = self.waiting.packets.len();
        for index in 0..count {
            let Some((place, held)) = self.waiting.packets.pop_front() else { return };
            let left = match known(tables, place) {
                _ if index + fresh >= count => Err(held),
                Known::NotYet => Err(held),
                Known::At(at) => self.send_held(tables, batch, (at, place), held, now),
                Known::Gone => self.give_up(tables, batch, held, now),
            };
            if let Err(held) = left {
                self.waiting.packets.push_back((place, held));
            }
        }
    }

    /// Sends a packet whose neighbour is known. It comes back where the output list is full.
    fn send_held(
        &mut self,
        tables: &mut Tables,
        batch: &mut Batch<'_>,
        (at, place): (u32, Place),
        held: Held,
        now: u64,
    ) -> Result<(), Held> {
        let way = Tables::way_on_link(place);
        let (Some(macs), mtu) = (tables.macs(&way, now), tables.mtu(&way)) else { return Err(held) };
        let Some(bytes) = batch.held_bytes(&held) else {
            return Ok(());
        };
        let is_v4 = bytes.get(IP).is_some_and(|first| first >> 4 == 4);
        fast::write_macs(bytes, macs);
        let must_cut = is_v4 && super::fragment::is_longer_than(bytes, mtu);
        if must_cut {
            self.scratch.clear();
            self.scratch.extend_from_slice(&bytes[..bytes.len().min(super::SCRATCH)]);
        }
        let mut outputs = batch.outputs();
        if must_cut {
            outputs.give_back(held, Verdict::DROP)?;
            let mut call = Call::new(tables, &mut outputs, self.spent, now);
            super::fragment::send(&self.scratch, mtu, place.port, &mut call);
            self.spent = call.spent;
        } else if let Err(held) = outputs.give_back(held, Verdict::tx(place.port)) {
            // In the next call.
            self.waiting.stir();
            return Err(held);
        } else {
            (if is_v4 { Count::Forwarded4 } else { Count::Forwarded6 }).add(1);
        }
        if let Some(neighbour) = tables.neighbours.get_mut(at) {
            neighbour.waiting = neighbour.waiting.saturating_sub(1);
        }
        Ok(())
    }

    /// Drops a packet whose neighbour does not answer, and tells its sender.
    fn give_up(&mut self, tables: &mut Tables, batch: &mut Batch<'_>, held: Held, now: u64) -> Result<(), Held> {
        let port = held.port();
        let mut frame = core::mem::take(&mut self.scratch);
        frame.clear();
        if let Some(bytes) = batch.held_bytes(&held) {
            frame.extend_from_slice(&bytes[..bytes.len().min(super::SCRATCH)]);
        }
        let mut outputs = batch.outputs();
        let given_back = outputs.give_back(held, Verdict::DROP);
        if given_back.is_ok() {
            Count::Unresolved.add(1);
            let mut call = Call::new(tables, &mut outputs, self.spent, now);
            self.complain(&mut call, port, &frame, Trouble::Host);
            self.spent = call.spent;
        } else {
            self.waiting.stir();
        }
        self.scratch = frame;
        given_back
    }
}

fn known(tables: &Tables, place: Place) -> Known {
    let at = tables.neighbours.find(place);
    match at.and_then(|at| tables.neighbours.get(at).map(|neighbour| (at, neighbour.state))) {
        None | Some((_, State::Free)) => Known::Gone,
        Some((_, State::Incomplete)) => Known::NotYet,
        Some((at, _)) => Known::At(at),
    }
}
