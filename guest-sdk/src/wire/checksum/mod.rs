//! Checksums: the Internet checksum of IPv4, UDP, TCP, ICMP and ICMPv6, and the CRC32c of SCTP.
//!
//! What goes through the packet's bytes takes 16 of them at a time in WebAssembly, so that it costs what it costs in C.
//! Where a header changes in a few bytes, [`Change`] corrects the checksum without looking at the rest.
//!
//! ```
//! use perigee_guest::wire::checksum::{self, Change, Sum};
//!
//! // The checksum of a message in two parts, the first of an odd length.
//! let sum = Sum::new().add(b"abc").add(b"defgh").finish();
//! assert_eq!(sum, checksum::finish(checksum::sum(b"abcdefgh")));
//!
//! // Its letters "de" become "DE": the rest need not be there.
//! let changed = Change::new().bytes(3, b"de", b"DE").apply(sum);
//! assert_eq!(changed, checksum::finish(checksum::sum(b"abcDEfgh")));
//! ```

mod crc32c;
pub(crate) mod fill;
mod internet;
mod prepared;
mod pseudo;

pub use crc32c::{Crc32c, crc32c, sctp, set_sctp, verify_sctp};
pub use fill::{Asked, check, fill, fill_places, leave_to_port};
pub use internet::{
    Change, Sum, finish, fold, for_udp, pseudo_header, sum, update, update_bytes, update_u32, update_u128, verify,
};
pub use prepared::Prepared;

#[cfg(test)]
mod fill_tests;
#[cfg(test)]
mod route_tests;
#[cfg(test)]
mod tests;
