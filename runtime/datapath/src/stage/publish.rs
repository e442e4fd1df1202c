//! Publish: packets become descriptors. The loops work on 16 bytes at a time: the fields of an mbuf that a descriptor takes
//! lie in the same lanes there as they do in the descriptor, so nothing has to be moved.

use super::{Meta, Now, Stage};
use crate::offload;
use crate::shape::Shape;
use perigee_abi::SLOT_UNIT;
use perigee_core::HEADROOM;
use perigee_core::lanes::Lanes;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk_sys::flags;
use perigee_wasm::area::Desc;
use perigee_wasm::instance::Callback;

/// So many bits lower, an address counts in units of slots.
const SLOT_BITS: i32 = SLOT_UNIT.trailing_zeros().cast_signed();
/// Of an mbuf's first lanes: `data_off`, to which the room's address is added, and `port`.
const OFF_AND_PORT: [u32; 4] = [0xffff, 0xffff_0000, 0, 0];
/// Of its second lanes: `data_len` and `mark`.
const LEN_AND_MARK: [u32; 4] = [0, 0xffff, 0, u32::MAX];

impl Stage {
    /// Writes a descriptor for each packet, and notes what it wrote.
    #[inline]
    pub fn publish(&mut self, burst: &mut Burst, now: &Now) {
        self.begin(burst.len(), now);
        if self.callback == Callback::Generate { self.publish_fresh(burst) } else { self.publish_packets(burst) }
    }

    /// Fresh rooms: nothing of the mbuf is read but where its room lies.
    #[inline]
    fn publish_fresh(&mut self, burst: &mut Burst) {
        let (view, len) = (self.view, self.template_len);
        let front = Lanes::new([HEADROOM.into(), u32::from(len) | 0xffff << 16, 0, 0]);
        let back = Lanes::new([view.first_slot(), self.generation(), 0, 0]);
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.batch.published.iter_mut());
        for ((desc, packet), published) in descs {
            let room = view.address(packet);
            *published = room.plus(front);
            desc.write(*published, room.shift_right::<SLOT_BITS>().plus(back));
            // In plain numbers, not in lanes: there are two stores of them in a cycle beside one of a vector.
            packet.renew(HEADROOM, len);
        }
        let bytes = u64::from(len) * burst.len() as u64;
        self.batch.shape = Shape { bytes, max_len: len, tx_flags: false };
        self.batch.min_len = len;
    }

    /// Packets that were received, or passed on by the stage before.
    #[inline]
    fn publish_packets(&mut self, burst: &mut Burst) {
        let view = self.view;
        let (off_and_port, len_and_mark) = (Lanes::new(OFF_AND_PORT), Lanes::new(LEN_AND_MARK));
        let back = Lanes::new([view.first_slot(), self.generation(), 0, 0]);
        let (mut all, mut sums) = (Lanes::default(), Lanes::default());
        let (mut longest, mut shortest) = (Lanes::default(), Lanes::new([0x7fff_7fff; 4]));
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.batch.published.iter_mut());
        for ((desc, packet), published) in descs {
            let room = view.address(packet);
            let (first, lens) = (packet.first_lanes(), packet.second_lanes().and(len_and_mark));
            *published = first.and(off_and_port).or(lens).plus(room);
            desc.write(*published, room.shift_right::<SLOT_BITS>().plus(back));
            (longest, shortest) = (longest.max_halves(lens), shortest.min_halves(lens));
            (all, sums) = (all.or(first), sums.plus(lens));
        }
        // The length is the lower half of the second lane; a batch's lengths add up to no more than the lane holds.
        #[allow(clippy::cast_possible_truncation, reason = "takes the half")]
        let [max_len, min_len] = [longest, shortest].map(|lens| lens.get()[1] as u16);
        let ([_, bytes, ..], [.., low, high]) = (sums.get(), all.get());
        let (bytes, all_flags) = (u64::from(bytes), u64::from(low) | u64::from(high) << 32);
        self.batch.shape = Shape { bytes, max_len, tx_flags: offload::has_tx_flags(all_flags) };
        self.batch.min_len = min_len;
        if offload::has_metadata(all_flags, self.meta.timestamp.map_or(0, |t| t.flag)) {
            self.publish_metadata(burst);
        }
    }

    /// Adds what is known beside address, length and mark, to the packets of which more is known.
    fn publish_metadata(&mut self, burst: &mut Burst) {
        let timestamp = self.meta.timestamp.map_or(0, |t| t.flag);
        for (desc, packet) in self.instance.area.packets(burst.len()).zip(burst.iter_mut()) {
            if offload::has_metadata(packet.flags(), timestamp) {
                publish_metadata(desc, packet, &self.meta);
            }
        }
    }
}

/// Writes the flags and the second half of a descriptor.
fn publish_metadata(desc: Desc<'_>, packet: &Packet, meta: &Meta) {
    let ol_flags = packet.flags();
    let time = meta.timestamp.as_ref().filter(|t| ol_flags & t.flag != 0);
    let time = time.and_then(|t| t.run_ns(packet.dynamic_u64(t.offset)));
    let timed = time.map_or(0, |_| perigee_abi::rx_flags::TIME);
    let vlan = if ol_flags & (flags::RX_VLAN_STRIPPED | flags::TX_VLAN) != 0 { packet.vlan() } else { 0 };
    // Of most packets nobody has asked for anything yet.
    let (asked, lengths) =
        if offload::has_tx_flags(ol_flags) { (offload::tx_flags(ol_flags), packet.tx_offload()) } else { (0, 0) };
    desc.write_flags(offload::rx_flags(ol_flags) | timed, asked);
    desc.publish_meta(packet.rss(), meta.queue, vlan, time.unwrap_or(0), lengths);
}
