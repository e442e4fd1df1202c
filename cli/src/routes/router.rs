//! The router module, as its messages show it (modules/router/README.md).

use super::args::Stale;
use super::places::Places;
use super::table::{Change, Table};
use crate::client::{self, Upstream};
use anyhow::{Context, Result, anyhow, bail};
use perigee_machine::netlink::routes::Net;
use std::ops::Range;
use std::time::Duration;

/// How often a message is sent again that the run or the router had no time for.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A router, to which a feed speaks.
pub(super) struct Router {
    run: Upstream,
    path: String,
    /// The feed's name.
    name: String,
    stale: Stale,
    /// The number of the last batch that the router has taken.
    last: u64,
    /// Batches that were sent, those that were refused among them.
    pub(super) batches: u64,
}

/// What the router says of a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) last: u64,
    pub(super) routes: u64,
}

/// So begins what the router says where changes have to wait: after it was replaced, for as long as the one before may go on.
const NOT_NOW: &str = "not now:";

/// What became of a message.
enum Told {
    Answer(String),
    Refused(String),
}

impl Router {
    pub(super) fn new(run: Upstream, module: &str, name: String, stale: Stale) -> Self {
        let path = format!("/v1/modules/{}/message", client::encode(module));
        Self { run, path, name, stale, last: 0, batches: 0 }
    }

    /// Refuses a module that is no router.
    pub(super) async fn check(&self) -> Result<()> {
        match self.tell("feeds?".to_owned()).await? {
            Told::Answer(_) => Ok(()),
            Told::Refused(why) => bail!("--to names no router that knows feeds: {why}"),
        }
    }

    /// Says that the feed stands for its routes. What the router has of it.
    pub(super) async fn renew(&self) -> Result<Standing> {
        let told = self.ask(format!("feed {} stale {}", self.name, self.stale.words())).await?;
        standing(&told, &self.name).with_context(|| format!("the router's answer to a feed: {told}"))
    }

    /// Says that nobody stands for its routes any more.
    pub(super) async fn leave(&self) -> Result<()> {
        self.ask(format!("feed {} end", self.name)).await.map(drop)
    }

    /// Begins: what the router has of this feed is in the table from then on. What it had.
    pub(super) async fn begin(&mut self, table: &mut Table) -> Result<Standing> {
        let before = self.renew().await?;
        self.last = before.last;
        table.begin();
        let own = format!(" feed {}", self.name);
        let mut question = "routes?".to_owned();
        loop {
            let page = self.ask(question).await?;
            for line in page.lines() {
                let line = line.strip_suffix(" stale").unwrap_or(line);
                let Some((net, text)) = line.strip_suffix(&own).and_then(|line| line.split_once(' ')) else { continue };
                if let Ok(net) = net.parse::<Net>() {
                    table.add_old(net, text);
                }
            }
            match page.lines().last().and_then(|line| line.strip_prefix("more: ")) {
                Some(next) => question = next.to_owned(),
                None => return Ok(before),
            }
        }
    }

    /// Asks for the router's interfaces. Whether they have changed.
    pub(super) async fn look_at_links(&self, places: &mut Places) -> Result<bool> {
        Ok(places.set_links(&self.ask("interfaces?".to_owned()).await?))
    }

    /// Sends changes: all at once, and where the router refuses that, in halves, until what it refuses is found. It has made each of
    /// the others.
    pub(super) async fn send(&mut self, changes: &[Change]) -> Result<Vec<Option<String>>> {
        let mut refused = vec![None; changes.len()];
        let mut parts = Vec::from([Range { start: 0, end: changes.len() }]);
        while let Some(part) = parts.pop() {
            let number = self.last + 1;
            let mut message = format!("batch {number} feed {}\n", self.name);
            changes[part.clone()].iter().for_each(|change| message += &change.line());
            self.batches += 1;
            match self.tell(message).await? {
                Told::Answer(_) => self.last = number,
                Told::Refused(why) if part.len() == 1 => refused[part.start] = Some(why),
                Told::Refused(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        Ok(refused)
    }

    async fn ask(&self, message: String) -> Result<String> {
        match self.tell(message).await? {
            Told::Answer(answer) => Ok(answer),
            Told::Refused(why) => bail!("the router refuses: {why}"),
        }
    }

    /// Sends a message to all instances. They are to say the same, so one of their answers is taken.
    async fn tell(&self, message: String) -> Result<Told> {
        for _ in 0..TRIES {
            let (status, answer) = self.run.change(&self.path, message.clone().into()).await?;
            if status.is_success() {
                let answer: serde_json::Value = serde_json::from_slice(&answer).context("the run's answer")?;
                let text = answer["answers"][0]["text"].as_str();
                return text
                    .map(|text| Told::Answer(text.to_owned()))
                    .context("the module has no instance that answers");
            }
            let refusal = client::refusal(&answer).to_string();
            if !status.is_server_error() && !refusal.contains(NOT_NOW) {
                return Ok(Told::Refused(refusal));
            }
            tracing::debug!("the run is busy: {refusal}");
            tokio::time::sleep(PAUSE).await;
        }
        Err(anyhow!("the run has had no time for a message for {} s", (PAUSE * TRIES).as_secs()))
    }
}

/// Reads `feed NAME batch N routes N …`, words in pairs.
fn standing(told: &str, name: &str) -> Option<Standing> {
    let line =
        told.lines().find(|line| line.strip_prefix("feed ").and_then(|rest| rest.split(' ').next()) == Some(name))?;
    let words: Vec<&str> = line.split(' ').collect();
    let value = |key: &str| words.chunks_exact(2).find(|pair| pair[0] == key).and_then(|pair| pair[1].parse().ok());
    Some(Standing { last: value("batch")?, routes: value("routes")? })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_standing_is_read() {
        let told = "batch 0\nfeed a batch 1 routes 2 heard 0 stale 60 state alive\nfeed ab batch 7 routes 9 heard 0 stale 0 state stale\n";
        assert_eq!(standing(told, "ab"), Some(Standing { last: 7, routes: 9 }));
        assert_eq!(standing(told, "b"), None);
        assert_eq!(standing("feed b batch x routes 1", "b"), None);
    }
}
