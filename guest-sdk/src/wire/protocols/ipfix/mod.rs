//! IPFIX and NetFlow version 9: messages of sets, in which templates say what the data records mean.
//!
//! ```
//! use perigee_guest::wire::Ipfix;
//! use perigee_guest::wire::ipfix::{Element, Field, Sets, Templates, Writer};
//!
//! let fields = [Field::new(Element::SOURCE_IPV4, 4), Field::new(Element::PACKETS, 8)];
//! let mut bytes = [0; 256];
//! let mut writer = Writer::new(&mut bytes, &Ipfix::default())?;
//! writer.template(256, &fields)?;
//! writer.data_set(256)?;
//! writer.value(&[192, 0, 2, 1])?;
//! writer.value(&77_u64.to_be_bytes())?;
//! let len = writer.finish();
//!
//! // A collector's memory: 16 templates of up to 32 fields.
//! let mut templates = Templates::<16, 32>::new();
//! let mut packets = 0;
//! for set in Sets::of_message(&bytes[..len])? {
//!     match set? {
//!         set if set.is_template() => {
//!             for template in set.templates() {
//!                 templates.learn(1, &template?)?;
//!             }
//!         }
//!         set => {
//!             let Some(template) = templates.find(1, set.id) else { continue };
//!             for record in set.records(template) {
//!                 let value = record?.find(Element::PACKETS).and_then(|value| value.number());
//!                 packets += value.unwrap_or(0);
//!             }
//!         }
//!     }
//! }
//! assert_eq!(packets, 77);
//! # Ok::<(), perigee_guest::wire::Error>(())
//! ```

mod records;
mod sets;
mod templates;
#[cfg(test)]
pub(super) mod test;
mod writer;

pub use records::{Record, Records, Value, Values};
pub use sets::{Format, Set, Sets, Template, TemplateFields, TemplateRecords};
pub use templates::Templates;
pub use writer::Writer;

use crate::wire::{Header, header};

/// The header of an IPFIX message. Sets follow ([`Sets`]).
#[header(name = "IPFIX", source = "RFC 7011", udp_port = 4739, tcp_port = 4739)]
pub struct Ipfix {
    /// Version: 10.
    #[initial = 10]
    version: u16,
    /// Length of the message, this header included.
    #[initial = 16]
    length: u16,
    /// When it was sent, in seconds since 1970.
    export_time: u32,
    /// How many data records were sent in this domain before this message.
    sequence: u32,
    /// Observation domain: where template numbers have their meaning.
    domain: u32,
}

impl Header for Ipfix {
    fn is_valid(&self) -> bool {
        self.version() == 10
    }

    fn total_len(&self, _available: usize) -> usize {
        usize::from(self.length())
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length((Self::LEN + payload) as u16);
    }
}

/// The header of a NetFlow message of version 9. Sets follow ([`Sets`]), to the end of the datagram.
#[header(name = "NetFlow v9", source = "RFC 3954", udp_port = 2055)]
pub struct NetFlow9 {
    /// Version: 9.
    #[initial = 9]
    version: u16,
    /// How many records follow, templates included.
    count: u16,
    /// Milliseconds since the sender began.
    uptime: u32,
    /// When it was sent, in seconds since 1970.
    export_time: u32,
    /// How many messages were sent before.
    sequence: u32,
    /// Where template numbers have their meaning.
    domain: u32,
}

impl Header for NetFlow9 {
    fn is_valid(&self) -> bool {
        self.version() == 9
    }
}

/// The header of a set.
#[header(name = "IPFIX set", source = "RFC 7011")]
pub struct IpfixSet {
    /// 2: templates, 3: templates of options (0 and 1 in NetFlow), from 256 on the template of the records that follow.
    id: u16,
    /// Length of the set, this header included.
    #[initial = 4]
    length: u16,
}

impl Header for IpfixSet {
    fn total_len(&self, _available: usize) -> usize {
        usize::from(self.length())
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length((Self::LEN + payload) as u16);
    }
}

/// What a field of a record means: an information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Element {
    /// Whose it is: a private enterprise number; 0: IANA's.
    pub enterprise: u32,
    /// Its number; at most 0x7fff in IPFIX.
    pub id: u16,
}

impl Element {
    /// Bytes of the flow since the last record.
    pub const BYTES: Self = Self::iana(1);
    /// Packets of the flow since the last record.
    pub const PACKETS: Self = Self::iana(2);
    /// IP protocol number.
    pub const PROTOCOL: Self = Self::iana(4);
    /// All flags of TCP that were seen.
    pub const TCP_FLAGS: Self = Self::iana(6);
    /// Port of the sender.
    pub const SOURCE_PORT: Self = Self::iana(7);
    /// IPv4 address of the sender.
    pub const SOURCE_IPV4: Self = Self::iana(8);
    /// Port where it came in.
    pub const INGRESS: Self = Self::iana(10);
    /// Port of the receiver.
    pub const DESTINATION_PORT: Self = Self::iana(11);
    /// IPv4 address of the receiver.
    pub const DESTINATION_IPV4: Self = Self::iana(12);
    /// Port where it went out.
    pub const EGRESS: Self = Self::iana(14);
    /// IPv6 address of the sender.
    pub const SOURCE_IPV6: Self = Self::iana(27);
    /// IPv6 address of the receiver.
    pub const DESTINATION_IPV6: Self = Self::iana(28);
    /// When the flow began, in milliseconds since 1970.
    pub const START_MILLISECONDS: Self = Self::iana(152);
    /// When its last packet came, in milliseconds since 1970.
    pub const END_MILLISECONDS: Self = Self::iana(153);

    /// One of IANA's.
    #[must_use]
    pub const fn iana(id: u16) -> Self {
        Self { enterprise: 0, id }
    }
}

/// A field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Field {
    /// What it means.
    pub element: Element,
    /// Length in bytes; [`Field::VARIABLE`] where each record says it.
    pub length: u16,
}

impl Field {
    /// The length that each record says.
    pub const VARIABLE: u16 = 0xffff;

    /// A field of so many bytes.
    #[must_use]
    pub const fn new(element: Element, length: u16) -> Self {
        Self { element, length }
    }
}
