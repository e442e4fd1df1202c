//! Ports as the data path and the control side see them: the data path holds ends of queues and the facts that it needs, the
//! control side the port itself. An end is one of a few kinds, matched once per burst; behind the control side's trait there may be more.

use perigee_abi::PortInfo;
use perigee_config::FlowRule;
use perigee_config::sizes::MAX_L2;
use perigee_core::clock::Clock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::flow::Offloaded;
use perigee_dpdk::observer::Observer;
use perigee_dpdk::pacing::CardClock;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::port::{Port as DpdkPort, VlanStrip};
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_machine::netlink::Netlink;
use perigee_pcap::capture::Outputs;
use perigee_replay as replay;
use perigee_report::{Error, PortStats};
use perigee_wire as wire;
use std::sync::Arc;

mod file;
mod wire_end;

/// What of a port never changes, for whoever holds one of its ends.
#[derive(Clone, Copy, Debug)]
pub struct PortFacts {
    /// Its number in the run.
    pub number: u16,
    /// Longest frame that may be sent, without frame check sequence.
    pub max_frame: u16,
    /// Tx offloads in use ([`perigee_abi::offloads`]): what the software need not do.
    pub offloads: u32,
    /// Tags are stripped, by the port or (where it cannot) by us.
    pub vlan_strip: VlanStrip,
    /// Where its rx timestamps are, where it gives them.
    pub timestamp: Option<RxTimestamp>,
    /// It hands on mbufs with the flags of their last way (net_ring).
    pub stale_flags: bool,
    /// Packets come with another number of the port than ours.
    pub renumbers: bool,
    /// It may refuse a packet for what that is, and take others. Else whoever does not take one is full.
    pub may_refuse: bool,
}

impl PortFacts {
    /// Those of a port that is no driver's: a wire's end, a file.
    fn of_our_own(number: u16, mtu: u16, offloads: u32, strips_vlan: bool, timestamp: Option<RxTimestamp>) -> Self {
        Self {
            number,
            max_frame: mtu.saturating_add(u16::try_from(MAX_L2).unwrap_or(u16::MAX)),
            offloads,
            vlan_strip: if strips_vlan { VlanStrip::Software } else { VlanStrip::Off },
            timestamp,
            stale_flags: false,
            // Its end writes our number.
            renumbers: false,
            may_refuse: false,
        }
    }
}

/// An rx queue, as a chain holds it.
#[derive(Debug)]
pub enum RxEnd {
    /// Of a port of DPDK's.
    Dpdk(Arc<DpdkPort>, u16),
    /// Of a simulated wire.
    Wire(Box<wire::RxEnd>),
    /// Of files that are played.
    File(Box<replay::RxEnd>),
}

impl RxEnd {
    /// Appends up to `max` packets to the burst; returns how many came.
    #[inline]
    pub fn rx(&mut self, burst: &mut Burst, max: usize) -> usize {
        match self {
            Self::Dpdk(port, queue) => port.rx(*queue, burst, max),
            Self::Wire(end) => end.rx(burst, max),
            Self::File(end) => end.rx(burst, max),
        }
    }

    /// When a wire or a file has its next packet, in nanoseconds of the run's clock: 0 where one is there, `None` where none is under
    /// way, or where [`Self::comes_when_asked`] says so. Ports of DPDK's may have one at any time.
    pub fn due(&mut self) -> Option<u64> {
        match self {
            Self::Dpdk(..) => Some(0),
            Self::Wire(end) => end.due(),
            Self::File(end) => end.due(),
        }
    }

    /// A packet may come whenever somebody asks, which a simulation does not all the time.
    pub fn comes_when_asked(&self) -> bool {
        matches!(self, Self::File(end) if end.comes_when_asked())
    }

    /// A packet is due so soon that an lcore that slept would be late for it.
    pub fn is_near(&self, now: u64) -> bool {
        matches!(self, Self::File(end) if end.is_near(now))
    }

    /// A file that gives nothing more. Of other queues nobody can say.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::File(end) if end.is_over())
    }
}

/// A tx queue, as a chain holds it.
#[derive(Debug)]
pub enum TxEnd {
    /// Of a port of DPDK's.
    Dpdk(Arc<DpdkPort>, u16),
    /// Of a simulated wire.
    Wire(wire::TxEnd),
    /// Of a port that sends nothing. No chain gets one ([`Port::sends`]).
    Nowhere,
}

impl TxEnd {
    /// Sends packets from the front of the burst; what the port does not take stays in it.
    #[inline]
    pub fn tx(&mut self, burst: &mut Burst) -> usize {
        match self {
            Self::Dpdk(port, queue) => port.tx(*queue, burst),
            Self::Wire(end) => end.tx(burst),
            Self::Nowhere => 0,
        }
    }

    /// Nothing can be sent now: the interface below is not set up, or gone, or the card was pulled out, or the link is down.
    #[inline]
    pub fn is_shut(&self) -> bool {
        match self {
            Self::Dpdk(port, _) => port.is_shut(),
            Self::Wire(end) => end.is_shut(),
            Self::Nowhere => true,
        }
    }

    /// Lets the driver prepare offloads; returns how many packets from the front are ready.
    pub fn tx_prepare(&self, burst: &mut Burst) -> usize {
        match self {
            Self::Dpdk(port, queue) => port.tx_prepare(*queue, burst),
            // It has no offloads, so none is asked for.
            Self::Wire(_) | Self::Nowhere => burst.len(),
        }
    }

    /// True where [`Self::tx_told`] knows of packets that are too long.
    pub fn tells_too_long(&self) -> bool {
        matches!(self, Self::Dpdk(port, _) if port.tells_too_long())
    }

    /// As [`Self::tx`], and whether the packet that is now the first one was refused because it is too long for the interface.
    pub fn tx_told(&mut self, burst: &mut Burst) -> (usize, bool) {
        match self {
            Self::Dpdk(port, queue) => port.tx_told(*queue, burst),
            Self::Wire(end) => (end.tx(burst), false),
            Self::Nowhere => (0, false),
        }
    }

    /// When a wire takes packets again, in nanoseconds of the run's clock; `None` where nobody can say.
    pub fn due(&self) -> Option<u64> {
        match self {
            Self::Dpdk(..) | Self::Nowhere => None,
            Self::Wire(end) => end.due(),
        }
    }
}

/// A line that can be kept busy between packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilledLine {
    /// Bits per second on layer 1.
    pub rate: u64,
    /// What lies between packets never arrives, for certain; else only a calibration can tell.
    pub vanishes: bool,
}

/// A port of a run, as the control side sees it: never on the data path.
pub trait Port: Send + Sync + std::fmt::Debug {
    /// Name in the configuration.
    fn name(&self) -> &str;
    /// What never changes.
    fn facts(&self) -> PortFacts;
    /// The port as modules see it.
    fn info(&self, may_tx: bool) -> PortInfo;
    /// Counters since the start.
    fn stats(&self) -> PortStats;
    /// The rooms that its packets lie in.
    fn pool(&self) -> &Arc<Pool>;
    /// The rx queue of that number, for the one chain that reads it.
    fn rx_end(self: Arc<Self>, queue: u16) -> RxEnd;
    /// The tx queue of that number.
    fn tx_end(self: Arc<Self>, queue: u16) -> TxEnd;
    /// How many rx queues it has.
    fn rx_queues(&self) -> u16;
    /// The link is up.
    fn link_up(&self) -> bool;
    /// Frees what waits in it and nobody will take, where closing it would lose it; how many packets that are.
    fn discard_waiting(&self) -> u64;
    /// Asks it to do a flow rule. The text says why it does not.
    ///
    /// # Errors
    /// Why it does not.
    fn offer(&self, rule: &FlowRule) -> Result<Offloaded, String>;

    /// Limits what a tx queue sends to so many Mbit/s, as the port counts them; 0: to nothing.
    ///
    /// # Errors
    /// Why it does not.
    fn limit_queue(&self, _queue: u16, _mbps: u32) -> Result<(), String> {
        Err("it sends nothing".to_owned())
    }
    /// That it lets packets go at the times that they carry: by which clock, where it is not the run's.
    ///
    /// # Errors
    /// Why it does not.
    fn launch(&self, _clock: &Clock) -> Result<Option<CardClock>, String> {
        Err("it sends nothing".to_owned())
    }
    /// Its line, where that can be kept busy.
    ///
    /// # Errors
    /// Why it cannot.
    fn line(&self) -> Result<FilledLine, String> {
        Err("it sends nothing".to_owned())
    }
    /// It takes packets.
    fn sends(&self) -> bool {
        true
    }
    /// What it plays, where it plays files.
    fn tape(&self) -> Option<&replay::Tape> {
        None
    }
    /// What reads ahead of its queues, each to be given a thread.
    fn readers(&self) -> Vec<replay::Reader> {
        Vec::new()
    }
    /// The device is a real one.
    fn is_physical(&self) -> bool {
        false
    }
    /// All of its packets are copied: its driver insists on a pool of its own.
    fn has_plain_pool(&self) -> bool {
        false
    }
    /// DPDK's number of it.
    fn dpdk_id(&self) -> Option<u16> {
        None
    }
    /// The wire's end that it is.
    fn wire(&self) -> Option<&wire::End> {
        None
    }
    /// The files that it writes.
    fn outputs(&self) -> Option<&Arc<Outputs>> {
        None
    }
    /// Puts the files that it writes in their places.
    ///
    /// # Errors
    /// The system does not let it.
    fn commit_outputs(&self) -> Result<(), Error> {
        Ok(())
    }
    /// It is on an interface of the kernel's.
    fn is_on_interface(&self) -> bool {
        false
    }
    /// Nothing can be sent now.
    fn is_shut(&self) -> bool {
        !self.link_up()
    }
    /// Who else sees what it sends and has these bytes for a tag, where that is asked for.
    fn observer(&self, _tag: [u8; 2]) -> Option<Result<Observer, Error>> {
        None
    }
    /// It tells of its link itself, with what it knows of the cause.
    fn tells_of_link(&self) -> bool {
        false
    }
    /// Its link has changed, by what its driver says.
    fn link_is(&self, _up: bool) {}
    /// Looks at what only it knows: a card that was pulled out, a peer that went away, a file that is full.
    fn look(&self) {}
    /// Asks the kernel about the interface below, and tells what has changed.
    fn look_below(&self, _netlink: &mut Netlink) {}
    /// Looks for its peer again. `pause` returns when no lcore is inside the driver, or false if one does not say so.
    fn connect_again(&self, _pause: &dyn Fn() -> bool) {}
}

impl Port for DpdkPort {
    fn name(&self) -> &str {
        DpdkPort::name(self)
    }

    fn facts(&self) -> PortFacts {
        let stale_flags = self.hands_on_mbufs();
        PortFacts {
            number: self.number,
            max_frame: self.max_frame(),
            offloads: self.offloads,
            vlan_strip: self.vlan_strip,
            timestamp: self.timestamp,
            stale_flags,
            renumbers: stale_flags || self.number != DpdkPort::dpdk_id(self),
            may_refuse: self.may_refuse(),
        }
    }

    fn info(&self, may_tx: bool) -> PortInfo {
        DpdkPort::info(self, may_tx)
    }

    fn stats(&self) -> PortStats {
        DpdkPort::stats(self)
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn rx_end(self: Arc<Self>, queue: u16) -> RxEnd {
        RxEnd::Dpdk(self, queue)
    }

    fn tx_end(self: Arc<Self>, queue: u16) -> TxEnd {
        TxEnd::Dpdk(self, queue)
    }

    fn rx_queues(&self) -> u16 {
        self.queues.rx
    }

    fn link_up(&self) -> bool {
        DpdkPort::link_up(self)
    }

    fn discard_waiting(&self) -> u64 {
        DpdkPort::discard_waiting(self)
    }

    fn offer(&self, rule: &FlowRule) -> Result<Offloaded, String> {
        DpdkPort::offer(self, rule)
    }

    fn limit_queue(&self, queue: u16, mbps: u32) -> Result<(), String> {
        DpdkPort::limit_queue(self, queue, mbps)
    }

    fn launch(&self, clock: &Clock) -> Result<Option<CardClock>, String> {
        self.launch_clock(clock).map(Some)
    }

    fn line(&self) -> Result<FilledLine, String> {
        match DpdkPort::info(self, true).speed_mbps {
            0 => Err("the speed of its link is not known".to_owned()),
            mbps => Ok(FilledLine { rate: u64::from(mbps) * 1_000_000, vanishes: false }),
        }
    }

    fn is_physical(&self) -> bool {
        DpdkPort::is_physical(self)
    }

    fn has_plain_pool(&self) -> bool {
        self.plain_pool.is_some()
    }

    fn dpdk_id(&self) -> Option<u16> {
        Some(DpdkPort::dpdk_id(self))
    }

    fn outputs(&self) -> Option<&Arc<Outputs>> {
        Some(DpdkPort::outputs(self))
    }

    fn commit_outputs(&self) -> Result<(), Error> {
        DpdkPort::commit_outputs(self)
    }

    fn observer(&self, tag: [u8; 2]) -> Option<Result<Observer, Error>> {
        DpdkPort::observer(self, tag)
    }

    fn is_on_interface(&self) -> bool {
        DpdkPort::is_on_interface(self)
    }

    fn is_shut(&self) -> bool {
        DpdkPort::is_shut(self)
    }

    fn tells_of_link(&self) -> bool {
        DpdkPort::tells_of_link(self)
    }

    fn link_is(&self, up: bool) {
        DpdkPort::link_is(self, up);
    }

    fn look(&self) {
        self.look_at_card();
        self.look_at_peer();
        self.watch_outputs();
    }

    fn look_below(&self, netlink: &mut Netlink) {
        DpdkPort::look_below(self, netlink);
    }

    fn connect_again(&self, pause: &dyn Fn() -> bool) {
        DpdkPort::connect_again(self, pause);
    }
}
