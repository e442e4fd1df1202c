//! One stream: a template, what varies in it, and its sizes.

use crate::config::{Checksums, VARY_MAX};
use crate::headers::{Headers, Rest};
use perigee_guest::config::List;
use perigee_guest::vary::{Draw, Program, Spec, Values};
use perigee_guest::{Lcg64, Refusal, Setup};

/// Longest template.
const TEMPLATE_MAX: usize = 1536;
/// Shortest frame, without frame check sequence.
pub(crate) const FRAME_MIN: usize = 60;
/// Values of all lists in a stream's `vary`.
const VALUES_MAX: usize = 128;

/// A stream.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    template: [u8; TEMPLATE_MAX],
    /// Length of packets where it does not vary.
    len: u16,
    headers: Headers,
    program: Program<VARY_MAX, VALUES_MAX>,
    sizes: Option<Sizes>,
    checksums: Checksums,
    rest: Option<Rest>,
}

/// Lengths that vary, and their bounds.
#[derive(Clone, Copy)]
struct Sizes {
    draw: Values<32>,
    least: u16,
    most: u16,
}

impl Stream {
    pub(crate) fn new(
        packet: &str,
        vary: &List<Spec<'_>, VARY_MAX>,
        sizes: Option<&Spec<'_>>,
        checksums: Checksums,
        setup: &Setup<'_>,
    ) -> Result<Self, Refusal> {
        let mut template = [0; TEMPLATE_MAX];
        let len = read_hex(packet, &mut template)?;
        let headers = Headers::find(template.get(..len).unwrap_or_default());
        let program = Program::new(vary, &|field| headers.place(field), setup.instance())?;
        let frame = len.max(FRAME_MIN);
        let most = u16::try_from(setup.room_len()).unwrap_or(u16::MAX);
        let frame_len = u16::try_from(frame).unwrap_or(u16::MAX);
        if most < frame_len {
            return Err(Refusal::new("packet: longer than a room of this run"));
        }
        if program.end() as usize > frame && sizes.is_none() {
            return Err(Refusal::new("vary: an item is behind the packet's end"));
        }
        let sizes = match sizes {
            Some(spec) => {
                let least = u16::try_from(headers.len().max(FRAME_MIN)).unwrap_or(u16::MAX);
                Some(Sizes { draw: Values::new(spec, setup.instance()).map_err(in_sizes)?, least, most })
            }
            None => None,
        };
        let mut stream = Self { template, len: frame_len, headers, program, sizes, checksums, rest: None };
        stream.fix_template(frame);
        Ok(stream)
    }

    /// Makes the template right, and sums up the part of it that never changes.
    fn fix_template(&mut self, frame: usize) {
        let Some(bytes) = self.template.get_mut(..frame) else { return };
        if self.checksums == Checksums::Software {
            self.headers.write_checksums(bytes, None);
            if self.sizes.is_none() {
                self.rest = self.headers.rest(bytes, self.program.end() as usize);
            }
        }
    }

    /// Length of the next packet.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "within the bounds, which have 16 bits")]
    pub(crate) fn next_len(&mut self, random: &mut Lcg64) -> u16 {
        match &mut self.sizes {
            Some(sizes) => sizes.draw.next(random).clamp(sizes.least.into(), sizes.most.into()) as u16,
            None => self.len,
        }
    }

    /// The length of all packets, where there is only one.
    pub(crate) fn only_len(&self) -> Option<u16> {
        if self.sizes.is_none() { Some(self.len) } else { None }
    }

    /// Whether packets differ.
    pub(crate) fn varies(&self) -> bool {
        self.sizes.is_some() || !self.program.is_empty()
    }

    /// Writes the template, and zeros behind it.
    #[inline]
    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let len = bytes.len().min(TEMPLATE_MAX);
        let (head, tail) = bytes.split_at_mut(len);
        head.copy_from_slice(self.template.get(..len).unwrap_or_default());
        tail.fill(0);
    }

    /// Writes what is new in the next packet, over the template.
    #[inline]
    pub(crate) fn vary(&mut self, bytes: &mut [u8], random: &mut Lcg64) {
        if self.sizes.is_some() {
            self.headers.write_lengths(bytes);
        } else if self.program.is_empty() {
            return;
        }
        self.program.apply(bytes, random);
        if self.checksums == Checksums::Software {
            self.headers.write_checksums(bytes, self.rest);
        }
    }

    /// The checksums that are asked of the way out.
    #[inline]
    pub(crate) fn asked(&self) -> (u32, u8, u8) {
        self.headers.asked()
    }
}

fn in_sizes(refusal: Refusal) -> Refusal {
    Refusal::from_parts(&["sizes: ", refusal.text().as_str()])
}

/// Reads pairs of hexadecimal digits; white space and colons between them do not count.
fn read_hex(text: &str, bytes: &mut [u8]) -> Result<usize, Refusal> {
    let mut digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':');
    let mut len = 0;
    while let Some(high) = digits.next() {
        let low = digits.next().and_then(digit);
        let (Some(high), Some(low)) = (digit(high), low) else {
            return Err(Refusal::new("packet: expected pairs of hexadecimal digits"));
        };
        let place = bytes.get_mut(len);
        *place.ok_or_else(|| Refusal::new("packet: longer than 1536 bytes (sizes can make packets longer)"))? =
            high << 4 | low;
        len += 1;
    }
    if len < 14 { Err(Refusal::new("packet: shorter than the 14 bytes of an Ethernet header")) } else { Ok(len) }
}

#[allow(clippy::cast_possible_truncation, reason = "a digit is below 16")]
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
