//! Files that are played, as ports.

use super::{Port, PortFacts, RxEnd, TxEnd};
use perigee_abi::PortInfo;
use perigee_config::FlowRule;
use perigee_dpdk::flow::Offloaded;
use perigee_dpdk::pool::Pool;
use perigee_replay as replay;
use perigee_report::PortStats;
use std::sync::Arc;

impl Port for replay::Player {
    fn name(&self) -> &str {
        replay::Player::name(self)
    }

    fn facts(&self) -> PortFacts {
        PortFacts::of_our_own(self.number, self.mtu, self.offloads(), self.strips_vlan, self.timestamp)
    }

    fn info(&self, _may_tx: bool) -> PortInfo {
        replay::Player::info(self)
    }

    fn stats(&self) -> PortStats {
        replay::Player::stats(self)
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn rx_end(self: Arc<Self>, queue: u16) -> RxEnd {
        RxEnd::File(Box::new(replay::Player::rx_end(&self, queue)))
    }

    fn tx_end(self: Arc<Self>, _queue: u16) -> TxEnd {
        TxEnd::Nowhere
    }

    fn rx_queues(&self) -> u16 {
        replay::Player::rx_queues(self)
    }

    fn link_up(&self) -> bool {
        true
    }

    fn discard_waiting(&self) -> u64 {
        0
    }

    fn offer(&self, _rule: &FlowRule) -> Result<Offloaded, String> {
        Err("a file has no hardware".to_owned())
    }

    fn sends(&self) -> bool {
        false
    }

    fn tape(&self) -> Option<&replay::Tape> {
        Some(replay::Player::tape(self))
    }

    fn readers(&self) -> Vec<replay::Reader> {
        replay::Player::readers(self)
    }
}
