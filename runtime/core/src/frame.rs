//! Frames, to be looked at by rules and filters: byte by byte, for somebody may write into one meanwhile.

/// A frame that can be looked at.
pub trait Frame {
    /// Its bytes, those of a tag that was taken off included.
    fn len(&self) -> u32;

    /// It has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `N` bytes at `at`; `None` where they do not all lie in it.
    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]>;

    /// A number of two bytes.
    #[inline]
    fn u16(&self, at: u32) -> Option<u16> {
        self.bytes(at).map(u16::from_be_bytes)
    }

    /// A number of four bytes.
    #[inline]
    fn u32(&self, at: u32) -> Option<u32> {
        self.bytes(at).map(u32::from_be_bytes)
    }
}

impl Frame for [u8] {
    fn len(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        self.get(usize::try_from(at).ok()?..)?.first_chunk().copied()
    }
}
