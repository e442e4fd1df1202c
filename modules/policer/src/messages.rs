//! Answers to messages; README.md has the table.

use crate::Policer;
use crate::class::{Class, Tally};
use crate::rates::Rates;
use crate::shaper::burst_time;
use crate::values::Rate;
use core::fmt::{self, Write as _};
use perigee_guest::{Buffer, Quoted, Refusal};

pub(crate) fn answer(policer: &mut Policer, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let request = core::str::from_utf8(request).unwrap_or_default();
    let mut words = request.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some("classes?"), None) => {}
        (Some("class"), Some(name)) => change(policer, name, words)?,
        _ => {
            return Err(Refusal::new(
                "known messages: classes?, class NAME cir=2M cbs=3000 (and ebs, pir, pbs, shape, burst, queue)",
            ));
        }
    }
    tell(policer, reply).map_err(|fmt::Error| perigee_guest::Full.into())
}

/// Changes rates of a class: all that are named, or none where something is wrong.
fn change<'a>(policer: &mut Policer, name: &str, words: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let unknown = || Refusal::from_parts(&["no class has the name \"", name, "\"; the message `classes?` lists them"]);
    let class = policer.classes.iter_mut().find(|class| class.name.as_str() == name).ok_or_else(unknown)?;
    let mut values = class.rates.values();
    for word in words {
        let wrong = |what| Refusal::from_parts(&["class ", name, ": \"", word, "\": ", what]);
        let (key, value) = word.split_once('=').ok_or_else(|| wrong("write it as cir=2M"))?;
        let at = Rates::NAMES.iter().position(|known| *known == key);
        let at = at.ok_or_else(|| wrong("known are cir, cbs, ebs, pir, pbs, shape, burst, queue"))?;
        let value = Rate::parse(value).ok_or_else(|| wrong("not a number, as 2.5M"))?.0;
        if (value == 0) != (values[at] == 0) {
            return Err(wrong("a message changes what the configuration has, and neither adds to it nor takes away"));
        }
        values[at] = value;
    }
    let rates = Rates::of(values);
    match rates.mistake(policer.longest[class.counts as usize]) {
        Some(what) => Err(Refusal::from_parts(&["class ", name, ": ", what])),
        None => set(class, rates, policer.now),
    }
}

/// Gives a class other rates from now on.
pub(crate) fn set(class: &mut Class, rates: Rates, now: u64) -> Result<(), Refusal> {
    class.shaper.reserve(rates.queue)?;
    if rates.shape > 0 && rates.shape != class.rates.shape {
        class.shaper.change_rate(rates.shape);
    }
    class.burst_ns = burst_time(rates.burst, rates.shape);
    class.rates = rates;
    class.changed = now;
    class.edition = class.edition.wrapping_add(1);
    Ok(())
}

/// All classes as JSON: their rates, and what became of their packets.
fn tell(policer: &Policer, reply: &mut Buffer<'_>) -> fmt::Result {
    reply.write_str("[")?;
    for (index, class) in policer.classes.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(reply, "{comma}{{\"name\":{}", Quoted(class.name.as_str()))?;
        for (name, value) in Rates::NAMES.iter().zip(class.rates.values()).filter(|(_, value)| *value > 0) {
            write!(reply, ",\"{name}\":{value}")?;
        }
        let [green, yellow, red] = class.colours;
        let tallies = [
            ("green", green),
            ("yellow", yellow),
            ("red", red),
            ("passed", class.passed),
            ("overflowed", class.overflowed),
        ];
        for (name, Tally { packets, bytes }) in tallies {
            write!(reply, ",\"{name}\":{{\"packets\":{packets},\"bytes\":{bytes}}}")?;
        }
        write!(reply, ",\"waiting\":{}}}", class.shaper.waiting.len())?;
    }
    reply.write_str("]")
}
