//! Who copies the packets of one place in a chain into a record: for a capture, or for a history.

use crate::on_wire::OnWire;
use perigee_abi::MAX_BATCH;
use perigee_core::clock::Clock;
use perigee_core::counters::Counter;
use perigee_core::frame::Frame as _;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk_sys::flags;
use perigee_pcap::filter::Program;
use perigee_record::{Head, Mark, Writer};
use std::sync::Arc;

/// Of records that are no drops: no counter has this number.
pub const NO_CAUSE: u8 = u8::MAX;

/// A place in a chain at which packets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// As the chain's port has given them: before flow rules and filter.
    PortRx,
    /// As the port of that number takes them.
    PortTx(u16),
    /// As they come into the chain: behind flow rules and filter.
    Rx,
    /// As they come to the stage on the seat of that number.
    Before(u64),
    /// As that stage passes them on.
    After(u64),
    /// As they leave the chain: what a port or ring takes.
    Tx,
    /// As they are dropped, each with its cause.
    Drops,
}

impl Spot {
    /// The flags of packets whose tag is not among their bytes there.
    fn tag(self) -> u64 {
        match self {
            Self::PortRx => flags::RX_VLAN_STRIPPED,
            Self::Drops => flags::RX_VLAN_STRIPPED | flags::TX_VLAN,
            _ => flags::TX_VLAN,
        }
    }

    /// Packets leave by it for that port, or for a ring.
    fn is_way_out(self, port: Option<u16>) -> bool {
        self == Self::Tx || port.is_some_and(|port| self == Self::PortTx(port))
    }
}

/// Copies what passes one spot of a chain on an lcore. All that it needs was made before it came there.
#[derive(Debug)]
pub struct Recorder {
    /// Which record it works for.
    pub id: u64,
    /// Where it looks.
    pub spot: Spot,
    /// The flags of packets whose tag is not among their bytes there.
    tag: u64,
    writer: Writer,
    filter: Option<Arc<Program>>,
    most_bytes: u16,
    clock: Clock,
    /// Where its writer stood before each packet of a burst that is about to be sent, and behind the last.
    marks: Vec<Mark>,
    /// When that burst was seen.
    left_ns: u64,
    /// The next one of the same chain.
    next: Option<Box<Self>>,
}

impl Recorder {
    /// One that takes what passes the filter, and of each packet so many bytes at most.
    pub fn new(
        (id, spot): (u64, Spot),
        writer: Writer,
        filter: Option<Arc<Program>>,
        most_bytes: u16,
        clock: Clock,
    ) -> Box<Self> {
        let marks = Vec::with_capacity(MAX_BATCH + 1);
        Box::new(Self { id, spot, tag: spot.tag(), writer, filter, most_bytes, clock, marks, left_ns: 0, next: None })
    }

    /// Takes the burst's packets from `first` on.
    fn see(&mut self, burst: &mut Burst, first: usize) {
        let ns = self.clock.now_ns();
        for packet in burst.iter_mut().skip(first) {
            self.take(packet, ns, NO_CAUSE);
        }
        self.writer.show();
        self.writer.forget(ns);
    }

    /// Takes packets that are dropped, but for those with these flags.
    fn see_drops<'a>(&mut self, cause: Counter, packets: impl Iterator<Item = &'a mut Packet>, but: u64) {
        let (ns, cause) = (self.clock.now_ns(), u8::try_from(cause as usize).unwrap_or(NO_CAUSE));
        for packet in packets.filter(|packet| packet.flags() & but == 0) {
            self.take(packet, ns, cause);
        }
        self.writer.show();
        self.writer.forget(ns);
    }

    /// Takes what is about to be sent: afterwards packets are the port's. Which of them it has taken says [`Self::sent`].
    fn leave(&mut self, burst: &mut Burst, fillers: u64) {
        let ns = self.clock.now_ns();
        self.marks.clear();
        for packet in burst.iter_mut() {
            self.marks.push(self.writer.mark());
            if packet.flags() & fillers == 0 {
                self.take(packet, ns, NO_CAUSE);
            }
        }
        self.marks.push(self.writer.mark());
        self.left_ns = ns;
    }

    /// Of these so many were sent; the others will come again.
    fn sent(&mut self, taken: usize) {
        if let Some(mark) = self.marks.get(taken) {
            self.writer.back_to(*mark);
        }
        self.writer.show();
        self.writer.forget(self.left_ns);
    }

    #[inline]
    fn take(&mut self, packet: &Packet, ns: u64, cause: u8) {
        if packet.flags() & self.tag != 0 {
            return self.take_tagged(packet, ns, cause);
        }
        if self.filter.as_ref().is_some_and(|program| !accepts(program, packet)) {
            return self.writer.refuse();
        }
        let (original, most) = (packet.total_len(), u32::from(self.most_bytes));
        let captured = u16::try_from(original.min(most)).unwrap_or(u16::MAX);
        self.writer.record(Head { ns, original, cause, flags: 0 }, captured, |bytes| packet.copy_to(0, bytes));
    }

    /// As [`Self::take`], with a tag that is put where it was on the wire.
    #[cold]
    fn take_tagged(&mut self, packet: &Packet, ns: u64, cause: u8) {
        let frame = OnWire::new(packet, self.tag);
        if self.filter.as_ref().is_some_and(|program| !program.passes(&frame)) {
            return self.writer.refuse();
        }
        let original = frame.len();
        let captured = u16::try_from(original).unwrap_or(u16::MAX).min(self.most_bytes);
        self.writer.record(Head { ns, original, cause, flags: 0 }, captured, |bytes| frame.copy_to(bytes));
    }
}

/// Most packets lie as they were on the wire: for them the program is compiled without a look for a tag at each load.
#[inline(never)]
fn accepts(program: &Program, packet: &Packet) -> bool {
    program.passes(packet)
}

/// All that record packets of a chain on an lcore, each behind the one that came after it: so one comes and goes without memory being
/// asked for.
#[derive(Debug, Default)]
pub(crate) struct Recorders(Option<Box<Recorder>>);

impl Recorders {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn add(&mut self, mut recorder: Box<Recorder>) {
        recorder.next = self.0.take();
        self.0 = Some(recorder);
    }

    /// Takes out all of one record.
    pub(crate) fn remove(&mut self, id: u64) -> Self {
        let (mut all, mut gone) = (self.0.take(), Self::default());
        while let Some(mut recorder) = all {
            all = recorder.next.take();
            let to = if recorder.id == id { &mut gone } else { &mut *self };
            to.add(recorder);
        }
        gone
    }

    #[cold]
    pub(crate) fn look(&mut self, spot: Spot, burst: &mut Burst, first: usize) {
        self.each(|at| at == spot, |recorder| recorder.see(burst, first));
    }

    #[cold]
    pub(crate) fn drop_one(&mut self, cause: Counter, packet: &mut Packet) {
        self.each(|at| at == Spot::Drops, |recorder| recorder.see_drops(cause, std::iter::once(&mut *packet), 0));
    }

    #[cold]
    pub(crate) fn drop_all(&mut self, cause: Counter, burst: &mut Burst, but: u64) {
        self.each(|at| at == Spot::Drops, |recorder| recorder.see_drops(cause, burst.iter_mut(), but));
    }

    #[cold]
    pub(crate) fn leave(&mut self, port: Option<u16>, burst: &mut Burst, fillers: u64) {
        self.each(|at| at.is_way_out(port), |recorder| recorder.leave(burst, fillers));
    }

    #[cold]
    pub(crate) fn sent(&mut self, port: Option<u16>, taken: usize) {
        self.each(|at| at.is_way_out(port), |recorder| recorder.sent(taken));
    }

    /// What is due without packets: what is too old goes.
    #[cold]
    pub(crate) fn tick(&mut self, now_ns: u64) {
        self.each(|_| true, |recorder| recorder.writer.forget(now_ns));
    }

    fn each(&mut self, is_meant: impl Fn(Spot) -> bool, mut act: impl FnMut(&mut Recorder)) {
        let mut next = self.0.as_deref_mut();
        while let Some(recorder) = next {
            if is_meant(recorder.spot) {
                act(recorder);
            }
            next = recorder.next.as_deref_mut();
        }
    }
}

/// Recorders that an lcore has given back: whoever asked for them drops them.
#[derive(Debug, Default)]
pub struct Returned(#[allow(dead_code, reason = "kept to be dropped")] Recorders);

impl From<Recorders> for Returned {
    fn from(recorders: Recorders) -> Self {
        Self(recorders)
    }
}
