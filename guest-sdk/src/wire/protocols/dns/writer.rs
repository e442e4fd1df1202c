//! Writing messages, with names compressed.

use super::name::{push_label, text_labels};
use super::{Dns, MAX_NAME, Name, Section};
use crate::wire::{Error, Header as _};
use core::net::IpAddr;

/// Most places to which names are compressed. Names beyond them are written in full.
const MAX_PLACES: usize = 32;
/// A pointer has 14 bits.
const MAX_TARGET: usize = 0x3fff;

/// A name to be written: text, or a name of another message.
#[derive(Clone, Copy, Debug)]
pub enum Source<'n> {
    /// `www.example.org`, with or without a dot at its end; without escapes.
    Text(&'n str),
    /// As it was read.
    Name(Name<'n>),
}

impl<'n> From<&'n str> for Source<'n> {
    fn from(text: &'n str) -> Self {
        Self::Text(text)
    }
}

impl<'n> From<Name<'n>> for Source<'n> {
    fn from(name: Name<'n>) -> Self {
        Self::Name(name)
    }
}

impl Source<'_> {
    /// The name without compression; its length.
    fn write(&self, room: &mut [u8; MAX_NAME]) -> Result<usize, Error> {
        let mut len = 0;
        match self {
            Self::Text(text) => {
                for label in text_labels(text) {
                    len = push_label(room, len, label)?;
                }
            }
            Self::Name(name) => {
                for label in name.labels() {
                    len = push_label(room, len, label)?;
                }
            }
        }
        *room.get_mut(len).ok_or(Error)? = 0;
        Ok(len + 1)
    }
}

/// Writes a message: questions first, then records in the order of the sections. The header's counts follow. What has no
/// room is not written at all: the message stays as it was before, and may be sent with `header_mut().set_truncated(true)`.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
    places: [u16; MAX_PLACES],
    place_count: usize,
    /// The section of the last record.
    section: Option<Section>,
}

impl<'a> Writer<'a> {
    /// A message with this header and no sections.
    ///
    /// # Errors
    ///
    /// `bytes` has no room for the header.
    pub fn new(bytes: &'a mut [u8], header: &Dns) -> Result<Self, Error> {
        // A message's length has 16 bits.
        let len = bytes.len().min(usize::from(u16::MAX));
        let bytes = &mut bytes[..len];
        let (place, _) = Dns::split_mut(bytes)?;
        *place = *header;
        place.set_question_count(0);
        place.set_answer_count(0);
        place.set_authority_count(0);
        place.set_additional_count(0);
        Ok(Self { bytes, at: Dns::LEN, places: [0; MAX_PLACES], place_count: 0, section: None })
    }

    /// Length of the message so far.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a message has at least its header")]
    pub const fn len(&self) -> usize {
        self.at
    }

    /// Its header, to be changed; the counts are the writer's.
    ///
    /// # Errors
    ///
    /// None: the header has its room since [`Self::new`].
    pub fn header_mut(&mut self) -> Result<&mut Dns, Error> {
        Dns::split_mut(self.bytes).map(|(header, _)| header)
    }

    /// Adds a question.
    ///
    /// # Errors
    ///
    /// There is no room, the name is malformed, or there is a record already.
    pub fn question<'n>(&mut self, name: impl Into<Source<'n>>, kind: u16, class: u16) -> Result<(), Error> {
        if self.section.is_some() {
            return Err(Error);
        }
        let name = name.into();
        self.whole(|writer| {
            writer.name(name, true)?;
            writer.push(&kind.to_be_bytes())?;
            writer.push(&class.to_be_bytes())?;
            let header = writer.header_mut()?;
            header.set_question_count(header.question_count().checked_add(1).ok_or(Error)?);
            Ok(())
        })
    }

    /// Adds a record, whose data `fill` writes.
    ///
    /// ```
    /// use perigee_guest::wire::Dns;
    /// use perigee_guest::wire::dns::{Section, Writer};
    ///
    /// let mut bytes = [0; 512];
    /// let mut message = Writer::new(&mut bytes, &Dns::default())?;
    /// message.record(Section::Answer, "example.org", Dns::TYPE_MX, Dns::CLASS_IN, 300, |data| {
    ///     data.bytes(&10_u16.to_be_bytes())?;
    ///     data.name("mail.example.org")
    /// })?;
    /// assert_eq!(message.len(), 12 + 13 + 10 + 2 + 7);
    /// # Ok::<(), perigee_guest::wire::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// There is no room, the name is malformed, a record of a later section is there already, or what `fill` returns.
    pub fn record<'n>(
        &mut self,
        section: Section,
        name: impl Into<Source<'n>>,
        kind: u16,
        class: u16,
        ttl: u32,
        fill: impl FnOnce(&mut Rdata<'_, 'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.section.is_some_and(|last| last > section) {
            return Err(Error);
        }
        let name = name.into();
        self.whole(|writer| {
            writer.name(name, true)?;
            writer.push(&kind.to_be_bytes())?;
            writer.push(&class.to_be_bytes())?;
            writer.push(&ttl.to_be_bytes())?;
            writer.push(&[0; 2])?;
            let start = writer.at;
            fill(&mut Rdata(writer))?;
            let length = u16::try_from(writer.at - start).map_err(|_| Error)?;
            writer.bytes[start - 2..start].copy_from_slice(&length.to_be_bytes());
            writer.count(section)
        })?;
        self.section = Some(section);
        Ok(())
    }

    /// Adds a record with an address: A or AAAA.
    ///
    /// # Errors
    ///
    /// As for [`Self::record`].
    pub fn address<'n>(
        &mut self,
        section: Section,
        name: impl Into<Source<'n>>,
        ttl: u32,
        address: IpAddr,
    ) -> Result<(), Error> {
        match address {
            IpAddr::V4(address) => {
                self.record(section, name, Dns::TYPE_A, Dns::CLASS_IN, ttl, |data| data.bytes(&address.octets()))
            }
            IpAddr::V6(address) => {
                self.record(section, name, Dns::TYPE_AAAA, Dns::CLASS_IN, ttl, |data| data.bytes(&address.octets()))
            }
        }
    }

    /// Adds EDNS without options: `udp_size` is the longest datagram that the sender takes.
    ///
    /// # Errors
    ///
    /// As for [`Self::record`].
    pub fn edns(&mut self, udp_size: u16, dnssec_ok: bool) -> Result<(), Error> {
        let flags = if dnssec_ok { 0x8000 } else { 0 };
        self.record(Section::Additional, Name::ROOT, Dns::TYPE_OPT, udp_size, flags, |_| Ok(()))
    }

    /// Does all of something, or nothing.
    fn whole(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let (at, place_count) = (self.at, self.place_count);
        let done = act(self);
        if done.is_err() {
            (self.at, self.place_count) = (at, place_count);
        }
        done
    }

    fn count(&mut self, section: Section) -> Result<(), Error> {
        let header = self.header_mut()?;
        let more = |count: u16| count.checked_add(1).ok_or(Error);
        match section {
            Section::Answer => header.set_answer_count(more(header.answer_count())?),
            Section::Authority => header.set_authority_count(more(header.authority_count())?),
            Section::Additional => header.set_additional_count(more(header.additional_count())?),
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let place = self.bytes.get_mut(self.at..self.at + bytes.len()).ok_or(Error)?;
        place.copy_from_slice(bytes);
        self.at += bytes.len();
        Ok(())
    }

    /// Writes as many labels of a name as are not there yet, and points to the others.
    fn name(&mut self, source: Source<'_>, compress: bool) -> Result<(), Error> {
        let mut room = [0; MAX_NAME];
        let len = source.write(&mut room)?;
        let mut at = 0;
        while room[at] != 0 {
            let (rest, _) = Name::read(&room[..len], at)?;
            if let Some(target) = self.place_of(rest).filter(|_| compress) {
                return self.push(&(0xc000 | target).to_be_bytes());
            }
            self.remember();
            let end = at + 1 + usize::from(room[at]);
            self.push(&room[at..end])?;
            at = end;
        }
        self.push(&[0])
    }

    /// Where this name is written already.
    fn place_of(&self, name: Name<'_>) -> Option<u16> {
        let written = self.bytes.get(..self.at)?;
        let mut places = self.places[..self.place_count].iter().copied();
        places.find(|&place| Name::read(written, place.into()).is_ok_and(|(there, _)| there == name))
    }

    /// The next byte is where a name, or the end of one, begins.
    fn remember(&mut self) {
        if let (Ok(at), Some(place)) = (u16::try_from(self.at), self.places.get_mut(self.place_count))
            && self.at <= MAX_TARGET
        {
            *place = at;
            self.place_count += 1;
        }
    }
}

/// The data of a record that is being written.
#[derive(Debug)]
pub struct Rdata<'w, 'a>(&'w mut Writer<'a>);

impl Rdata<'_, '_> {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// There is no room.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0.push(bytes)
    }

    /// Appends a name, compressed: for the types of RFC 1035 (NS, CNAME, PTR, MX, SOA).
    ///
    /// # Errors
    ///
    /// There is no room, or the name is malformed.
    pub fn name<'n>(&mut self, name: impl Into<Source<'n>>) -> Result<(), Error> {
        self.0.name(name.into(), true)
    }

    /// Appends a name in full: for all other types (RFC 3597, section 4), SRV too.
    ///
    /// # Errors
    ///
    /// There is no room, or the name is malformed.
    pub fn full_name<'n>(&mut self, name: impl Into<Source<'n>>) -> Result<(), Error> {
        self.0.name(name.into(), false)
    }

    /// Appends a text of TXT.
    ///
    /// # Errors
    ///
    /// There is no room, or the text is longer than 255 bytes.
    pub fn text(&mut self, text: &[u8]) -> Result<(), Error> {
        self.0.push(&[u8::try_from(text.len()).map_err(|_| Error)?])?;
        self.0.push(text)
    }
}
