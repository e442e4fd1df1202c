//! What the operator can say; README.md has the table.

use crate::values::{Bursts, Chance, Limit, Rate, Time};
use perigee_guest::Refusal;
use perigee_guest::serde::{self, Deserialize};

/// The configuration.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    rate: Option<Rate>,
    queue: Option<Limit>,
    delay: Time,
    jitter: Time,
    loss: Option<Chance>,
    gemodel: Option<Bursts>,
    duplicate: Chance,
    corrupt: Chance,
    reorder: Chance,
    reorder_by: Time,
}

/// What becomes of packets.
#[derive(Clone, Debug)]
pub(crate) struct Cable {
    /// Bits per second on layer 1.
    pub(crate) rate: Option<u64>,
    pub(crate) queue: Option<Limit>,
    /// Nanoseconds.
    pub(crate) delay: u64,
    /// Up to so many nanoseconds more.
    pub(crate) jitter: u64,
    pub(crate) loss: Loss,
    pub(crate) duplicate: Chance,
    pub(crate) corrupt: Chance,
    pub(crate) reorder: Chance,
    /// Nanoseconds.
    pub(crate) reorder_by: u64,
}

/// What is lost on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// Each packet with this probability.
    Uniform(Chance),
    /// In bursts.
    Bursts(Bursts),
}

impl Cable {
    /// Whether no packet arrives at the moment in which it is sent.
    pub(crate) fn takes_time(&self) -> bool {
        self.rate.is_some() || self.delay > 0 || self.jitter > 0
    }
}

impl Config {
    /// The cable; an error says what does not fit together.
    pub(crate) fn cable(self) -> Result<Cable, Refusal> {
        if self.queue.is_some() && self.rate.is_none() {
            return Err(Refusal::new("queue needs a rate, as in rate = \"1G\""));
        }
        if self.reorder.is_possible() != (self.reorder_by.0 > 0) {
            return Err(Refusal::new(
                "reorder and reorder_by belong together: which part of the packets, and by how much they are late",
            ));
        }
        let loss = match (self.loss, self.gemodel) {
            (Some(_), Some(_)) => return Err(Refusal::new("loss or gemodel, not both")),
            (chance, None) => Loss::Uniform(chance.unwrap_or_default()),
            (None, Some(bursts)) => Loss::Bursts(bursts),
        };
        Ok(Cable {
            rate: self.rate.map(|rate| rate.0),
            queue: self.queue,
            delay: self.delay.0,
            jitter: self.jitter.0,
            loss,
            duplicate: self.duplicate,
            corrupt: self.corrupt,
            reorder: self.reorder,
            reorder_by: self.reorder_by.0,
        })
    }
}
