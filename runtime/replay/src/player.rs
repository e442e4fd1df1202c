//! A port that plays files, as the control side sees it.

use crate::ahead::{Filler, Reader, Stream};
use crate::rx::{Counts, LATE, Place, RxEnd};
use crate::tape::Tape;
use perigee_abi::{PortInfo, offloads};
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::{Origin, RxTimestamp};
use perigee_report::{PortMeaning, PortStats, ReplayStats};
use perigee_wire::trace::Trace;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What such a port is made of.
#[derive(Debug)]
pub struct PlayerOptions {
    /// Name in the configuration.
    pub name: String,
    /// Device string.
    pub device: String,
    /// Its number in the run.
    pub number: u16,
    /// Its MTU.
    pub mtu: u16,
    /// What it plays.
    pub tape: Tape,
    /// The rooms that its packets lie in.
    pub pool: Arc<Pool>,
    /// Tags are taken off.
    pub strips_vlan: bool,
    /// The run's clock.
    pub clock: Clock,
    /// Where a simulation's packets are watched. It has no threads that could read ahead.
    pub trace: Option<Arc<Trace>>,
}

/// A port that plays files.
#[derive(Debug)]
pub struct Player {
    name: String,
    device: String,
    /// Its number in the run.
    pub number: u16,
    /// Its MTU.
    pub mtu: u16,
    /// The rooms that its packets lie in.
    pub pool: Arc<Pool>,
    /// Where its packets' times are.
    pub timestamp: Option<RxTimestamp>,
    /// Tags are taken off.
    pub strips_vlan: bool,
    tape: Arc<Tape>,
    counts: Arc<Counts>,
    clock: Clock,
    trace: Option<Arc<Trace>>,
    /// Those that have no thread yet.
    readers: Mutex<Vec<Reader>>,
}

impl Player {
    /// A port whose first packet is due when somebody asks for it.
    pub fn new(options: PlayerOptions) -> Self {
        let PlayerOptions { name, device, number, mtu, tape, pool, strips_vlan, clock, trace } = options;
        let counts = Arc::new(Counts::new(tape.queues()));
        let (tape, timestamp) = (Arc::new(tape), RxTimestamp::of_dynamic_field(1, Origin::Run));
        Self {
            name,
            device,
            number,
            mtu,
            pool,
            timestamp,
            strips_vlan,
            tape,
            counts,
            clock,
            trace,
            readers: Mutex::default(),
        }
    }

    /// Name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it plays.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// How many rx queues it has.
    pub fn rx_queues(&self) -> u16 {
        u16::try_from(self.tape.queues()).unwrap_or(u16::MAX)
    }

    /// What it does in hardware.
    pub fn offloads(&self) -> u32 {
        if self.timestamp.is_some() { offloads::RX_TIME } else { 0 }
    }

    /// The port as modules see it: nothing can be sent to it. Its address is made of its number, and administered locally.
    pub fn info(&self) -> PortInfo {
        let [high, low] = self.number.to_be_bytes();
        PortInfo {
            mac: [0x02, b'f', b'i', b'l', high, low],
            mtu: self.mtu,
            link_up: 1,
            speed_mbps: 0,
            offloads: self.offloads(),
            may_tx: 0,
            reserved: [0; 2],
        }
    }

    /// What reads ahead of the queues that somebody has the ends of, each to be given a thread.
    pub fn readers(&self) -> Vec<Reader> {
        std::mem::take(&mut lock(&self.readers))
    }

    /// What a queue plays that is not in memory. Its first chunks are read now.
    fn stream(&self, queue: usize) -> Option<Box<Stream>> {
        let filler = Filler::new(&self.tape, queue, &self.counts, &self.name)?;
        if self.trace.is_some() {
            return Some(Box::new(Stream::here(filler)));
        }
        let (stream, reader) = Stream::ahead(filler);
        lock(&self.readers).extend(reader);
        Some(Box::new(stream))
    }

    /// Where packets of that queue come out.
    pub fn rx_end(&self, queue: u16) -> RxEnd {
        let queue = usize::from(queue);
        RxEnd {
            stream: self.stream(queue),
            place: Place::first(&self.tape, queue),
            tape: Arc::clone(&self.tape),
            queue,
            counts: Arc::clone(&self.counts),
            pool: Arc::clone(&self.pool),
            clock: self.clock,
            port: self.number,
            timestamp: self.timestamp,
            trace: self.trace.clone(),
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> PortStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counts, facts) = (&self.counts, self.tape.facts());
        let played = |(queue, rounds): (usize, &AtomicU64)| (self.tape.in_round(queue) != 0).then(|| get(rounds));
        PortStats {
            name: self.name.clone(),
            device: self.device.clone(),
            driver: "file".to_owned(),
            rx_packets: get(&counts.packets),
            rx_bytes: get(&counts.bytes),
            link_up: true,
            means: PortMeaning {
                sent: "nothing: a file that is played takes no packets".to_owned(),
                is_sent_believed: false,
                received: "played from its files".to_owned(),
                missed: "none: what is due waits".to_owned(),
            },
            replay: Some(ReplayStats {
                packets: get(&counts.packets),
                bytes: get(&counts.bytes),
                rounds: counts.rounds.iter().enumerate().filter_map(played).min().unwrap_or(0),
                late: get(&counts.late),
                late_from_ns: LATE,
                late_worst_ns: get(&counts.late_worst),
                waited_for_rooms: get(&counts.waits),
                in_round: facts.packets,
                backwards: facts.backwards,
                timeless: facts.timeless,
                snapped: facts.snapped,
                too_long: facts.too_long,
                not_ethernet: facts.not_ethernet,
                cut: facts.cut.len() as u64,
                memory: self.tape.memory(),
                from_disk: self.tape.ahead().is_some(),
                starved: get(&counts.starved),
                starved_ns: get(&counts.starved_ns),
                changed: get(&counts.changed),
            }),
            ..PortStats::default()
        }
    }
}
