//! What a run has beside its lcores.

mod domains;
mod maker;
mod means;
mod observe;
pub(crate) mod orders;
mod paths;
mod probes;
mod seats;
mod streams;

pub(crate) use domains::{Domain, Sealed};
pub(crate) use maker::{Loaded, Maker, splitmix};
pub(crate) use means::{Limit, Means};
pub(crate) use observe::{Observers, Observing};
pub(crate) use orders::Orders;
pub(crate) use paths::Paths;
pub(crate) use probes::Probes;
pub(crate) use seats::{Common, PlacedChain, PlacedTimes, Seats};
pub(crate) use streams::PlacedStream;

use perigee_core::clock::Clock;
use perigee_core::unix::UnixOrigin;
use perigee_datapath::flow::PortFlows;
use perigee_datapath::orders::Control;
use perigee_datapath::port::Port;
use perigee_datapath::pressure::Pressure;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::ring::Ring;
use perigee_machine::netlink::Netlink;
use perigee_pcap::capture::Ends;
use perigee_report::Error;
use perigee_wire::trace::Trace;
use std::sync::Arc;

/// Everything of a run that is not an lcore's. Fields are dropped in this order: what uses memory before the memory.
pub(crate) struct Parts {
    /// The flow rules of each port, by number: taken back before the ports are closed.
    pub(crate) flows: Vec<Option<Arc<PortFlows>>>,
    pub(crate) ports: Vec<Arc<dyn Port>>,
    /// Where the kernel is asked about interfaces: opened before the jail is entered. `None` where no port is on one.
    pub(crate) netlink: Option<Netlink>,
    pub(crate) rings: Vec<Arc<Ring>>,
    /// What is shared for backpressure, where a ring has it.
    pub(crate) pressure: Option<Arc<Pressure>>,
    pub(crate) pools: Vec<Arc<Pool>>,
    /// Which chains' ports end, and when.
    pub(crate) ends: Ends,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    /// Where the run began on the system's clock, which some ports' times are of.
    pub(crate) unix: UnixOrigin,
    /// What is kept of a simulation.
    pub(crate) trace: Option<Arc<Trace>>,
    /// The chains as placed, with their counters.
    pub(crate) placed: Vec<PlacedChain>,
    /// What is measured of the streams.
    pub(crate) probes: Probes,
    /// What is measured of packets that pass by.
    pub(crate) paths: Paths,
    /// Who else sees them leave.
    pub(crate) observers: Observers,
    /// The streams, in the order of the configuration.
    pub(crate) streams: Vec<PlacedStream>,
    /// What is asked of the lcores.
    pub(crate) orders: Orders,
    /// Where the instances work.
    pub(crate) seats: Arc<Seats>,
    /// Has the region: dropped last.
    pub(crate) maker: Arc<Maker>,
}

pub(crate) fn module_error(name: &str, what: String) -> Error {
    Error::Module { name: name.to_owned(), what }
}
