//! Headers through their typed accessors, without their types: for tests of all headers, and for tools that are told by name which
//! ones to put one behind the other.

use super::{Fields, Format, Header};

/// A header's typed functions, behind their types.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    /// The header's initial value.
    pub initial: fn(&mut [u8]),
    /// A field's getter, by its number; the value's big-endian bytes come at the end of the second slice.
    pub get: fn(&[u8], usize, &mut [u8]),
    /// A field's setter, by its number.
    pub set: fn(&mut [u8], usize, &[u8]),
    /// Parses for reading and for writing; the lengths of variable part and payload, where both agree on them.
    pub parse: fn(&mut [u8]) -> Option<(usize, usize)>,
    /// Says in the header which one follows.
    pub set_next: fn(&mut [u8], &Format),
}

impl Typed {
    /// Those of a header.
    #[must_use]
    pub const fn of<H: Header>() -> Self {
        Self { initial: initial::<H>, get: get::<H>, set: set::<H>, parse: parse::<H>, set_next: set_next::<H> }
    }
}

fn initial<H: Fields>(bytes: &mut [u8]) {
    let _ = H::default().write_to_prefix(bytes);
}

fn get<H: Fields>(bytes: &[u8], index: usize, value: &mut [u8]) {
    if let Ok((header, _)) = H::ref_from_prefix(bytes) {
        header.get_by_index(index, value);
    }
}

fn set<H: Fields>(bytes: &mut [u8], index: usize, value: &[u8]) {
    if let Ok((header, _)) = H::mut_from_prefix(bytes) {
        header.set_by_index(index, value);
    }
}

fn parse<H: Header>(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let read = H::parse(bytes).ok().map(|layer| (layer.variable.len(), layer.payload.len()));
    let written = H::parse_mut(bytes).ok().map(|layer| (layer.variable.len(), layer.payload.len()));
    assert_eq!(read, written, "{}: parse and parse_mut differ", H::FORMAT.name);
    read
}

fn set_next<H: Header>(bytes: &mut [u8], next: &Format) {
    if let Ok((header, _)) = H::split_mut(bytes) {
        header.set_next(next);
    }
}

/// Writes `bytes` to the end of `to`, which may be shorter: then the first bytes are left out.
pub fn right_aligned(bytes: &[u8], to: &mut [u8]) {
    to.fill(0);
    for (to, byte) in to.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *byte;
    }
}

/// The last `N` bytes, with zeros before them where there are fewer.
#[must_use]
pub fn last_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut last = [0; N];
    right_aligned(bytes, &mut last);
    last
}
