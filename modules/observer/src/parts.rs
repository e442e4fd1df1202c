//! Packets in parts: cut on their way out, put together where they come in.

use crate::seen::{IP, add_up, v4, word};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use perigee_guest::{Outputs, Verdict, invariant};

/// Into how many a packet is cut, and all orders in which these can go.
const PARTS: usize = 3;
const ORDERS: [[usize; PARTS]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
/// A header of IPv4 without options, which all packets here have.
const HEADER: usize = 20;
/// More parts follow.
const MORE: u16 = 0x2000;
/// The shortest frame.
const SHORTEST: usize = 60;

/// Cuts each so many packets of IPv4, and sends their parts in one order after the other.
pub(crate) struct Cutter {
    every: u32,
    seen: u32,
    /// Identifies a packet of which parts are under way.
    number: u16,
}

impl Cutter {
    /// 0: none is cut. Numbers begin behind `number`: who sends in a host's name and who answers in it have different ones, as if the host gave
    /// them.
    pub(crate) const fn new(every: u32, number: u16) -> Self {
        Self { every, seen: 0, number }
    }

    /// Sends a packet in parts, where it is one of those that go so. Else it goes as it is.
    pub(crate) fn cut(&mut self, frame: &[u8], verdict: Verdict, outputs: &mut Outputs<'_>) -> bool {
        if self.every == 0 || word(frame, 12) != 0x0800 {
            return false;
        }
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) || outputs.remaining() < PARTS {
            return false;
        }
        let mut spares = [const { None }; PARTS];
        spares.iter_mut().for_each(|spare| *spare = outputs.spare());
        if spares.iter().any(Option::is_none) {
            return false;
        }
        self.number = self.number.wrapping_add(1);
        let payload = &frame[IP + HEADER..IP + usize::from(word(frame, IP + 2))];
        let len = payload.len() / PARTS / 8 * 8;
        for (index, spare) in ORDERS[usize::from(self.number) % ORDERS.len()].into_iter().zip(spares) {
            let is_last = index == PARTS - 1;
            let part = &payload[index * len..if is_last { payload.len() } else { (index + 1) * len }];
            let whole = (IP + HEADER + part.len()).max(SHORTEST);
            let Some(mut spare) = spare else { continue };
            if let Some(bytes) = u16::try_from(whole).ok().and_then(|whole| spare.bytes_mut(whole)) {
                bytes.fill(0);
                bytes[..IP + HEADER].copy_from_slice(&frame[..IP + HEADER]);
                bytes[IP + HEADER..][..part.len()].copy_from_slice(part);
                let at = u16::try_from(index * len / 8).unwrap_or(0);
                write_header(bytes, part.len(), self.number, if is_last { at } else { at | MORE });
                outputs.send(spare, verdict);
            }
        }
        true
    }
}

fn write_header(bytes: &mut [u8], len: usize, number: u16, place: u16) {
    let total = u16::try_from(HEADER + len).unwrap_or(0);
    for (at, value) in [(2, total), (4, number), (6, place), (10, 0)] {
        bytes[IP + at..IP + at + 2].copy_from_slice(&value.to_be_bytes());
    }
    let sum = !add_up(0, &bytes[IP..IP + HEADER]);
    bytes[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
}

/// Of which packet something is a part.
type Key = (Ipv4Addr, Ipv4Addr, u16, u8);

/// What has come of a packet.
#[derive(Default)]
struct Parts {
    /// Behind the header, by their places.
    came: BTreeMap<usize, Vec<u8>>,
    /// The first part's frame up to the end of its header.
    head: Option<Vec<u8>>,
    len: Option<usize>,
    ttl: Option<u8>,
}

/// What a frame is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// No part of a packet.
    Whole,
    /// A part; others are missing.
    Part,
    /// The last one that was missing: this is the packet.
    Packet(Vec<u8>),
}

/// Puts packets together. None of a part that is lost is ever forgotten.
#[derive(Default)]
pub(crate) struct Gatherer(BTreeMap<Key, Parts>);

impl Gatherer {
    pub(crate) fn gather(&mut self, bytes: &[u8]) -> Gathered {
        if bytes.len() < IP + HEADER || word(bytes, 12) != 0x0800 || word(bytes, IP + 6) & 0x3fff == 0 {
            return Gathered::Whole;
        }
        let (place, end) = (word(bytes, IP + 6), IP + usize::from(word(bytes, IP + 2)));
        let key = (v4(bytes, IP + 12), v4(bytes, IP + 16), word(bytes, IP + 4), bytes[IP + 9]);
        let is_sound = bytes[IP] == 0x45 && add_up(0, &bytes[IP..IP + HEADER]) == 0xffff && end > IP + HEADER;
        invariant!(
            is_sound && end <= bytes.len(),
            "a part of a packet has another header or a wrong checksum: {key:?}"
        );
        let at = usize::from(place & 0x1fff) * 8;
        let parts = self.0.entry(key).or_default();
        let (ttl, hops) = (bytes[IP + 8], parts.ttl.unwrap_or(bytes[IP + 8]));
        invariant!(ttl == hops, "parts of one packet have {ttl} and {hops} hops left: {key:?}");
        parts.ttl = Some(ttl);
        if at == 0 {
            parts.head = Some(bytes[..IP + HEADER].into());
        }
        if place & MORE == 0 {
            parts.len = Some(at + end - IP - HEADER);
        }
        let twice = parts.came.insert(at, bytes[IP + HEADER..end].into()).is_some();
        invariant!(!twice, "the part at {at} of a packet comes twice: {key:?}");
        let Some((len, head)) = parts.len.zip(parts.head.as_ref()) else { return Gathered::Part };
        let body: Vec<u8> = parts.came.values().flatten().copied().collect();
        if body.len() < len {
            return Gathered::Part;
        }
        invariant!(body.len() == len, "parts of a packet are {} bytes, and its end is at {len}: {key:?}", body.len());
        let mut frame = head.clone();
        frame.extend_from_slice(&body);
        write_header(&mut frame, body.len(), key.2, 0);
        self.0.remove(&key);
        Gathered::Packet(frame)
    }
}
