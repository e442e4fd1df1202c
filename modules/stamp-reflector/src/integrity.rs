//! Whether what is said in extensions is the sender's word (RFC 8972, section 4.8).

use stamp_wire::{Key, TAG, tlv};

/// What became of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integrity {
    /// There is nothing that would need it.
    NotNeeded,
    /// The extension at this place proves all before it.
    Proven(usize),
    /// They are not proven.
    Failed,
}

/// Looks at the extensions of the packet of that number. The one that proves is behind all others but padding. Only padding that is
/// alone can do without it, and what is no extension at all.
pub(crate) fn check(key: &Key, sequence: u32, rest: &[u8]) -> Integrity {
    if rest.iter().all(|byte| *byte == 0) {
        return Integrity::NotNeeded;
    }
    let (mut at, mut count, mut place) = (0, 0, None);
    while at < rest.len() {
        let Some((kind, len)) = tlv::first(&rest[at..]) else { return Integrity::Failed };
        match (kind, place) {
            (tlv::HMAC, None) if len == tlv::HEADER + TAG => place = Some(at),
            (tlv::HMAC, _) => return Integrity::Failed,
            (tlv::EXTRA_PADDING, _) | (_, None) => {}
            (_, Some(_)) => return Integrity::Failed,
        }
        (at, count) = (at + len, count + 1);
    }
    let is_padding = tlv::first(rest).is_some_and(|(kind, _)| kind == tlv::EXTRA_PADDING);
    let Some(place) = place else {
        return if count == 1 && is_padding { Integrity::NotNeeded } else { Integrity::Failed };
    };
    let tag = rest.get(place + tlv::HEADER..).and_then(<[u8]>::first_chunk);
    match tag {
        Some(tag) if key.verify(&[&sequence.to_be_bytes(), &rest[..place]], tag) => Integrity::Proven(place),
        _ => Integrity::Failed,
    }
}

/// Writes the proof for the answer of that number.
pub(crate) fn prove(key: &Key, sequence: u32, rest: &mut [u8], place: usize) -> Option<()> {
    let (before, own) = rest.split_at_mut_checked(place)?;
    let tag = own.get_mut(tlv::HEADER..).and_then(<[u8]>::first_chunk_mut)?;
    *tag = key.tag(&[&sequence.to_be_bytes(), before]);
    Some(())
}

/// All extensions go back as they came, and say that they are not proven.
pub(crate) fn mark(mut rest: &mut [u8]) {
    while let Some(next) = tlv::split_first(&mut rest) {
        match next {
            Ok(next) => *next.flags = tlv::INTEGRITY,
            Err(bytes) => {
                if let Some(first) = bytes.first_mut() {
                    *first = tlv::INTEGRITY | tlv::MALFORMED;
                }
                return;
            }
        }
    }
}
