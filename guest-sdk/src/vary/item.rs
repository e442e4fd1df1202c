//! One item of a program: where its values come from.

mod make;
mod plan;

use super::place::Write;
use super::spec::Spec;
use super::{Clients, Draw, Normal, Place, Repeatable, Shuffle, Steps, Uniform, Zipf, weighted};
use crate::{Lcg64, Refusal};
use core::ops::Range;
pub(super) use make::largest;
use make::{share, source, space, swapped};

/// A draw and what becomes of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    source: Source,
    view: View,
    /// Turns that a value stays for beside its first one, and those that are left of them. Every packet brings a turn, or the
    /// end of the round of the item that is carried from.
    times: u32,
    left: u32,
    /// Turns from one packet of this instance to its next, and those that the first packet brings.
    every: u64,
    first: u64,
    /// The item that lets this one move on.
    carry: Option<usize>,
    /// Rounds that ended between the packet before and this one.
    wrapped: u64,
    /// Whether the value is the last of a round, and the next packet begins a new one.
    pub(super) ended: bool,
    /// The value; of clients also the port and the MAC address.
    drawn: [u64; 3],
    add: u64,
    shift: i8,
    /// Bits whose bytes are turned round.
    swapped: u32,
    /// Whether each packet gets a new value, written as it is, and nobody waits for a round's end.
    is_plain: bool,
    pub(super) write: Option<Write>,
}

/// What a value is found by: mostly an index from 0.
#[derive(Clone, Copy, Debug)]
enum Source {
    Steps(Steps),
    Uniform(Uniform),
    Shuffle(Shuffle),
    Repeatable(Repeatable<Uniform>),
    Zipf(Zipf),
    Normal {
        normal: Normal,
        last: u64,
    },
    /// A table in the pool.
    Weighted {
        first: usize,
        len: usize,
    },
    /// A part of what an earlier item drew.
    Earlier {
        item: usize,
        part: usize,
    },
    /// The packet's length.
    Length,
}

/// How an index becomes a value.
#[derive(Clone, Copy, Debug)]
enum View {
    Range {
        base: u64,
        step: u64,
    },
    /// Values in the pool.
    List {
        first: usize,
    },
    Clients(Clients),
}

/// Values and tables of all items.
pub(super) struct Pool<'p> {
    pub(super) values: &'p mut [u64],
    pub(super) used: &'p mut usize,
}

impl Pool<'_> {
    fn push(&mut self, values: impl Iterator<Item = u64>) -> Result<Range<usize>, Refusal> {
        let first = *self.used;
        for value in values {
            let place = self.values.get_mut(*self.used);
            *place.ok_or_else(|| Refusal::new("values: more in all lists than this module has room for"))? = value;
            *self.used += 1;
        }
        Ok(first..*self.used)
    }
}

/// What an item is made of beside its own configuration.
pub(super) struct Surroundings<'s> {
    pub(super) place: Option<Place>,
    pub(super) instance: (u32, u32),
    /// The item that is carried from.
    pub(super) carry: Option<usize>,
    /// The item, and the part of it, that `of` names.
    pub(super) of: Option<(usize, usize)>,
    pub(super) pool: Pool<'s>,
}

impl Item {
    pub(super) fn new(spec: &Spec<'_>, mut around: Surroundings<'_>) -> Result<Self, Refusal> {
        let (source, view) = if let Some((item, part)) = around.of {
            (Source::Earlier { item, part }, View::Range { base: 0, step: 1 })
        } else if spec.of.is_some() {
            (Source::Length, View::Range { base: 0, step: 1 })
        } else {
            let (view, last) = space(spec, &mut around)?;
            (source(spec, last, &mut around)?, view)
        };
        let times = spec.times.unwrap_or(1).saturating_sub(1);
        let swapped = swapped(spec, around.place)?;
        // Where a value stays for several packets, these are counted over all instances.
        let (instance, instances) = if times != 0 && source.has_rounds() { share(spec, &around) } else { (0, 1) };
        Ok(Self {
            source,
            view,
            times,
            left: 0,
            every: instances.into(),
            first: u64::from(instance) + 1,
            carry: around.carry,
            wrapped: 0,
            ended: false,
            drawn: [0; 3],
            add: spec.add.cast_unsigned(),
            shift: spec.shift.clamp(-63, 63),
            swapped,
            is_plain: times == 0 && around.carry.is_none() && spec.add == 0 && spec.shift == 0 && swapped == 0,
            write: around.place.map(|place| Write::new(place, spec.mask.map_or(u64::MAX, |mask| mask.number))),
        })
    }

    /// An item that writes nothing.
    pub(super) const EMPTY: Self = Self {
        source: Source::Length,
        view: View::Range { base: 0, step: 0 },
        times: 0,
        left: 0,
        every: 1,
        first: 1,
        carry: None,
        wrapped: 0,
        ended: false,
        drawn: [0; 3],
        add: 0,
        shift: 0,
        swapped: 0,
        is_plain: false,
        write: None,
    };

    /// An item that writes the same number always.
    pub(super) fn constant(place: Place, number: u64) -> Self {
        Self { add: number, write: Some(Write::new(place, u64::MAX)), ..Self::EMPTY }
    }

    /// Has the end of each round noticed, for those that carry.
    pub(super) fn watch_rounds(&mut self) {
        self.is_plain = false;
    }

    /// Draws for a packet of `len` bytes: the number that is written.
    ///
    /// What is drawn most often is compiled into the caller's loop; the rest is called, and gets a copy of the generator, so
    /// that the generator itself stays out of memory.
    #[inline(always)]
    pub(super) fn draw(&mut self, earlier: &[Self], pool: &[u64], len: usize, random: &mut Lcg64) -> u64 {
        if self.is_plain
            && let View::Range { base, step } = self.view
        {
            let index = match &mut self.source {
                Source::Steps(steps) => Some(steps.next(random)),
                Source::Uniform(uniform) => uniform.next_narrow(random),
                _ => None,
            };
            if let Some(index) = index {
                let value = base.wrapping_add(index.wrapping_mul(step));
                self.drawn[0] = value;
                return value;
            }
        }
        let (value, then) = self.draw_in_turn(earlier, pool, len, *random);
        *random = then;
        value
    }

    #[inline(never)]
    fn draw_in_turn(&mut self, earlier: &[Self], pool: &[u64], len: usize, mut random: Lcg64) -> (u64, Lcg64) {
        let first = core::mem::take(&mut self.first);
        let turns = match self.carry {
            Some(carry) => earlier.get(carry).map_or(0, |item| item.wrapped) + first,
            None if first != 0 => first,
            None => self.every,
        };
        self.wrapped = 0;
        match turns.checked_sub(u64::from(self.left) + 1) {
            None => self.left -= u32::try_from(turns).unwrap_or(self.left),
            Some(beyond) => {
                let each = u64::from(self.times) + 1;
                let (more, rest) = if beyond < each { (0, beyond) } else { (beyond / each, beyond % each) };
                self.left = self.times - u32::try_from(rest).unwrap_or(self.times);
                self.wrapped = self.source.go_on(more);
                self.renew(earlier, pool, len, &mut random);
            }
        }
        self.ended = self.left == 0 && self.source.ended();
        let value = self.drawn[0].wrapping_add(self.add);
        let value = if self.shift < 0 { value >> -self.shift } else { value << self.shift };
        (if self.swapped == 0 { value } else { value.swap_bytes() >> (64 - self.swapped) }, random)
    }

    #[inline]
    fn renew(&mut self, earlier: &[Self], pool: &[u64], len: usize, random: &mut Lcg64) {
        let index = match &mut self.source {
            Source::Steps(steps) => steps.next(random),
            Source::Uniform(uniform) => uniform.next(random),
            Source::Shuffle(shuffle) => shuffle.next(random),
            Source::Repeatable(repeatable) => repeatable.next(random),
            Source::Zipf(zipf) => zipf.next(random),
            Source::Normal { normal, last } => rounded(normal.next(random)).min(*last),
            Source::Weighted { first, len } => pool.get(*first..*first + *len).map_or(0, |t| weighted::pick(t, random)),
            Source::Earlier { item, part } => {
                earlier.get(*item).and_then(|item| item.drawn.get(*part)).copied().unwrap_or_default()
            }
            Source::Length => len as u64,
        };
        match &self.view {
            View::Range { base, step } => self.drawn[0] = base.wrapping_add(index.wrapping_mul(*step)),
            View::List { first } => {
                let place = usize::try_from(index).map_or(usize::MAX, |index| first.saturating_add(index));
                self.drawn[0] = pool.get(place).copied().unwrap_or_default();
            }
            View::Clients(clients) => {
                let flow = clients.flow(index);
                self.drawn = [flow.address, flow.port.into(), flow.mac];
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, which is what is wanted")]
pub(super) fn rounded(x: f64) -> u64 {
    (x + 0.5) as u64
}

impl Source {
    /// Whether values come in rounds, which instances share.
    fn has_rounds(&self) -> bool {
        matches!(self, Self::Steps(_) | Self::Shuffle(_) | Self::Repeatable(_))
    }

    /// Leaves out `more` values. Returns how many rounds end before the next one, since the one drawn last.
    #[inline]
    fn go_on(&mut self, more: u64) -> u64 {
        match self {
            Self::Steps(steps) => steps.go_on(more),
            Self::Shuffle(shuffle) => shuffle.steps().go_on(more),
            Self::Repeatable(repeatable) => repeatable.steps().go_on(more),
            _ => 0,
        }
    }

    #[inline]
    fn ended(&self) -> bool {
        match self {
            Self::Steps(steps) => steps.ended(),
            Self::Shuffle(shuffle) => shuffle.ended(),
            Self::Repeatable(repeatable) => repeatable.ended(),
            _ => false,
        }
    }
}
