//! Generator: IPFIX messages over UDP (RFC 7011), with templates and records of flows, to test a collector of one's own.
#![cfg_attr(not(test), no_std)]

mod config;
mod flows;
#[cfg(test)]
mod tests;

use config::Config;
use flows::{Family, Flows};
use perigee_guest::wire::ipfix::Writer;
use perigee_guest::wire::{Error, Ethernet, Ipfix, Ipv4, Stack as _, Udp};
use perigee_guest::{Module, Refusal, Rooms, Setup, Verdict};

perigee_guest::module!(IpfixGen: generate; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Messages sent.
    MESSAGES = "messages",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
    /// Data records in them.
    RECORDS = "records",
    /// Messages that have the template.
    TEMPLATES = "templates",
}

perigee_guest::stack! { struct Headers { eth: Ethernet, ip: Ipv4, udp: Udp } }

/// Bytes before what a set holds.
const SET_HEADER: usize = 4;

/// The generator: an exporter with an observation domain of its own.
pub struct IpfixGen {
    headers: Headers,
    flows: Flows,
    /// Records of a message.
    records: u16,
    /// The template has a message of its own.
    is_apart: bool,
    /// After how many messages the template comes again.
    template_every: u64,
    domain: u32,
    /// Records sent so far, which is what a message's sequence number says.
    sequence: u32,
    sent: u64,
    /// Messages to send; 0: no end.
    count: u64,
    verdict: Verdict,
}

impl Module for IpfixGen {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let flows = config.flows(setup)?;
        let (records, is_apart) = config.layout(setup, &flows)?;
        let (instance, _) = setup.instance();
        Ok(Self {
            headers: config.headers(setup),
            records,
            is_apart,
            template_every: config.template_every,
            domain: config.domain.wrapping_add(instance),
            sequence: config.sequence,
            sent: 0,
            count: config.count,
            verdict: config.port.map_or(Verdict::NEXT, Verdict::tx),
            flows,
        })
    }

    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        let (unix_ns, room_len) = (rooms.unix_ns(), rooms.room_len());
        for mut packet in rooms.packets() {
            if self.count != 0 && self.sent == self.count {
                break;
            }
            let longest = u16::try_from(room_len).unwrap_or(u16::MAX);
            if !packet.set_len(longest) {
                break;
            }
            let Ok(len) = self.write(packet.bytes_mut(), unix_ns) else { break };
            if !packet.set_len(len) {
                break;
            }
            BYTES.add(len.into());
            packet.finish(self.verdict);
        }
        if self.count != 0 && self.sent == self.count {
            rooms.finish();
        }
    }
}

impl IpfixGen {
    /// Writes a packet and says how long it is. The room was found to be long enough in `init`.
    fn write(&mut self, bytes: &mut [u8], unix_ns: u64) -> Result<u16, Error> {
        let (_, payload) = Headers::of_mut(bytes)?;
        let has_template = self.sent.is_multiple_of(self.template_every);
        let records = if has_template && self.is_apart { 0 } else { self.records };
        let message = self.message(payload, unix_ns, has_template, records)?;
        let len = Headers::LEN + message;
        let frame = bytes.get_mut(..len).ok_or(Error)?;
        let (headers, _) = Headers::of_mut(frame)?;
        *headers = self.headers;
        headers.set_lengths(len)?;
        Headers::fill_checksums(frame);
        self.sent += 1;
        self.sequence = self.sequence.wrapping_add(records.into());
        MESSAGES.add(1);
        RECORDS.add(records.into());
        TEMPLATES.add(has_template.into());
        u16::try_from(len).map_err(|_| Error)
    }

    fn message(&mut self, bytes: &mut [u8], unix_ns: u64, has_template: bool, records: u16) -> Result<usize, Error> {
        let mut header = Ipfix::default();
        // It wraps in 2106, as the field does.
        header.set_export_time(u32::try_from(unix_ns / flows::SECOND % (1 << 32)).unwrap_or_default());
        header.set_sequence(self.sequence);
        header.set_domain(self.domain);
        let mut writer = Writer::new(bytes, &header)?;
        let id = self.flows.template_id();
        if has_template {
            writer.template(id, self.flows.fields())?;
        }
        if records > 0 {
            writer.data_set(id)?;
        }
        for _ in 0..records {
            self.flows.write(&mut writer, unix_ns)?;
        }
        Ok(writer.finish())
    }
}

/// Bytes of a message with this many records, and with the template where it is to have it.
fn message_len(family: Family, records: u16, has_template: bool) -> usize {
    let fields = family.fields();
    let record: usize = fields.iter().map(|field| usize::from(field.length)).sum();
    let template = if has_template { SET_HEADER + 4 + 4 * fields.len() } else { 0 };
    let data = if records > 0 { SET_HEADER + usize::from(records) * record } else { 0 };
    Ipfix::LEN + template + data
}
