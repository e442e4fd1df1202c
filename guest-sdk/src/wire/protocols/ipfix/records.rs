//! Data records, by the fields of their template.

use super::{Element, Field};
use crate::wire::Error;

/// The records of a data set. A record that is cut off is an error, and the last item; what is shorter than any record is
/// padding.
#[derive(Clone, Debug)]
pub struct Records<'a, 't> {
    bytes: &'a [u8],
    fields: &'t [Field],
    shortest: usize,
}

impl<'a, 't> Records<'a, 't> {
    /// Those of a set's body.
    #[must_use]
    pub const fn new(body: &'a [u8], fields: &'t [Field]) -> Self {
        let (mut shortest, mut index) = (0, 0);
        while index < fields.len() {
            let length = fields[index].length;
            let least = if length == Field::VARIABLE { 1 } else { length as usize };
            shortest = usize::saturating_add(shortest, least);
            index += 1;
        }
        Self { bytes: body, fields, shortest }
    }
}

impl<'a, 't> Iterator for Records<'a, 't> {
    type Item = Result<Record<'a, 't>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Records of no bytes would never end.
        if self.shortest == 0 || self.bytes.len() < self.shortest {
            return None;
        }
        let mut values = Values { bytes: self.bytes, fields: self.fields };
        let whole = values.by_ref().count() == self.fields.len();
        let len = self.bytes.len() - values.bytes.len();
        let (bytes, rest) = self.bytes.split_at(len);
        self.bytes = if whole { rest } else { &[] };
        Some(if whole { Ok(Record { bytes, fields: self.fields }) } else { Err(Error) })
    }
}

/// A data record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a, 't> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The fields of its template.
    pub fields: &'t [Field],
}

impl<'a, 't> Record<'a, 't> {
    /// Its values, in the template's order.
    #[must_use]
    pub const fn values(&self) -> Values<'a, 't> {
        Values { bytes: self.bytes, fields: self.fields }
    }

    /// The first value of this meaning.
    #[must_use]
    pub fn find(&self, element: Element) -> Option<Value<'a>> {
        self.values().find(|value| value.element == element)
    }
}

/// A value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// What it means.
    pub element: Element,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Value<'_> {
    /// As a number, which may have fewer bytes than its element (RFC 7011, section 6.2); nothing above eight bytes.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        (self.bytes.len() <= 8).then(|| self.bytes.iter().fold(0, fold))
    }
}

/// The values of a record.
#[derive(Clone, Debug)]
pub struct Values<'a, 't> {
    bytes: &'a [u8],
    fields: &'t [Field],
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (field, fields) = self.fields.split_first()?;
        let (length, bytes) = match field.length {
            Field::VARIABLE => variable_length(self.bytes)?,
            length => (usize::from(length), self.bytes),
        };
        let (value, rest) = bytes.split_at_checked(length)?;
        (self.bytes, self.fields) = (rest, fields);
        Some(Value { element: field.element, bytes: value })
    }
}

/// A length of one byte, or of three (RFC 7011, section 7), and what follows it.
fn variable_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [255, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        [255, ..] | [] => None,
        [length, rest @ ..] => Some((usize::from(*length), rest)),
    }
}
