//! Finds a secret in what a module says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use perigee_core::hex::hex;
use zeroize::{Zeroize, Zeroizing};

/// Bytes in a row by which a secret is known: of half of one no more is to be said than of the whole.
const PIECE: usize = size_of::<u64>();

/// All pieces of a secret in all forms in which it may be said, sorted.
pub(super) struct Veil(Zeroizing<Vec<u64>>);

impl Veil {
    pub(super) fn new(secret: &[u8]) -> Self {
        let mut digits = hex(secret);
        let mut pieces = Zeroizing::new(Vec::with_capacity(16 * secret.len()));
        add(&mut pieces, secret);
        add(&mut pieces, digits.as_bytes());
        digits.make_ascii_uppercase();
        add(&mut pieces, digits.as_bytes());
        digits.zeroize();
        // Where it stands in a longer text, base64 begins in one of three places of a group.
        for before in 0..3 {
            let whole = Zeroizing::new([&[0; 2][..before], secret].concat());
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let text = Zeroizing::new(engine.encode(&*whole));
                // The first characters have bits of what is before it.
                add(&mut pieces, text.as_bytes().get((8 * before).div_ceil(6)..).unwrap_or_default());
            }
        }
        pieces.sort_unstable();
        pieces.dedup();
        Self(pieces)
    }

    /// Stars for each byte of a piece. Allocates nothing.
    pub(super) fn hide(&self, bytes: &mut [u8]) {
        let mut hidden = 0;
        for at in 0..bytes.len() {
            // What is before here was looked at; what is behind is as it came.
            if bytes[at..].first_chunk().is_some_and(|piece| self.0.binary_search(&u64::from_ne_bytes(*piece)).is_ok())
            {
                hidden = at + PIECE;
            }
            if at < hidden {
                bytes[at] = b'*';
            }
        }
    }
}

/// The same byte eight times is no secret, and stands in much that has nothing to do with one.
fn add(pieces: &mut Vec<u64>, form: &[u8]) {
    let pieces_of = form.windows(PIECE).filter(|piece| piece.iter().any(|byte| *byte != piece[0]));
    pieces.extend(pieces_of.filter_map(|piece| piece.first_chunk().copied().map(u64::from_ne_bytes)));
}
