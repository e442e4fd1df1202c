//! What LACP says of one end of a link.

use perigee_guest::wire::{Lacp, Mac};

/// One end of a link: a port of a system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Participant {
    pub(crate) system_priority: u16,
    pub(crate) system: Mac,
    pub(crate) key: u16,
    pub(crate) port_priority: u16,
    pub(crate) port: u16,
    /// Bits of [`Lacp`], such as [`Lacp::ACTIVITY`].
    pub(crate) state: u8,
}

impl Participant {
    /// Who sent this.
    pub(crate) fn actor_of(lacp: &Lacp) -> Self {
        Self {
            system_priority: lacp.actor_system_priority(),
            system: lacp.actor_system(),
            key: lacp.actor_key(),
            port_priority: lacp.actor_port_priority(),
            port: lacp.actor_port(),
            state: lacp.actor_state(),
        }
    }

    /// What the sender knows of the other end.
    pub(crate) fn partner_of(lacp: &Lacp) -> Self {
        Self {
            system_priority: lacp.partner_system_priority(),
            system: lacp.partner_system(),
            key: lacp.partner_key(),
            port_priority: lacp.partner_port_priority(),
            port: lacp.partner_port(),
            state: lacp.partner_state(),
        }
    }

    pub(crate) fn write_actor(&self, lacp: &mut Lacp) {
        lacp.set_actor_system_priority(self.system_priority);
        lacp.set_actor_system(self.system);
        lacp.set_actor_key(self.key);
        lacp.set_actor_port_priority(self.port_priority);
        lacp.set_actor_port(self.port);
        lacp.set_actor_state(self.state);
    }

    pub(crate) fn write_partner(&self, lacp: &mut Lacp) {
        lacp.set_partner_system_priority(self.system_priority);
        lacp.set_partner_system(self.system);
        lacp.set_partner_key(self.key);
        lacp.set_partner_port_priority(self.port_priority);
        lacp.set_partner_port(self.port);
        lacp.set_partner_state(self.state);
    }

    /// Whether all of these bits are set.
    pub(crate) fn has(&self, bits: u8) -> bool {
        self.state & bits == bits
    }

    /// Sets bits, or clears them.
    pub(crate) fn set(&mut self, bits: u8, on: bool) {
        self.state = if on { self.state | bits } else { self.state & !bits };
    }

    /// Whether it is the same port of the same system.
    pub(crate) fn is_same_port(&self, other: &Self) -> bool {
        (self.system, self.port) == (other.system, other.port)
    }

    /// Whether it is the same in all but those bits of the state that are not in `bits`.
    pub(crate) fn agrees(&self, other: &Self, bits: u8) -> bool {
        Self { state: self.state & bits, ..*self } == Self { state: other.state & bits, ..*other }
    }
}
