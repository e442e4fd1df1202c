//! Packets and rooms become descriptors, as a stage publishes them.

use super::{MAX_BATCH, Packet, Trial};
use perigee_abi::{SLOT_UNIT, batch_flags};
use perigee_core::HEADROOM;
use perigee_wasm::area::Published;

/// A packet of a batch, as it was published.
pub(super) struct Given {
    pub(super) room: u32,
    pub(super) offset: u16,
}

impl Trial {
    pub(super) fn publish(&mut self, packets: &[Packet]) -> Vec<Given> {
        assert!(packets.len() <= MAX_BATCH, "{} packets in a batch", packets.len());
        self.begin(packets.len(), if packets.len() == MAX_BATCH { batch_flags::MORE } else { 0 });
        let (window, generation) = (self.instance.window, self.generation());
        let mut given = Vec::new();
        for (packet, desc) in packets.iter().zip(self.instance.area.packets(packets.len())) {
            let len = u16::try_from(packet.bytes.len()).expect("a packet's length has 16 bits");
            let room = self.rooms.take_one().expect("a free room");
            let at = self.rooms.offset(room);
            self.window.write(at as usize + usize::from(HEADROOM), &packet.bytes);
            desc.publish(Published {
                addr: window + at + u32::from(HEADROOM),
                len,
                port: packet.port,
                mark: packet.mark,
                slot: at / SLOT_UNIT,
                generation,
                rx_flags: packet.rx_flags,
                tx_flags: packet.tx_flags,
            });
            if packet.rx_flags | packet.tx_flags != 0 {
                desc.publish_meta(packet.hash, packet.queue, packet.vlan, packet.time, 0);
            }
            given.push(Given { room, offset: HEADROOM });
        }
        given
    }

    pub(super) fn publish_fresh(&mut self, n: usize) -> Vec<Given> {
        assert!(n <= MAX_BATCH, "{n} rooms in a batch");
        self.begin(n, 0);
        let (window, generation, len) = (self.instance.window, self.generation(), self.template_len);
        let mut given = Vec::new();
        for desc in self.instance.area.packets(n) {
            let room = self.rooms.take_one().expect("a free room");
            let at = self.rooms.offset(room);
            let (addr, slot) = (window + at + u32::from(HEADROOM), at / SLOT_UNIT);
            desc.publish(Published { addr, len, port: u16::MAX, slot, generation, ..Published::default() });
            given.push(Given { room, offset: HEADROOM });
        }
        given
    }
}
