//! A way that packets take.

use perigee_guest::wire::Mac;
use perigee_guest::{Counter, Setup, Text, Verdict};

/// Most directions: the default one and the table's.
pub(crate) const DIRECTION_MAX: usize = 32;

/// Where packets go, and with which MAC addresses.
#[derive(Clone, Copy)]
pub(crate) struct Direction {
    pub(crate) verdict: Verdict,
    pub(crate) source: Option<Mac>,
    pub(crate) destination: Option<Mac>,
    packets: Counter,
    bytes: Counter,
}

impl Direction {
    /// A direction that changes nothing, counted in the places of this index.
    pub(crate) fn new(index: u8, verdict: Verdict) -> Self {
        let index = usize::from(index);
        // Place 0 is for short packets, so the last direction's pair ends at place 62.
        let (packets, bytes) = (Counter::at(1 + 2 * index), Counter::at(2 + 2 * index));
        Self { verdict, source: None, destination: None, packets, bytes }
    }

    /// Names the counters: `packets.NAME` and `bytes.NAME`.
    pub(crate) fn name(&self, setup: &Setup<'_>, name: &str) {
        for (counter, what) in [(self.packets, "packets."), (self.bytes, "bytes.")] {
            let mut text = Text::<32>::from(what);
            text.push(name);
            setup.counter(counter, text.as_str());
        }
    }

    /// Whether packets are changed.
    #[inline]
    pub(crate) fn rewrites(&self) -> bool {
        self.source.is_some() || self.destination.is_some()
    }

    /// Writes the addresses into the first bytes of a packet.
    #[inline]
    pub(crate) fn rewrite(&self, head: &mut [u8; 12]) {
        if let Some(mac) = self.destination {
            head[..6].copy_from_slice(&mac.0);
        }
        if let Some(mac) = self.source {
            head[6..].copy_from_slice(&mac.0);
        }
    }

    /// Counts packets of this direction.
    #[inline]
    pub(crate) fn count(&self, packets: u64, bytes: u64) {
        self.packets.add(packets);
        self.bytes.add(bytes);
    }
}
