//! The new format, pcapng: blocks, in sections, of which each has interfaces of its own (draft-ietf-opsawg-pcapng).

use super::input::{Input, Order};
use super::reader::{MOST, Origin, Step, Taken};
use std::io::Read;

/// First bytes of a section, in either order.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Bytes around a block's body: type, length, and the length again.
const AROUND: u32 = 12;
/// A block that is looked into has no more: a packet's, with its options.
const MOST_BLOCK: u32 = 16 << 20;
/// A section has no more: they are kept, and a file could have little else.
const MOST_INTERFACES: usize = 65_536;
/// As much is kept of an interface's name.
const MOST_NAME: usize = 128;

/// The section that is being read.
#[derive(Debug)]
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
    /// Nothing was read yet.
    is_first: bool,
}

/// What packets were captured on.
#[derive(Clone, Debug)]
struct Interface {
    name: Box<[u8]>,
    link: u16,
    snap: u32,
    unit: Unit,
    /// Seconds that are added to its times.
    offset: i64,
}

/// The unit of an interface's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A second divided by ten to this power.
    Decimal(u8),
    /// By two to this power.
    Binary(u8),
}

impl Unit {
    /// As an interface's option says it.
    fn of(option: u8) -> Result<Self, String> {
        match (option & 0x80 == 0, option & 0x7f) {
            (true, power @ 0..=19) => Ok(Self::Decimal(power)),
            (false, power @ 0..=63) => Ok(Self::Binary(power)),
            (is_decimal, power) => {
                let base = if is_decimal { 10 } else { 2 };
                Err(format!("an interface's times are in units of {base}^-{power} s, which no number here holds"))
            }
        }
    }

    fn nanoseconds(self, time: u64) -> i128 {
        match self {
            Self::Decimal(power @ 0..=9) => i128::from(time) * 10_i128.pow(9 - u32::from(power)),
            Self::Decimal(power) => i128::from(time) / 10_i128.pow(u32::from(power) - 9),
            Self::Binary(power) => (i128::from(time) * 1_000_000_000) >> power,
        }
    }
}

impl Section {
    /// Before the first one.
    pub(super) fn none() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), is_first: true }
    }

    /// The next packet, whose block's body is in `body`.
    pub(super) fn next<R: Read>(&mut self, input: &mut Input<R>, body: &mut Vec<u8>) -> Result<Step, String> {
        loop {
            if input.left() == 0 {
                return Ok(Step::End);
            }
            let begin = input.at();
            let Some((kind, len)) = self.begin(input)? else { return Ok(Step::ended(input, begin)) };
            // Of a section's header four bytes were read.
            let read = if kind == SECTION { 4 } else { 0 };
            let rest = u64::from(len - AROUND).saturating_sub(read);
            let is_known = [SECTION, INTERFACE, OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET].contains(&kind);
            if is_known && len > MOST_BLOCK {
                return Err(format!("a block says that it has {len} bytes, and none has more than {MOST_BLOCK}"));
            }
            if rest + 4 > input.left() {
                return Ok(Step::Cut);
            }
            let whole = if is_known { input.read(rest, body)? } else { input.skip(rest)? };
            let end = if whole { input.array::<4>()? } else { None };
            let Some(end) = end else { return Ok(Step::Cut) };
            let again = self.order.u32(&end, 0);
            // Nobody else looks at the end of a file's first block, and there are files in which it is wrong.
            if !std::mem::take(&mut self.is_first) && again != len {
                return Err(format!("a block has {len} bytes by its beginning and {again} by its end"));
            }
            match kind {
                SECTION => self.section(body)?,
                INTERFACE => self.interface(body)?,
                ENHANCED_PACKET | OBSOLETE_PACKET => return self.packet(kind, body).map(Step::Packet),
                SIMPLE_PACKET => return self.simple(body).map(Step::Packet),
                _ => {}
            }
        }
    }

    /// Reads a block's type and length; `None` where the file ends before.
    fn begin<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<(u32, u32)>, String> {
        const MAGIC: u32 = 0x1a2b_3c4d;
        let Some(start) = input.array::<8>()? else { return Ok(None) };
        let kind = self.order.u32(&start, 0);
        if kind == SECTION {
            let Some(magic) = input.array::<4>()? else { return Ok(None) };
            let is = |order: &Order| order.u32(&magic, 0) == MAGIC;
            let order = [Order::Little, Order::Big].into_iter().find(is);
            self.order = order.ok_or("a section does not say in which order its bytes are")?;
            self.interfaces.clear();
        }
        let len = self.order.u32(&start, 4);
        let least = if kind == SECTION { AROUND + 16 } else { AROUND };
        if len < least || !len.is_multiple_of(4) {
            return Err(format!("a block says that it has {len} bytes, which none can have"));
        }
        Ok(Some((kind, len)))
    }

    fn section(&self, body: &[u8]) -> Result<(), String> {
        match (self.order.u16(body, 0), self.order.u16(body, 2)) {
            (1, _) => Ok(()),
            (major, minor) => Err(format!("a section has version {major}.{minor} of the format, and 1.x is known")),
        }
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        let Some(mut options) = body.get(8..) else { return Err("an interface's block is too short".to_owned()) };
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(format!("a section has more than {MOST_INTERFACES} interfaces"));
        }
        let order = self.order;
        let snap = order.u32(body, 4);
        let snap = if snap == 0 || i32::try_from(snap).is_err() { u32::MAX } else { snap };
        let mut new =
            Interface { name: Box::default(), link: order.u16(body, 0), snap, unit: Unit::Decimal(6), offset: 0 };
        while options.len() >= 4 {
            const END: u16 = 0;
            const NAME: u16 = 2;
            const RESOLUTION: u16 = 9;
            const OFFSET: u16 = 14;
            let (code, len) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
            let Some((value, rest)) = options[4..].split_at_checked(len) else {
                return Err(format!("an interface's option {code} is longer than its block"));
            };
            match (code, len) {
                (END, _) => break,
                (NAME, _) => new.name = value[..len.min(MOST_NAME)].into(),
                (RESOLUTION, 1) => new.unit = Unit::of(value[0])?,
                (OFFSET, 8) => new.offset = order.i64(value, 0),
                (RESOLUTION | OFFSET, _) => return Err(format!("an interface's option {code} has {len} bytes")),
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4) - len..).unwrap_or_default();
        }
        self.interfaces.push(new);
        Ok(())
    }

    fn of(&self, interface: u32) -> Result<&Interface, String> {
        let found = usize::try_from(interface).ok().and_then(|number| self.interfaces.get(number));
        found.ok_or_else(|| {
            let has = self.interfaces.len();
            format!("a packet is of interface {interface}, and so far the section has {has} (they count from 0)")
        })
    }

    fn packet(&self, kind: u32, body: &[u8]) -> Result<Taken, String> {
        const HEADER: usize = 20;
        if body.len() < HEADER {
            return Err("a packet's block is too short".to_owned());
        }
        let field = |at: usize| self.order.u32(body, at);
        // The obsolete block has 16 bits of it, and a count of drops beside.
        let number = if kind == ENHANCED_PACKET { field(0) } else { self.order.u16(body, 0).into() };
        let interface = self.of(number)?;
        let (captured, original) = (field(12), field(16));
        if captured as usize > body.len() - HEADER || captured > MOST {
            return Err(format!("a packet says that it has {captured} bytes, which its block has not"));
        }
        let time = interface.unit.nanoseconds(u64::from(field(4)) << 32 | u64::from(field(8)));
        let time = Some(time + i128::from(interface.offset) * 1_000_000_000);
        Ok(Taken { time, from: HEADER, len: captured as usize, original, link: interface.link, interface: number })
    }

    /// A packet without a time, of the first interface.
    fn simple(&self, body: &[u8]) -> Result<Taken, String> {
        const HEADER: usize = 4;
        let interface = self.of(0)?;
        let original = self.order.u32(body, 0);
        let captured = original.min(interface.snap);
        if body.len() < HEADER || captured as usize > body.len() - HEADER || captured > MOST {
            return Err(format!("a packet has {captured} bytes, which its block has not"));
        }
        let (len, link) = (captured as usize, interface.link);
        Ok(Taken { time: None, from: HEADER, len, original, link, interface: 0 })
    }

    /// What else is said of a packet whose block's body this is.
    pub(super) fn origin<'a>(&'a self, taken: &Taken, body: &'a [u8]) -> Origin<'a> {
        const COMMENT: u16 = 1;
        let interface = self.of(taken.interface).map_or(&[][..], |interface| &interface.name);
        // A simple packet has a time no more than options.
        let end = taken.from + taken.len.next_multiple_of(4);
        let mut options = body.get(end..).filter(|_| taken.time.is_some()).unwrap_or_default();
        while options.len() >= 4 {
            let (code, len) = (self.order.u16(options, 0), usize::from(self.order.u16(options, 2)));
            let Some((value, rest)) = options[4..].split_at_checked(len) else { break };
            match code {
                0 => break,
                COMMENT => return Origin { interface, comment: Some(value) },
                _ => options = rest.get(len.next_multiple_of(4) - len..).unwrap_or_default(),
            }
        }
        Origin { interface, comment: None }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn units_are_what_the_option_says() {
        let ns = |option: u8, time: u64| Unit::of(option).unwrap().nanoseconds(time);
        assert_eq!(ns(6, 1_700_000_000_123_456), 1_700_000_000_123_456_000);
        assert_eq!((ns(9, 5), ns(0, 3), ns(12, 1_999), ns(19, u64::MAX)), (5, 3_000_000_000, 1, 1_844_674_407));
        assert_eq!(
            (ns(0x80 | 10, 1_536), ns(0x80, 7), ns(0x80 | 63, u64::MAX)),
            (1_500_000_000, 7_000_000_000, 1_999_999_999)
        );
        assert!(Unit::of(20).is_err() && Unit::of(0x80 | 64).is_err());
    }
}
