//! A port at the end of a wire, as the control side sees it.

use crate::hold::Gate;
use crate::line::Line;
use crate::queue::{RxEnd, TxEnd};
use crate::trace::Trace;
use crate::way::{Counts, Link, Sending, Way};
use perigee_abi::{PortInfo, offloads};
use perigee_config::wire::Cable;
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::{Origin, RxTimestamp, TxMarks};
use perigee_report::{PortMeaning, PortStats, WireStats};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What an end of a wire is made of.
#[derive(Debug)]
pub struct EndOptions {
    /// Name in the configuration.
    pub name: String,
    /// Device string.
    pub device: String,
    /// Its number in the run.
    pub number: u16,
    /// Its MTU.
    pub mtu: u16,
    /// What becomes of what it sends.
    pub cable: Cable,
    /// Packets that its ring takes where the wire has no queue.
    pub tx_descriptors: u16,
    /// Packets that wait for the chain that reads it.
    pub rx_descriptors: u16,
    /// Packets that are under way at most.
    pub places: usize,
    /// For what comes twice to it.
    pub pool: Arc<Pool>,
    /// Decides all that is drawn on its way out.
    pub seed: u64,
    /// VLAN tags are taken off what comes to it.
    pub strips_vlan: bool,
}

/// A port at the end of a wire.
#[derive(Debug)]
pub struct End {
    name: String,
    device: String,
    /// Its number in the run.
    pub number: u16,
    /// Its MTU.
    pub mtu: u16,
    /// Its own pool.
    pub pool: Arc<Pool>,
    /// Where the times of arrival stand in its packets.
    pub timestamp: Option<RxTimestamp>,
    /// VLAN tags are taken off what comes to it.
    pub strips_vlan: bool,
    rx_descriptors: u16,
    speed_mbps: u32,
    link: Arc<Link>,
    out: Arc<Way>,
    back: Arc<Way>,
    clock: Clock,
    /// What it sends by.
    pub cable: Cable,
    tx_descriptors: u16,
    /// What its tx queues are limited to, in bits of layer 1 per second; 0: to nothing.
    limits: Mutex<BTreeMap<u16, Arc<AtomicU64>>>,
}

/// Lays a wire between two ports. What happens on it is written to the trace, where there is one.
pub fn lay(one: EndOptions, other: EndOptions, clock: Clock, trace: Option<&Arc<Trace>>) -> [End; 2] {
    let link = Arc::new(Link::default());
    let way = |from: &EndOptions, to: &EndOptions| {
        let line = Line::new(from.cable.clone(), from.seed, from.tx_descriptors.into());
        let holds = from.cable.launch || from.cable.shaper;
        let sending = Sending { from: from.number, line, holds, places: from.places };
        Arc::new(Way::new(sending, Arc::clone(&to.pool), Arc::clone(&link), clock, trace.map(Arc::clone)))
    };
    let (there, back) = (way(&one, &other), way(&other, &one));
    let end = |options: EndOptions, out: &Arc<Way>, back: &Arc<Way>| End {
        name: options.name,
        device: options.device,
        number: options.number,
        mtu: options.mtu,
        pool: options.pool,
        timestamp: RxTimestamp::of_dynamic_field(1, Origin::Run),
        strips_vlan: options.strips_vlan,
        rx_descriptors: options.rx_descriptors,
        speed_mbps: u32::try_from(options.cable.rate.unwrap_or(0) / 1_000_000).unwrap_or(u32::MAX),
        link: Arc::clone(&link),
        out: Arc::clone(out),
        back: Arc::clone(back),
        clock,
        cable: options.cable,
        tx_descriptors: options.tx_descriptors,
        limits: Mutex::default(),
    };
    [end(one, &there, &back), end(other, &back, &there)]
}

impl End {
    /// Name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does in hardware.
    pub fn offloads(&self) -> u32 {
        if self.timestamp.is_some() { offloads::RX_TIME } else { 0 }
    }

    /// The port as modules see it. Its address is made of its number, and administered locally.
    pub fn info(&self, may_tx: bool) -> PortInfo {
        let [high, low] = self.number.to_be_bytes();
        PortInfo {
            mac: [0x02, b'w', b'i', b'r', high, low],
            mtu: self.mtu,
            link_up: self.link.is_up().into(),
            speed_mbps: self.speed_mbps,
            offloads: self.offloads(),
            may_tx: may_tx.into(),
            reserved: [0; 2],
        }
    }

    /// Where its packets come out.
    pub fn rx_end(&self) -> RxEnd {
        RxEnd::new(Arc::clone(&self.back), self.number, self.rx_descriptors, self.timestamp)
    }

    /// Where packets go in: the tx queue of that number.
    pub fn tx_end(&self, queue: u16) -> TxEnd {
        let launch = TxMarks::get().filter(|_| self.cable.launch);
        let gate = || Box::new(Gate::new(launch, self.limit(queue), self.tx_descriptors.into()));
        let gate = (self.cable.launch || self.cable.shaper).then(gate);
        TxEnd::new(Arc::clone(&self.out), gate)
    }

    fn limit(&self, queue: u16) -> Arc<AtomicU64> {
        Arc::clone(lock(&self.limits).entry(queue).or_default())
    }

    /// Limits what that tx queue sends to so many Mbit/s on layer 1, from its next packet on; 0: to nothing. The unit is that of DPDK's
    /// `rte_eth_set_queue_rate_limit`, so that a run on a wire is limited as one on a card.
    ///
    /// # Errors
    /// It cannot.
    pub fn limit_queue(&self, queue: u16, mbps: u32) -> Result<(), String> {
        if !self.cable.shaper {
            return Err("this wire limits no rates: give it shaper=yes".to_owned());
        }
        self.limit(queue).store(u64::from(mbps) * 1_000_000, Ordering::Relaxed);
        Ok(())
    }

    /// The link is up.
    pub fn link_up(&self) -> bool {
        self.link.is_up()
    }

    /// Takes the link of the wire down, or up again: what is on the line is lost.
    pub fn set_link(&self, up: bool) {
        self.link.set(up, self.clock.ns(self.clock.cycles()));
    }

    /// Loses this part more of what it sends, beside what the wire loses anyway.
    pub fn set_more_loss(&self, chance: f64) {
        self.out.set_more_loss(chance);
    }

    /// Frees what was sent to it and will not be fetched; how many packets that are.
    pub fn discard_waiting(&self) -> u64 {
        self.back.clear()
    }

    /// Everything that it sent was received, lost by a named cause, or left.
    pub fn is_balanced(&self) -> bool {
        self.out.is_balanced()
    }

    /// Counters since the start.
    pub fn stats(&self) -> PortStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counts { sent, sent_bytes, .. } = &self.out.counts;
        let Counts { received, received_bytes, missed, .. } = &self.back.counts;
        let out = &self.out.counts;
        PortStats {
            name: self.name.clone(),
            device: self.device.clone(),
            driver: "wire".to_owned(),
            rx_packets: get(received),
            rx_bytes: get(received_bytes),
            rx_missed: get(missed),
            tx_packets: get(sent),
            tx_bytes: get(sent_bytes),
            link_up: self.link.is_up(),
            link_downs: get(&self.link.downs),
            speed_mbps: self.speed_mbps,
            means: PortMeaning {
                sent: "put on the simulated wire".to_owned(),
                is_sent_believed: false,
                received: "came out of the simulated wire".to_owned(),
                missed: "came when its ring was full, or when no chain reads it".to_owned(),
            },
            wire: Some(WireStats {
                lost: get(&out.lost),
                queue_full: get(&out.queue_full),
                early: get(&out.early),
                cut: get(&out.cut),
                duplicated: get(&out.duplicated),
                not_duplicated: get(&out.not_duplicated),
                corrupted: get(&out.corrupted),
                reordered: get(&out.reordered),
                under_way: self.out.under_way(),
                filler: get(&out.filler),
                past: get(&out.past),
            }),
            ..PortStats::default()
        }
    }
}
