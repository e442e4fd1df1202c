//! A policer or shaper: of each prefix no more than its rate and its burst, at any time; and in the end not much less.

use crate::config::Config;
use crate::nets::Net;
use crate::seen::{IP, Seen};
use alloc::string::String;
use alloc::vec::Vec;
use perigee_guest::{Refusal, invariant};

/// Tokens of a bit: bits in a second times nanoseconds.
const BIT: u64 = 1_000_000_000;

/// The prefixes, of which the first that has a sender counts.
pub(crate) struct Policer(Vec<Class>);

struct Class {
    name: String,
    net: Net,
    rate: u64,
    burst: u64,
    least: u64,
    tokens: u64,
    at: u64,
    came: u64,
}

impl Class {
    fn fill(&mut self, now: u64, rate: u64) {
        let more = now.saturating_sub(self.at).saturating_mul(rate);
        self.tokens = self.tokens.saturating_add(more).min(self.burst * 8 * BIT);
        self.at = now;
    }
}

/// Reads `PREFIX RATE`.
fn read(line: &str) -> Option<(&str, u64)> {
    let (name, rate) = line.split_once(' ')?;
    Some((name, rate.parse().ok()?))
}

impl Policer {
    pub(crate) fn new(config: &Config<'_>) -> Result<Self, Refusal> {
        let class = |class: &crate::config::Class<'_>| {
            Ok(Class {
                name: class.prefix.into(),
                net: Net::read(class.prefix)?,
                rate: class.rate,
                burst: class.burst,
                least: class.least,
                tokens: class.burst * 8 * BIT,
                at: 0,
                came: 0,
            })
        };
        config.classes.0.iter().map(class).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn understands(&self, line: &str) -> Result<(), Refusal> {
        let known = read(line).filter(|(name, _)| self.0.iter().any(|class| class.name == *name));
        known
            .map(drop)
            .ok_or_else(|| Refusal::from_parts(&["class \"", line, "\": PREFIX of a class, and bits in a second"]))
    }

    /// The policer has acknowledged another rate. It may have been in force since the last packet, so the higher one counts until now.
    pub(crate) fn told(&mut self, line: &str, now: u64) {
        let Some((name, rate)) = read(line) else { return };
        for class in self.0.iter_mut().filter(|class| class.name == name) {
            class.fill(now, class.rate.max(rate));
            class.rate = rate;
        }
    }

    pub(crate) fn check(&mut self, seen: &Seen, now: u64) {
        let Some(class) = self.0.iter_mut().find(|class| class.net.has(seen.source)) else { return };
        let bytes = (seen.end - IP) as u64;
        class.fill(now, class.rate);
        class.came += bytes;
        let (name, rate, burst) = (&class.name, class.rate, class.burst);
        invariant!(
            class.tokens >= bytes * 8 * BIT,
            "of {name} more passes than {rate} bits a second and {burst} bytes at once"
        );
        class.tokens -= bytes * 8 * BIT;
    }

    /// It is over.
    pub(crate) fn end(&self) {
        for Class { name, came, least, .. } in &self.0 {
            invariant!(came >= least, "of {name} {came} bytes came, and {least} must");
        }
    }
}
