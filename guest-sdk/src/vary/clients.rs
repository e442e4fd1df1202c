//! Flows of many clients.

use crate::Refusal;

/// A range of clients, each with a range of ports: flow number `n` has the client `n % clients` and that client's port
/// number `n / clients`, so every client has used a port before any client uses its next one.
///
/// In which order flows come is said by another draw:
///
/// ```
/// use perigee_guest::vary::{Clients, Draw, Steps};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let clients = Clients::new(0x0a00_0001, 0x0a00_0005, 1025, 1028)?.limit(10)?;
/// let mut flows = Steps::new(0, clients.flows() - 1, 1)?.map(|flow| clients.flow(flow));
/// let mut random = perigee_guest::Lcg64::new(1);
/// assert_eq!((flows.next(&mut random).address, flows.next(&mut random).port), (0x0a00_0001, 1025));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    address: u64,
    /// Number of the last client, and of the last flow.
    last_client: u64,
    last_flow: u64,
    port: u16,
    mac: u64,
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The client's address, or its last 64 bits.
    pub address: u64,
    /// Its port.
    pub port: u16,
    /// Its MAC address as a number, with the same place in its range as the address.
    pub mac: u64,
}

impl Clients {
    /// The clients `from..=to`, which may be IPv4 addresses or the last 64 bits of IPv6 ones, with the ports
    /// `first_port..=last_port`.
    ///
    /// # Errors
    ///
    /// A range's beginning is larger than its end.
    pub fn new(from: u64, to: u64, first_port: u16, last_port: u16) -> Result<Self, Refusal> {
        if from > to || first_port > last_port {
            return Err(Refusal::new("clients: a range's first value must not be larger than its last"));
        }
        let last_client = to - from;
        // Clients times ports, less one.
        let rounds = u64::from(last_port - first_port);
        let last_flow = last_client.saturating_mul(rounds + 1).saturating_add(rounds);
        Ok(Self { address: from, last_client, last_flow, port: first_port, mac: 0 })
    }

    /// Uses the first `flows` flows only.
    ///
    /// # Errors
    ///
    /// `flows` is 0.
    pub fn limit(mut self, flows: u64) -> Result<Self, Refusal> {
        let last = flows.checked_sub(1).ok_or_else(|| Refusal::new("clients: flows must not be 0"))?;
        self.last_flow = self.last_flow.min(last);
        Ok(self)
    }

    /// Gives each client a MAC address of its own, from this one on.
    #[must_use]
    pub fn macs_from(mut self, mac: u64) -> Self {
        self.mac = mac;
        self
    }

    /// Number of flows; `u64::MAX` also where there are more.
    #[must_use]
    pub fn flows(&self) -> u64 {
        self.last_flow.saturating_add(1)
    }

    /// Number of the last flow that is counted.
    #[cfg(feature = "config")]
    pub(super) fn last_flow(&self) -> u64 {
        self.last_flow
    }

    /// In the host's words.
    #[cfg(feature = "config")]
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        (plan.base, plan.last_client) = (self.address, self.last_client);
        (plan.port, plan.mac) = (self.port.into(), self.mac);
    }

    /// Flow number `flow`, less than [`Self::flows`].
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a flow of the range has a port of the range")]
    pub fn flow(&self, flow: u64) -> Flow {
        let (round, client) = match self.last_client.checked_add(1) {
            Some(clients) => (flow / clients, flow % clients),
            None => (0, flow),
        };
        Flow {
            address: self.address.wrapping_add(client),
            port: self.port.wrapping_add(round as u16),
            mac: self.mac.wrapping_add(client),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ports_progress_when_all_clients_had_their_turn() {
        let clients = Clients::new(1, 5, 1025, 1028).unwrap().limit(10).unwrap().macs_from(0x0200_0000_0000);
        let seen: std::vec::Vec<_> = (0..clients.flows()).map(|flow| clients.flow(flow)).collect();
        let addresses: std::vec::Vec<_> = seen.iter().map(|flow| flow.address).collect();
        assert_eq!(addresses, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
        assert_eq!([seen[4].port, seen[5].port, seen[9].port], [1025, 1026, 1026]);
        assert_eq!([seen[0].mac, seen[9].mac], [0x0200_0000_0000, 0x0200_0000_0004]);
    }

    #[test]
    fn every_flow_is_another_one() {
        let clients = Clients::new(10, 12, 65_530, 65_535).unwrap();
        let seen: BTreeSet<_> = (0..clients.flows()).map(|n| (clients.flow(n).address, clients.flow(n).port)).collect();
        assert_eq!((seen.len(), seen.first(), seen.last()), (18, Some(&(10, 65_530)), Some(&(12, 65_535))));
        assert_eq!(Clients::new(0, u64::MAX, 0, u16::MAX).unwrap().flows(), u64::MAX);
    }

    #[test]
    fn empty_ranges_are_refused() {
        assert!(Clients::new(2, 1, 0, 0).is_err() && Clients::new(1, 1, 1, 0).is_err());
        assert!(Clients::new(1, 1, 0, 0).unwrap().limit(0).is_err());
    }
}
