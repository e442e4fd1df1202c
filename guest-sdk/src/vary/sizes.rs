//! Mixes of packet sizes.

use crate::Refusal;

/// What the frame check sequence adds to a frame on the wire; sizes here are without it, as everywhere in Perigee.
const FCS: u64 = 4;
/// Most sizes of a mix.
pub const MIX_MAX: usize = 16;

/// A mix of packet sizes: which, and in what order or how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    sizes: [u64; MIX_MAX],
    weights: [u32; MIX_MAX],
    len: usize,
    is_ordered: bool,
}

impl Mix {
    /// A mix by its name, or by its genome of RFC 6985, such as `"aaaaaaaddddg"`: a letter for each packet, repeated in
    /// this order.
    ///
    /// | Name | Sizes without frame check sequence | Weights |
    /// |---|---|---|
    /// | `simple` | 60, 566, 1514 (on the wire 64, 570, 1518) | 7, 4, 1 |
    /// | `trex` | 60, 590, 1514 | 28, 16, 4 |
    /// | `moongen` | 68, 574, 1518 | 7, 4, 1 |
    ///
    /// The letters a to j of a genome are 64, 128, 256, 512, 1024, 1280, 1518, 2112, 9000 and 16000 bytes on the wire, z
    /// is an MTU of 1500 bytes.
    ///
    /// # Errors
    ///
    /// The text is neither a name nor a genome of at most 16 letters.
    pub fn named(name: &str) -> Result<Self, Refusal> {
        match name {
            "simple" => Ok(Self::weighted(&[(60, 7), (566, 4), (1514, 1)])),
            "trex" => Ok(Self::weighted(&[(60, 28), (590, 16), (1514, 4)])),
            "moongen" => Ok(Self::weighted(&[(68, 7), (574, 4), (1518, 1)])),
            _ => Self::genome(name),
        }
    }

    fn weighted(parts: &[(u64, u32)]) -> Self {
        let mut mix = Self { sizes: [0; MIX_MAX], weights: [0; MIX_MAX], len: 0, is_ordered: false };
        for &(size, weight) in parts {
            mix.push(size, weight);
        }
        mix
    }

    fn genome(letters: &str) -> Result<Self, Refusal> {
        let mut mix = Self::weighted(&[]);
        mix.is_ordered = true;
        for letter in letters.bytes() {
            let Some(size) = size_of(letter).filter(|_| mix.len < MIX_MAX) else { return Err(unknown(letters)) };
            mix.push(size, 1);
        }
        if mix.len == 0 { Err(unknown(letters)) } else { Ok(mix) }
    }

    fn push(&mut self, size: u64, weight: u32) {
        if let (Some(place), Some(share)) = (self.sizes.get_mut(self.len), self.weights.get_mut(self.len)) {
            (*place, *share) = (size, weight);
            self.len += 1;
        }
    }

    /// The sizes in bytes, without frame check sequence.
    #[must_use]
    pub fn sizes(&self) -> &[u64] {
        self.sizes.get(..self.len).unwrap_or_default()
    }

    /// How often each size comes.
    #[must_use]
    pub fn weights(&self) -> &[u32] {
        self.weights.get(..self.len).unwrap_or_default()
    }

    /// Whether the sizes come in their order, as a genome's do, rather than at random.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::from_parts(&[
        "imix: \"",
        name,
        "\" is neither simple, trex or moongen nor a genome of 1 to 16 of the letters a to j and z (RFC 6985)",
    ])
}

/// RFC 6985, section 4: sizes with frame check sequence, taken off here.
fn size_of(letter: u8) -> Option<u64> {
    let wire = match letter {
        b'a' => 64,
        b'b' => 128,
        b'c' => 256,
        b'd' => 512,
        b'e' => 1024,
        b'f' => 1280,
        b'g' | b'z' => 1518,
        b'h' => 2112,
        b'i' => 9000,
        b'j' => 16_000,
        _ => return None,
    };
    Some(wire - FCS)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_and_genomes() {
        let simple = Mix::named("simple").unwrap();
        assert_eq!(
            (simple.sizes(), simple.weights(), simple.is_ordered()),
            (&[60, 566, 1514][..], &[7, 4, 1][..], false)
        );
        let genome = Mix::named("aaadf").unwrap();
        assert_eq!((genome.sizes(), genome.is_ordered()), (&[60, 60, 60, 508, 1276][..], true));
        assert_eq!(Mix::named("bceghijz").unwrap().sizes(), [124, 252, 1020, 1514, 2108, 8996, 15_996, 1514]);
        for name in ["", "x", "aaA", "aaaaaaaaaaaaaaaaa", "\u{e9}"] {
            assert!(Mix::named(name).unwrap_err().to_string().starts_with("imix: \""), "{name}");
        }
    }

    use std::string::ToString as _;
}
