//! Checksums of packets made of one template: what never changes is summed up once.

use super::pseudo::{Addresses, addresses, enclosing};
use super::{finish, fold, for_udp};
use crate::wire::{Cover, Field, Header as _, OwnSum, Place, Places, Role, Sctp, protocol};
use core::ops::Range;

/// Most checksums in a packet.
const SUMS: usize = 8;
/// Most changing words, each counted for every checksum that covers it.
const WORDS: usize = 48;
/// Longest packet with a checksum of its own kind.
const OWN_MAX: usize = 1536;
/// Where SCTP's checksum stands in its header, and the bytes that it has.
const SCTP_SUM: usize = 8;
const SCTP_SUM_LEN: usize = 4;

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
    /// Length of the template.
    full: u16,
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
    /// What of it lies outside of `range`.
    before: u32,
    /// What it covers beside addresses: first byte, and the one behind the last.
    range: (u16, u16),
    /// The length that a pseudo-header has.
    pseudo_len: u16,
    /// The number of its changing words.
    words: usize,
    is_udp: bool,
    /// Instead of all these: a checksum of the header's own kind.
    own: Option<OwnSum>,
}

impl Known {
    const NOTHING: Self =
        Self { at: 0, sum: 0, before: 0, range: (0, 0), pseudo_len: 0, words: 0, is_udp: false, own: None };

    /// Whether it has this byte.
    fn has(&self, byte: usize) -> bool {
        let at = usize::from(self.at);
        (at..at + if self.own.is_some() { SCTP_SUM_LEN } else { 2 }).contains(&byte)
    }
}

impl Prepared {
    /// Sums up a template with these headers, in which the bytes change for which `changes` says so. Nothing where that
    /// does not help: where too much changes, or the last byte of an odd number, or the route, or inside of a checksum that is none of RFC
    /// 1071 and not SCTP's.
    #[must_use]
    pub fn new(packet: &[u8], places: &Places, changes: &dyn Fn(usize) -> bool) -> Option<Self> {
        let full = u16::try_from(packet.len()).ok()?;
        let mut prepared = Self { sums: [Known::NOTHING; SUMS], len: 0, full, words: [0; WORDS] };
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
                Cover::Own(own) => {
                    let known = prepared.own(packet, place, own, &mut used, changes)?;
                    prepared.push(known)?;
                    continue;
                }
            };
            let whole = &ranges[0];
            let range = (u16::try_from(whole.start).ok()?, u16::try_from(whole.end).ok()?);
            let mut known = Known { at: position(place, field)?, range, ..Known::NOTHING };
            if let Some(number) = number {
                known.sum = number.into();
                known.pseudo_len = u16::try_from(place.whole().len()).ok()?;
                known.is_udp = number == protocol::UDP;
            }
            let before = used;
            // What lies outside of the header and what follows it comes first.
            for range in ranges.into_iter().rev() {
                known.before = fold(known.sum).into();
                prepared.add(packet, range, &mut known, &mut used, changes)?;
            }
            known.words = used - before;
            known.sum = fold(known.sum).into();
            prepared.push(known)?;
        }
        Some(prepared)
    }

    fn push(&mut self, known: Known) -> Option<()> {
        *self.sums.get_mut(self.len)? = known;
        self.len += 1;
        Some(())
    }

    /// What is known of a checksum of the header's own kind: SCTP's, in words of four bytes.
    #[inline(never)]
    fn own(
        &mut self,
        packet: &[u8],
        place: &Place,
        own: OwnSum,
        used: &mut usize,
        changes: &dyn Fn(usize) -> bool,
    ) -> Option<Known> {
        let whole = place.whole();
        if place.info != &Sctp::INFO || whole.len() < SCTP_SUM + SCTP_SUM_LEN {
            return None;
        }
        let range = (u16::try_from(whole.start).ok()?, u16::try_from(whole.end).ok()?);
        let at = u16::try_from(whole.start + SCTP_SUM).ok()?;
        let mut known = Known { at, range, own: Some(own), ..Known::NOTHING };
        let mut bytes = [0; OWN_MAX];
        let bytes = bytes.get_mut(..whole.len())?;
        bytes.copy_from_slice(packet.get(whole.clone())?);
        let changes = |byte: usize| changes(byte) || self.sums[..self.len].iter().any(|sum| sum.has(byte));
        let mut words = self.words.get_mut(*used..)?.iter_mut();
        for (word, first) in bytes.chunks_mut(SCTP_SUM_LEN).zip(whole.step_by(SCTP_SUM_LEN)) {
            if first == usize::from(at) || !(first..first + word.len()).any(changes) {
                continue;
            }
            if word.len() < SCTP_SUM_LEN {
                return None;
            }
            word.fill(0);
            *words.next()? = u16::try_from(first).ok()?;
            known.words += 1;
        }
        *used += known.words;
        // The sum of what stays is what stands there for it.
        (own.fill)(bytes);
        known.sum = u32::from_le_bytes(*bytes.get(SCTP_SUM..)?.first_chunk()?);
        Some(known)
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
        let changes = |byte: usize| changes(byte) || inner.iter().any(|sum| sum.has(byte));
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

    /// Length of the template.
    #[cfg(feature = "config")]
    pub(crate) fn full(&self) -> u64 {
        self.full.into()
    }

    /// Whether packets of other lengths have these checksums too, where the headers that reach to the template's end reach to theirs:
    /// all checksums end there or in what the shortest packet has, and none is of a kind of its own.
    #[must_use]
    pub fn fits(&self, least: u16) -> bool {
        let mut sums = self.sums.iter().take(self.len);
        sums.all(|known| known.own.is_none() && (known.range.1 == self.full || known.range.1 <= least))
    }

    /// What [`Self::fill`] does, in the words of a plan for the host's compiler; for packets of other lengths, too, where `is_sized`.
    #[cfg(feature = "config")]
    pub(crate) fn plan<E>(&self, is_sized: bool, push: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
        use perigee_abi::fields::{Sum, open, record, sum};
        let mut words = self.words.iter();
        for known in self.sums.iter().take(self.len) {
            let (from, end) = known.range;
            let mut plan = Sum { at: known.at.into(), words: known.words as u64, from: from.into(), ..Sum::default() };
            plan.kind = match known.own {
                Some(_) => sum::CRC32C,
                None if known.is_udp => sum::UDP,
                None => sum::INTERNET,
            };
            if known.own.is_some() {
                (plan.sum, plan.end) = (known.sum.into(), end.into());
            } else if is_sized && end == self.full {
                (plan.sum, plan.before) = (known.sum.into(), known.before.into());
                plan.open = if known.pseudo_len == 0 { open::PLAIN } else { open::WITH_LENGTH };
            } else {
                plan.sum = fold(known.sum + u32::from(known.pseudo_len)).into();
            }
            record(plan.to_words(), &mut *push)?;
            words.by_ref().take(known.words).try_for_each(|&at| push(at.into()))?;
        }
        Ok(())
    }

    /// Writes the checksums of a packet of the template's length, when everything else is written.
    #[inline]
    pub fn fill(&self, packet: &mut [u8]) {
        let mut words = self.words.iter();
        for known in self.sums.iter().take(self.len) {
            if let Some(own) = known.own {
                words.by_ref().take(known.words).for_each(drop);
                if let Some(whole) = packet.get_mut(known.range.0.into()..known.range.1.into()) {
                    (own.fill)(whole);
                }
                continue;
            }
            let mut sum = known.sum + u32::from(known.pseudo_len);
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
