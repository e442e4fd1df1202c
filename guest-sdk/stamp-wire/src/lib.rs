//! What STAMP's sender and reflector have in common: test packets in both modes (RFC 8762), timestamps and extensions (RFC 8972).
#![cfg_attr(not(test), no_std)]

mod auth;
mod place;
mod test_packets;
mod time;
pub mod tlv;

pub use auth::{AUTHENTICATED_BASE, Key, KeyFormat, Mode, NoPacket, Secrets, TAG};
pub use place::{NoPlace, Place, is_host, is_node};
pub use test_packets::{Reflected, Sent};
pub use time::{Clock, ErrorEstimate, Format};

/// The UDP port of STAMP's reflectors (RFC 8762, section 4.1).
pub const PORT: u16 = 862;
/// Length of a test packet without extensions, in either direction (RFC 8762, section 4.2.1 and 4.3.1).
pub const BASE: usize = 44;
/// Length of the shortest test packet of a TWAMP Light sender: number, time, error estimate (RFC 5357, section 4.1.2).
pub const TWAMP_MIN: usize = 14;
/// Time to live of test packets in both directions, so that who receives one can tell the hops (RFC 5357, section 4.1.2).
pub const TTL: u8 = 255;
