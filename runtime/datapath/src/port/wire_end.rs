//! Ends of simulated wires, as ports.

use super::{Port, PortFacts, RxEnd, TxEnd};
use perigee_abi::PortInfo;
use perigee_config::FlowRule;
use perigee_dpdk::flow::Offloaded;
use perigee_dpdk::pool::Pool;
use perigee_report::PortStats;
use perigee_wire as wire;
use std::sync::Arc;

impl Port for wire::End {
    fn name(&self) -> &str {
        wire::End::name(self)
    }

    fn facts(&self) -> PortFacts {
        PortFacts::of_our_own(self.number, self.mtu, self.offloads(), self.strips_vlan, self.timestamp)
    }

    fn info(&self, may_tx: bool) -> PortInfo {
        wire::End::info(self, may_tx)
    }

    fn stats(&self) -> PortStats {
        wire::End::stats(self)
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn rx_end(self: Arc<Self>, _queue: u16) -> RxEnd {
        RxEnd::Wire(Box::new(wire::End::rx_end(&self)))
    }

    fn tx_end(self: Arc<Self>, _queue: u16) -> TxEnd {
        TxEnd::Wire(wire::End::tx_end(&self))
    }

    fn rx_queues(&self) -> u16 {
        1
    }

    fn link_up(&self) -> bool {
        wire::End::link_up(self)
    }

    fn discard_waiting(&self) -> u64 {
        wire::End::discard_waiting(self)
    }

    fn offer(&self, _rule: &FlowRule) -> Result<Offloaded, String> {
        Err("a simulated wire has no hardware".to_owned())
    }

    fn wire(&self) -> Option<&wire::End> {
        Some(self)
    }
}
