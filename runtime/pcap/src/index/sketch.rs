//! What is known of the packets of a stretch: by kind of packet, the numbers at the places where filters look.

use super::values::{Keyed, Seen, Values};
use crate::filter::{Knowledge, Load, Program, Question, Width};
use perigee_core::frame::Frame;

const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags that are looked behind.
const MOST_TAGS: u8 = 2;
/// Bytes of a tag, and where the EtherType of a frame without one stands.
const TAG: u32 = 4;
const TYPE: u32 = 12;

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Ipv4,
    Ipv6,
    Arp,
    Other,
}

const CARRIED: [Carried; 4] = [Carried::Ipv4, Carried::Ipv6, Carried::Arp, Carried::Other];

/// A kind of packets: each packet is of exactly one, so what is known of one kind says nothing of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    carried: Carried,
    tags: u8,
}

impl Kind {
    fn of(frame: &(impl Frame + ?Sized)) -> Self {
        let (mut at, mut tags) = (TYPE, 0);
        while tags < MOST_TAGS && frame.u16(at).is_some_and(|tag| TAGS.contains(&tag)) {
            (at, tags) = (at + TAG, tags + 1);
        }
        let carried = match frame.u16(at) {
            Some(0x0800) => Carried::Ipv4,
            Some(0x86dd) => Carried::Ipv6,
            Some(0x0806) => Carried::Arp,
            _ => Carried::Other,
        };
        Self { carried, tags }
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..=MOST_TAGS).flat_map(|tags| CARRIED.map(|carried| Self { carried, tags }))
    }

    fn number(self) -> usize {
        usize::from(self.tags) * CARRIED.len() + self.carried as usize
    }

    /// Bytes of Ethernet's header and of tags, and how many loads lie in them.
    fn header(self) -> usize {
        14 + 4 * usize::from(self.tags)
    }

    fn loads_of_header(self) -> usize {
        5 + 2 * usize::from(self.tags)
    }

    /// Where libpcap's programs look in such a packet: in Ethernet's header and in tags first.
    fn loads(self) -> Vec<Load> {
        use Width::{Byte, Half, Word};
        let at = |width, at| Load { width, at, behind: None };
        // Both Ethernet addresses, as they are compared; the types, and the tags.
        let mut loads = vec![at(Word, 2), at(Half, 0), at(Word, 8), at(Half, 6), at(Half, TYPE)];
        for tag in 0..u32::from(self.tags) {
            let behind = TYPE + 2 + tag * TAG;
            loads.extend([at(Half, behind), at(Half, behind + 2)]);
        }
        let ip = TYPE + 2 + u32::from(self.tags) * TAG;
        let behind = |width, offset| Load { width, at: ip + offset, behind: Some(ip) };
        match self.carried {
            // Fragment, protocol, addresses; ports, the type of ICMP, the flags of TCP.
            Carried::Ipv4 => loads.extend([
                at(Half, ip + 6),
                at(Byte, ip + 9),
                at(Word, ip + 12),
                at(Word, ip + 16),
                behind(Half, 0),
                behind(Half, 2),
                behind(Byte, 0),
                behind(Byte, 13),
            ]),
            // Next header, addresses; ports, and the next header of a fragment's.
            Carried::Ipv6 => {
                loads.push(at(Byte, ip + 6));
                loads.extend((0..8).map(|word| at(Word, ip + 8 + 4 * word)));
                loads.extend([at(Half, ip + 40), at(Half, ip + 42), at(Byte, ip + 40)]);
            }
            // Operation, and both addresses.
            Carried::Arp => loads.extend([at(Half, ip + 6), at(Word, ip + 14), at(Word, ip + 24)]),
            Carried::Other => {}
        }
        loads
    }
}

/// What is known of the packets of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    kind: Kind,
    values: Vec<(Load, Values)>,
}

impl Known {
    fn values(&self, load: Load) -> Option<&Values> {
        self.values.iter().find(|(known, _)| *known == load).map(|(_, values)| values)
    }
}

impl Knowledge for Known {
    fn is_there(&self, load: Load) -> bool {
        self.values(load).is_none_or(Values::is_there)
    }

    fn may_have(&self, load: Load, question: &Question) -> bool {
        self.values(load).is_none_or(|values| values.may_have(question))
    }
}

/// What is known of the packets of a stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch(Vec<Known>);

impl Sketch {
    /// Whether a filter could take one of them. False is certain.
    pub(super) fn may_pass(&self, program: &Program) -> bool {
        self.0.iter().any(|known| program.may_pass(known))
    }

    /// Appends it to the bytes of an index.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for known in &self.0 {
            to.push(u8::try_from(known.kind.number()).unwrap_or(u8::MAX));
            known.values.iter().for_each(|(_, values)| values.encode(to));
        }
    }

    /// What the bytes of an index say; `None` where they are none.
    pub(super) fn decode(mut from: &[u8]) -> Option<Self> {
        let (count, rest) = from.split_first()?;
        from = rest;
        let mut kinds = Vec::new();
        for _ in 0..*count {
            let (number, rest) = from.split_first()?;
            from = rest;
            let kind = Kind::all().nth(usize::from(*number))?;
            let values = kind.loads().into_iter().map(|load| Some((load, Values::decode(&mut from)?)));
            kinds.push(Known { kind, values: values.collect::<Option<_>>()? });
        }
        from.is_empty().then_some(Self(kinds))
    }
}

/// Makes sketches, packet by packet.
#[derive(Debug)]
pub(super) struct Sketcher {
    key: Keyed,
    /// By a kind's number; those that have come.
    kinds: Vec<Option<Met>>,
}

#[derive(Debug)]
struct Met {
    kind: Kind,
    /// Those of Ethernet's header and of tags first.
    seen: Vec<(Load, Seen)>,
    /// That header, of the packet before: mostly the next one has the same.
    header: Vec<u8>,
    /// In this stretch.
    is_met: bool,
}

impl Met {
    fn new(kind: Kind, key: Keyed) -> Self {
        let seen = kind.loads().into_iter().map(|load| (load, Seen::new(key))).collect();
        Self { kind, seen, header: Vec::new(), is_met: false }
    }

    fn packet(&mut self, frame: &[u8]) {
        let header = frame.get(..self.kind.header()).unwrap_or_default();
        let is_known = self.is_met && !header.is_empty() && self.header == header;
        if !is_known {
            self.header.clear();
            self.header.extend_from_slice(header);
        }
        self.is_met = true;
        let known = if is_known { self.kind.loads_of_header() } else { 0 };
        for (load, seen) in self.seen.iter_mut().skip(known) {
            if let Some(value) = load.of(frame) {
                seen.insert(value);
            }
        }
    }
}

impl Sketcher {
    pub(super) fn new() -> Self {
        Self { key: Keyed::new(), kinds: Kind::all().map(|_| None).collect() }
    }

    /// A packet of the stretch.
    pub(super) fn packet(&mut self, frame: &[u8]) {
        let (kind, key) = (Kind::of(frame), self.key);
        let Some(slot) = self.kinds.get_mut(kind.number()) else { return };
        slot.get_or_insert_with(|| Met::new(kind, key)).packet(frame);
    }

    /// What was seen; the next stretch begins with nothing.
    pub(super) fn take(&mut self) -> Sketch {
        let met = self.kinds.iter_mut().flatten().filter(|met| met.is_met);
        let known = |met: &mut Met| {
            met.is_met = false;
            let values = met.seen.iter_mut().map(|(load, seen)| (*load, seen.take())).collect();
            Known { kind: met.kind, values }
        };
        Sketch(met.map(known).collect())
    }
}
