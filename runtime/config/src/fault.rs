//! What a module's failure leads to, as the configuration says it.

use super::{Chain, Config, Module, Source, values};
use serde::Deserialize;
use std::time::Duration;

/// What becomes of the packets after a module's instance has failed. The batch in which it failed is dropped in every case:
/// it may be half rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// They are dropped, until the module is replaced.
    Closed,
    /// They pass by the stage untouched, until the module is replaced.
    Open,
    /// A new instance is made, after a time that grows with each failure; until it has come, [`Restart::open`] decides.
    Restart,
    /// The run ends, and its result is marked invalid.
    Stop,
}

/// How an instance that failed is replaced by a new one: `[module.restart]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// While there is no instance, packets pass by the stage; `false`: they are dropped.
    pub open: bool,
    /// Time between a failure and the new instance: this after the first failure, then twice as long each time...
    #[serde(deserialize_with = "values::duration")]
    pub first: Duration,
    /// ... up to this.
    #[serde(deserialize_with = "values::duration")]
    pub longest: Duration,
    /// An instance that ran for this long without a failure was healthy: the next failure counts as a first one.
    #[serde(deserialize_with = "values::duration")]
    pub healthy: Duration,
    /// After so many failures within [`Self::within`] the breaker opens: no new instance is made any more.
    pub failures: u32,
    /// See [`Self::failures`].
    #[serde(deserialize_with = "values::duration")]
    pub within: Duration,
}

/// Doubling from 1 ms to 60 s takes a minute and 17 failures; after three more at that pace nobody believes in it.
impl Default for Restart {
    fn default() -> Self {
        Self {
            open: false,
            first: Duration::from_millis(1),
            longest: Duration::from_secs(60),
            healthy: Duration::from_secs(10),
            failures: 20,
            within: Duration::from_secs(600),
        }
    }
}

impl Module {
    /// What its failure leads to where it makes a chain's packets (`source`), or where it is a stage: what its entry says,
    /// else a source ends the run, for its figures are worth nothing with a hole in them, and a stage is restarted.
    #[must_use]
    pub fn on_fault(&self, source: bool) -> OnFault {
        self.on_fault.unwrap_or(if source { OnFault::Stop } else { OnFault::Restart })
    }

    /// Whether packets pass by a stage whose instance has failed.
    #[must_use]
    pub fn passes_by(&self) -> bool {
        match self.on_fault(false) {
            OnFault::Open => true,
            OnFault::Restart => self.restart.open,
            OnFault::Closed | OnFault::Stop => false,
        }
    }
}

impl Config {
    /// An lcore that gives no sign of life for so long is told of: what the file says, else a second, or three times the
    /// longest deadline where that is more.
    #[must_use]
    pub fn watchdog(&self) -> Duration {
        let longest = self.modules.iter().map(|module| module.grants.longest_call()).max().unwrap_or_default();
        self.run.watchdog.unwrap_or_else(|| longest.saturating_mul(3).max(Duration::from_secs(1)))
    }

    /// Chains of which a module is the source.
    pub(super) fn fed_by<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Chain> {
        let feeds =
            move |chain: &&Chain| matches!(&chain.source, Source::Module { module: name, .. } if name == module);
        self.chains.iter().filter(feeds)
    }
}
