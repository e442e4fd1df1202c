//! DNS: its header, reading a message without a heap ([`Message`]), and writing one ([`Writer`]).
//!
//! ```
//! use perigee_guest::wire::Dns;
//! use perigee_guest::wire::dns::{Data, Message, Section, Writer};
//!
//! // A responder: answers the question it was asked.
//! fn answer(query: &[u8], reply: &mut [u8]) -> Result<usize, perigee_guest::wire::Error> {
//!     let query = Message::parse(query)?;
//!     let question = query.questions().next().ok_or(perigee_guest::wire::Error)??;
//!     let mut header = *query.header();
//!     header.set_response(true);
//!     let mut reply = Writer::new(reply, &header)?;
//!     reply.question(question.name, question.kind, question.class)?;
//!     reply.address(Section::Answer, question.name, 60, [192, 0, 2, 1].into())?;
//!     Ok(reply.len())
//! }
//!
//! let mut query = [0; 64];
//! let mut writer = Writer::new(&mut query, &Dns::default())?;
//! writer.question("www.example.org", Dns::TYPE_A, Dns::CLASS_IN)?;
//! let len = writer.len();
//! let mut reply = [0; 512];
//! let len = answer(&query[..len], &mut reply)?;
//! let reply = Message::parse(&reply[..len])?;
//! let record = reply.records().next().unwrap()?;
//! assert!(record.name.is("WWW.example.org."));
//! assert_eq!(record.data()?, Data::A([192, 0, 2, 1].into()));
//! # Ok::<(), perigee_guest::wire::Error>(())
//! ```

mod name;
mod records;
#[cfg(test)]
pub(super) mod test;
mod writer;

pub use name::{Labels, MAX_NAME, Name};
pub use records::{Data, Opt, Question, Questions, Record, Records, Section, Texts};
pub use writer::{Rdata, Source, Writer};

use crate::wire::{Error, Header, Next, header};

/// The header of a DNS message. Its sections follow; names in them point back to the header's first byte, so they are read
/// from the whole message ([`Message`]). Multicast DNS (RFC 6762) is the same on port 5353.
#[header(name = "DNS", source = "RFC 1035", udp_port = [53, 5353])]
pub struct Dns {
    /// Which query it is, or which one it answers.
    #[hex]
    id: u16,
    /// It is a response.
    response: bool,
    /// What is asked for: [`Dns::OPCODE_QUERY`] or another.
    #[bits(4)]
    opcode: u8,
    /// The answer comes from who is responsible for the name.
    authoritative: bool,
    /// Not everything had room: ask again over TCP.
    truncated: bool,
    /// The server shall ask others.
    #[initial = true]
    recursion_desired: bool,
    /// The server does ask others.
    recursion_available: bool,
    /// Must be 0.
    reserved: bool,
    /// The server has verified all data (RFC 4035).
    authentic: bool,
    /// The server need not verify data (RFC 4035).
    checking_disabled: bool,
    /// How it went: [`Dns::NO_ERROR`] or another. EDNS has more bits of it ([`Opt::extended_rcode`]).
    #[bits(4)]
    rcode: u8,
    /// How many questions follow.
    question_count: u16,
    /// How many records answer them.
    answer_count: u16,
    /// How many records say who is responsible.
    authority_count: u16,
    /// How many records are there beside.
    additional_count: u16,
}

impl Header for Dns {
    fn is_valid(&self) -> bool {
        // Others are not assigned (IANA, "DNS OpCodes"): what has them is no DNS.
        matches!(self.opcode(), 0..=2 | 4..=6) && !self.reserved()
    }
}

impl Dns {
    /// Opcode: a query.
    pub const OPCODE_QUERY: u8 = 0;
    /// Opcode: a zone has changed (RFC 1996).
    pub const OPCODE_NOTIFY: u8 = 4;
    /// Opcode: change a zone (RFC 2136).
    pub const OPCODE_UPDATE: u8 = 5;

    /// Response code: good.
    pub const NO_ERROR: u8 = 0;
    /// Response code: the query is malformed.
    pub const FORMAT_ERROR: u8 = 1;
    /// Response code: the server cannot answer now.
    pub const SERVER_FAILURE: u8 = 2;
    /// Response code: there is no such name.
    pub const NO_SUCH_NAME: u8 = 3;
    /// Response code: the server does not know this kind of query.
    pub const NOT_IMPLEMENTED: u8 = 4;
    /// Response code: the server does not want to answer.
    pub const REFUSED: u8 = 5;

    /// Class: the Internet.
    pub const CLASS_IN: u16 = 1;
    /// Class: any, in a question.
    pub const CLASS_ANY: u16 = 255;

    /// Type: an IPv4 address.
    pub const TYPE_A: u16 = 1;
    /// Type: a name server.
    pub const TYPE_NS: u16 = 2;
    /// Type: another name for the name.
    pub const TYPE_CNAME: u16 = 5;
    /// Type: where a zone begins.
    pub const TYPE_SOA: u16 = 6;
    /// Type: the name of an address.
    pub const TYPE_PTR: u16 = 12;
    /// Type: who takes mail.
    pub const TYPE_MX: u16 = 15;
    /// Type: texts.
    pub const TYPE_TXT: u16 = 16;
    /// Type: an IPv6 address (RFC 3596).
    pub const TYPE_AAAA: u16 = 28;
    /// Type: host and port of a service (RFC 2782).
    pub const TYPE_SRV: u16 = 33;
    /// Type: EDNS (RFC 6891).
    pub const TYPE_OPT: u16 = 41;
    /// Type: any, in a question.
    pub const TYPE_ANY: u16 = 255;
}

/// What precedes each DNS message in a TCP stream. `DnsTcp::parse` of a stream's bytes has one whole message as its payload;
/// the next one begins behind it. A segment that ends within a message, or begins there, is not dissected.
#[header(name = "DNS over TCP", source = "RFC 1035", tcp_port = 53)]
pub struct DnsTcp {
    /// Length of the message.
    length: u16,
}

impl Header for DnsTcp {
    fn is_valid(&self) -> bool {
        usize::from(self.length()) >= Dns::LEN
    }

    fn total_len(&self, _available: usize) -> usize {
        Self::LEN + usize::from(self.length())
    }

    fn next(&self, payload: &[u8]) -> Next {
        if Dns::parse(payload).is_ok() { Next::Header(&Dns::INFO) } else { Next::Payload }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length(payload as u16);
    }
}

/// A whole DNS message. All iterators over it end, whatever it holds, and say once where it is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: &'a Dns,
}

impl<'a> Message<'a> {
    /// The message in the payload of a UDP datagram, or of [`DnsTcp`].
    ///
    /// # Errors
    ///
    /// It has no DNS header. The sections are not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Ok(Self { bytes, header: Dns::parse(bytes)?.header })
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &'a Dns {
        self.header
    }

    /// All its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is asked.
    #[must_use]
    pub const fn questions(&self) -> Questions<'a> {
        Questions::new(*self)
    }

    /// The records of all sections, in their order.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records::new(*self)
    }

    /// The EDNS record; nothing where there is none, or a record before it is malformed.
    #[must_use]
    pub fn edns(&self) -> Option<Opt<'a>> {
        self.records().map_while(Result::ok).find_map(|record| match record.data() {
            Ok(Data::Opt(opt)) if record.section == Section::Additional => Some(opt),
            _ => None,
        })
    }
}
