//! HdrHistogram's format V2, not compressed.
//!
//! A header of 40 bytes, big-endian (cookie, length of what follows it, offset 0, digits, lowest, highest, the ratio 1.0
//! as a float), then numbers: a positive one is the count of the next bucket, a negative one skips so many empty buckets.
//! They are zig-zag encoded and written in groups of 7 bits, a ninth byte whole (LEB128-64b9B).

use super::{BadHistogram, Histogram};

const COOKIE: u32 = 0x1c84_9313;
const HEADER_LEN: usize = 40;
/// Longest number.
const NUMBER_LEN: usize = 9;

impl Histogram {
    /// Writes the histogram in HdrHistogram's format V2, in small parts. In a module's `message`:
    ///
    /// ```
    /// # use perigee_guest::{Buffer, Refusal, state::Histogram};
    /// # fn message(gaps: &Histogram, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    /// gaps.encode(|part| reply.push(part))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counts above 2^63 - 1 are written as that, which the format ends at.
    ///
    /// # Errors
    ///
    /// Those of `push`.
    pub fn encode<E>(&self, mut push: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut len = 0_u32;
        for number in self.numbers() {
            let (_, number_len) = encode_number(number);
            len = len.saturating_add(u32::try_from(number_len).unwrap_or(0));
        }
        push(&COOKIE.to_be_bytes())?;
        push(&len.to_be_bytes())?;
        push(&0_u32.to_be_bytes())?;
        push(&u32::from(self.shape.digits).to_be_bytes())?;
        push(&self.shape.lowest.to_be_bytes())?;
        push(&self.shape.highest.to_be_bytes())?;
        push(&1.0_f64.to_be_bytes())?;
        for number in self.numbers() {
            let (bytes, len) = encode_number(number);
            push(bytes.get(..len).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Counts what was counted in another histogram of this shape, from its encoded form: a state that was saved, or the
    /// part of another instance.
    ///
    /// # Errors
    ///
    /// The bytes are not such a histogram; nothing was counted.
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), BadHistogram> {
        let numbers = self.payload(bytes).ok_or(BadHistogram::Encoding)?;
        // All is checked before anything is counted.
        self.decode(numbers, |_, _| ()).ok_or(BadHistogram::Encoding)?;
        let mut counts = core::mem::take(&mut self.counts);
        let mut total = self.total;
        let done = self.decode(numbers, |index, count| {
            if let Some(place) = counts.get_mut(index) {
                *place = place.saturating_add(count);
                total = total.saturating_add(count);
            }
        });
        (self.counts, self.total) = (counts, total);
        done.ok_or(BadHistogram::Encoding)
    }

    /// The numbers of an encoded histogram of the same shape.
    fn payload<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (header, numbers) = bytes.split_at_checked(HEADER_LEN)?;
        let word = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let long = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        let shape = self.shape;
        let is_ours = word(0)? == COOKIE
            && word(8)? == 0
            && word(12)? == u32::from(shape.digits)
            && (long(16)?, long(24)?, long(32)?) == (shape.lowest, shape.highest, 1.0_f64.to_bits());
        numbers.get(..word(4)? as usize).filter(|_| is_ours)
    }

    /// Gives each bucket that is not empty to `each`. Nothing where the numbers make no sense.
    fn decode(&self, mut numbers: &[u8], mut each: impl FnMut(usize, u64)) -> Option<()> {
        let (mut index, buckets) = (0_usize, self.shape.buckets());
        while !numbers.is_empty() {
            let number = decode_number(&mut numbers)?;
            match u64::try_from(number) {
                Ok(count) => {
                    if index >= buckets {
                        return None;
                    }
                    each(index, count);
                    index += 1;
                }
                Err(_) => index = index.checked_add(usize::try_from(number.unsigned_abs()).ok()?)?,
            }
        }
        (index <= buckets).then_some(())
    }

    /// The counts up to the last one that is not 0, and the lengths of runs of zeros as negative numbers.
    fn numbers(&self) -> impl Iterator<Item = i64> {
        let end = self.counts.iter().rposition(|&count| count > 0).map_or(1, |last| last + 1);
        let mut rest = self.counts.get(..end).unwrap_or_default();
        core::iter::from_fn(move || {
            let zeros = rest.iter().take_while(|&&count| count == 0).count();
            let (count, behind) = rest.get(zeros.max(1) - 1..)?.split_first()?;
            rest = behind;
            // A single zero is a count like any other.
            Some(if zeros > 1 { -i64::try_from(zeros).ok()? } else { i64::try_from(*count).unwrap_or(i64::MAX) })
        })
    }
}

/// A number as bytes, and how many.
#[allow(clippy::cast_possible_truncation, reason = "the lower bits are what is wanted")]
fn encode_number(number: i64) -> ([u8; NUMBER_LEN], usize) {
    // 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = [0; NUMBER_LEN];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if at == NUMBER_LEN - 1 || rest < 0x80 {
            *byte = rest as u8;
            return (bytes, at + 1);
        }
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    (bytes, NUMBER_LEN)
}

/// Reads a number off the front.
fn decode_number(bytes: &mut &[u8]) -> Option<i64> {
    let mut raw = 0_u64;
    for at in 0..NUMBER_LEN {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let is_last = at == NUMBER_LEN - 1;
        let part = if is_last { byte } else { byte & 0x7f };
        raw |= u64::from(part) << (7 * at);
        if is_last || byte < 0x80 {
            break;
        }
    }
    Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}
