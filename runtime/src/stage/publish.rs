//! Publish: packets become descriptors.

use super::{MIN_LEN, Meta, Now, Stage};
use crate::dpdk::packet::{Burst, Fresh, Packet};
use crate::dpdk::pool::HEADROOM;
use crate::offload;
use crate::outlet::Shape;
use crate::wasm::area::{Desc, Published};
use crate::wasm::instance::Callback;
use perigee_abi::SLOT_UNIT;
use perigee_dpdk_sys::flags;

impl Stage {
    /// Writes a descriptor for each packet, and notes what it wrote.
    #[inline]
    pub(crate) fn publish(&mut self, burst: &mut Burst, now: Now) {
        self.begin(burst.len(), now);
        if self.callback == Callback::Generate { self.publish_fresh(burst) } else { self.publish_packets(burst) }
    }

    /// Fresh rooms: nothing of the mbuf is read but where its room lies.
    #[inline]
    fn publish_fresh(&mut self, burst: &mut Burst) {
        let (generation, view, len) = (self.generation(), self.view, self.template_len);
        let fresh = Fresh::new(HEADROOM, len);
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.published.iter_mut());
        for ((desc, packet), place) in descs {
            packet.renew(&fresh);
            let room = view.room(packet);
            let addr = view.window.wrapping_add(room).wrapping_add(HEADROOM.into());
            let published =
                Published { addr, len, port: u16::MAX, slot: room / SLOT_UNIT, generation, ..Published::default() };
            *place = desc.publish(published);
        }
        let bytes = u64::from(len) * burst.len() as u64;
        self.shape = Shape { bytes, max_len: len, tx_flags: false };
        self.min_len = len;
        self.marks = 0;
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
    fn publish_packets(&mut self, burst: &mut Burst) {
        let (generation, view, timestamp) = (self.generation(), self.view, self.meta.timestamp.map_or(0, |t| t.flag));
        let (mut all_flags, mut marks, mut bytes, mut max_len, mut min_len) = (0, 0, 0, 0, u16::MAX);
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.published.iter_mut());
        for ((desc, packet), place) in descs {
            let (room, ol_flags, len, mark) = (view.room(packet), packet.flags(), packet.len(), packet.mark());
            all_flags |= ol_flags;
            // A runt is as uncommon as a mark: it gets a closer look.
            marks |= mark | u32::from(len < MIN_LEN);
            bytes += u64::from(len);
            max_len = max_len.max(len);
            min_len = min_len.min(len);
            let (rx_flags, tx_flags) = match offload::has_metadata(ol_flags, timestamp) {
                true => publish_metadata(desc, packet, self.meta),
                false => (0, 0),
            };
            let at = packet.place();
            let addr = view.window.wrapping_add(room).wrapping_add((at & 0xffff) as u32);
            let (port, slot) = ((at >> 48) as u16, room / SLOT_UNIT);
            let published = Published { addr, len, port, mark, slot, generation, rx_flags, tx_flags };
            *place = desc.publish(published);
        }
        self.shape = Shape { bytes, max_len, tx_flags: offload::has_tx_flags(all_flags) };
        self.min_len = min_len;
        self.marks = marks;
    }
}

/// Writes the second half of a descriptor; returns the rx and tx flags that say what is in it.
#[inline(never)]
fn publish_metadata(desc: Desc<'_>, packet: &Packet, meta: Meta) -> (u32, u32) {
    let ol_flags = packet.flags();
    let time = meta.timestamp.filter(|t| ol_flags & t.flag != 0);
    let time = time.map(|t| packet.dynamic_u64(t.offset).wrapping_mul(t.unit_ns));
    let vlan = if ol_flags & (flags::RX_VLAN_STRIPPED | flags::TX_VLAN) != 0 { packet.vlan() } else { 0 };
    let lengths = if offload::has_tx_flags(ol_flags) { packet.tx_offload() } else { 0 };
    desc.publish_meta(packet.rss(), meta.queue, vlan, time.unwrap_or(0), lengths);
    let timed = time.map_or(0, |_| perigee_abi::rx_flags::TIME);
    (offload::rx_flags(ol_flags) | timed, offload::tx_flags(ol_flags))
}
