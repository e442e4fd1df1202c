//! Programs as the host's compiler reads them.

use super::called;
use super::compiled::slot;
use super::item::Item;
use super::{Gaps, Program, Values, Weighted};
use crate::wire::checksum::{Asked, Prepared};
use crate::{Buffer, Full, Refusal};
use perigee_abi::fields::{self, Head, Length};

/// A plan for the host's compiler ([`perigee_abi::fields`]), written by [`crate::Module::fields`]: what all streams share, and then
/// each of them.
pub struct Plan<'p, 'b> {
    to: &'p mut Buffer<'b>,
}

/// The packets of a stream beside what its program varies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream<'s> {
    /// Length of all packets, where it does not vary.
    pub len: u16,
    /// How it is drawn, where it does.
    pub drawn: Option<DrawnLen<'s>>,
    /// Where headers say how long the packet is, as [`crate::wire::Places::lengths`] finds it.
    pub lengths: &'s [(u16, u16)],
    /// Checksums that are written behind the items.
    pub sums: Option<&'s Prepared>,
    /// What is asked of the way out.
    pub asked: Option<Asked>,
    /// Bytes that are written into each packet first, with zeros behind them; empty: they are there.
    pub template: &'s [u8],
}

/// How a packet's length is drawn.
#[derive(Clone, Copy, Debug)]
pub struct DrawnLen<'s> {
    item: &'s Item,
    used: usize,
    least: u16,
    most: u16,
    grid: (u16, u16),
}

impl<const VALUES: usize> Values<VALUES> {
    /// As lengths of packets, from `least` to `most`, so much more than a multiple of a unit: `grid` is `(unit, more)`.
    #[must_use]
    pub fn as_len(&self, least: u16, most: u16, grid: (u16, u16)) -> DrawnLen<'_> {
        DrawnLen { item: &self.item, used: self.used, least, most, grid }
    }
}

impl<'p, 'b> Plan<'p, 'b> {
    /// A plan of so many streams, with a choice between them and gaps behind them where there are any.
    ///
    /// # Errors
    ///
    /// The mailbox is too small.
    pub fn new<const N: usize>(
        to: &'p mut Buffer<'b>,
        streams: usize,
        choice: Option<&Weighted<N>>,
        gaps: Option<&Gaps>,
    ) -> Result<Self, Refusal> {
        let mut head = Head {
            slot: slot() as u64,
            called: called::slot() as u64,
            streams: streams as u64,
            choice: choice.map_or(0, |choice| choice.table().len() as u64),
            ..Head::default()
        };
        if let Some(gaps) = gaps {
            gaps.plan(&mut head);
        }
        push(to, fields::VERSION)?;
        fields::record(head.to_words(), |word| push(to, word))?;
        Ok(Self { to })
    }

    /// Adds a stream.
    ///
    /// # Errors
    ///
    /// The mailbox is too small, or an item is written behind the end of all packets.
    pub fn stream<const ITEMS: usize, const VALUES: usize>(
        &mut self,
        program: &Program<ITEMS, VALUES>,
        stream: &Stream<'_>,
    ) -> Result<(), Refusal> {
        let (items, sized) = (program.items.get(..program.len).unwrap_or_default(), stream.drawn.is_some());
        let asked = stream.asked.unwrap_or_default();
        let mut head = fields::Stream {
            len: stream.len.into(),
            least: stream.len.into(),
            most: stream.len.into(),
            unit: 1,
            full: stream.sums.map_or(stream.len.into(), Prepared::full),
            items: items.len() as u64 + u64::from(sized),
            lengths: stream.lengths.len() as u64,
            sums: stream.sums.map_or(0, Prepared::count) as u64,
            pool: program.used as u64,
            template: stream.template.len() as u64,
            template_words: words(stream.template).count() as u64,
            tx_flags: asked.flags.into(),
            l2_len: asked.l2_len.into(),
            l3_len: asked.l3_len.into(),
            ..fields::Stream::default()
        };
        if let Some(drawn) = stream.drawn {
            (head.is_sized, head.least, head.most) = (1, drawn.least.into(), drawn.most.into());
            (head.unit, head.more) = (drawn.grid.0.into(), drawn.grid.1.into());
            head.pool += drawn.used as u64;
        }
        fields::record(head.to_words(), |word| self.push(word))?;
        if let Some(drawn) = stream.drawn {
            // Its lists lie behind those of the program.
            let mut item = drawn.item.plan();
            (item.list, item.table) = (item.list + program.used as u64, item.table + program.used as u64);
            fields::record(item.to_words(), |word| self.push(word))?;
        }
        for item in items {
            let mut item = item.plan();
            if !sized && u64::from(stream.len) < item.first + item.width {
                return Err(Refusal::new("an item is written behind the packet's end"));
            }
            // The draw of the length is number 0.
            item.earlier += u64::from(sized && item.source == fields::source::EARLIER);
            item.carry += u64::from(sized && item.carry != 0);
            fields::record(item.to_words(), |word| self.push(word))?;
        }
        for &(at, less) in stream.lengths {
            fields::record(Length { at: at.into(), less: less.into() }.to_words(), |word| self.push(word))?;
        }
        if let Some(sums) = stream.sums {
            sums.plan(sized, &mut |word| self.push(word))?;
        }
        words(stream.template).try_for_each(|word| self.push(word))
    }

    fn push(&mut self, word: u64) -> Result<(), Refusal> {
        push(self.to, word)
    }
}

impl<const ITEMS: usize, const VALUES: usize> Program<ITEMS, VALUES> {
    /// Writes the plan of a single stream of this program: all packets are `len` bytes long, `sums` are written behind the items, and
    /// `asked` is asked of the way out. It runs by [`super::Compiled`].
    ///
    /// # Errors
    ///
    /// As [`Plan::stream`].
    pub fn plan(
        &self,
        len: u16,
        sums: Option<&Prepared>,
        asked: Option<Asked>,
        to: &mut Buffer<'_>,
    ) -> Result<(), Refusal> {
        let stream = Stream { len, sums, asked, ..Stream::default() };
        Plan::new::<0>(to, 1, None, None)?.stream(self, &stream)
    }
}

/// A template in words, without the zeros at its end.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let chunks = bytes.get(..used).unwrap_or_default().chunks(8);
    chunks.map(|chunk| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)))
}

#[inline(never)]
fn push(to: &mut Buffer<'_>, word: u64) -> Result<(), Refusal> {
    to.push(&word.to_le_bytes()).map_err(|Full| Refusal::new("its plan is too long for the mailbox"))
}

#[cfg(test)]
mod test {
    use crate::Lcg64;
    use crate::config::{List, from_json};
    use crate::vary::{Cells, Compiled, Kept, Program, Spec};

    const ITEMS: usize = 8;
    const VALUES: usize = 16;

    fn program(vary: &str, instance: (u32, u32)) -> Program<ITEMS, VALUES> {
        let vary: List<Spec<'_>, ITEMS> = from_json(vary.as_bytes()).unwrap();
        Program::new(&vary, &|_| unreachable!("no field has a name"), instance).unwrap()
    }

    #[test]
    fn a_program_goes_on_from_the_cells_of_another() {
        let vary = r#"[
            {"offset": 0, "name": "a", "to": 4}, {"offset": 1, "to": 200, "carry": "a"}, {"offset": 2, "to": 9, "times": 3},
            {"offset": 3, "bits": 16, "draw": "random", "times": 2}, {"offset": 5, "draw": "shuffle", "to": 99},
            {"offset": 6, "bits": 16, "draw": "repeatable", "period": 7}, {"offset": 8, "values": [3, 1, 4], "once": true}]"#;
        for packets in 0..40 {
            for instance in [(0, 1), (1, 3)] {
                let (mut one, mut other) = (program(vary, instance), program(vary, instance));
                let mut random = Lcg64::new(7);
                let mut bytes = [0; 16];
                (0..packets).for_each(|_| one.apply(&mut bytes, &mut random));
                let mut cells = [0; Compiled::<0>::cells(ITEMS, VALUES)];
                one.keep(&mut Cells::to_store(&mut cells, one.count()));
                other.keep(&mut Cells::to_load(&mut cells, other.count()));
                let mut again = random;
                for _ in 0..20 {
                    let mut beside = [0; 16];
                    one.apply(&mut bytes, &mut random);
                    other.apply(&mut beside, &mut again);
                    assert_eq!(bytes, beside, "{packets} packets, {instance:?}");
                }
            }
        }
    }
}
