//! The flows that are reported: made up from their number and the seed, so none of them takes memory.

use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::ipfix::{Element, Field, Writer};
use perigee_guest::wire::{Error, protocol};
use perigee_guest::{Lcg64, seed_mix};

pub(crate) const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
/// Longest time that a record covers, in milliseconds: the active time-out of many exporters.
const LONGEST_MS: u64 = 60_000;
/// All flags of TCP that an ordinary connection shows: FIN, SYN, PSH, ACK.
const TCP_FLAGS: u8 = 0x1b;

const V4: [Field; 10] = fields(Element::SOURCE_IPV4, Element::DESTINATION_IPV4, 4);
const V6: [Field; 10] = fields(Element::SOURCE_IPV6, Element::DESTINATION_IPV6, 16);

const fn fields(source: Element, destination: Element, len: u16) -> [Field; 10] {
    [
        Field::new(source, len),
        Field::new(destination, len),
        Field::new(Element::SOURCE_PORT, 2),
        Field::new(Element::DESTINATION_PORT, 2),
        Field::new(Element::PROTOCOL, 1),
        Field::new(Element::TCP_FLAGS, 1),
        Field::new(Element::BYTES, 8),
        Field::new(Element::PACKETS, 8),
        Field::new(Element::START_MILLISECONDS, 8),
        Field::new(Element::END_MILLISECONDS, 8),
    ]
}

/// Which addresses flows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Self::V4 => &V4,
            Self::V6 => &V6,
        }
    }
}

/// The flows, of which records are drawn at random.
pub(crate) struct Flows {
    family: Family,
    count: u64,
    seed: u64,
    random: Lcg64,
}

impl Flows {
    pub(crate) fn new(family: Family, count: u32, seed: u64) -> Self {
        Self { family, count: count.into(), seed, random: Lcg64::new(seed) }
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    pub(crate) fn template_id(&self) -> u16 {
        match self.family {
            Family::V4 => 256,
            Family::V6 => 257,
        }
    }

    pub(crate) fn fields(&self) -> &'static [Field] {
        self.family.fields()
    }

    /// Writes a record of one of the flows, which ended within the last second.
    pub(crate) fn write(&mut self, writer: &mut Writer<'_>, unix_ns: u64) -> Result<(), Error> {
        let number = self.random.below(self.count);
        let hash = seed_mix(self.seed ^ u64::from(number));
        let [a, b, c, d, e, f, g, _] = hash.to_be_bytes();
        let (port, number) = match hash % 4 {
            0 => (53, protocol::UDP),
            1 => (80, protocol::TCP),
            _ => (443, protocol::TCP),
        };
        match self.family {
            Family::V4 => {
                writer.value(&Ipv4Addr::new(10, a, b, c).octets())?;
                writer.value(&Ipv4Addr::new(198, 18, d, e).octets())?;
            }
            Family::V6 => {
                let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
                writer.value(&Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, high, low).octets())?;
                writer.value(&Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from_be_bytes([e, f])).octets())?;
            }
        }
        // Above the ports of services.
        writer.value(&(u16::from_be_bytes([f, g]) | 0x8000).to_be_bytes())?;
        writer.value(&u16::to_be_bytes(port))?;
        writer.value(&[number])?;
        writer.value(&[if number == protocol::TCP { TCP_FLAGS } else { 0 }])?;
        let packets = 1 + u64::from(self.random.below(1_000));
        let bytes = packets * (60 + u64::from(self.random.below(1_441)));
        writer.value(&bytes.to_be_bytes())?;
        writer.value(&packets.to_be_bytes())?;
        let end = (unix_ns / MILLISECOND).saturating_sub(self.random.below(1_000).into());
        let start = end.saturating_sub(self.random.below(LONGEST_MS).into());
        writer.value(&start.to_be_bytes())?;
        writer.value(&end.to_be_bytes())
    }
}
