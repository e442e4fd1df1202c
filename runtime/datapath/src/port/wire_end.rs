//! Ends of simulated wires, as ports.

use super::{FilledLine, Port, PortFacts, RxEnd, TxEnd};
use perigee_abi::PortInfo;
use perigee_config::FlowRule;
use perigee_config::wire::Service;
use perigee_core::clock::Clock;
use perigee_dpdk::flow::Offloaded;
use perigee_dpdk::pacing::CardClock;
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

    fn tx_end(self: Arc<Self>, queue: u16) -> TxEnd {
        TxEnd::Wire(wire::End::tx_end(&self, queue))
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

    fn limit_queue(&self, queue: u16, mbps: u32) -> Result<(), String> {
        wire::End::limit_queue(self, queue, mbps)
    }

    fn launch(&self, _clock: &Clock) -> Result<Option<CardClock>, String> {
        if self.cable.launch { Ok(None) } else { Err("this wire has no launch times: give it launch=yes".to_owned()) }
    }

    fn line(&self) -> Result<FilledLine, String> {
        match (self.cable.rate, self.cable.service) {
            (None, _) => Err("this wire has no rate, so nothing fills it: give it rate=, as in rate=10G".to_owned()),
            (_, Service::Exponential) => {
                Err("on this wire bytes say nothing of times: leave service=exp away".to_owned())
            }
            (Some(rate), Service::Fixed) => Ok(FilledLine { rate, vanishes: true }),
        }
    }

    fn wire(&self) -> Option<&wire::End> {
        Some(self)
    }
}
