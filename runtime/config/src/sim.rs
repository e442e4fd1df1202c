//! What a simulation has beside a run: `[sim]`. A run does not look at it.

use crate::values::{self, parse_duration};
use crate::{Chain, Config, ModuleConfig};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a simulation has beside a run: `[sim]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sim {
    /// How often an lcore looks that could make packets at any time; and the least that such a turn takes.
    #[serde(deserialize_with = "values::duration")]
    pub turn: Duration,
    /// How many lcores the simulated machine has; `None`: [`Config::simulated_cpus`] says it.
    pub lcores: Option<u32>,
    /// Fuel that stands for a microsecond of a module's deadline.
    pub fuel_per_us: u64,
    /// What a turn costs in virtual time, for each chain.
    pub cost: Cost,
    /// The same for single chains, by name.
    pub costs: BTreeMap<String, Cost>,
    /// What happens meanwhile.
    #[serde(rename = "event")]
    pub events: Vec<Event>,
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            turn: Duration::from_micros(1),
            lcores: None,
            fuel_per_us: 1_000,
            cost: Cost::default(),
            costs: BTreeMap::new(),
            events: Vec::new(),
        }
    }
}

impl Config {
    /// The CPUs of the simulated machine, which has nothing to do with this one: one for each worker of each chain, unless the
    /// configuration says how many, and those that chains name.
    #[must_use]
    pub fn simulated_cpus(&self) -> Vec<u32> {
        let workers: usize = self.chains.iter().map(Chain::width).sum();
        let own = self.sim.lcores.unwrap_or_else(|| u32::try_from(workers).unwrap_or(u32::MAX));
        let named = self.chains.iter().flat_map(|chain| &chain.lcores).copied();
        let named = named.filter(|_| self.sim.lcores.is_none());
        (0..own).chain(named).collect::<BTreeSet<u32>>().into_iter().collect()
    }
}

/// What a turn of a chain costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// A burst, however many packets it has.
    #[serde(deserialize_with = "values::duration")]
    pub batch: Duration,
    /// Each of its packets.
    #[serde(deserialize_with = "values::duration")]
    pub packet: Duration,
    /// Each unit of fuel that its modules use: mostly an instruction.
    #[serde(deserialize_with = "values::duration")]
    pub fuel: Duration,
}

impl Sim {
    /// Numbers of the events that happen all or none, with each event by itself where it stands alone.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
        for (number, event) in self.events.iter().enumerate() {
            let name = event.together.as_deref();
            match groups.iter_mut().find(|(known, _)| name.is_some() && *known == name) {
                Some((_, numbers)) => numbers.push(number),
                None => groups.push((name, vec![number])),
            }
        }
        groups.into_iter().map(|(_, numbers)| numbers).collect()
    }
}

/// A time, or one that a seed draws from a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub from: Duration,
    /// The most.
    pub to: Duration,
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (from, to) = text.split_once("..").unwrap_or((&text, &text));
        let (from, to) =
            parse_duration(from).and_then(|from| Ok((from, parse_duration(to)?))).map_err(D::Error::custom)?;
        if from > to {
            return Err(D::Error::custom(format!("{text:?} ends before it begins")));
        }
        Ok(Self { from, to })
    }
}

/// Something that happens in a simulation: `[[sim.event]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawEvent")]
pub struct Event {
    /// When.
    pub at: Span,
    /// With which probability: one seed has it, another has not.
    pub chance: f64,
    /// Events of one name have their times drawn as one, and happen all or none.
    pub together: Option<String>,
    /// What.
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A module is replaced, as by `perigee ctl swap`.
    Swap(SwapEvent),
    /// The link of a wire goes down for a while.
    Link(LinkEvent),
    /// A wire loses more for a while.
    Loss(LossEvent),
    /// A module fails: its next call uses up its time.
    Trap(TrapEvent),
    /// An lcore is slow for a while.
    Slow(SlowEvent),
    /// A pool has no rooms for a while.
    Pool(PoolEvent),
    /// A module gets a message.
    Message(MessageEvent),
    /// The clock goes on by so much at once, as for a machine that was held up.
    Jump(JumpEvent),
    /// A module gets another configuration, as by `perigee ctl apply`.
    Apply(ApplyEvent),
}

/// A module is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapEvent {
    /// Its name.
    pub module: String,
    /// The new one's file, relative to the configuration's directory.
    pub file: String,
    /// How long the old one is kept.
    #[serde(default = "grace", deserialize_with = "values::duration")]
    pub grace: Duration,
    /// The new one begins without the old one's state.
    #[serde(default)]
    pub fresh: bool,
}

/// The link of a wire goes down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEvent {
    /// A port at one of its ends.
    pub port: String,
    /// For how long.
    pub down: Span,
}

/// A wire loses more.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossEvent {
    /// The port whose packets are lost.
    pub port: String,
    /// Which part of them, beside what is lost anyway.
    #[serde(deserialize_with = "part")]
    pub part: f64,
    /// For how long.
    pub lasts: Span,
}

/// A module fails.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrapEvent {
    /// Its name.
    pub module: String,
    /// The first of its instances whose batches have come to this number; without it, all of them.
    #[serde(default)]
    pub batch: Option<u64>,
}

/// An lcore is slow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowEvent {
    /// The chain whose lcores they are.
    pub chain: String,
    /// How many times slower; it needs a `cost`.
    pub times: u64,
    /// For how long.
    pub lasts: Span,
}

/// A pool has no rooms.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolEvent {
    /// The port whose pool it is, or
    #[serde(default)]
    pub port: Option<String>,
    /// the generating chain.
    #[serde(default)]
    pub chain: Option<String>,
    /// For how long.
    pub lasts: Span,
}

/// A module gets a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageEvent {
    /// Its name.
    pub module: String,
    /// The message.
    pub text: String,
}

/// The clock goes on at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JumpEvent {
    /// By so much.
    pub by: Span,
}

/// A module gets another configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyEvent {
    /// Its name.
    pub module: String,
    /// What `init` finds in its mailbox from then on.
    pub config: ModuleConfig,
}

/// As it stands in the file: one of several keys says what happens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    at: Option<Span>,
    #[serde(default = "always", deserialize_with = "part")]
    chance: f64,
    together: Option<String>,
    swap: Option<SwapEvent>,
    link: Option<LinkEvent>,
    loss: Option<LossEvent>,
    trap: Option<TrapEvent>,
    slow: Option<SlowEvent>,
    pool: Option<PoolEvent>,
    message: Option<MessageEvent>,
    jump: Option<JumpEvent>,
    apply: Option<ApplyEvent>,
}

impl TryFrom<RawEvent> for Event {
    type Error = &'static str;

    fn try_from(raw: RawEvent) -> Result<Self, Self::Error> {
        let by_batch = raw.trap.as_ref().is_some_and(|trap| trap.batch.is_some());
        let what = [
            raw.swap.map(Happening::Swap),
            raw.link.map(Happening::Link),
            raw.loss.map(Happening::Loss),
            raw.trap.map(Happening::Trap),
            raw.slow.map(Happening::Slow),
            raw.pool.map(Happening::Pool),
            raw.message.map(Happening::Message),
            raw.jump.map(Happening::Jump),
            raw.apply.map(Happening::Apply),
        ];
        let mut what = what.into_iter().flatten();
        let (Some(happening), None) = (what.next(), what.next()) else {
            return Err("an event is exactly one of: swap, link, loss, trap, slow, pool, message, jump, apply");
        };
        let at = match raw.at {
            Some(at) => at,
            None if by_batch => Span { from: Duration::ZERO, to: Duration::ZERO },
            None => return Err("an event needs `at`: a time like \"10ms\", or a range like \"5ms..20ms\""),
        };
        Ok(Self { at, chance: raw.chance, together: raw.together, what: happening })
    }
}

fn always() -> f64 {
    1.0
}

fn grace() -> Duration {
    Duration::from_millis(10)
}

/// A part of the whole: `"30%"`, or `0.3`.
pub(crate) fn part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    crate::wire::probability("it", &text).map_err(|(what, help)| D::Error::custom(format!("{what}; {help}")))
}

#[cfg(test)]
mod test {
    use crate::Config;

    #[test]
    fn a_simulated_machine_has_the_lcores_that_are_wanted() {
        let chain = "[[chain]]\nsource = { ring = \"r\" }\n";
        let of = |text: &str| read(text).expect("a configuration").simulated_cpus();
        assert_eq!(of(&format!("{chain}{chain}")), [0, 1]);
        assert_eq!(of(&format!("{chain}lcores = [7, 8]\n{chain}")), [0, 1, 2, 7, 8]);
        assert_eq!(of(&format!("{chain}lcores = [7, 8]\n{chain}[sim]\nlcores = 1\n")), [0]);
    }

    fn read(text: &str) -> Result<Config, String> {
        Config::read(text, "x.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn events_are_read() {
        let config = read(
            "[sim]\nturn = \"2us\"\ncost = { batch = \"100ns\", packet = \"20ns\" }\n\
             [[sim.event]]\nat = \"5ms..20ms\"\nchance = \"50%\"\nlink = { port = \"a\", down = \"1ms\" }\n\
             [[sim.event]]\ntrap = { module = \"m\", batch = 100 }\n",
        )
        .expect("a configuration");
        assert_eq!((config.sim.events.len(), config.sim.events[0].chance), (2, 0.5));
        assert_eq!(config.sim.cost.packet.as_nanos(), 20);
    }

    #[test]
    fn what_is_wrong_with_an_event_is_said() {
        for (event, said) in [
            ("at = \"1ms\"", "an event is exactly one of"),
            (
                "at = \"1ms\"\njump = { by = \"1ms\" }\nlink = { port = \"a\", down = \"1ms\" }",
                "an event is exactly one of",
            ),
            ("jump = { by = \"1ms\" }", "an event needs `at`"),
            ("at = \"2ms..1ms\"\njump = { by = \"1ms\" }", "ends before it begins"),
            ("at = \"1ms\"\nchance = 2\njump = { by = \"1ms\" }", "is no part of the packets"),
            ("at = \"1ms\"\njump = { by = \"-1ms\" }", "is no duration"),
            ("at = \"1ms\"\nlink = { prt = \"a\", down = \"1ms\" }", "unknown key `prt`"),
        ] {
            let told = read(&format!("[[sim.event]]\n{event}\n")).expect_err(event);
            assert!(told.contains(said), "{event}: {told}");
        }
    }
}
