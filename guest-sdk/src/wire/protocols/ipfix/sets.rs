//! Sets of a message, and the templates in them.

use super::{Element, Field, Ipfix, IpfixSet, NetFlow9, Records};
use crate::wire::{Error, Header as _};

/// Which of the two protocols a message is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// IPFIX.
    Ipfix,
    /// NetFlow version 9: without enterprises and variable lengths.
    NetFlow9,
}

/// The sets of a message. A malformed one is an error, and the last item.
#[derive(Clone, Debug)]
pub struct Sets<'a> {
    bytes: &'a [u8],
    format: Format,
}

impl<'a> Sets<'a> {
    /// Those behind a header.
    #[must_use]
    pub const fn new(payload: &'a [u8], format: Format) -> Self {
        Self { bytes: payload, format }
    }

    /// Those of a message, whichever of the two it is.
    ///
    /// # Errors
    ///
    /// It has neither header, or is cut off.
    pub fn of_message(message: &'a [u8]) -> Result<Self, Error> {
        if let Ok(header) = Ipfix::parse(message) {
            return Ok(Self::new(header.payload, Format::Ipfix));
        }
        NetFlow9::parse(message).map(|header| Self::new(header.payload, Format::NetFlow9))
    }
}

impl<'a> Iterator for Sets<'a> {
    type Item = Result<Set<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let set = IpfixSet::parse(self.bytes);
        self.bytes = set.map_or(&[], |set| self.bytes.get(usize::from(set.length())..).unwrap_or(&[]));
        Some(set.map(|set| Set { id: set.id(), body: set.payload, format: self.format }))
    }
}

/// A set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// Its number: that of the template of its records, or a kind of template.
    pub id: u16,
    /// What is in it, padding included.
    pub body: &'a [u8],
    /// Of which protocol it is.
    pub format: Format,
}

impl<'a> Set<'a> {
    /// Whether it has templates, of options or not.
    #[must_use]
    pub const fn is_template(&self) -> bool {
        match self.format {
            Format::Ipfix => matches!(self.id, 2 | 3),
            Format::NetFlow9 => matches!(self.id, 0 | 1),
        }
    }

    const fn is_options(&self) -> bool {
        matches!((self.format, self.id), (Format::Ipfix, 3) | (Format::NetFlow9, 1))
    }

    /// Its templates; none where it has data.
    #[must_use]
    pub const fn templates(&self) -> TemplateRecords<'a> {
        TemplateRecords { bytes: if self.is_template() { self.body } else { &[] }, set: *self }
    }

    /// Its records, by these fields; none where it has templates.
    #[must_use]
    pub const fn records<'t>(&self, fields: &'t [Field]) -> Records<'a, 't> {
        Records::new(if self.id >= 256 { self.body } else { &[] }, fields)
    }
}

/// A template in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    /// Its number, which data sets have.
    pub id: u16,
    /// How many fields it has; 0: it is withdrawn.
    pub count: u16,
    /// How many of these, from the first on, say what the others are about: templates of options only.
    pub scope_count: u16,
    specifiers: &'a [u8],
    format: Format,
}

impl<'a> Template<'a> {
    /// Its fields.
    #[must_use]
    pub const fn fields(&self) -> TemplateFields<'a> {
        TemplateFields { bytes: self.specifiers, format: self.format, left: self.count }
    }
}

/// The templates of a set. A malformed one is an error, and the last item.
#[derive(Clone, Debug)]
pub struct TemplateRecords<'a> {
    bytes: &'a [u8],
    set: Set<'a>,
}

impl<'a> TemplateRecords<'a> {
    fn read(&self) -> Result<(Template<'a>, &'a [u8]), Error> {
        let (id, rest) = word(self.bytes)?;
        let (count, rest) = word(rest)?;
        let format = self.set.format;
        // A withdrawal of options ends here as well (RFC 7011, section 8.1).
        let (count, scope_count, rest) = match format {
            Format::Ipfix if self.set.is_options() && count > 0 => {
                let (scope_count, rest) = word(rest)?;
                if !(1..=count).contains(&scope_count) {
                    return Err(Error);
                }
                (count, scope_count, rest)
            }
            Format::NetFlow9 if self.set.is_options() => {
                // Both lengths are in bytes here, of four each field.
                let (options, rest) = word(rest)?;
                if count % 4 != 0 || options % 4 != 0 {
                    return Err(Error);
                }
                (count / 4 + options / 4, count / 4, rest)
            }
            _ => (count, 0, rest),
        };
        if id < 256 && count > 0 {
            return Err(Error);
        }
        let mut fields = TemplateFields { bytes: rest, format, left: count };
        while fields.left > 0 {
            fields.read()?;
        }
        let specifiers = &rest[..rest.len() - fields.bytes.len()];
        Ok((Template { id, count, scope_count, specifiers, format }, fields.bytes))
    }
}

impl<'a> Iterator for TemplateRecords<'a> {
    type Item = Result<Template<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Less than a template is padding, and so are zeros.
        if self.bytes.len() < 4 || self.bytes.starts_with(&[0, 0]) {
            return None;
        }
        let template = self.read();
        self.bytes = template.map_or(&[], |(_, rest)| rest);
        Some(template.map(|(template, _)| template))
    }
}

/// The fields of a template, which was checked when it was read.
#[derive(Clone, Debug)]
pub struct TemplateFields<'a> {
    bytes: &'a [u8],
    format: Format,
    left: u16,
}

impl TemplateFields<'_> {
    fn read(&mut self) -> Result<Field, Error> {
        let (id, rest) = word(self.bytes)?;
        let (length, rest) = word(rest)?;
        self.left = self.left.saturating_sub(1);
        if self.format == Format::NetFlow9 || id & 0x8000 == 0 {
            self.bytes = rest;
            return Ok(Field::new(Element::iana(id), length));
        }
        let (enterprise, rest) = rest.split_first_chunk().ok_or(Error)?;
        self.bytes = rest;
        Ok(Field::new(Element { enterprise: u32::from_be_bytes(*enterprise), id: id & 0x7fff }, length))
    }
}

impl Iterator for TemplateFields<'_> {
    type Item = Field;

    fn next(&mut self) -> Option<Field> {
        if self.left == 0 {
            return None;
        }
        self.read().ok()
    }
}

pub(super) fn word(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let (word, rest) = bytes.split_first_chunk().ok_or(Error)?;
    Ok((u16::from_be_bytes(*word), rest))
}
