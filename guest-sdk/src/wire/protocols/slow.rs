//! Slow protocols of Ethernet: LACP and its marker.
//!
//! ```
//! use perigee_guest::wire::{Ethernet, Lacp, SlowProtocol, Stack};
//!
//! perigee_guest::stack! { struct LacpFrame { eth: Ethernet, slow: SlowProtocol, lacp: Lacp } }
//! let mut packet = [0; LacpFrame::LEN + Lacp::PADDING];
//! LacpFrame::fill(&mut packet, |frame| {
//!     frame.eth.set_destination(SlowProtocol::GROUP);
//!     frame.lacp.set_actor_state(Lacp::ACTIVITY | Lacp::AGGREGATION);
//! })?;
//! assert_eq!(packet.len(), 124);
//! # Ok::<(), perigee_guest::wire::Error>(())
//! ```

use crate::wire::{Fields as _, Format, Header, Mac, Next, header};

/// What all slow protocols begin with: which one it is. They are sent to [`SlowProtocol::GROUP`].
#[header(name = "slow protocol", source = "IEEE 802.3", ether_type = 0x8809)]
pub struct SlowProtocol {
    /// [`SlowProtocol::LACP`] or another.
    subtype: u8,
}

impl Header for SlowProtocol {
    fn next(&self, _payload: &[u8]) -> Next {
        match self.subtype() {
            Self::LACP => Next::Header(&Lacp::INFO),
            Self::MARKER => Next::Header(&Marker::INFO),
            _ => Next::Payload,
        }
    }

    fn set_next(&mut self, next: &Format) {
        for (format, subtype) in [(&Lacp::FORMAT, Self::LACP), (&Marker::FORMAT, Self::MARKER)] {
            if next == format {
                self.set_subtype(subtype);
            }
        }
    }
}

impl SlowProtocol {
    /// To whom slow protocols are sent.
    pub const GROUP: Mac = Mac([0x01, 0x80, 0xc2, 0x00, 0x00, 0x02]);
    /// Link aggregation.
    pub const LACP: u8 = 1;
    /// Marker of link aggregation.
    pub const MARKER: u8 = 2;
    /// Operation, administration and maintenance of a link (IEEE 802.3, clause 57).
    pub const OAM: u8 = 3;
    /// Protocols of organizations, that of synchronous Ethernet among them.
    pub const ORGANIZATION: u8 = 10;
}

/// LACP: what a port knows of itself and of the port at the other end. Behind it lie 50 bytes of zeros.
#[header(name = "LACP", source = "IEEE 802.1AX")]
pub struct Lacp {
    /// 1; later versions have more behind the collector.
    #[initial = 1]
    version: u8,
    /// 1.
    #[initial = 1]
    actor_type: u8,
    /// 20.
    #[initial = 20]
    actor_len: u8,
    /// Priority of the sender's system: a smaller one decides.
    #[initial = 0x8000]
    actor_system_priority: u16,
    /// MAC address of the sender's system.
    actor_system: Mac,
    /// Ports of one key may be put together.
    actor_key: u16,
    /// Priority of the port.
    #[initial = 0x8000]
    actor_port_priority: u16,
    /// Number of the port.
    actor_port: u16,
    /// State of the port: [`Lacp::ACTIVITY`] and others.
    #[hex]
    actor_state: u8,
    /// Must be 0.
    #[bits(24)]
    actor_reserved: u32,
    /// 2.
    #[initial = 2]
    partner_type: u8,
    /// 20.
    #[initial = 20]
    partner_len: u8,
    /// What the sender knows of the other end: as of the actor.
    partner_system_priority: u16,
    /// MAC address of the other system.
    partner_system: Mac,
    /// Key of the other port.
    partner_key: u16,
    /// Priority of the other port.
    partner_port_priority: u16,
    /// Number of the other port.
    partner_port: u16,
    /// State of the other port.
    #[hex]
    partner_state: u8,
    /// Must be 0.
    #[bits(24)]
    partner_reserved: u32,
    /// 3.
    #[initial = 3]
    collector_type: u8,
    /// 16.
    #[initial = 16]
    collector_len: u8,
    /// Longest time from receiving a frame to handing it over, in units of 10 microseconds.
    collector_max_delay: u16,
    /// Must be 0.
    collector_reserved: [u8; 12],
    /// 0: the end.
    terminator_type: u8,
    /// 0.
    terminator_len: u8,
}

impl Header for Lacp {
    fn is_valid(&self) -> bool {
        (self.actor_type(), self.actor_len(), self.partner_type(), self.partner_len()) == (1, 20, 2, 20)
            && (self.collector_type(), self.collector_len()) == (3, 16)
    }
}

impl Lacp {
    /// Length of the zeros behind it.
    pub const PADDING: usize = 50;

    /// State: it sends without being asked.
    pub const ACTIVITY: u8 = 0x01;
    /// State: it wants to hear each second, not each 30 seconds.
    pub const SHORT_TIMEOUT: u8 = 0x02;
    /// State: it may be put together with others.
    pub const AGGREGATION: u8 = 0x04;
    /// State: it is in the right group.
    pub const SYNCHRONIZATION: u8 = 0x08;
    /// State: it takes frames.
    pub const COLLECTING: u8 = 0x10;
    /// State: it sends frames.
    pub const DISTRIBUTING: u8 = 0x20;
    /// State: what it knows of the other end is its own assumption.
    pub const DEFAULTED: u8 = 0x40;
    /// State: it has not heard of the other end for too long.
    pub const EXPIRED: u8 = 0x80;
}

/// A marker: when it comes back, no frame before it is on its way any more. Behind it lie 90 bytes of zeros.
#[header(name = "marker", source = "IEEE 802.1AX")]
pub struct Marker {
    /// 1.
    #[initial = 1]
    version: u8,
    /// [`Marker::INFORMATION`] or [`Marker::RESPONSE`].
    #[initial = Self::INFORMATION]
    kind: u8,
    /// 16.
    #[initial = 16]
    length: u8,
    /// Number of the port that asks.
    requester_port: u16,
    /// MAC address of the system that asks.
    requester_system: Mac,
    /// Which marker it is.
    #[hex]
    transaction_id: u32,
    /// Must be 0.
    padding: u16,
    /// 0: the end.
    terminator_type: u8,
    /// 0.
    terminator_len: u8,
}

impl Header for Marker {
    fn is_valid(&self) -> bool {
        matches!(self.kind(), Self::INFORMATION | Self::RESPONSE) && self.length() == 16
    }
}

impl Marker {
    /// It asks.
    pub const INFORMATION: u8 = 1;
    /// It answers.
    pub const RESPONSE: u8 = 2;
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::protocols::captured::hex;

    #[test]
    fn both_ends_are_read() {
        let bytes = hex("
            01 01 01 14 8000 0013c4120f00 000d 8000 0016 85 000000 02 14 8002 000e8316f500 000e 8001 0019 36 000000
            03 10 8000 000000000000000000000000 00 00 0000000000000000");
        let slow = SlowProtocol::parse(&bytes).unwrap();
        assert_eq!(slow.next(slow.payload), Next::Header(&Lacp::INFO));
        let lacp = Lacp::parse(slow.payload).unwrap();
        assert_eq!((lacp.actor_system_priority(), lacp.actor_system().0[5], lacp.actor_key()), (0x8000, 0, 13));
        assert_eq!((lacp.actor_port_priority(), lacp.actor_port()), (0x8000, 22));
        assert_eq!(lacp.actor_state(), Lacp::ACTIVITY | Lacp::AGGREGATION | Lacp::EXPIRED);
        assert_eq!(
            (lacp.partner_system_priority(), lacp.partner_system()),
            (0x8002, Mac([0, 0x0e, 0x83, 0x16, 0xf5, 0]))
        );
        assert_eq!((lacp.partner_key(), lacp.partner_port_priority(), lacp.partner_port()), (14, 0x8001, 25));
        assert_eq!(
            lacp.partner_state(),
            Lacp::SHORT_TIMEOUT | Lacp::AGGREGATION | Lacp::COLLECTING | Lacp::DISTRIBUTING
        );
        assert_eq!((lacp.collector_max_delay(), lacp.payload.len()), (0x8000, 8));
        let mut other = bytes;
        other[23] = 19;
        assert!(Lacp::parse(&other[1..]).is_err());
    }

    #[test]
    #[allow(unreachable_pub, reason = "a stack's parts are public, and it is seen here only")]
    fn a_stack_says_which_protocol_it_is() {
        crate::stack! { struct Ask { eth: crate::wire::Ethernet, slow: SlowProtocol, marker: Marker } }
        let mut packet = [0; 14 + 110];
        <Ask as crate::wire::Stack>::fill(&mut packet, |ask| ask.marker.set_transaction_id(7)).unwrap();
        assert_eq!(packet[12..19], [0x88, 0x09, SlowProtocol::MARKER, 1, 1, 16, 0]);
        let (ask, rest) = <Ask as crate::wire::Stack>::parse(&packet).unwrap();
        assert_eq!((ask.marker.transaction_id(), rest.len()), (7, 90));
    }
}
