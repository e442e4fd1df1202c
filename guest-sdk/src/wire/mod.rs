//! Protocol headers, in place in a packet.
//!
//! A header is a struct of its fields ([`macro@header`]): a value of so many bytes, and the same type is the view of those
//! bytes in a packet. [`Header::parse`] checks all lengths once; after that nothing can fail, because a field lies at a
//! constant place in an array of known length.
//!
//! ```
//! use perigee_guest::wire::{Ethernet, Header, Ipv4, ether_type};
//!
//! fn time_to_live(packet: &[u8]) -> Option<u8> {
//!     let frame = Ethernet::parse(packet).ok()?;
//!     let ip = Ipv4::parse(frame.payload).ok().filter(|_| frame.ether_type() == ether_type::IPV4)?;
//!     Some(ip.ttl())
//! }
//! # assert_eq!(time_to_live(&[0; 60]), None);
//! ```
//!
//! [`crate::stack`] puts headers one behind the other into one type, [`Layers`] finds out which headers a packet has,
//! [`dump()`] shows them, and [`checksum`] knows their checksums. All headers with their fields are in `docs/headers.md`.

pub mod checksum;
mod dissect;
#[cfg(test)]
mod dissect_tests;
mod dump;
mod field;
mod header;
mod lengths;
mod mac;
mod numbers;
mod plain;
mod protocols;
mod stack;
mod tlv;
#[cfg(not(target_arch = "wasm32"))]
mod typed;
mod under;

pub use dissect::{Layers, MAX_LAYERS, Place, Places};
pub use dump::{dump, hex, show};
pub use field::{Field, Show};
pub use header::{Cover, Fields, Format, Header, Info, Layer, LayerMut, Measured, Next, OwnSum, Role};
pub use mac::Mac;
pub use numbers::{ether_type, protocol};
pub use perigee_guest_derive::header;
pub use plain::{PlainIpv4, next_hop};
pub use protocols::*;
#[doc(hidden)]
pub use stack::format_behind;
pub use stack::{Part, PartInfo, Stack, With};
pub use tlv::{Tlv, TlvFormat, Tlvs};
#[doc(hidden)]
#[cfg(not(target_arch = "wasm32"))]
pub use typed::{Typed, last_bytes, right_aligned};
#[doc(hidden)]
pub use zerocopy;

/// The bytes are not what they should be: too short, or with lengths that contradict each other. A bad packet is normal
/// and must cost nothing, so this says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error;

/// What `bytes` has from `start` on; nothing where it is shorter.
fn behind(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or(&[])
}
