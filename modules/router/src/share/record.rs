//! What the slow instance tells, as bytes; integers are little-endian.
//!
//! | First byte | Then |
//! |---|---|
//! | `NUMBER` | the version |
//! | `ALL` | the version: all neighbours come behind it |
//! | `NEIGHBOURS` | neighbours: where they are, or that they are gone |

use super::Version;
use crate::fib::Place;
use crate::saved::Reader;
use alloc::vec::Vec;
use perigee_guest::wire::Mac;

/// No text in UTF-8 begins with these.
pub(super) const FIRST: u8 = 0xfd;
pub(super) const NUMBER: u8 = 0xfd;
pub(super) const ALL: u8 = 0xfe;
pub(super) const NEIGHBOURS: u8 = 0xff;

pub(super) fn push_version(message: &mut Vec<u8>, version: Version) {
    message.extend_from_slice(&version.epoch.to_le_bytes());
    message.extend_from_slice(&version.number.to_le_bytes());
}

pub(super) fn read_version(reader: &mut Reader<'_>) -> Option<Version> {
    Some(Version { epoch: reader.u64()?, number: reader.u64()? })
}

pub(super) fn push_neighbour(message: &mut Vec<u8>, place: Place, mac: Option<Mac>) {
    message.extend_from_slice(&place.port.to_le_bytes());
    message.extend_from_slice(&place.address.to_le_bytes());
    message.push(mac.is_some().into());
    message.extend_from_slice(&mac.unwrap_or(Mac([0; 6])).0);
}

pub(super) fn read_neighbour(reader: &mut Reader<'_>) -> Option<(Place, Option<Mac>)> {
    let (place, [is_known], mac) = (reader.place()?, reader.array()?, Mac(reader.array()?));
    Some((place, (is_known != 0).then_some(mac)))
}
