//! Which host had which port, and when: IPFIX records of mappings or of blocks of ports (RFC 8158) for a collector.
//!
//! Records wait in a queue until a message is full or a call comes to its end. What finds no room is counted, never waited for.

use crate::outcome::Count;
use crate::pool::Ports;
use crate::ports::BlockOf;
use crate::rewrite::Endpoint;
use alloc::collections::VecDeque;
use core::net::SocketAddrV4;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::NoMemory;
use perigee_guest::wire::ipfix::{Element, Field, Writer};
use perigee_guest::wire::{Error, Ethernet, Ipfix, Ipv4, Mac, Stack as _, Udp};
use perigee_guest::{Buffer, Outputs, Refusal, Setup, Verdict};

perigee_guest::stack! { struct Headers { eth: Ethernet, ip: Ipv4, udp: Udp } }

const MAPPINGS: u16 = 256;
const BLOCKS: u16 = 257;
/// IANA's elements that a log of NAT has beside those of flows.
const TIME: Element = Element::iana(323);
const EVENT: Element = Element::iana(230);
const POST_SOURCE: Element = Element::iana(225);
const POST_SOURCE_PORT: Element = Element::iana(227);
const RANGE_START: Element = Element::iana(361);
const RANGE_END: Element = Element::iana(362);

/// NAT44 BIB (RFC 8158, section 5.6).
const MAPPING_FIELDS: [Field; 7] = [
    Field::new(TIME, 8),
    Field::new(EVENT, 1),
    Field::new(Element::SOURCE_IPV4, 4),
    Field::new(POST_SOURCE, 4),
    Field::new(Element::PROTOCOL, 1),
    Field::new(Element::SOURCE_PORT, 2),
    Field::new(POST_SOURCE_PORT, 2),
];
/// Port block (RFC 8158, section 5.6).
const BLOCK_FIELDS: [Field; 6] = [
    Field::new(TIME, 8),
    Field::new(EVENT, 1),
    Field::new(Element::SOURCE_IPV4, 4),
    Field::new(POST_SOURCE, 4),
    Field::new(RANGE_START, 2),
    Field::new(RANGE_END, 2),
];
/// Events by number (RFC 8158, section 5.3): made and ended.
const MAPPING_EVENTS: [u8; 2] = [8, 9];
const BLOCK_EVENTS: [u8; 2] = [16, 17];

/// Longest message with its headers, so that it fits any way.
const MESSAGE_MAX: u16 = 1_280;
/// Milliseconds after which the templates are sent again: UDP may lose them (RFC 7011, section 8.4).
const TEMPLATES_EVERY: u64 = 60_000;
/// Most messages of a call.
const MESSAGES_MAX: usize = 4;
/// Milliseconds that a record waits for others.
const WAIT: u64 = 100;
/// As many records as certainly fill a message.
const FULL: usize = 64;

/// Where records go.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct LogConfig {
    collector: SocketAddrV4,
    source: SocketAddrV4,
    /// Of the collector, or of the router to it.
    mac: Mac,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    ring: Option<u16>,
    #[serde(default)]
    domain: u32,
    /// Records that may wait.
    #[serde(default = "queue")]
    queue: u16,
}

const fn queue() -> u16 {
    4_096
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A mapping begins or ends.
    Mapping { protocol: u8, inside: Endpoint, outside: Endpoint, begins: bool },
    /// A block of ports is given to a host, or comes back.
    Block { block: BlockOf, begins: bool },
}

/// The log: a queue, and how messages are made of it. Without configuration it takes nothing.
pub(crate) struct Log {
    to: Option<Exporter>,
    queue: VecDeque<(u64, Event)>,
    limit: usize,
    /// Unix time in milliseconds.
    now: u64,
    templates_at: Option<u64>,
    /// Records sent so far, which is what a message's sequence number says.
    pub(crate) sequence: u32,
}

struct Exporter {
    headers: Headers,
    domain: u32,
    verdict: Verdict,
}

impl Log {
    pub(crate) fn new(config: Option<&LogConfig>, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let to = config.map(|config| Exporter::new(config, setup)).transpose()?;
        let limit = config.map_or(0, |config| usize::from(config.queue));
        let mut queue = VecDeque::new();
        let bytes = limit * size_of::<(u64, Event)>();
        queue.try_reserve_exact(limit).map_err(|_| NoMemory { bytes })?;
        Ok(Self { to, queue, limit, now: 0, templates_at: None, sequence: 0 })
    }

    pub(crate) fn set_time(&mut self, unix_ns: u64) {
        self.now = unix_ns / 1_000_000;
    }

    pub(crate) fn note(&mut self, event: Event) {
        if self.to.is_none() {
            return;
        }
        if self.queue.len() < self.limit {
            self.queue.push_back((self.now, event));
        } else {
            Count::LogLost.add(1);
        }
    }

    /// Sends what waits: when it fills a message or has waited long enough.
    pub(crate) fn flush(&mut self, outputs: &mut Outputs<'_>) {
        let oldest = self.queue.front().map_or(self.now, |(at, _)| *at);
        if self.queue.len() < FULL && self.now.saturating_sub(oldest) < WAIT {
            return;
        }
        for _ in 0..MESSAGES_MAX {
            if self.queue.is_empty() || outputs.remaining() == 0 {
                break;
            }
            let Some(mut spare) = outputs.spare() else { break };
            let Some(Ok((len, records))) = spare.bytes_mut(MESSAGE_MAX).map(|bytes| self.write(bytes)) else { break };
            let Some(verdict) = self.to.as_ref().map(|to| to.verdict) else { break };
            if spare.bytes_mut(len).is_none() || !outputs.send(spare, verdict) {
                break;
            }
            self.queue.drain(..records);
            self.sequence = self.sequence.wrapping_add(u32::try_from(records).unwrap_or_default());
            Count::LogRecords.add(records as u64);
        }
    }

    /// Writes a packet with as many records as it takes: its length, and how many they are.
    fn write(&mut self, bytes: &mut [u8]) -> Result<(u16, usize), Error> {
        let to = self.to.as_ref().ok_or(Error)?;
        let (_, payload) = Headers::of_mut(bytes)?;
        let mut header = Ipfix::default();
        // It goes round in 2106, as the field does.
        header.set_export_time(u32::try_from(self.now / 1_000 % (1 << 32)).unwrap_or_default());
        header.set_sequence(self.sequence);
        header.set_domain(to.domain);
        let mut writer = Writer::new(payload, &header)?;
        let is_old = |at| self.now.saturating_sub(at) >= TEMPLATES_EVERY;
        if self.templates_at.is_none_or(is_old) {
            writer.template(MAPPINGS, &MAPPING_FIELDS)?;
            writer.template(BLOCKS, &BLOCK_FIELDS)?;
            self.templates_at = Some(self.now);
        }
        let (mut records, mut set) = (0, 0);
        for (at, event) in &self.queue {
            let before = writer.len();
            let id = event.template();
            if id != set && writer.data_set(id).is_err() {
                break;
            }
            set = id;
            if event.write(&mut writer, *at).is_err() {
                writer.truncate(before);
                break;
            }
            records += 1;
        }
        if records == 0 {
            return Err(Error);
        }
        let len = Headers::LEN + writer.finish();
        let frame = bytes.get_mut(..len).ok_or(Error)?;
        let (headers, _) = Headers::of_mut(frame)?;
        *headers = to.headers;
        headers.set_lengths(len)?;
        Headers::fill_checksums(frame);
        Ok((u16::try_from(len).map_err(|_| Error)?, records))
    }
}

/// For the next instance: the records that wait.
impl Log {
    /// Writes their number, then each as numbers of 64 bits.
    pub(crate) fn save(&self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        state.push(&u32::try_from(self.queue.len()).unwrap_or_default().to_le_bytes())?;
        for (at, event) in &self.queue {
            for word in [*at].into_iter().chain(event.to_words()) {
                state.push(&word.to_le_bytes())?;
            }
        }
        Ok(())
    }

    /// Reads what `save` wrote, and gives what is behind it. What has no room here is counted.
    pub(crate) fn restore<'s>(&mut self, state: &'s [u8]) -> Result<&'s [u8], Refusal> {
        let bad = || Refusal::new("the state is not one that this module saves");
        let (count, rest) = state.split_first_chunk().ok_or_else(bad)?;
        let len = u32::from_le_bytes(*count) as usize * EVENT_BYTES;
        let (events, rest) = rest.split_at_checked(len).ok_or_else(bad)?;
        for bytes in events.as_chunks::<EVENT_BYTES>().0 {
            let word = |at: usize| u64::from_le_bytes(bytes[8 * at..].first_chunk().copied().unwrap_or_default());
            self.now = word(0);
            self.note(Event::from_words([word(1), word(2), word(3)]));
        }
        Ok(rest)
    }
}

/// An event with its time, as saved.
const EVENT_BYTES: usize = 32;

impl Event {
    /// What it is, and the two ends of it.
    fn to_words(self) -> [u64; 3] {
        let pair = |(address, port): Endpoint| u64::from(address) << 16 | u64::from(port);
        match self {
            Self::Mapping { protocol, inside, outside, begins } => {
                [u64::from(protocol) << 8 | u64::from(begins), pair(inside), pair(outside)]
            }
            Self::Block { block, begins } => {
                let (first, last) = ((block.host, block.ports.first), (block.outside, block.ports.last));
                [u64::from(begins), pair(first), pair(last)]
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "as `to_words` has widened them")]
    fn from_words([what, first, last]: [u64; 3]) -> Self {
        let pair = |word: u64| ((word >> 16) as u32, word as u16);
        let (inside, outside, begins) = (pair(first), pair(last), what & 1 != 0);
        match (what >> 8) as u8 {
            0 => {
                let ports = Ports { first: inside.1, last: outside.1 };
                Self::Block { block: BlockOf { host: inside.0, outside: outside.0, ports }, begins }
            }
            protocol => Self::Mapping { protocol, inside, outside, begins },
        }
    }

    const fn template(&self) -> u16 {
        match self {
            Self::Mapping { .. } => MAPPINGS,
            Self::Block { .. } => BLOCKS,
        }
    }

    fn write(&self, writer: &mut Writer<'_>, at: u64) -> Result<(), Error> {
        writer.value(&at.to_be_bytes())?;
        match *self {
            Self::Mapping { protocol, inside, outside, begins } => {
                writer.value(&[MAPPING_EVENTS[usize::from(!begins)]])?;
                writer.value(&inside.0.to_be_bytes())?;
                writer.value(&outside.0.to_be_bytes())?;
                writer.value(&[protocol])?;
                writer.value(&inside.1.to_be_bytes())?;
                writer.value(&outside.1.to_be_bytes())
            }
            Self::Block { block, begins } => {
                writer.value(&[BLOCK_EVENTS[usize::from(!begins)]])?;
                writer.value(&block.host.to_be_bytes())?;
                writer.value(&block.outside.to_be_bytes())?;
                writer.value(&block.ports.first.to_be_bytes())?;
                writer.value(&block.ports.last.to_be_bytes())
            }
        }
    }
}

impl Exporter {
    fn new(config: &LogConfig, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let port = config.port.and_then(|port| setup.ports().get(usize::from(port)));
        let verdict = match (config.port, config.ring) {
            (Some(number), None) if port.is_some() => Verdict::tx(number),
            (None, Some(ring)) if u32::from(ring) < setup.ring_count() => Verdict::ring(ring),
            _ => {
                return Err(Refusal::new(
                    "log: records leave by one `port` or one `ring` of this run: its number, counted from 0",
                ));
            }
        };
        if config.mac.is_multicast() || config.mac.is_zero() {
            return Err(Refusal::new("log.mac: the address of the collector, or of the router to it"));
        }
        let mut headers = Headers::initial();
        let own = port.map(|port| Mac(port.mac)).filter(|mac| !mac.is_zero());
        headers.eth.set_source(own.unwrap_or(Mac([2, 0, 0, 0, 0, 1])));
        headers.eth.set_destination(config.mac);
        headers.ip.set_source(*config.source.ip());
        headers.ip.set_destination(*config.collector.ip());
        headers.udp.set_source_port(config.source.port());
        headers.udp.set_destination_port(config.collector.port());
        let (instance, _) = setup.instance();
        Ok(Self { headers, domain: config.domain.wrapping_add(instance), verdict })
    }
}
