//! A port's flow rules on the lcore that reads one of its rx queues, as far as the port does not do them itself.
//!
//! What belongs to another queue goes into that one's inbox, which the chain that reads it empties beside the queue. Packets of
//! a flow meet the same rule and so take the same way: they stay in order.

use super::PortFlows;
use crate::ledger::Ledger;
use crate::on_wire::OnWire;
use perigee_config::FlowAction;
use perigee_config::flow::key::Key;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::ring::Ring;
use perigee_dpdk_sys::flags;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What one rx queue does about the rules.
#[derive(Debug)]
pub struct Sorter {
    flows: Arc<PortFlows>,
    queue: u16,
    /// What other queues have brought here.
    inbox: Option<Arc<Ring>>,
    /// Ways to the inboxes of others.
    lanes: Vec<Lane>,
    /// Packets that have met each rule here.
    hits: Vec<u64>,
    /// What an inbox does not take waits; else it is dropped.
    waits: bool,
    /// Whose turn it is to have the whole burst.
    inbox_first: bool,
    /// The queue is read no more.
    closing: bool,
    dropped: Box<Burst>,
}

#[derive(Debug)]
struct Lane {
    queue: u16,
    inbox: Arc<Ring>,
    waiting: Box<Burst>,
}

impl Sorter {
    /// For one of a port's rx queues. With `waits`, packets for a full inbox wait, and the queue is not read meanwhile.
    pub fn new(flows: &Arc<PortFlows>, queue: u16, waits: bool) -> Self {
        flows.readers.fetch_add(1, Ordering::Relaxed);
        let others = flows.inboxes.iter().filter(|(other, _)| **other != queue);
        let lane = |(queue, inbox): (&u16, &Arc<Ring>)| Lane {
            queue: *queue,
            inbox: Arc::clone(inbox),
            waiting: Burst::new(),
        };
        Self {
            queue,
            inbox: flows.inboxes.get(&queue).map(Arc::clone),
            lanes: others.map(lane).collect(),
            hits: vec![0; flows.rules.len()],
            waits,
            inbox_first: false,
            closing: false,
            dropped: Burst::new(),
            flows: Arc::clone(flows),
        }
    }

    /// Takes what others have brought into the empty burst; returns how many. It leaves room for what comes from the queue,
    /// half of the burst, or all of it every other time.
    pub fn take(&mut self, burst: &mut Burst, max: usize, ledger: &mut Ledger) -> usize {
        let Some(inbox) = &self.inbox else { return 0 };
        self.inbox_first = !self.inbox_first;
        let n = inbox.take(burst, if self.inbox_first || self.closing { max } else { max / 2 });
        ledger.add(Counter::FromQueue, n);
        n
    }

    /// Whether the queue may be read: it is not where packets of it wait for a full inbox, or after the end.
    pub fn may_read(&mut self, ledger: &mut Ledger) -> bool {
        self.lanes.iter_mut().for_each(|lane| lane.flush(ledger));
        !self.closing && self.waiting() == 0
    }

    /// Packets that wait for a full inbox.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Does with packets from the queue what the rules say; the first `brought` of the burst came from others and are left alone.
    pub fn sort(&mut self, burst: &mut Burst, brought: usize, ledger: &mut Ledger) {
        let Self { flows, queue: own, lanes, hits, dropped, .. } = self;
        let mut left = brought;
        burst.change(|mut packet| {
            if left != 0 {
                left -= 1;
                return Some(packet);
            }
            let key = Key::of(&OnWire::received(&packet));
            let Some((number, rule)) = flows.first(&key) else { return Some(packet) };
            if rule.is_done_by_port() {
                return Some(packet);
            }
            hits[number] += 1;
            match rule.action {
                FlowAction::Mark(mark) => {
                    // As a port does it.
                    packet.set_mark(mark);
                    packet.set_flags(packet.flags() | flags::RX_FDIR | flags::RX_FDIR_ID);
                    Some(packet)
                }
                FlowAction::Queue(queue) if queue == *own => Some(packet),
                FlowAction::Queue(queue) => {
                    // A lane has room for a burst, and is empty when one begins.
                    if let Err(packet) = bring(lanes, queue, packet) {
                        ledger.drop_one(Counter::QueueFull, packet);
                    }
                    None
                }
                FlowAction::Drop => {
                    if let Err(packet) = dropped.push(packet) {
                        ledger.drop_one(Counter::FlowDrop, packet);
                    }
                    None
                }
            }
        });
        ledger.drop_all(Counter::FlowDrop, dropped);
        for lane in lanes {
            lane.flush(ledger);
            if !self.waits {
                ledger.drop_all(Counter::QueueFull, &mut lane.waiting);
            }
        }
        for (hits, place) in hits.iter().zip(flows.hits.get(usize::from(*own)).into_iter().flatten()) {
            place.store(*hits, Ordering::Relaxed);
        }
    }

    /// Reads the queue no more. True when nothing more will come from here: what waits has gone, and no other queue of the port
    /// is read any more. With `give_up`, what waits is dropped.
    pub fn end(&mut self, give_up: bool, ledger: &mut Ledger) -> bool {
        self.lanes.iter_mut().for_each(|lane| lane.flush(ledger));
        if give_up {
            self.lanes.iter_mut().for_each(|lane| ledger.drop_all(Counter::Stop, &mut lane.waiting));
        }
        let has_more = self.waiting() != 0;
        if !has_more && !self.closing {
            self.flows.readers.fetch_sub(1, Ordering::Release);
        }
        self.closing |= !has_more;
        let Some(inbox) = &self.inbox else { return !has_more };
        let is_last = self.flows.readers.load(Ordering::Acquire) == 0;
        give_up || !has_more && is_last && inbox.count() == 0
    }
}

impl Lane {
    fn flush(&mut self, ledger: &mut Ledger) {
        if !self.waiting.is_empty() {
            ledger.add(Counter::ToQueue, self.inbox.put(&mut self.waiting));
        }
    }
}

/// Gives the packet back where there is no such lane, or no room in it.
fn bring(lanes: &mut [Lane], queue: u16, packet: Packet) -> Result<(), Packet> {
    match lanes.iter_mut().find(|lane| lane.queue == queue) {
        Some(lane) => lane.waiting.push(packet),
        None => Err(packet),
    }
}
