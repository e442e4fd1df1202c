//! What the operator can say, and what is refused; README.md has the table.

use crate::class::{Before, Class, Counts, NAME, Per, Tally};
use crate::meter::Meter;
use crate::rates::Rates;
use crate::shaper::{Shaper, burst_time};
use crate::values::{Action, Rate, dscp};
use crate::{Member, Members};
use alloc::vec::Vec;
use core::str::FromStr;
use perigee_guest::config::Many;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{BadPrefix, Lpm, SECOND};
use perigee_guest::{Refusal, Setup, Text};

/// Most classes, and most prefixes of all of them.
const CLASSES: usize = 256;
const PREFIXES: usize = 16_384;
/// What a frame has before the packet that a port's MTU counts, and what it has on Ethernet beside that.
const ETHERNET: u64 = 14;
const WIRE: u64 = 38;

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    classes: Many<ClassConfig>,
    #[serde(default)]
    pub(crate) side: Side,
    #[serde(default = "flows")]
    pub(crate) flows: u32,
}

/// Which address decides about a packet's class.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Side {
    #[default]
    Source,
    Destination,
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct ClassConfig {
    name: Text<NAME>,
    prefixes: Many<Text<43>>,
    #[serde(default)]
    per: PerConfig,
    #[serde(default)]
    counts: CountsConfig,
    #[serde(default)]
    aware: bool,
    #[serde(default)]
    yellow_from: Many<Text<8>>,
    #[serde(default)]
    red_from: Many<Text<8>>,
    #[serde(default = "pass")]
    green: Action,
    #[serde(default = "pass")]
    yellow: Action,
    #[serde(default = "drop")]
    red: Action,
    #[serde(default)]
    cir: Option<Rate>,
    #[serde(default)]
    cbs: u64,
    #[serde(default)]
    ebs: u64,
    #[serde(default)]
    pir: Option<Rate>,
    #[serde(default)]
    pbs: u64,
    #[serde(default)]
    shape: Option<Rate>,
    #[serde(default)]
    burst: u64,
    #[serde(default)]
    queue: u64,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum PerConfig {
    #[default]
    Prefix,
    Address,
    Flow,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum CountsConfig {
    #[default]
    Ip,
    Frame,
    Wire,
}

fn flows() -> u32 {
    16_384
}

fn pass() -> Action {
    Action::Pass
}

fn drop() -> Action {
    Action::Drop
}

impl ClassConfig {
    fn rates(&self) -> Rates {
        let bits = |rate: Option<Rate>| rate.map_or(0, |rate| rate.0);
        Rates {
            cir: bits(self.cir),
            cbs: self.cbs,
            ebs: self.ebs,
            pir: bits(self.pir),
            pbs: self.pbs,
            shape: bits(self.shape),
            burst: self.burst,
            queue: self.queue,
        }
    }

    fn counts(&self) -> Counts {
        match self.counts {
            CountsConfig::Ip => Counts::Ip,
            CountsConfig::Frame => Counts::Frame,
            CountsConfig::Wire => Counts::Wire,
        }
    }

    /// The colours that packets have before: by assured forwarding, where the configuration names no code points.
    fn before(&self) -> Result<Before, &'static str> {
        let (yellow, red) = (bits(&self.yellow_from)?, bits(&self.red_from)?);
        match (self.aware, yellow | red) {
            (false, 0) => Ok(Before::BLIND),
            (false, _) => Err("yellow_from and red_from need aware = true"),
            (true, 0) => Ok(Before::ASSURED),
            (true, _) if yellow & red != 0 => Err("a code point is in yellow_from and in red_from"),
            (true, _) => Ok(Before { yellow, red }),
        }
    }

    fn class(&self, longest: u64) -> Result<Class, Refusal> {
        let name = self.name.as_str();
        let wrong = |what| Refusal::from_parts(&["classes: \"", name, "\": ", what]);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong("a name is one word: messages name classes"));
        }
        let (rates, before) = (self.rates(), self.before().map_err(wrong)?);
        if let Some(what) = rates.mistake(longest) {
            return Err(wrong(what));
        }
        let per = match self.per {
            PerConfig::Prefix => Per::Prefix,
            PerConfig::Address => Per::Address,
            PerConfig::Flow => Per::Flow,
        };
        Ok(Class {
            name: self.name,
            per,
            counts: self.counts(),
            before,
            actions: [self.green, self.yellow, self.red],
            configured: rates,
            rates,
            edition: 0,
            changed: 0,
            burst_ns: burst_time(rates.burst, rates.shape),
            shaper: Shaper::new(&rates)?,
            colours: [Tally::default(); 3],
            passed: Tally::default(),
            overflowed: Tally::default(),
        })
    }
}

/// A bit for each code point.
fn bits(points: &Many<Text<8>>) -> Result<u64, &'static str> {
    points.0.iter().try_fold(0, |bits, point| {
        dscp(point.as_str())
            .map(|dscp| bits | 1 << dscp)
            .ok_or("a code point is 0 to 63, or a name such as af12, cs6, ef")
    })
}

/// The longest packet that can come, in the bytes that count.
pub(crate) fn longest(setup: &Setup<'_>, counts: Counts) -> u64 {
    let mtu = setup.ports().iter().map(|port| u64::from(port.mtu)).max().unwrap_or(0);
    match counts {
        Counts::Ip => mtu,
        Counts::Frame => mtu + ETHERNET,
        Counts::Wire => mtu + WIRE,
    }
}

impl Config {
    /// The classes, in the order of the configuration.
    pub(crate) fn classes(&self, setup: &Setup<'_>) -> Result<Vec<Class>, Refusal> {
        if !(1..=CLASSES).contains(&self.classes.0.len()) {
            return Err(Refusal::new("classes: 1 to 256"));
        }
        let mut classes: Vec<Class> = Vec::new();
        for class in &self.classes.0 {
            let class = class.class(longest(setup, class.counts()))?;
            if classes.iter().any(|other| other.name.as_str() == class.name.as_str()) {
                return Err(Refusal::from_parts(&["classes: two have the name \"", class.name.as_str(), "\""]));
            }
            classes.push(class);
        }
        Ok(classes)
    }

    /// The prefixes of all classes, each with a full meter.
    pub(crate) fn members(&self, classes: &[Class], now: u64) -> Result<Members, Refusal> {
        let all = || self.classes.0.iter().flat_map(|class| class.prefixes.0.iter());
        let count = |is_v6: bool| all().filter(|prefix| prefix.as_str().contains(':') == is_v6).count();
        if all().count() > PREFIXES || self.classes.0.iter().any(|class| class.prefixes.0.is_empty()) {
            return Err(Refusal::new(
                "classes: each has prefixes (\"0.0.0.0/0\" and \"::/0\" are all), together at most 16384",
            ));
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        v4.try_reserve_exact(count(false))
            .map_err(|_| Refusal::new("the module's heap has no room for the prefixes"))?;
        v6.try_reserve_exact(count(true))
            .map_err(|_| Refusal::new("the module's heap has no room for the prefixes"))?;
        for ((number, class), config) in (0..).zip(classes).zip(&self.classes.0) {
            let member = Member { class: number, edition: 0, meter: Meter::new(&class.rates, now)? };
            for text in config.prefixes.0.iter().map(Text::as_str) {
                if text.contains(':') {
                    v6.push((read(text)?, member));
                } else {
                    v4.push((read(text)?, member));
                }
            }
        }
        let mut members = Members { v4: Lpm::new(v4.len())?, v6: Lpm::new(v6.len())? };
        let asked = v4.len() + v6.len();
        let is_full = |_| Refusal::new("classes: too many prefixes");
        members.v4.replace(v4).map_err(is_full)?;
        members.v6.replace(v6).map_err(is_full)?;
        if members.v4.len() + members.v6.len() < asked {
            return Err(Refusal::new("classes: a prefix stands twice"));
        }
        Ok(members)
    }
}

fn read<A: FromStr<Err = BadPrefix>>(text: &str) -> Result<A, Refusal> {
    text.parse().map_err(|error: BadPrefix| Refusal::from_parts(&["classes: \"", text, "\": ", error.text()]))
}

/// How long a flow is remembered without packets: until its buckets are full again, so that forgetting it gives nothing. An hour where
/// that takes longer, a second at least.
pub(crate) fn flow_idle(classes: &[Class]) -> u64 {
    let times = classes.iter().filter(|class| class.per != Per::Prefix).filter_map(|class| class.rates.fill_time());
    times.max().unwrap_or(0).clamp(SECOND, 3_600 * SECOND)
}
