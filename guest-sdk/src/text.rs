//! A short text without a heap.

use core::fmt;

/// A text of at most `N` bytes; what does not fit is cut.
///
/// Its own `push` methods need none of `core::fmt`, which is larger than most modules; [`fmt::Write`] is there for those
/// who want it all the same.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// An empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// Appends `part`, cut at a character's boundary where it does not fit.
    pub fn push(&mut self, part: &str) -> &mut Self {
        let mut take = part.len().min(N.saturating_sub(self.len));
        while !part.is_char_boundary(take) {
            take -= 1;
        }
        let target = self.bytes.get_mut(self.len..self.len + take);
        if let (Some(target), Some(source)) = (target, part.as_bytes().get(..take)) {
            target.copy_from_slice(source);
            self.len += take;
        }
        self
    }

    /// Appends a number in decimal digits.
    pub fn push_number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(core::str::from_utf8(&digits[at..]).unwrap_or_default())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> From<&str> for Text<N> {
    fn from(text: &str) -> Self {
        let mut new = Self::new();
        new.push(text);
        new
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part);
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn numbers_and_texts_are_joined() {
        let mut text = Text::<32>::new();
        text.push("size ").push_number(0).push(" of ").push_number(u64::MAX);
        assert_eq!(text.as_str(), "size 0 of 18446744073709551615");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut text = Text::<4>::new();
        text.push("abc").push("é");
        assert_eq!(text.as_str(), "abc");
        text.push("d");
        assert_eq!(text.as_str(), "abcd");
    }
}
