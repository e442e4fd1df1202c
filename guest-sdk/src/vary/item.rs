//! One item of a program: where its values come from.

use super::place::Write;
use super::spec::{Order, Spec};
use super::{Clients, Draw, Normal, Place, Repeatable, Shuffle, Steps, Uniform, Zipf, weighted};
use crate::{Lcg64, Refusal};
use core::ops::Range;

/// A draw and what becomes of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    source: Source,
    view: View,
    times: u32,
    left: u32,
    /// Whether the next packet gets a new value.
    due: bool,
    /// The item that lets this one move on.
    carry: Option<usize>,
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
        Ok(Self {
            source,
            view,
            times,
            left: 0,
            due: true,
            carry: around.carry,
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
        due: true,
        carry: None,
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
        if self.due {
            if self.left != 0 {
                self.left -= 1;
            } else {
                self.left = self.times;
                self.renew(earlier, pool, len, &mut random);
            }
        }
        self.due = self.carry.is_none_or(|carry| earlier.get(carry).is_some_and(|item| item.ended));
        self.ended = self.due && self.left == 0 && self.source.ended();
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
fn rounded(x: f64) -> u64 {
    (x + 0.5) as u64
}

impl Source {
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

/// How indexes become values, and the largest index.
fn space(spec: &Spec<'_>, around: &mut Surroundings<'_>) -> Result<(View, u64), Refusal> {
    if let Some(clients) = &spec.clients {
        let mut ports = clients.ports.iter().copied();
        let (first, last) = match (ports.next(), ports.next()) {
            (Some(first), Some(last)) => (first, last),
            (None, _) => (1024, u16::MAX),
            _ => return Err(Refusal::new("clients.ports: expected the first and the last port")),
        };
        let mut range = Clients::new(clients.from.number, clients.to.number, first, last)?;
        if let Some(flows) = clients.flows {
            range = range.limit(flows)?;
        }
        range = range.macs_from(clients.macs.map_or(0, |mac| mac.number));
        check_fits(spec, around.place, clients.to.number)?;
        return Ok((View::Clients(range), range.flows() - 1));
    }
    if spec.values.iter().next().is_some() {
        let list = around.pool.push(spec.values.iter().map(|value| value.number))?;
        for value in spec.values.iter() {
            check_fits(spec, around.place, value.number)?;
        }
        return Ok((View::List { first: list.start }, list.len() as u64 - 1));
    }
    if let Some(name) = spec.imix {
        let mix = super::Mix::named(name)?;
        let list = around.pool.push(mix.sizes().iter().copied())?;
        return Ok((View::List { first: list.start }, list.len() as u64 - 1));
    }
    let (from, to, step) = range(spec, around.place)?;
    check_fits(spec, around.place, to)?;
    check_fits(spec, around.place, from)?;
    let base = if step > 0 { from } else { to };
    Steps::new(from, to, step)?;
    Ok((View::Range { base, step: step.cast_unsigned() }, (to - from) / step.unsigned_abs()))
}

/// First and last value of a range, and their distance.
fn range(spec: &Spec<'_>, place: Option<Place>) -> Result<(u64, u64, i64), Refusal> {
    let from = spec.from.map_or(0, |value| value.number);
    let to = match (spec.to, place) {
        (Some(to), _) => to.number,
        (None, Some(place)) if spec.mask.is_none() && spec.add == 0 && spec.shift == 0 => place.max(),
        _ => return Err(Refusal::new("to: is missing (or values, or clients)")),
    };
    if from > to {
        return Err(Refusal::new("from: must not be larger than to"));
    }
    Ok((from, to, spec.step.unwrap_or(1)))
}

/// A value that is written as it is must fit its place.
fn check_fits(spec: &Spec<'_>, place: Option<Place>, value: u64) -> Result<(), Refusal> {
    let Some(place) = place.filter(|_| spec.mask.is_none() && spec.shift <= 0) else { return Ok(()) };
    let written = (i128::from(value) + i128::from(spec.add)) >> -spec.shift.clamp(-63, 0);
    if written >= 0 && written <= i128::from(place.max()) {
        return Ok(());
    }
    let mut text = crate::Text::<240>::from("the value ");
    text.push_number(value).push(if spec.add == 0 { "" } else { " with what is added" });
    text.push(" does not fit ").push_number(place.low().width().into()).push(" bits");
    Err(text.into())
}

fn source(spec: &Spec<'_>, last: u64, around: &mut Surroundings<'_>) -> Result<Source, Refusal> {
    // Who moves on with another item shares that one's share.
    let (instance, instances) =
        if spec.split.unwrap_or(true) && around.carry.is_none() { around.instance } else { (0, 1) };
    let last = match spec.limit {
        Some(limit) => last.min(limit.checked_sub(1).ok_or_else(|| Refusal::new("limit: must not be 0"))?),
        None => last,
    };
    let mix = spec.imix.map(super::Mix::named).transpose()?;
    let order = match (&mix, spec.draw) {
        (Some(mix), Order::Counter) if !mix.is_ordered() => Order::Weighted,
        (_, order) => order,
    };
    Ok(match order {
        Order::Counter | Order::List => Source::Steps(counter(spec, last, around)?.split(instance, instances)),
        Order::Random => Source::Uniform(Uniform::new(0, last)?),
        Order::Shuffle => Source::Shuffle(Shuffle::new(0, last, spec.seed)?.split(instance, instances)),
        Order::Repeatable => {
            let period = spec.period.ok_or_else(|| Refusal::new("period: is missing"))?;
            let repeatable = Repeatable::new(Uniform::new(0, last)?, period, spec.seed)?;
            Source::Repeatable(repeatable.split(instance, instances))
        }
        Order::Zipf => Source::Zipf(Zipf::new(last.saturating_add(1), spec.exponent.unwrap_or(1.0))?),
        Order::Normal => normal(spec, last)?,
        Order::Weighted => {
            let table = match &mix {
                Some(mix) => around.pool.push(mix.weights().iter().map(|&weight| weight.into()))?,
                None => around.pool.push(spec.weights.iter().map(|&weight| weight.into()))?,
            };
            if table.len() as u64 != last.saturating_add(1) {
                return Err(Refusal::new("weights: expected one for each value"));
            }
            weighted::build(around.pool.values.get_mut(table.clone()).unwrap_or_default())?;
            Source::Weighted { first: table.start, len: table.len() }
        }
    })
}

fn counter(spec: &Spec<'_>, last: u64, around: &Surroundings<'_>) -> Result<Steps, Refusal> {
    let mut steps = Steps::indexes(last);
    if let Some(start) = spec.start {
        let (from, to, step) = range(spec, around.place)?;
        steps = Steps::new(from, to, step)?.limit(last.saturating_add(1))?.start_at(start.number)?.as_indexes();
    }
    Ok(if spec.once { steps.staying() } else { steps })
}

/// Around a mean, in steps of the range.
#[allow(clippy::cast_precision_loss, reason = "a distribution's numbers are no exacter")]
fn normal(spec: &Spec<'_>, last: u64) -> Result<Source, Refusal> {
    if spec.step.unwrap_or(1) < 0 || spec.clients.is_some() || spec.values.iter().next().is_some() {
        return Err(Refusal::new("draw: \"normal\" is for ranges that go up"));
    }
    let from = spec.from.map_or(0, |value| value.number) as f64;
    let step = spec.step.unwrap_or(1) as f64;
    let mean = spec.mean.map_or(last as f64 / 2.0, |mean| (mean - from) / step);
    let deviation = spec.deviation.map_or(last as f64 / 6.0, |deviation| deviation / step);
    Ok(Source::Normal { normal: Normal::new(mean, deviation)?, last })
}

/// Bits whose bytes are turned round.
fn swapped(spec: &Spec<'_>, place: Option<Place>) -> Result<u32, Refusal> {
    match place.filter(|_| spec.little_endian) {
        None => Ok(0),
        Some(place) if place.width() <= 64 && place.width().is_multiple_of(8) && spec.bit.is_multiple_of(8) => {
            Ok(place.width())
        }
        Some(_) => Err(Refusal::new("little_endian: the place must be whole bytes, at most 8")),
    }
}
