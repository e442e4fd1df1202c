//! Questions and resource records of a message.

use super::{Dns, Message, Name};
use crate::wire::{Error, TlvFormat, Tlvs};
use core::net::{Ipv4Addr, Ipv6Addr};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Of which name.
    pub name: Name<'a>,
    /// Which type of record.
    pub kind: u16,
    /// Of which class. In multicast DNS the highest bit asks for an answer to the asker alone.
    pub class: u16,
}

/// The questions of a message. A malformed one is an error, and the last item.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    message: Message<'a>,
    at: usize,
    left: Option<u16>,
}

impl<'a> Questions<'a> {
    pub(super) const fn new(message: Message<'a>) -> Self {
        Self { message, at: Dns::LEN, left: None }
    }

    fn read(&mut self) -> Result<Question<'a>, Error> {
        let (name, at) = Name::read(self.message.bytes(), self.at)?;
        let rest: &[u8; 4] = chunk(self.message.bytes(), at)?;
        self.at = at + rest.len();
        let [a, b, c, d] = *rest;
        Ok(Question { name, kind: u16::from_be_bytes([a, b]), class: u16::from_be_bytes([c, d]) })
    }
}

impl<'a> Iterator for Questions<'a> {
    type Item = Result<Question<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.left.unwrap_or(self.message.header().question_count());
        self.left = Some(left.saturating_sub(1));
        if left == 0 {
            return None;
        }
        let question = self.read();
        if question.is_err() {
            self.left = Some(0);
        }
        Some(question)
    }
}

/// Which part of a message a record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// It answers.
    Answer,
    /// It says who is responsible.
    Authority,
    /// It is there beside.
    Additional,
}

/// A resource record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it stands.
    pub section: Section,
    /// Whose it is.
    pub name: Name<'a>,
    /// Its type: [`Dns::TYPE_A`] and others.
    pub kind: u16,
    /// Its class; that of EDNS has another meaning. In multicast DNS the highest bit says that older ones do not count.
    pub class: u16,
    /// How long it may be kept, in seconds; that of EDNS has another meaning.
    pub ttl: u32,
    /// Its data as bytes.
    pub bytes: &'a [u8],
    message: &'a [u8],
    start: usize,
}

/// The data of a record, by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A name server.
    Ns(Name<'a>),
    /// Another name.
    Cname(Name<'a>),
    /// The name of an address.
    Ptr(Name<'a>),
    /// Who takes mail.
    Mx {
        /// The smallest is tried first.
        preference: u16,
        /// The host.
        exchange: Name<'a>,
    },
    /// Texts.
    Txt(Texts<'a>),
    /// Where a zone begins.
    Soa {
        /// Its first name server.
        primary: Name<'a>,
        /// Mail address of who is responsible, with a dot for the at sign.
        mailbox: Name<'a>,
        /// Version of the zone.
        serial: u32,
        /// After how many seconds others look whether it has changed.
        refresh: u32,
        /// After how many seconds they try again.
        retry: u32,
        /// After how many seconds without success they give up.
        expire: u32,
        /// How many seconds it may be remembered that a name does not exist (RFC 2308).
        minimum: u32,
    },
    /// Host and port of a service.
    Srv {
        /// The smallest is tried first.
        priority: u16,
        /// Share among those of one priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host.
        target: Name<'a>,
    },
    /// EDNS.
    Opt(Opt<'a>),
    /// Of a type that is not known here.
    Other(&'a [u8]),
}

/// EDNS: what the classic header has no room for (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt<'a> {
    /// Longest datagram that the sender takes.
    pub udp_size: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    /// 0.
    pub version: u8,
    /// The sender wants signatures (RFC 3225).
    pub dnssec_ok: bool,
    /// Its options as bytes.
    pub bytes: &'a [u8],
}

impl<'a> Opt<'a> {
    /// Its options.
    #[must_use]
    pub const fn options(&self) -> Tlvs<'a> {
        Tlvs::new(self.bytes, TlvFormat::WORDS)
    }
}

/// The texts of a TXT record, as bytes. They were checked when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.0.split_first()?;
        let text = rest.get(..usize::from(length));
        self.0 = rest.get(usize::from(length)..).unwrap_or(&[]);
        text
    }
}

impl<'a> Record<'a> {
    /// Its data. Types that are not known here are bytes.
    ///
    /// # Errors
    ///
    /// The data is not that of its type: too short, too long, or with a malformed name.
    pub fn data(&self) -> Result<Data<'a>, Error> {
        Ok(match self.kind {
            Dns::TYPE_OPT => Data::Opt(self.opt()),
            Dns::TYPE_TXT => Data::Txt(self.texts()?),
            // What follows is defined for the Internet only, but for the names.
            Dns::TYPE_NS => Data::Ns(self.name_at(0)?),
            Dns::TYPE_CNAME => Data::Cname(self.name_at(0)?),
            Dns::TYPE_PTR => Data::Ptr(self.name_at(0)?),
            Dns::TYPE_SOA => self.soa()?,
            Dns::TYPE_MX => Data::Mx { preference: self.word(0)?, exchange: self.name_at(2)? },
            Dns::TYPE_A => Data::A(<[u8; 4]>::try_from(self.bytes).map_err(|_| Error)?.into()),
            Dns::TYPE_AAAA => Data::Aaaa(<[u8; 16]>::try_from(self.bytes).map_err(|_| Error)?.into()),
            Dns::TYPE_SRV => Data::Srv {
                priority: self.word(0)?,
                weight: self.word(2)?,
                port: self.word(4)?,
                target: self.name_at(6)?,
            },
            _ => Data::Other(self.bytes),
        })
    }

    fn word(&self, at: usize) -> Result<u16, Error> {
        chunk(self.bytes, at).map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// A name in the data, and where it ends there.
    fn name_within(&self, at: usize) -> Result<(Name<'a>, usize), Error> {
        let end = self.start + self.bytes.len();
        // The name itself may not leave the data; what it points to lies before it.
        let message = self.message.get(..end).ok_or(Error)?;
        let (name, name_end) = Name::read(message, self.start + at)?;
        Ok((name, name_end - self.start))
    }

    /// The name that the data ends with.
    fn name_at(&self, at: usize) -> Result<Name<'a>, Error> {
        let (name, end) = self.name_within(at)?;
        if end == self.bytes.len() { Ok(name) } else { Err(Error) }
    }

    fn soa(&self) -> Result<Data<'a>, Error> {
        let (primary, at) = self.name_within(0)?;
        let (mailbox, at) = self.name_within(at)?;
        let rest: [u8; 20] = self.bytes.get(at..).and_then(|rest| rest.try_into().ok()).ok_or(Error)?;
        let number = |index: usize| chunk(&rest, index * 4).map(|bytes| u32::from_be_bytes(*bytes));
        Ok(Data::Soa {
            primary,
            mailbox,
            serial: number(0)?,
            refresh: number(1)?,
            retry: number(2)?,
            expire: number(3)?,
            minimum: number(4)?,
        })
    }

    fn texts(&self) -> Result<Texts<'a>, Error> {
        let mut rest = self.bytes;
        while let Some((&length, behind)) = rest.split_first() {
            rest = behind.get(usize::from(length)..).ok_or(Error)?;
        }
        Ok(Texts(self.bytes))
    }

    const fn opt(&self) -> Opt<'a> {
        let [extended_rcode, version, flags, _] = self.ttl.to_be_bytes();
        Opt { udp_size: self.class, extended_rcode, version, dnssec_ok: flags & 0x80 != 0, bytes: self.bytes }
    }
}

/// The records of a message. A malformed one is an error, and the last item.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    message: Message<'a>,
    /// Where the next one begins; nothing where it cannot be known.
    at: Result<usize, Error>,
    left: [u16; 3],
}

impl<'a> Records<'a> {
    pub(super) fn new(message: Message<'a>) -> Self {
        let mut questions = message.questions();
        let at = if questions.by_ref().any(|question| question.is_err()) { Err(Error) } else { Ok(questions.at) };
        let header = message.header();
        Self { message, at, left: [header.answer_count(), header.authority_count(), header.additional_count()] }
    }

    fn read(&mut self, section: Section) -> Result<Record<'a>, Error> {
        let message = self.message.bytes();
        let (name, at) = Name::read(message, self.at?)?;
        let [k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = *chunk(message, at)?;
        let start = at + 10;
        let bytes = message.get(start..start + usize::from(u16::from_be_bytes([l0, l1]))).ok_or(Error)?;
        self.at = Ok(start + bytes.len());
        let (kind, class) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([c0, c1]));
        let ttl = u32::from_be_bytes([t0, t1, t2, t3]);
        Ok(Record { section, name, kind, class, ttl, bytes, message, start })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let (left, section) = self.left.iter_mut().zip(sections).find(|(left, _)| **left > 0)?;
        *left -= 1;
        let record = self.read(section);
        if record.is_err() {
            self.left = [0; 3];
        }
        Some(record)
    }
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Result<&[u8; N], Error> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Error)
}
