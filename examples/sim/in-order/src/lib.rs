// ANCHOR: in-order
//! Reads the number in each packet's payload, and says so where one comes after a later one. Packets may be missing.
#![cfg_attr(not(test), no_std)]

use perigee_guest::{Batch, Module, Refusal, Setup};

perigee_guest::module!(InOrder: process);

perigee_guest::counters! {
    /// Packets that came.
    PACKETS = "packets",
}

/// Where the number stands: behind Ethernet, IPv4 and UDP.
const AT: usize = 42;

/// The stage.
pub struct InOrder {
    last: u32,
}

impl Module for InOrder {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        Ok(Self { last: 0 })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for packet in batch.packets() {
            if let Some(number) = packet.bytes().get(AT..AT + 4).and_then(|bytes| bytes.try_into().ok()) {
                let (number, last) = (u32::from_be_bytes(number), self.last);
                perigee_guest::invariant!(number >= last, "packet {number} comes after packet {last}");
                self.last = number;
            }
            PACKETS.add(1);
            packet.drop();
        }
    }
}
// ANCHOR_END: in-order

#[cfg(test)]
mod tests {
    use super::*;
    use perigee_guest::testing::Host;

    fn numbered(number: u32) -> Vec<u8> {
        let mut packet = vec![0; 60];
        packet[AT..AT + 4].copy_from_slice(&number.to_be_bytes());
        packet
    }

    #[test]
    fn what_is_missing_is_no_fault() {
        let mut host = Host::<InOrder>::start("").unwrap();
        host.process([1, 2, 7, 7].map(numbered));
        assert_eq!(host.counter("packets"), 4);
    }

    #[test]
    #[should_panic(expected = "invariant: packet 6 comes after packet 7")]
    fn another_order_is() {
        let mut host = Host::<InOrder>::start("").unwrap();
        host.process([7, 6].map(numbered));
    }
}
