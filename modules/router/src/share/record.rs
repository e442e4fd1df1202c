//! What the slow instance tells, as bytes; integers are little-endian.
//!
//! | First byte | Then |
//! |---|---|
//! | `NUMBER` | the version |
//! | `CHANGE` | the version after it, and routes: as they are now, or that they are gone |
//! | `PAGE` | flags, the version, and routes |
//! | `NEIGHBOURS` | neighbours: where they are, or that they are gone |

use super::Version;
use crate::Tables;
use crate::fib::{MEMBERS, Net, Place, Target};
use crate::routes::{Route, To};
use crate::saved::Reader;
use alloc::vec::Vec;
use perigee_guest::wire::Mac;

/// No text in UTF-8 begins with these.
pub(super) const FIRST: u8 = 0xfc;
pub(super) const NUMBER: u8 = 0xfc;
pub(super) const PAGE: u8 = 0xfd;
pub(super) const CHANGE: u8 = 0xfe;
pub(super) const NEIGHBOURS: u8 = 0xff;

/// The first page of a table, and the last.
pub(super) const BEGINS: u8 = 1;
pub(super) const ENDS: u8 = 2;

const GONE: u8 = 0;
const BLACKHOLE: u8 = 1;
const UNREACHABLE: u8 = 2;
const LINK: u8 = 3;
const HOPS: u8 = 4;

pub(super) fn push_version(message: &mut Vec<u8>, version: Version) {
    message.extend_from_slice(&version.epoch.to_le_bytes());
    message.extend_from_slice(&version.number.to_le_bytes());
}

pub(super) fn read_version(reader: &mut Reader<'_>) -> Option<Version> {
    Some(Version { epoch: reader.u64()?, number: reader.u64()? })
}

fn push_place(message: &mut Vec<u8>, place: Place) {
    message.extend_from_slice(&place.port.to_le_bytes());
    message.extend_from_slice(&place.address.to_le_bytes());
}

pub(super) fn push_neighbour(message: &mut Vec<u8>, place: Place, mac: Option<Mac>) {
    push_place(message, place);
    message.push(mac.is_some().into());
    message.extend_from_slice(&mac.unwrap_or(Mac([0; 6])).0);
}

pub(super) fn read_neighbour(reader: &mut Reader<'_>) -> Option<(Place, Option<Mac>)> {
    let (place, [is_known], mac) = (reader.place()?, reader.array()?, Mac(reader.array()?));
    Some((place, (is_known != 0).then_some(mac)))
}

/// A route as it stands in the table; nothing of an own address, which every instance has.
pub(super) fn push_route(message: &mut Vec<u8>, tables: &Tables, net: Net, target: Option<Target>) {
    if matches!(target, Some(Target::Local(_) | Target::Broadcast)) {
        return;
    }
    let (family, len, bits) = match net {
        Net::V4(prefix) => (4, prefix.len(), prefix.address().to_bits().into()),
        Net::V6(prefix) => (6, prefix.len(), prefix.address().to_bits()),
    };
    message.extend_from_slice(&[family, len]);
    message.extend_from_slice(&u128::to_le_bytes(bits));
    let hops: &[u16] = match &target {
        None => return message.push(GONE),
        Some(Target::Blackhole) => return message.push(BLACKHOLE),
        Some(Target::Link(port)) => {
            message.push(LINK);
            return message.extend_from_slice(&port.to_le_bytes());
        }
        Some(Target::Hop(hop)) => core::slice::from_ref(hop),
        Some(Target::Group(number)) => match tables.fib.groups.get(usize::from(*number)) {
            Some(group) => &group.hops[..usize::from(group.count).min(MEMBERS)],
            None => &[],
        },
        Some(_) => return message.push(UNREACHABLE),
    };
    message.extend_from_slice(&[HOPS, u8::try_from(hops.len()).unwrap_or(0)]);
    for hop in hops {
        // A route's next hops are known as long as it is there.
        let nobody = Place { port: u16::MAX, address: 0 };
        push_place(message, tables.fib.hops.get(usize::from(*hop)).map_or(nobody, |hop| hop.place));
    }
}

/// A route, or that there is none to this prefix.
pub(super) fn read_route(reader: &mut Reader<'_>) -> Option<(Net, Option<Route>)> {
    let (net, [kind]) = (reader.net()?, reader.array()?);
    let to = match kind {
        GONE => return Some((net, None)),
        BLACKHOLE => To::Blackhole,
        UNREACHABLE => To::Unreachable,
        LINK => To::Link(reader.u16()?),
        HOPS => {
            let [count] = reader.array()?;
            let mut hops = [None; MEMBERS];
            for place in hops.get_mut(..usize::from(count)).filter(|hops| !hops.is_empty())? {
                *place = Some(reader.place()?);
            }
            To::Hops(hops)
        }
        _ => return None,
    };
    Some((net, Some(Route { net, to })))
}
