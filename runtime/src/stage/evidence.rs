//! What a stage adds to evidence: which rooms the module has, and what the failed batch was.

use super::{Now, Stage};
use crate::dpdk::packet::Burst;
use crate::evidence::{Case, Kind, PacketCase};
use crate::offload;
use crate::wasm::instance::Callback;
use perigee_abi::{PacketDesc, SLOT_UNIT};

impl Stage {
    /// Notes what the next call gets, and the instance as it is, where that is due.
    #[cold]
    pub(super) fn record(&mut self, callback: Callback, burst: &mut Burst) {
        let is_due = self.instance.witness.as_ref().and_then(|w| w.recorder.as_ref()).is_some_and(|r| r.is_due());
        let fresh = std::mem::take(&mut self.fresh_spares);
        let snapshot = is_due.then(|| self.kept_rooms());
        let view = self.view;
        let mut rooms: Vec<_> = burst.iter_mut().map(|p| (view.room(p), u32::from(p.room_len()))).collect();
        if !is_due {
            let new = self.spares.iter().enumerate().filter(|(i, _)| fresh >> i & 1 != 0);
            rooms.extend(new.filter_map(|(_, p)| p.as_ref()).map(|p| (view.room(p), u32::from(p.room_len()))));
        }
        let kind = match callback {
            Callback::Prefill => Kind::Prefill,
            Callback::Generate => Kind::Generate,
            Callback::Process => Kind::Process,
            Callback::Tick => Kind::Tick,
        };
        let count = burst.len();
        self.instance.record(|recorder, instance| {
            if let Some(kept) = snapshot {
                recorder.snapshot(instance, kept);
            }
            recorder.batch(instance, kind, count, rooms);
        });
    }

    /// Rooms that the module has between two batches: of packets that it holds, and of its spares.
    pub(super) fn kept_rooms(&self) -> Vec<(u32, u32)> {
        let packets = self.held.packets().chain(self.spares.iter().flatten());
        packets.map(|p| (self.view.room(p), u32::from(p.room_len()))).collect()
    }

    /// What is to be known of a trap that has just come, where somebody wants to know: before its packets go.
    pub(super) fn evidence(&mut self, burst: &mut Burst, now: Now) -> Option<Box<Case>> {
        self.instance.witness.as_ref()?;
        let view = self.view;
        let mut rooms: Vec<_> = burst.iter_mut().map(|p| (view.room(p), u32::from(p.room_len()))).collect();
        rooms.extend(self.kept_rooms());
        let mut case = self.instance.case(now.ns, rooms)?;
        case.sequence = self.sequence;
        case.held = self.held.len();
        let left: Vec<PacketDesc> = self.instance.area.packets(burst.len()).map(|d| d.read()).collect();
        for ((packet, left), front) in burst.iter_mut().zip(left).zip(self.published.iter()) {
            let [addr, len_port, _, mark] = front.get();
            let room = view.room(packet);
            #[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
            let (len, port) = (len_port as u16, (len_port >> 16) as u16);
            let published = PacketDesc {
                addr,
                len,
                port,
                mark,
                slot: room / SLOT_UNIT,
                generation: self.generation(),
                rx_flags: offload::rx_flags(packet.flags()),
                tx_flags: offload::tx_flags(packet.flags()),
                ..PacketDesc::default()
            };
            let bytes = self.instance.copy(addr, len.into());
            case.packets.push(PacketCase { published, left, room: (room, packet.room_len().into()), bytes });
        }
        Some(case)
    }
}
