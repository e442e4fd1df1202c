//! The links of a run's ports: looked at beside the data path, told to people and to instances.

use crate::parts::{Orders, Parts};
use perigee_core::clock::Clock;
use perigee_datapath::orders::Command;
use perigee_datapath::port::Port;
use perigee_machine::netlink::Netlink;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Time between two looks at the links.
const OTHERS: Duration = Duration::from_secs(1);
/// And at the kernel's interfaces: while all are up, and while one is not, so that nothing is lost when it comes.
const INTERFACES: Duration = Duration::from_millis(100);
const DOWN: Duration = Duration::from_millis(5);
/// How long an lcore may take to leave a driver.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the links of physical ports may take to come up: auto-negotiation takes some seconds.
const LINK_WAIT: Duration = Duration::from_secs(9);
/// How often it is looked whether they are.
const LINK_LOOK: Duration = Duration::from_millis(50);

/// Waits until the links of physical ports are up, for a while.
pub(crate) fn wait_for_links(parts: &Parts) {
    let physical: Vec<_> = parts.ports.iter().filter(|p| p.is_physical()).collect();
    let mut left = LINK_WAIT;
    while !left.is_zero() && physical.iter().any(|p| !p.link_up()) {
        std::thread::sleep(LINK_LOOK);
        left = left.saturating_sub(LINK_LOOK);
    }
    for port in physical.iter().filter(|p| !p.link_up()) {
        tracing::warn!(port = port.name(), "the link is still down after {LINK_WAIT:?}");
    }
}

/// What is known of the links.
#[derive(Debug)]
pub(crate) struct Links {
    ports: Vec<Arc<dyn Port>>,
    orders: Orders,
    /// `None` where no port is on an interface.
    netlink: Option<Netlink>,
    /// As instances were told.
    told: Vec<bool>,
    clock: Clock,
    next: Duration,
    next_others: Duration,
}

impl Links {
    /// The links as they are now.
    pub(crate) fn new(parts: &mut Parts) -> Self {
        let (ports, clock) = (parts.ports.clone(), parts.clock);
        let now = Duration::from_nanos(clock.now_ns());
        let told = ports.iter().map(|port| port.link_up()).collect();
        let (orders, netlink) = (parts.orders.clone(), parts.netlink.take());
        Self { ports, orders, netlink, told, clock, next: now, next_others: now + OTHERS }
    }

    /// Does what is due.
    pub(super) fn look(&mut self) {
        let now = Duration::from_nanos(self.clock.now_ns());
        let others = now >= self.next_others;
        if now < self.next && !others {
            return;
        }
        if others {
            self.next_others = now + OTHERS;
            self.ports.iter().for_each(|port| port.look());
        }
        if let Some(netlink) = &mut self.netlink {
            self.ports.iter().for_each(|port| port.look_below(netlink));
        }
        let is_down = self.ports.iter().any(|port| port.is_on_interface() && port.is_shut());
        self.next = now + if is_down { DOWN } else { INTERFACES };
        self.tell(others);
    }

    /// Tells all instances what has become of the ports' links; of those that only the driver knows, where `others`.
    fn tell(&mut self, others: bool) {
        for (number, port) in self.ports.iter().enumerate().filter(|(_, port)| others || port.is_on_interface()) {
            let up = port.link_up();
            if self.told.get(number) == Some(&up) {
                continue;
            }
            if !port.tells_of_link() {
                port.link_is(up);
            }
            let order = || Command::Port { number, info: port.info(false) };
            // An lcore whose queue is full is told the next time.
            let lcores = self.orders.len();
            if (0..lcores).filter(|lcore| self.orders.push(*lcore, order()).is_ok()).count() == lcores {
                self.told[number] = up;
            }
        }
    }
}

/// Waits until each lcore has begun another round; false where one does not answer.
pub(crate) fn lcores_have_left(orders: &Orders) -> bool {
    let ask = |lcore| {
        let (reply, answer) = channel();
        orders.push(lcore, Command::Report { reply }).is_ok().then_some(answer)
    };
    let asked: Vec<_> = (0..orders.len()).map(ask).collect();
    asked.into_iter().all(|answer| answer.is_some_and(|answer| answer.recv_timeout(PATIENCE).is_ok()))
}
