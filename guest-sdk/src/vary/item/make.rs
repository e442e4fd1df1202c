//! How an item's source and values are made of its configuration.

use super::{Source, Surroundings, View};
use crate::Refusal;
use crate::vary::spec::{Order, Spec};
use crate::vary::{Clients, Mix, Normal, Place, Repeatable, Shuffle, Steps, Uniform, Zipf, weighted};

/// How indexes become values, and the largest index.
pub(super) fn space(spec: &Spec<'_>, around: &mut Surroundings<'_>) -> Result<(View, u64), Refusal> {
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
        return Ok((View::Clients(range), range.last_flow()));
    }
    if spec.values.iter().next().is_some() {
        let list = around.pool.push(spec.values.iter().map(|value| value.number))?;
        for value in spec.values.iter() {
            check_fits(spec, around.place, value.number)?;
        }
        return Ok((View::List { first: list.start }, list.len() as u64 - 1));
    }
    if let Some(name) = spec.imix {
        let mix = Mix::named(name)?;
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

/// The largest value of a draw that has no place.
pub(in crate::vary) fn largest(spec: &Spec<'_>) -> Result<u64, Refusal> {
    let weighs = |at: usize| spec.weights.iter().nth(at).is_none_or(|&weight| weight != 0);
    let listed = spec.values.iter().enumerate().filter(|&(at, _)| weighs(at)).map(|(_, value)| value.number).max();
    let mixed = spec.imix.map(Mix::named).transpose()?.and_then(|mix| mix.sizes().iter().copied().max());
    let value = match (listed, mixed, &spec.clients) {
        (Some(value), ..) | (None, Some(value), _) => value,
        (None, None, Some(clients)) => clients.to.number,
        (None, None, None) => {
            let (from, to, step) = range(spec, None)?;
            let last = ((to - from) / step.unsigned_abs().max(1))
                .min(spec.limit.map_or(u64::MAX, |limit| limit.saturating_sub(1)));
            if step > 0 { from + last * step.unsigned_abs() } else { to }
        }
    };
    let value = value.saturating_add_signed(spec.add);
    Ok(match spec.shift.clamp(-63, 63) {
        shift @ ..0 => value >> -shift,
        shift => value.checked_shl(shift.unsigned_abs().into()).filter(|&v| v >> shift == value).unwrap_or(u64::MAX),
    })
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

/// Which share of the values is this instance's. Who moves on with another item shares that one's share.
pub(super) fn share(spec: &Spec<'_>, around: &Surroundings<'_>) -> (u32, u32) {
    let (instance, instances) = around.instance;
    if spec.split.unwrap_or(true) && around.carry.is_none() { (instance, instances.max(1)) } else { (0, 1) }
}

pub(super) fn source(spec: &Spec<'_>, last: u64, around: &mut Surroundings<'_>) -> Result<Source, Refusal> {
    // A value that stays for several packets is the next one's too, so there the turns are shared.
    let (instance, instances) = if spec.times.unwrap_or(1) > 1 { (0, 1) } else { share(spec, around) };
    let last = match spec.limit {
        Some(limit) => last.min(limit.checked_sub(1).ok_or_else(|| Refusal::new("limit: must not be 0"))?),
        None => last,
    };
    let mix = spec.imix.map(Mix::named).transpose()?;
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
        steps = Steps::new(from, to, step)?;
        steps = match spec.limit {
            Some(limit) => steps.limit(limit)?,
            None => steps,
        };
        steps = steps.start_at(start.number)?.as_indexes();
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
pub(super) fn swapped(spec: &Spec<'_>, place: Option<Place>) -> Result<u32, Refusal> {
    match place.filter(|_| spec.little_endian) {
        None => Ok(0),
        Some(place) if place.width() <= 64 && place.width().is_multiple_of(8) && spec.bit.is_multiple_of(8) => {
            Ok(place.width())
        }
        Some(_) => Err(Refusal::new("little_endian: the place must be whole bytes, at most 8")),
    }
}
