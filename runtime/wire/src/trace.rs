//! What happens on a simulation's wires, as one number: two simulations that differ in a packet, in its time or in its way have
//! different ones.

use crate::line::{Arrival, Cause, Fate};
use perigee_core::lock;
use perigee_dpdk::packet::Packet;
use std::sync::Mutex;
use twox_hash::XxHash3_128;

/// Bytes of the longest packet, and of what is noted beside it.
const LONGEST: usize = 16_384 + 64;

/// A digest that grows.
pub struct Trace(Mutex<Inner>);

struct Inner {
    digest: XxHash3_128,
    packets: u64,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("packets", &self.packets()).finish_non_exhaustive()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self(Mutex::new(Inner { digest: XxHash3_128::new(), packets: 0, bytes: vec![0; LONGEST] }))
    }
}

impl Trace {
    /// A packet was sent at `now` by that port.
    pub(crate) fn sent(&self, port: u16, now: u64, fate: &Fate, packet: &Packet) {
        let [kind, due] = match *fate {
            Fate::Refused => [0, 0],
            Fate::Lost(Cause::Queue) => [1, 0],
            Fate::Lost(Cause::Early) => [2, 0],
            Fate::Lost(Cause::Line) => [3, 0],
            Fate::Arrives(Arrival { due, twice, late, bit }) => {
                [4 | u64::from(twice) << 8 | u64::from(late) << 9 | bit.map_or(0, |bit| bit << 16 | 1 << 10), due]
            }
        };
        self.packet(&[0, port.into(), now, kind, due], packet);
    }

    /// A packet was fetched from that port at `now`.
    pub fn received(&self, port: u16, now: u64, packet: &Packet) {
        self.packet(&[1, port.into(), now], packet);
    }

    fn packet(&self, numbers: &[u64], packet: &Packet) {
        let Inner { digest, packets, bytes } = &mut *lock(&self.0);
        *packets += 1;
        // One piece: to feed a digest has its price.
        let mut at = 0;
        for number in numbers.iter().copied().chain([packet.total_len().into()]) {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            at += 8;
        }
        at += packet.head(&mut bytes[at..]);
        digest.write(&bytes[..at]);
    }

    /// Something else has happened: a message, a failure, a number that was read.
    pub fn note(&self, bytes: &[u8]) {
        let inner = &mut *lock(&self.0);
        inner.digest.write(&(bytes.len() as u64).to_le_bytes());
        inner.digest.write(bytes);
    }

    /// The digest of everything until now.
    pub fn digest(&self) -> u128 {
        lock(&self.0).digest.finish_128()
    }

    /// How often a packet was seen: once when it was sent, and once when it was fetched.
    pub fn packets(&self) -> u64 {
        lock(&self.0).packets
    }
}
