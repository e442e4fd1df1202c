//! What becomes of the headers' lengths when a packet becomes longer or shorter.

use super::protocols::LENGTH_MAX;
use super::{Ethernet, Header as _, Place, Places, Sctp, SctpChunk, SctpData, SctpInit, Vlan};

/// An SCTP packet, and each of its chunks with what fills it up, has a multiple of so many bytes (RFC 9260, 3.2).
const SCTP_UNIT: usize = 4;
/// Lengths of payloads that are tried to find out where headers tell them: the second one changes both bytes of any number.
const TRIED: [u16; 3] = [0, 257, 600];
/// Longest fixed part of a header that is tried.
const TRIED_LEN: usize = 64;

impl Place {
    /// Where it ends with what fills it up: a chunk of SCTP to a multiple of four bytes.
    pub(super) fn filled_end(&self) -> usize {
        let len = self.measured.total_len;
        let is_chunk = [&SctpChunk::INFO, &SctpData::INFO, &SctpInit::INFO].contains(&self.info);
        self.start + if is_chunk { len.next_multiple_of(SCTP_UNIT) } else { len }
    }

    /// Whether it tells its length where others tell what they carry (IEEE 802.3).
    fn tells_8023_length(&self, packet: &[u8]) -> bool {
        let is_link = [&Ethernet::INFO, &Vlan::INFO].contains(&self.info);
        let at = self.start + self.info.format.len;
        let type_at = at.checked_sub(2).and_then(|at| packet.get(at..)?.first_chunk());
        is_link && type_at.is_some_and(|bytes| u16::from_be_bytes(*bytes) <= LENGTH_MAX)
    }
}

impl Places {
    /// The longest packet of at most `len` bytes whose length its headers can say, where it becomes longer or shorter behind
    /// them ([`Self::set_len`]): an SCTP packet has a multiple of four bytes, and IEEE 802.3's lengths go up to 1,500.
    #[must_use]
    pub fn possible_len(&self, packet: &[u8], len: usize) -> usize {
        let Some(end) = self.end() else { return len };
        let reaching = || self.iter().filter(move |place| place.filled_end() >= end);
        let lengths = reaching().filter(|place| place.tells_8023_length(packet));
        let len = lengths.map(|place| place.header().end + usize::from(LENGTH_MAX)).fold(len, usize::min);
        let sctp = reaching().find(|place| place.info == &Sctp::INFO);
        sctp.map_or(len, |sctp| len - len.saturating_sub(sctp.start) % SCTP_UNIT)
    }

    /// Where [`Self::set_len`] writes: gives the first byte of each 16-bit number, and what it is less than the packet's length, modulo
    /// 2^16. That is found by trying, so that a header says it once. The template's numbers are other ones behind it.
    ///
    /// Nothing where a header tells its length in another way, or where a byte changes, as `changes` says, that decides whether it does: a
    /// type that can be a length.
    #[must_use]
    pub fn lengths(
        &self,
        template: &mut [u8],
        changes: &dyn Fn(usize) -> bool,
        each: &mut dyn FnMut(u16, u16) -> Option<()>,
    ) -> Option<()> {
        let Some(end) = self.end() else { return Some(()) };
        let links = self.iter().filter(|place| [&Ethernet::INFO, &Vlan::INFO].contains(&place.info));
        for place in links.filter(|place| place.filled_end() >= end) {
            let type_end = place.start + place.info.format.len;
            if (type_end - 2..type_end).any(changes) {
                return None;
            }
        }
        for place in self.iter().filter(|place| place.filled_end() >= end) {
            let (start, header_len, fixed) = (place.start, place.measured.header_len, place.info.format.len);
            let mut tried = [[0; TRIED_LEN]; TRIED.len()];
            for (payload, tried) in TRIED.into_iter().zip(&mut tried) {
                place.info.set_lengths(template.get_mut(start..)?, header_len - fixed, payload.into()).ok()?;
                tried.get_mut(..fixed)?.copy_from_slice(template.get(start..start + fixed)?);
            }
            let Some(first) = (0..fixed).find(|&at| tried[0][at] != tried[1][at]) else { continue };
            let [none, some, more] =
                tried.map(|bytes| u16::from_be_bytes([bytes[first], *bytes.get(first + 1).unwrap_or(&0)]));
            let is_sum = some == none.wrapping_add(TRIED[1]) && more == none.wrapping_add(TRIED[2]);
            let stays = |at: usize| tried[0][at] == tried[1][at] && tried[0][at] == tried[2][at];
            if !is_sum || first + 2 > fixed || !(first + 2..fixed).all(stays) {
                return None;
            }
            let less = u16::try_from(start + header_len).ok()?.wrapping_sub(none);
            each(u16::try_from(start + first).ok()?, less)?;
        }
        Some(())
    }

    /// Whether the innermost header reaches to the end, so that its length follows.
    #[must_use]
    pub fn reach_end(&self) -> bool {
        self.last().is_none_or(|place| self.end().is_none_or(|end| place.filled_end() >= end))
    }

    /// Where the packet ends: without what fills up a frame, as far as that is known.
    pub(super) fn end(&self) -> Option<usize> {
        if let Some(network) = self.iter().find(|place| place.is_network()) {
            return Some(network.whole().end);
        }
        // Of tags, and of what the frame carries, one may say how long it is.
        let links = self.iter().take_while(|place| [&Ethernet::INFO, &Vlan::INFO].contains(&place.info)).count();
        self.iter().take(links + 1).map(|place| place.whole().end).min()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Error, Layers, checksum};
    use std::vec::Vec;

    /// The packet with `len` bytes, its lengths and checksums anew.
    fn resized(packet: &[u8], len: usize) -> Result<Vec<u8>, Error> {
        let mut places: Places = Layers::new(packet).collect();
        let mut bytes = packet.to_vec();
        bytes.resize(len, 0);
        places.set_len(&mut bytes)?;
        checksum::fill_places(&mut bytes, &places);
        Ok(bytes)
    }

    /// Ethernet, IPv4, SCTP, and one chunk of data that has `value` bytes, filled up.
    fn message(value: u8) -> Vec<u8> {
        let chunk = 16 + usize::from(value);
        let sctp = 12 + chunk.next_multiple_of(4);
        let mut packet = Vec::from([
            2,
            0,
            0,
            0,
            0,
            1,
            2,
            0,
            0,
            0,
            0,
            2,
            8,
            0,
            0x45,
            0,
            0,
            20 + u8::try_from(sctp).unwrap(),
            0,
            0,
            0,
            0,
            64,
            132,
        ]);
        packet.resize(46 + chunk.next_multiple_of(4), 0);
        packet[49] = u8::try_from(chunk).unwrap();
        packet[46 + 1] = 3;
        packet
    }

    #[test]
    fn a_length_in_place_of_a_type_follows_behind_any_number_of_tags() {
        for tags in 0..3 {
            let head = 14 + 4 * tags;
            for (from, to) in [(3, 100), (46, 46), (100, 3), (200, 1_500), (0, 1)] {
                let mut packet = std::vec![2; head + from];
                (0..tags).for_each(|tag| packet[12 + 4 * tag..16 + 4 * tag].copy_from_slice(&[0x81, 0, 0, 5]));
                packet[head - 2..head].copy_from_slice(&u16::try_from(from).unwrap().to_be_bytes());
                // With what fills the frame up, and without.
                for filled in [packet.len(), packet.len().max(60)] {
                    let mut packet = packet.clone();
                    packet.resize(filled, 0);
                    let longer = resized(&packet, head + to).unwrap();
                    assert_eq!(longer[head - 2..head], u16::try_from(to).unwrap().to_be_bytes(), "{tags} {from} {to}");
                    let places: Places = Layers::new(&packet).collect();
                    assert_eq!(places.possible_len(&packet, 9_000), head + 1_500);
                }
            }
        }
        // A type is none.
        assert_eq!(resized(&[&[2; 12][..], &[0x88, 0xb5], &[0; 46]].concat(), 100).unwrap()[12..14], [0x88, 0xb5]);
    }

    #[test]
    fn a_chunk_that_is_filled_up_follows_and_stays_whole() {
        for value in 1..9 {
            let packet = message(value);
            let places: Places = Layers::new(&packet).collect();
            assert_eq!(places.last().map(Place::name), Some("SCTP data"), "{packet:?}");
            for len in 63..200 {
                let possible = places.possible_len(&packet, len);
                assert!(possible <= len && len - possible < 4 && (possible - 34).is_multiple_of(4), "{len}");
                let packet = resized(&packet, possible).unwrap();
                assert_eq!(usize::from(u16::from_be_bytes([packet[16], packet[17]])), possible - 14);
                let chunks: Vec<_> =
                    Sctp::chunks(&packet[46..]).map(|chunk| chunk.map(|(_, value)| value.len())).collect();
                assert_eq!(chunks, [Ok(possible - 50)], "{value} {len}");
                assert_eq!(checksum::check(&packet), Ok(()));
            }
        }
    }
}
