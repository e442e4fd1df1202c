//! The old format, pcap: a header of 24 bytes, then records (draft-ietf-opsawg-pcap), each with a header of 16.

use super::input::{Input, Order};
use super::reader::{MOST, Step, Taken};
use std::io::Read;

/// Bytes of the file's header.
pub(super) const HEADER: u64 = 24;

/// The file's header.
#[derive(Debug)]
pub(super) struct Header {
    order: Order,
    /// Nanoseconds in a unit of the times' fractions.
    unit: u32,
    /// Bytes of a record's header.
    record: u64,
    snap: u32,
    link: u16,
    lengths: Lengths,
}

/// In which order a record's two lengths stand: some versions of before 1998 had the original one first.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    Usual,
    Swapped,
    /// Whichever is smaller is the captured one.
    Either,
}

impl Header {
    /// Reads it; `None` where the file does not begin as one does.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        /// In the old format's first four bytes: the unit of times, and the length of records' headers.
        const MAGIC: [(u32, u32, u64); 3] = [(0xa1b2_c3d4, 1_000, 16), (0xa1b2_3c4d, 1, 16), (0xa1b2_cd34, 1_000, 24)];
        let is = |order: Order| MAGIC.into_iter().find(|(magic, ..)| order.u32(bytes, 0) == *magic);
        let found = [Order::Little, Order::Big].into_iter().find_map(|order| Some((order, is(order)?)));
        let Some((order, (_, unit, record))) = found else { return Ok(None) };
        let lengths = match (order.u16(bytes, 4), order.u16(bytes, 6)) {
            (2, 4) => Lengths::Usual,
            (2, 3) => Lengths::Either,
            (2, 0..3) | (543, 0) => Lengths::Swapped,
            (major, minor) => {
                return Err(format!("has version {major}.{minor} of the format, and 2.4 is the last one"));
            }
        };
        let snap = order.u32(bytes, 16);
        let snap = if snap == 0 || i32::try_from(snap).is_err() { MOST } else { snap };
        Ok(Some(Self { order, unit, record, snap, link: order.u16(bytes, order.low_half(20)), lengths }))
    }

    /// The next record; its packet's bytes are in `body`.
    pub(super) fn next<R: Read>(&self, input: &mut Input<R>, body: &mut Vec<u8>) -> Result<Step, String> {
        if input.left() == 0 {
            return Ok(Step::End);
        }
        let begin = input.at();
        if !input.read(self.record, body)? {
            return Ok(Step::ended(input, begin));
        }
        let field = |at: usize| self.order.u32(body, at);
        let time = i128::from(field(0)) * 1_000_000_000 + i128::from(field(4)) * i128::from(self.unit);
        let (first, second) = (field(8), field(12));
        let (captured, original) = match self.lengths {
            Lengths::Usual => (first, second),
            Lengths::Swapped => (second, first),
            Lengths::Either => (first.min(second), first.max(second)),
        };
        if captured > MOST {
            return Err(format!("a record says that it has {captured} bytes, and none has more than {MOST}"));
        }
        if !input.read(captured.into(), body)? {
            return Ok(Step::Cut);
        }
        body.truncate(captured.min(self.snap) as usize);
        Ok(Step::Packet(Taken { time: Some(time), from: 0, len: body.len(), original, link: self.link, interface: 0 }))
    }
}

impl Order {
    /// Where the lower 16 bits of the number of 32 at that place stand: above a link type are flags.
    fn low_half(self, at: usize) -> usize {
        if self == Self::Big { at + 2 } else { at }
    }
}
