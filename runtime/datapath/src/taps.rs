//! Where packets of paths are seen: as they come from a port, and as the last thing before a port has them.

use crate::identity::Identifier;
use crate::on_wire::OnWire;
use perigee_abi::MAX_BATCH;
use perigee_config::path::Identity;
use perigee_core::clock::Clock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_dpdk_sys::flags;
use perigee_measure::matcher::{Matcher, Passed};
use perigee_measure::sights::{Eye, Sight};
use std::sync::Arc;

/// Packets that the lcore that matches takes out of the rings in one turn, so that it does not keep its own packets waiting.
const MOST_MATCHED: usize = 128;

/// Sees the packets of one path at one place.
#[derive(Debug)]
pub struct Tap {
    identifier: Identifier,
    eye: Eye,
    /// What identifies the packets of a burst that is about to be sent.
    ids: Vec<Option<u64>>,
}

impl Tap {
    /// With a seed that all taps of a path share.
    pub fn new(identity: Identity, seed: u64, eye: Eye) -> Self {
        Self { identifier: Identifier::new(identity, seed), eye, ids: Vec::with_capacity(MAX_BATCH) }
    }
}

/// All taps at one place: of an rx queue, or of a tx queue.
#[derive(Debug)]
pub struct Taps {
    taps: Vec<Tap>,
    timestamp: Option<RxTimestamp>,
    clock: Clock,
    /// When the burst came that is looked at, or leaves.
    now_ns: u64,
}

impl Taps {
    /// Times of arrival are the port's where it gives any, else those of the clock, read once for a burst when the port has given it.
    /// Times of departure are those of the clock before the port is called.
    pub fn new(taps: Vec<Tap>, timestamp: Option<RxTimestamp>, clock: Clock) -> Self {
        Self { taps, timestamp, clock, now_ns: 0 }
    }

    /// The time at which somebody looks is the one at which a packet has come.
    pub(crate) fn is_awake(&self) -> bool {
        self.timestamp.is_none()
    }

    /// A burst has come.
    #[inline]
    pub(crate) fn came(&mut self) {
        self.now_ns = self.clock.now_ns();
    }

    /// Looks at the packets that have come.
    pub(crate) fn look(&mut self, burst: &mut Burst) {
        let (now_ns, timestamp) = (self.now_ns, self.timestamp);
        for tap in &mut self.taps {
            let mut nameless = 0;
            for packet in burst.iter_mut() {
                let Some(id) = tap.identifier.of(&OnWire::received(packet)) else {
                    nameless += 1;
                    continue;
                };
                let stamped = timestamp.filter(|t| packet.flags() & t.flag != 0);
                let ns = stamped.and_then(|t| t.run_ns(packet.dynamic_u64(t.offset))).unwrap_or(now_ns);
                tap.eye.see(Sight { id, ns });
            }
            tap.eye.add_nameless(nameless);
            tap.eye.show();
        }
    }

    /// Looks at packets that are about to be sent: afterwards they are the port's.
    pub(crate) fn leave(&mut self, burst: &mut Burst) {
        self.now_ns = self.clock.now_ns();
        for tap in &mut self.taps {
            tap.ids.clear();
            let ids = burst.iter_mut().map(|packet| tap.identifier.of(&OnWire::new(packet, flags::TX_VLAN)));
            tap.ids.extend(ids);
        }
    }

    /// Of these the port has taken the first ones.
    pub(crate) fn sent(&mut self, taken: usize) {
        let ns = self.now_ns;
        for tap in &mut self.taps {
            let ids = &tap.ids[..taken.min(tap.ids.len())];
            let eye = &mut tap.eye;
            ids.iter().flatten().for_each(|id| eye.see(Sight { id: *id, ns }));
            eye.add_nameless(ids.iter().filter(|id| id.is_none()).count() as u64);
            eye.show();
        }
    }
}

/// What a chain does for paths, beside its packets.
#[derive(Debug, Default)]
pub struct PathWork {
    /// Those whose packets are matched here.
    matchers: Vec<Matcher>,
    /// Those whose packets are seen here.
    seen: Vec<Arc<Passed>>,
}

impl PathWork {
    /// For these paths.
    pub fn new(matchers: Vec<Matcher>, seen: Vec<Arc<Passed>>) -> Self {
        Self { matchers, seen }
    }

    /// Matches some of what was seen.
    #[inline]
    pub(crate) fn work(&mut self, now_ns: u64) {
        self.matchers.iter_mut().for_each(|matcher| matcher.work(now_ns, MOST_MATCHED));
    }

    /// About once a millisecond.
    pub(crate) fn tick(&mut self, now_ns: u64) {
        self.matchers.iter_mut().for_each(|matcher| matcher.tick(now_ns));
    }

    /// The run stops: what is seen for the first time from now on does not count.
    pub(crate) fn stop(&mut self, now_ns: u64) {
        self.matchers.iter_mut().for_each(|matcher| matcher.stop(now_ns));
    }

    /// Packets may still come in time.
    pub(crate) fn waits(&self) -> bool {
        self.seen.iter().any(|passed| passed.waits())
    }

    /// No lcore sees anything any more.
    pub fn finish(&mut self) {
        self.matchers.iter_mut().for_each(Matcher::finish);
    }
}
