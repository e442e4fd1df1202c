//! The walk through a datagram: samples, and the records of each.

use super::{
    Sflow, SflowCounters, SflowExpandedCounters, SflowExpandedFlow, SflowFlow, SflowIpv4, SflowIpv6, SflowPacket,
    SflowPort, SflowRecord, SflowSwitch,
};
use crate::wire::{Error, Header as _};
use core::net::IpAddr;

/// A datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who speaks.
    pub agent: IpAddr,
    /// Which of the agent's parts.
    pub sub_agent: u32,
    /// Number of the datagram among those of the part.
    pub sequence: u32,
    /// Milliseconds since the agent began.
    pub uptime: u32,
    /// How many samples it says it has.
    pub sample_count: u32,
    bytes: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// That in the payload of UDP.
    ///
    /// # Errors
    ///
    /// It is of another version, has an address of an unknown type, or is cut off.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let outer = Sflow::parse(payload)?;
        if outer.address_type() == 1 {
            let rest = SflowIpv4::parse(outer.payload)?;
            let (sub_agent, sequence, uptime) = (rest.sub_agent(), rest.sequence(), rest.uptime());
            let (agent, sample_count) = (rest.agent().into(), rest.sample_count());
            return Ok(Self { agent, sub_agent, sequence, uptime, sample_count, bytes: rest.payload });
        }
        let rest = SflowIpv6::parse(outer.payload)?;
        let (sub_agent, sequence, uptime) = (rest.sub_agent(), rest.sequence(), rest.uptime());
        let (agent, sample_count) = (rest.agent().into(), rest.sample_count());
        Ok(Self { agent, sub_agent, sequence, uptime, sample_count, bytes: rest.payload })
    }

    /// Its samples.
    #[must_use]
    pub const fn samples(&self) -> Samples<'a> {
        Samples(List { bytes: self.bytes, left: self.sample_count })
    }
}

/// An element: enterprise, format, and bytes.
type Element<'a> = (u32, u16, &'a [u8]);

/// Elements one after the other, each with its format and length: samples, and records.
#[derive(Clone, Debug)]
struct List<'a> {
    bytes: &'a [u8],
    left: u32,
}

impl<'a> List<'a> {
    /// The next element.
    fn next(&mut self) -> Option<Result<Element<'a>, Error>> {
        self.left = self.left.checked_sub(1)?;
        let element = SflowRecord::parse(self.bytes);
        // Each element has a header of its own, so the bytes become fewer.
        let len = element.map_or(self.bytes.len(), |element| SflowRecord::LEN + element.payload.len());
        self.bytes = self.bytes.get(len..).unwrap_or(&[]);
        if element.is_err() {
            self.left = 0;
        }
        Some(element.map(|element| (element.enterprise(), element.format(), element.payload)))
    }
}

/// The samples of a datagram. A malformed one is an error; one that leaves the datagram is the last item too.
#[derive(Clone, Debug)]
pub struct Samples<'a>(List<'a>);

/// A sample.
#[derive(Clone, Debug)]
pub enum Sample<'a> {
    /// Of packets.
    Flow(Flow<'a>),
    /// Of counters.
    Counters(Counters<'a>),
    /// Of another format.
    Other {
        /// Who defines it.
        enterprise: u32,
        /// The format.
        format: u16,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

/// A sample of packets, expanded or not.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    /// Number of the sample among those of its source.
    pub sequence: u32,
    /// Kind and number of its source.
    pub source: (u32, u32),
    /// One of so many packets is sampled.
    pub rate: u32,
    /// How many packets could have been sampled.
    pub pool: u32,
    /// How many samples were lost.
    pub drops: u32,
    /// Format and number of the port where it came in ([`SflowFlow::input_format`]).
    pub input: (u32, u32),
    /// Format and number of the port where it went out ([`SflowFlow::output_format`]).
    pub output: (u32, u32),
    records: List<'a>,
}

/// A sample of counters, expanded or not.
#[derive(Clone, Debug)]
pub struct Counters<'a> {
    /// Number of the sample among those of its source.
    pub sequence: u32,
    /// Kind and number of its source.
    pub source: (u32, u32),
    records: List<'a>,
}

impl<'a> Flow<'a> {
    /// Its records.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records { list: self.records.clone(), counters: false }
    }

    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let flow = SflowFlow::parse(bytes)?;
        Ok(Self {
            sequence: flow.sequence(),
            source: (flow.source_type().into(), flow.source_index()),
            rate: flow.rate(),
            pool: flow.pool(),
            drops: flow.drops(),
            input: (flow.input_format().into(), flow.input()),
            output: (flow.output_format().into(), flow.output()),
            records: List { bytes: flow.payload, left: flow.record_count() },
        })
    }

    fn read_expanded(bytes: &'a [u8]) -> Result<Self, Error> {
        let flow = SflowExpandedFlow::parse(bytes)?;
        Ok(Self {
            sequence: flow.sequence(),
            source: (flow.source_type(), flow.source_index()),
            rate: flow.rate(),
            pool: flow.pool(),
            drops: flow.drops(),
            input: (flow.input_format(), flow.input()),
            output: (flow.output_format(), flow.output()),
            records: List { bytes: flow.payload, left: flow.record_count() },
        })
    }
}

impl<'a> Counters<'a> {
    /// Its records.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records { list: self.records.clone(), counters: true }
    }

    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let counters = SflowCounters::parse(bytes)?;
        let source = (counters.source_type().into(), counters.source_index());
        let records = List { bytes: counters.payload, left: counters.record_count() };
        Ok(Self { sequence: counters.sequence(), source, records })
    }

    fn read_expanded(bytes: &'a [u8]) -> Result<Self, Error> {
        let counters = SflowExpandedCounters::parse(bytes)?;
        let source = (counters.source_type(), counters.source_index());
        let records = List { bytes: counters.payload, left: counters.record_count() };
        Ok(Self { sequence: counters.sequence(), source, records })
    }
}

impl<'a> Iterator for Samples<'a> {
    type Item = Result<Sample<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.0.next()?.and_then(|(enterprise, format, bytes)| match (enterprise, format) {
            (0, SflowRecord::FLOW) => Flow::read(bytes).map(Sample::Flow),
            (0, SflowRecord::EXPANDED_FLOW) => Flow::read_expanded(bytes).map(Sample::Flow),
            (0, SflowRecord::COUNTERS) => Counters::read(bytes).map(Sample::Counters),
            (0, SflowRecord::EXPANDED_COUNTERS) => Counters::read_expanded(bytes).map(Sample::Counters),
            _ => Ok(Sample::Other { enterprise, format, bytes }),
        });
        Some(sample)
    }
}

/// The records of a sample. A malformed one is an error; one that leaves the sample is the last item too.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    list: List<'a>,
    /// The numbers of formats mean other things in samples of counters.
    counters: bool,
}

/// A record of a sample.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// The beginning of a packet.
    Packet {
        /// What is known of it.
        header: &'a SflowPacket,
        /// Its first bytes.
        bytes: &'a [u8],
    },
    /// VLANs of a packet.
    Switch(&'a SflowSwitch),
    /// Counters of a port.
    Port(&'a SflowPort),
    /// Of another format.
    Other {
        /// Who defines it.
        enterprise: u32,
        /// The format.
        format: u16,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let counters = self.counters;
        let record = self.list.next()?.and_then(|(enterprise, format, bytes)| match (enterprise, format, counters) {
            (0, SflowRecord::PACKET, false) => {
                SflowPacket::parse(bytes).map(|packet| Record::Packet { header: packet.header, bytes: packet.payload })
            }
            (0, SflowRecord::SWITCH, false) => SflowSwitch::parse(bytes).map(|switch| Record::Switch(switch.header)),
            (0, SflowRecord::PORT, true) => SflowPort::parse(bytes).map(|port| Record::Port(port.header)),
            _ => Ok(Record::Other { enterprise, format, bytes }),
        });
        Some(record)
    }
}
