//! Brings the sessions of a batch near, before they are looked at one after the other.
//!
//! In a large table each packet finds its chain and its session far away in memory. Here all chains of a batch are read, then all
//! sessions: none waits for another, so the processor fetches many at once.

use crate::rewrite::Endpoint;
use crate::session::{Engine, Own, hash};
use core::hint::black_box;
use perigee_guest::Batch;
use perigee_guest::abi::MAX_BATCH;
use perigee_guest::wire::{ether_type, protocol};

/// Sessions from which on it is worth its cost: fewer are near anyway.
const LARGE: u32 = 8_192;
/// Packets from which on it is.
const MANY: usize = 8;

impl Engine<'_> {
    /// Reads what the packets of a batch will need.
    pub(crate) fn warm(&self, batch: &mut Batch<'_>) {
        if self.tables.head.sessions.len < LARGE || batch.len() < MANY {
            return;
        }
        let mut places = [0; MAX_BATCH];
        for (place, packet) in places.iter_mut().zip(batch.packets()) {
            *place = packet.head::<38>().map_or(0, |head| self.first_of_chain(head));
        }
        let read = places[..batch.len()].iter().fold(0, |read, place| read ^ self.tables.sessions.at(*place).used);
        black_box(read);
    }

    /// The first session in the chain of a plain packet of TCP or UDP; 0: of none.
    #[inline]
    fn first_of_chain(&self, head: &[u8; 38]) -> u32 {
        let half = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let word = |at: usize| u32::from(half(at)) << 16 | u32::from(half(at + 2));
        let number = head[23];
        if half(12) != ether_type::IPV4 || head[14] != 0x45 || !matches!(number, protocol::TCP | protocol::UDP) {
            return 0;
        }
        let (source, destination): (Endpoint, Endpoint) = ((word(26), half(34)), (word(30), half(36)));
        let tables = &self.tables;
        if self.rules.is_inside(source.0) {
            let hash = hash(tables.head.seed, Own::Inside, number, source, self.seen(number, destination));
            tables.by_inside.first(hash)
        } else {
            let hash = hash(tables.head.seed, Own::Outside, number, destination, self.seen(number, source));
            tables.by_outside.first(hash)
        }
    }
}
