//! Checksums of packets made of one template: what never changes is summed up once.

use super::pseudo::{Addresses, addresses, enclosing};
use super::{finish, fold, for_udp};
use crate::wire::{Cover, Field, Place, Places, Role, protocol};
use core::ops::Range;

/// Most checksums in a packet.
const SUMS: usize = 8;
/// Most changing words, each counted for every checksum that covers it.
const WORDS: usize = 48;

/// The checksums of all packets that differ from a template in known bytes. They are written as by [`super::fill_places`],
/// but the rest of the packet is not looked at again.
///
/// ```
/// use perigee_guest::wire::checksum::{self, Prepared};
/// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack, Udp};
///
/// perigee_guest::stack! { struct Plain { eth: Ethernet, ip: Ipv4, udp: Udp } }
/// let mut packet = [0; 1500];
/// Plain::fill(&mut packet, |_| ())?;
/// let places: Places = Layers::new(&packet).collect();
/// // Source addresses will differ.
/// let sums = Prepared::new(&packet, &places, &|byte| (26..30).contains(&byte)).unwrap();
/// packet[26..30].copy_from_slice(&[10, 0, 0, 7]);
/// sums.fill(&mut packet);
/// assert_eq!(checksum::check(&packet), Ok(()));
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    sums: [Known; SUMS],
    len: usize,
    /// The first bytes of changing words, in the order of the checksums.
    words: [u16; WORDS],
}

/// What is known of a checksum.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// First byte of its place.
    at: u16,
    /// The sum of all that does not change.
    sum: u32,
    /// The number of its changing words.
    words: usize,
    is_udp: bool,
}

impl Known {
    const NOTHING: Self = Self { at: 0, sum: 0, words: 0, is_udp: false };
}

impl Prepared {
    /// Sums up a template with these headers, in which the bytes change for which `changes` says so. Nothing where that
    /// does not help: with SCTP, or where too much changes, or the last byte of an odd number, or the route.
    #[must_use]
    pub fn new(packet: &[u8], places: &Places, changes: &dyn Fn(usize) -> bool) -> Option<Self> {
        let mut prepared = Self { sums: [Known::NOTHING; SUMS], len: 0, words: [0; WORDS] };
        let mut used = 0;
        // Inner checksums are among the words that change for those around them.
        for (index, place) in places.iter().enumerate().rev() {
            packet.get(place.whole())?;
            let (field, number, ranges) = match place.measured.cover {
                Cover::Nothing => continue,
                Cover::Header(field) => (field, None, [place.header(), 0..0, 0..0]),
                Cover::Message(field) => (field, None, [place.whole(), 0..0, 0..0]),
                Cover::Pseudo(field, number) => {
                    let Some(addresses) = addresses(packet, places, index) else { continue };
                    // What decides which addresses count must stay, and an address in two parts need not consist of
                    // whole words.
                    if addresses.are_in_two_parts() || has_route(&addresses, places, index, changes) {
                        return None;
                    }
                    (field, Some(number), [place.whole(), addresses.source, addresses.destination])
                }
                Cover::Own(_) => return None,
            };
            let mut known = Known { at: position(place, field)?, ..Known::NOTHING };
            if let Some(number) = number {
                known.sum = u32::from(number) + u32::try_from(place.whole().len()).ok()?;
                known.is_udp = number == protocol::UDP;
            }
            let before = used;
            for range in ranges {
                prepared.add(packet, range, &mut known, &mut used, changes)?;
            }
            known.words = used - before;
            known.sum = fold(known.sum).into();
            *prepared.sums.get_mut(prepared.len)? = known;
            prepared.len += 1;
        }
        Some(prepared)
    }

    /// Adds what a checksum covers: as a number, or as a word that changes.
    fn add(
        &mut self,
        packet: &[u8],
        range: Range<usize>,
        known: &mut Known,
        used: &mut usize,
        changes: &dyn Fn(usize) -> bool,
    ) -> Option<()> {
        let inner = &self.sums[..self.len];
        let changes = |byte: usize| {
            changes(byte) || inner.iter().any(|sum| [sum.at, sum.at + 1].map(usize::from).contains(&byte))
        };
        for at in range.clone().step_by(2).filter(|&at| at != usize::from(known.at)) {
            let upper = *packet.get(at)?;
            let lower = if at + 1 < range.end { *packet.get(at + 1)? } else { 0 };
            if !changes(at) && (at + 1 == range.end || !changes(at + 1)) {
                known.sum += u32::from(u16::from_be_bytes([upper, lower]));
            } else if at + 1 < range.end {
                *self.words.get_mut(*used)? = u16::try_from(at).ok()?;
                *used += 1;
            } else {
                return None;
            }
        }
        Some(())
    }

    /// Number of checksums.
    #[cfg(feature = "config")]
    pub(crate) fn count(&self) -> usize {
        self.len
    }

    /// What [`Self::fill`] does, in the words of a plan for the host's compiler.
    #[cfg(feature = "config")]
    pub(crate) fn plan<E>(&self, push: &mut dyn FnMut(&[u64]) -> Result<(), E>) -> Result<(), E> {
        let mut words = self.words.iter();
        for known in self.sums.iter().take(self.len) {
            let (at, sum, is_udp) = (known.at.into(), known.sum.into(), known.is_udp.into());
            push(&perigee_abi::fields::Sum { at, sum, is_udp, words: known.words as u64 }.to_words())?;
            words.by_ref().take(known.words).try_for_each(|&at| push(&[at.into()]))?;
        }
        Ok(())
    }

    /// Writes the checksums of a packet of the template's length, when everything else is written.
    #[inline]
    pub fn fill(&self, packet: &mut [u8]) {
        let mut words = self.words.iter();
        for known in self.sums.iter().take(self.len) {
            let mut sum = known.sum;
            for &at in words.by_ref().take(known.words) {
                let word = packet.get(at.into()..).and_then(|rest| rest.first_chunk());
                sum += word.map_or(0, |word| u32::from(u16::from_be_bytes(*word)));
            }
            let value = if known.is_udp { for_udp(finish(sum)) } else { finish(sum) };
            if let Some(place) = packet.get_mut(known.at.into()..).and_then(|rest| rest.first_chunk_mut()) {
                *place = value.to_be_bytes();
            }
        }
    }
}

/// Whether bytes change that may say where the packet goes: those between the IP header's addresses and this header, where
/// that are extension headers, or options with a route.
fn has_route(addresses: &Addresses, places: &Places, index: usize, changes: &dyn Fn(usize) -> bool) -> bool {
    let Some(network) = enclosing(places, index) else { return false };
    let mut between = network.start + network.info.format.len..places[index].start;
    let may_be_one = network.info.role == Role::Ipv6 || !addresses.are_those_of(network);
    may_be_one && between.any(changes)
}

/// The first byte of a checksum, which is a word of what it covers.
fn position(place: &Place, field: Field) -> Option<u16> {
    let is_word = field.bits == 16 && field.bit.is_multiple_of(16);
    u16::try_from(place.start + field.bit / 8).ok().filter(|_| is_word)
}
