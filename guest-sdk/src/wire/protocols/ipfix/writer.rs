//! Writing IPFIX messages.

use super::{Field, Ipfix};
use crate::wire::{Error, Header as _};

/// Writes a message: sets one after the other. What has no room is not written; records are the caller's, value by value, so
/// [`Self::len`] before a record is what [`Self::truncate`] takes to leave out one that has no room.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
    /// Where the open set begins; 0: none is open.
    set: usize,
}

impl<'a> Writer<'a> {
    /// A message with this header and no sets.
    ///
    /// # Errors
    ///
    /// `bytes` has no room for the header.
    pub fn new(bytes: &'a mut [u8], header: &Ipfix) -> Result<Self, Error> {
        let len = bytes.len().min(usize::from(u16::MAX));
        let bytes = &mut bytes[..len];
        *Ipfix::split_mut(bytes)?.0 = *header;
        Ok(Self { bytes, at: Ipfix::LEN, set: 0 })
    }

    /// Length of the message so far.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a message has at least its header")]
    pub const fn len(&self) -> usize {
        self.at
    }

    /// Adds a set with one template.
    ///
    /// # Errors
    ///
    /// There is no room, `id` is below 256, there are no fields, or an element's number is above 0x7fff.
    pub fn template(&mut self, id: u16, fields: &[Field]) -> Result<(), Error> {
        let count = u16::try_from(fields.len()).ok().filter(|count| *count > 0 && id >= 256).ok_or(Error)?;
        self.close();
        let start = self.at;
        let written = self.begin(2).and_then(|()| {
            self.push(&id.to_be_bytes())?;
            self.push(&count.to_be_bytes())?;
            fields.iter().try_for_each(|field| self.specifier(field))
        });
        if written.is_err() {
            (self.at, self.set) = (start, 0);
        }
        self.close();
        written
    }

    fn specifier(&mut self, field: &Field) -> Result<(), Error> {
        let (element, own) = (field.element, field.element.enterprise != 0);
        if element.id > 0x7fff {
            return Err(Error);
        }
        self.push(&(element.id | if own { 0x8000 } else { 0 }).to_be_bytes())?;
        self.push(&field.length.to_be_bytes())?;
        if own { self.push(&element.enterprise.to_be_bytes()) } else { Ok(()) }
    }

    /// Begins a set of records of a template. It ends where the next one begins.
    ///
    /// # Errors
    ///
    /// There is no room, or `id` is below 256.
    pub fn data_set(&mut self, id: u16) -> Result<(), Error> {
        self.close();
        if id < 256 { Err(Error) } else { self.begin(id) }
    }

    /// Appends the next value, of as many bytes as the template says: numbers in network order.
    ///
    /// # Errors
    ///
    /// There is no room, or no set is open.
    pub fn value(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.set == 0 { Err(Error) } else { self.push(bytes) }
    }

    /// Appends the next value, of a field of variable length.
    ///
    /// # Errors
    ///
    /// There is no room, or no set is open.
    pub fn variable_value(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = u16::try_from(bytes.len()).map_err(|_| Error)?;
        let [high, low] = length.to_be_bytes();
        let start = self.at;
        let prefix = if length < 255 { self.value(&[low]) } else { self.value(&[255, high, low]) };
        let written = prefix.and_then(|()| self.value(bytes));
        if written.is_err() {
            self.at = start;
        }
        written
    }

    /// Cuts off what lies behind `len`, which must be in the open set. Other values of `len` change nothing.
    pub fn truncate(&mut self, len: usize) {
        if self.set != 0 && (self.set + 4..=self.at).contains(&len) {
            self.at = len;
        }
    }

    /// Writes all lengths, and says how long the message is.
    #[must_use]
    pub fn finish(mut self) -> usize {
        self.close();
        let length = u16::try_from(self.at).unwrap_or(u16::MAX);
        if let Ok((header, _)) = Ipfix::split_mut(self.bytes) {
            header.set_length(length);
        }
        self.at
    }

    fn begin(&mut self, id: u16) -> Result<(), Error> {
        let start = self.at;
        let [high, low] = id.to_be_bytes();
        self.push(&[high, low, 0, 4])?;
        self.set = start;
        Ok(())
    }

    fn close(&mut self) {
        if self.set != 0 {
            let length = u16::try_from(self.at - self.set).unwrap_or(u16::MAX);
            self.bytes[self.set + 2..self.set + 4].copy_from_slice(&length.to_be_bytes());
            self.set = 0;
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let place = self.bytes.get_mut(self.at..self.at + bytes.len()).ok_or(Error)?;
        place.copy_from_slice(bytes);
        self.at += bytes.len();
        Ok(())
    }
}
