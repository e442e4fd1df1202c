//! The addresses of the pseudo-header: those of whoever made the packet and whoever gets it in the end, wherever it is on
//! its way.

use super::Sum;
use crate::wire::{DestinationOptions, Error, Ipv4, Place, Places, Role};
use core::ops::Range;

/// IPv4's options with a route: loose and strict (RFC 791).
const SOURCE_ROUTES: [u16; 2] = [131, 137];
/// The destination option with the sender's home address (RFC 6275, section 6.3).
const HOME_ADDRESS: u16 = 0xc9;

/// Where in the packet the addresses of a pseudo-header are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) source: Range<usize>,
    pub(super) destination: Range<usize>,
    /// The rest of the destination, where a route has only its last bytes (RFC 6554).
    pub(super) destination_end: Range<usize>,
}

impl Addresses {
    /// The sum of the pseudo-header with these addresses.
    pub(super) fn pseudo_header(&self, packet: &[u8], number: u8, len: usize) -> Option<u32> {
        let [source, destination, end] =
            [&self.source, &self.destination, &self.destination_end].map(|range| packet.get(range.clone()));
        let addresses = Sum::new().add(source?).add(destination?).add(end?).value();
        let len = u32::try_from(len).ok()?;
        Some(u32::from(addresses) + u32::from(number) + (len >> 16) + (len & 0xffff))
    }

    /// Whether they stand in the IP header itself.
    pub(super) fn are_those_of(&self, network: &Place) -> bool {
        *self == Self::of(network)
    }

    /// Whether the destination does not stand in one piece.
    pub(super) fn are_in_two_parts(&self) -> bool {
        !self.destination_end.is_empty()
    }

    fn of(network: &Place) -> Self {
        let at = |first: usize, last: usize| network.start + first..network.start + last;
        let (source, destination) =
            if network.info.role == Role::Ipv4 { (at(12, 16), at(16, 20)) } else { (at(8, 24), at(24, 40)) };
        Self { source, destination, destination_end: 0..0 }
    }
}

/// The network layer around a header.
pub(super) fn enclosing(places: &Places, index: usize) -> Option<&Place> {
    places[..index].iter().rfind(|place| place.is_network())
}

/// Where the addresses of a header's pseudo-header are; nothing where there is no network layer, or where the route does
/// not say where it ends.
pub(super) fn addresses(packet: &[u8], places: &Places, index: usize) -> Option<Addresses> {
    let network = places[..index].iter().rposition(Place::is_network)?;
    let ip = &places[network];
    let mut addresses = Addresses::of(ip);
    if ip.info.role == Role::Ipv4 {
        let options = ip.header().start + 20..ip.header().end;
        if let Some(last) = source_route(packet.get(options.clone())?).ok()? {
            addresses.destination = shifted(&last, options.start);
        }
        return Some(addresses);
    }
    let extensions = &places[network + 1..index];
    // A header that is behind another one counts once the way of that one is used up.
    for place in extensions.iter().rev().filter(|place| place.info.role == Role::Routing) {
        match Route::of(packet.get(place.header())?) {
            Route::UsedUp => continue,
            Route::Unknown => return None,
            Route::Last { address, shared } => {
                let address = shifted(&address, place.start);
                let begins_at = addresses.destination.start;
                if shared == 0 {
                    addresses.destination = address;
                } else {
                    addresses.destination = begins_at..begins_at + shared;
                    addresses.destination_end = address;
                }
            }
        }
        break;
    }
    for place in extensions.iter().filter(|place| place.info.role == Role::DestinationOptions) {
        if let Some(home) = home_address(packet.get(place.header())?) {
            addresses.source = shifted(&home, place.start);
        }
    }
    Some(addresses)
}

fn shifted(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// Where in IPv4's options the last address of a source route lies, if there is a route and the packet is not at its end (RFC
/// 791): that one is in the pseudo-header (RFC 9293, section 3.1).
fn source_route(options: &[u8]) -> Result<Option<Range<usize>>, Error> {
    let mut route = None;
    let mut walk = Ipv4::options(options);
    // What does not end within the options is none, and ends them.
    while let Some(Ok(option)) = walk.next() {
        if !SOURCE_ROUTES.contains(&option.kind) {
            continue;
        }
        let (&pointer, addresses) = option.value.split_first().ok_or(Error)?;
        let (pointer, end) = (usize::from(pointer), options.len() - walk.left());
        // The pointer counts from the option's first byte, which is number 1.
        let is_used_up = pointer > option.value.len() + 2;
        let is_good = addresses.len().is_multiple_of(4) && pointer >= 4 && (is_used_up || pointer.is_multiple_of(4));
        if !is_good || route.is_some() {
            return Err(Error);
        }
        route = Some((!is_used_up).then(|| end - 4..end));
    }
    Ok(route.flatten())
}

/// Where a packet with a routing header goes in the end (RFC 8200, section 8.1).
enum Route {
    /// It is there.
    UsedUp,
    /// To this address in the header, which begins with so many bytes of the destination in the IP header.
    Last { address: Range<usize>, shared: usize },
    /// That is not known.
    Unknown,
}

impl Route {
    fn of(header: &[u8]) -> Self {
        let &[_, _, kind, left, fourth, fifth, _, _, ref list @ ..] = header else { return Self::Unknown };
        let left = usize::from(left);
        let whole = |number: usize| Self::Last { address: 8 + number * 16..24 + number * 16, shared: 0 };
        match kind {
            _ if left == 0 => Self::UsedUp,
            // RFC 2460, section 4.4.
            0 if list.len().is_multiple_of(16) && left <= list.len() / 16 => whole(list.len() / 16 - 1),
            // RFC 6275, section 6.4.
            2 if list.len() == 16 && left == 1 => whole(0),
            3 => Self::compressed(list.len(), left, fourth, fifth),
            // RFC 8754: the last segment is the first of the list.
            4 if list.len() >= 16 => whole(0),
            _ => Self::Unknown,
        }
    }

    /// RFC 6554, section 3: addresses without the bytes that they share with the destination in the IP header.
    fn compressed(len: usize, left: usize, shared: u8, padding: u8) -> Self {
        let (each, last) = (16 - usize::from(shared >> 4), 16 - usize::from(shared & 15));
        let Some(before) = len.checked_sub(usize::from(padding >> 4) + last) else { return Self::Unknown };
        if !before.is_multiple_of(each) || left > before / each + 1 {
            return Self::Unknown;
        }
        Self::Last { address: 8 + before..8 + before + last, shared: 16 - last }
    }
}

/// Where in a header with destination options the sender's home address lies.
fn home_address(header: &[u8]) -> Option<Range<usize>> {
    let mut walk = DestinationOptions::options(header);
    while let Some(Ok(option)) = walk.next() {
        if option.kind == HOME_ADDRESS && option.value.len() == 16 {
            let end = header.len() - walk.left();
            return Some(end - 16..end);
        }
    }
    None
}
