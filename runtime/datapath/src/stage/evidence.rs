//! What a stage adds to evidence: which rooms the module has, and what the failed batch was.

use super::Stage;
use crate::offload;
use perigee_abi::{PacketDesc, SLOT_UNIT};
use perigee_core::clock::Now;
use perigee_dpdk::burst::Burst;
use perigee_evidence::{Case, Kind, PacketCase, Recorder};
use perigee_wasm::instance::Callback;
use perigee_wasm::trap::Trapped;

impl Stage {
    /// Notes what the next call gets, and the instance as it is, where that is due.
    #[cold]
    pub(super) fn record(&mut self, callback: Callback, burst: &mut Burst) {
        let is_due = self.recorder().is_some_and(|recorder| recorder.is_due());
        let fresh = std::mem::take(&mut self.custody.fresh_spares);
        let snapshot = is_due.then(|| self.kept_rooms());
        let view = self.view;
        let mut rooms: Vec<_> = burst.iter_mut().map(|p| (view.room(p), u32::from(p.room_len()))).collect();
        if !is_due {
            let new = self.custody.spares.iter().enumerate().filter(|(i, _)| fresh >> i & 1 != 0);
            rooms.extend(new.filter_map(|(_, p)| p.as_ref()).map(|p| (view.room(p), u32::from(p.room_len()))));
        }
        let kind = match callback {
            Callback::Prefill => Kind::Prefill,
            Callback::Generate => Kind::Generate,
            Callback::Process => Kind::Process,
            Callback::Tick => Kind::Tick,
        };
        let count = burst.len();
        let Some(recorder) = self.witness.as_mut().and_then(|witness| witness.recorder.as_mut()) else { return };
        if let Some(kept) = snapshot {
            recorder.snapshot(&mut self.instance, kept);
        }
        recorder.batch(&mut self.instance, kind, count, rooms);
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.witness.as_ref()?.recorder.as_ref()
    }

    /// Its inputs are written down.
    #[inline]
    pub(super) fn is_recorded(&self) -> bool {
        self.recorder().is_some()
    }

    /// Notes a question, before the instance is asked.
    pub(super) fn asked(&mut self, kind: Kind, mailbox: &[u8]) {
        if let Some(witness) = &mut self.witness {
            witness.asked(&mut self.instance, kind, mailbox);
        }
    }

    /// Rooms that the module has between two batches: of packets that it holds, and of its spares.
    pub(super) fn kept_rooms(&self) -> Vec<(u32, u32)> {
        let packets = self.custody.held.packets().chain(self.custody.spares.iter().flatten());
        packets.map(|p| (self.view.room(p), u32::from(p.room_len()))).collect()
    }

    /// What is to be known of a trap that has just come, where somebody wants to know: before its packets go.
    pub(super) fn evidence(&mut self, trapped: &Trapped, burst: &mut Burst, now: Now) -> Option<Box<Case>> {
        self.witness.as_ref()?;
        let view = self.view;
        let mut rooms: Vec<_> = burst.iter_mut().map(|p| (view.room(p), u32::from(p.room_len()))).collect();
        rooms.extend(self.kept_rooms());
        let mut case = self.witness.as_mut()?.case(&mut self.instance, trapped, now.ns, rooms)?;
        case.sequence = self.sequence;
        case.held = self.custody.held.len();
        let left: Vec<PacketDesc> = self.instance.area.packets(burst.len()).map(|d| d.read()).collect();
        for ((packet, left), front) in burst.iter_mut().zip(left).zip(self.batch.published.iter()) {
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
