//! What a port has not taken: it is full, or its driver never takes this packet. Of a driver one hears how many packets it
//! took, and nothing more. What can be known all the same:
//! - net_pcap on an interface sends each packet by a system call, whose error says that the packet is too long.
//! - A port that has taken nothing for a while, and then takes what stands behind a packet, refuses that packet. So does none that is
//!   only ever full (net_ring): there the order is kept, however long it takes. And if we had no CPU between the two, nothing is known.

use super::Outlets;
use perigee_abi::MAX_BATCH;
use perigee_config::WhenFull;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;

/// A port that took what is behind a packet within this time of refusing that one was not full in between. Nanoseconds: some calls of a driver, and
/// less than it takes to lose a CPU and have it back.
const GLIMPSE_NS: u64 = 50_000;

/// How a lane fares that could not send.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stuck {
    /// Since when nothing of it was taken, in cycles; 0 where something was.
    since: u64,
    /// What comes next may show whether the port is full or refuses what is first.
    wants_more: bool,
}

impl Outlets {
    /// Deals with what is left of a lane of which `sent` packets were taken.
    #[cold]
    pub(super) fn untaken(&mut self, index: usize, sent: usize) {
        let sent = sent + self.drop_too_long(index);
        let lane = &mut self.lanes[index];
        if lane.burst.is_empty() {
            return;
        }
        if self.when_full == WhenFull::Drop {
            return lane.drop_all(Counter::TxFull, &mut self.counters);
        }
        // A line that is kept busy is full most of the time.
        if lane.filler != 0 {
            return;
        }
        let now = self.clock.cycles();
        if sent != 0 || lane.stuck.since == 0 {
            lane.stuck = Stuck { since: now, wants_more: false };
        } else if lane.facts.may_refuse && now.saturating_sub(lane.stuck.since) > self.patience {
            self.look_behind(index);
            // The next look comes after as long again.
            self.lanes[index].stuck.since = now;
        }
    }

    /// Drops what the driver says is too long for it. Returns how many others it took meanwhile.
    fn drop_too_long(&mut self, index: usize) -> usize {
        let mut sent = 0;
        while self.lanes[index].end.tells_too_long() && !self.lanes[index].burst.is_empty() {
            let lane = &mut self.lanes[index];
            let (taken, is_too_long) = lane.send_told(&self.clock, self.probing.as_deref_mut(), &mut self.counters);
            self.note_sent(index, taken);
            sent += taken;
            if is_too_long {
                self.drop_first(index);
            } else if taken == 0 {
                break;
            }
        }
        sent
    }

    fn drop_first(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if let Some(packet) = lane.burst.remove(0) {
            lane.bytes = lane.bytes.saturating_sub(packet.len().into());
            self.drop_one(Counter::TxRefused, packet);
        }
    }

    /// Tries the first packet once more, then what stands behind it, then behind the second, and so on. Where something behind is taken, all
    /// before it is refused, and dropped if it still is; where nothing is, all stays as it was.
    fn look_behind(&mut self, index: usize) {
        let Self { lanes, aside, clock, probing, counters, .. } = self;
        let lane = &mut lanes[index];
        let begin = clock.cycles();
        let mut taken = lane.send(clock, probing.as_deref_mut(), counters);
        if taken != 0 {
            return self.note_sent(index, taken);
        }
        while taken == 0 && lane.burst.len() > 1 {
            lane.burst.move_first(aside);
            taken = lane.send(clock, probing.as_deref_mut(), counters);
        }
        if taken == 0 {
            lane.burst.move_first(aside);
            std::mem::swap(&mut lane.burst, aside);
            lane.stuck.wants_more = lane.burst.free() != 0;
            return;
        }
        lane.stuck.wants_more = false;
        let bytes = |burst: &mut Burst| burst.iter_mut().map(|p| u64::from(p.len())).sum::<u64>();
        let before = bytes(aside);
        lane.bytes = lane.bytes.saturating_sub(before);
        // The port may have become free just between the two: then it takes these now.
        std::mem::swap(&mut lane.burst, aside);
        let late = lane.send(clock, probing.as_deref_mut(), counters);
        std::mem::swap(&mut lane.burst, aside);
        let late_bytes = before.saturating_sub(bytes(aside));
        let is_sure = clock.cycles().saturating_sub(begin) < clock.cycles_in(GLIMPSE_NS);
        if is_sure {
            counters.drop_all(Counter::TxRefused, aside);
        }
        self.counters.add(Counter::Sent, late);
        self.counters.add(Counter::SentBytes, usize::try_from(late_bytes).unwrap_or(0));
        self.note_sent(index, taken);
        if !is_sure {
            self.put_back(index);
        }
    }

    /// What stands aside is first again.
    fn put_back(&mut self, index: usize) {
        let Self { lanes, aside, .. } = self;
        let lane = &mut lanes[index];
        lane.bytes += aside.iter_mut().map(|packet| u64::from(packet.len())).sum::<u64>();
        lane.burst.put_before(aside);
    }

    /// How many packets a chain may take in: none while some wait, which they do where `when_full` says so. A lane that has
    /// waited long wants to try others behind its first.
    #[inline]
    pub fn room(&self) -> usize {
        let waiting = self.pending();
        if waiting == 0 {
            return MAX_BATCH;
        }
        let trying = self.lanes.iter().filter(|lane| lane.stuck.wants_more).map(|lane| lane.burst.len()).sum::<usize>();
        if trying == waiting { MAX_BATCH.saturating_sub(waiting) } else { 0 }
    }
}
