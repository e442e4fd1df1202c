//! Names: labels, and pointers back to labels that are written already.

use crate::wire::Error;
use core::fmt;

/// Most bytes of a name without compression, its end included (RFC 1035, section 3.1).
pub const MAX_NAME: usize = 255;
/// Most pointers of a name. Each label may be reached by one; longer chains only cost time.
const MAX_POINTERS: u8 = 127;

/// A name in a message. It was checked when it was read: its labels are all there. Upper and lower case are the same when
/// names are compared (RFC 4343).
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    start: usize,
}

impl<'a> Name<'a> {
    /// The root: no labels.
    pub const ROOT: Name<'static> = Name { message: &[0], start: 0 };

    /// The name at `start` of a message, and where that ends which follows it.
    ///
    /// # Errors
    ///
    /// It is cut off, longer than [`MAX_NAME`], has a label of unknown kind, or a pointer that does not lead backwards.
    pub fn read(message: &'a [u8], start: usize) -> Result<(Self, usize), Error> {
        let mut labels = Labels::new(message, start);
        let mut len = 1;
        while let Some(label) = labels.step()? {
            len += 1 + label.len();
            if len > MAX_NAME {
                return Err(Error);
            }
        }
        let end = labels.end.unwrap_or(labels.at + 1);
        Ok((Self { message, start }, end))
    }

    /// Its labels, first to last.
    #[must_use]
    pub const fn labels(&self) -> Labels<'a> {
        Labels::new(self.message, self.start)
    }

    /// Whether it is this name: `www.example.org`, with or without a dot at its end. `text` knows no escapes.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let mut labels = self.labels();
        labels.starts_with(text) && labels.next().is_none()
    }

    /// Whether it is this name or one below it.
    #[must_use]
    pub fn is_within(&self, text: &str) -> bool {
        let above = text_labels(text).count();
        let mut labels = self.labels();
        let Some(below) = self.labels().count().checked_sub(above) else { return false };
        labels.by_ref().take(below).for_each(drop);
        labels.starts_with(text)
    }

    /// Writes it without compression and in lower case, and says how long it is: a key for tables.
    pub fn canonical(&self, room: &mut [u8; MAX_NAME]) -> usize {
        let mut len = 0;
        for label in self.labels() {
            // The name was checked, so this always has room.
            let Ok(end) = push_label(room, len, label) else { break };
            room[len..end].make_ascii_lowercase();
            // A length is below 64, so it is no letter.
            len = end;
        }
        let Some(last) = room.get_mut(len) else { return len };
        *last = 0;
        len + 1
    }
}

/// Appends a label to a name without compression; returns where it ends.
pub(super) fn push_label(room: &mut [u8], at: usize, label: &[u8]) -> Result<usize, Error> {
    let length = u8::try_from(label.len()).ok().filter(|length| matches!(length, 1..=63)).ok_or(Error)?;
    let place = room.get_mut(at..at + 1 + label.len()).ok_or(Error)?;
    place[0] = length;
    place[1..].copy_from_slice(label);
    Ok(at + place.len())
}

/// The labels of a name in text; an empty one where two dots meet.
pub(super) fn text_labels(text: &str) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix('.').unwrap_or(text);
    text.split('.').filter(move |_| !text.is_empty()).map(str::as_bytes)
}

impl PartialEq<Name<'_>> for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        let (mut ours, mut theirs) = (self.labels(), other.labels());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for Name<'_> {}

/// As in zone files, without the dot at its end; the root is a dot. Dots and backslashes within labels have a backslash
/// before them, what is not printable is three digits (RFC 1035, section 5.1).
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for label in self.labels() {
            if !first {
                f.write_str(".")?;
            }
            first = false;
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        if first { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The labels of a name. They end where the name is malformed, which one of a [`Name`] is not.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// A pointer must lead before this. It falls with each, so the walk ends.
    limit: usize,
    pointers: u8,
    /// Behind the first pointer, if there was one.
    end: Option<usize>,
}

impl<'a> Labels<'a> {
    const fn new(message: &'a [u8], start: usize) -> Self {
        Self { message, at: start, limit: start, pointers: 0, end: None }
    }

    fn step(&mut self) -> Result<Option<&'a [u8]>, Error> {
        loop {
            let &first = self.message.get(self.at).ok_or(Error)?;
            match first {
                0 => return Ok(None),
                1..=0x3f => {
                    let end = self.at + 1 + usize::from(first);
                    let label = self.message.get(self.at + 1..end).ok_or(Error)?;
                    self.at = end;
                    return Ok(Some(label));
                }
                0xc0.. => {
                    let &second = self.message.get(self.at + 1).ok_or(Error)?;
                    let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                    if target >= self.limit || self.pointers == MAX_POINTERS {
                        return Err(Error);
                    }
                    self.end.get_or_insert(self.at + 2);
                    (self.at, self.limit, self.pointers) = (target, target, self.pointers + 1);
                }
                // Neither a label nor a pointer: kinds that are given up (RFC 6891, section 5).
                0x40..=0xbf => return Err(Error),
            }
        }
    }

    /// Takes the labels of `text`, and says whether they were next.
    fn starts_with(&mut self, text: &str) -> bool {
        text_labels(text).all(|wanted| self.next().is_some_and(|label| label.eq_ignore_ascii_case(wanted)))
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let label = self.step().ok().flatten();
        if label.is_none() {
            // At its end for good: the message has no byte there.
            self.at = self.message.len();
        }
        label
    }
}
