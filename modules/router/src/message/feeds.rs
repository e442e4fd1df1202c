//! Feeds: who brings routes by messages and owns them, as `perigee routes` does. Routes of a feed that is not heard of any more
//! are marked, and withdrawn when its time is over.

use super::told as written;
use crate::counts::Count;
use crate::fib::{Entry, Net, Owner};
use crate::routes::wrong;
use crate::saved::Reader;
use crate::share::Share;
use crate::{Router, Tables};
use core::fmt::Write as _;
use core::net::Ipv6Addr;
use perigee_guest::state::{Address, MILLISECOND, Prefix, RouteTable, SECOND};
use perigee_guest::{Buffer, Refusal, Text};

/// Owners that feeds can be: those between the operator and the interfaces.
const FEEDS: usize = Owner::COUNT - 2;
const NAME: usize = 31;
/// Of a table that is looked through for what a feed left: so much at a time, and how often. A step takes less than a batch.
const SEEN: usize = 256;
const WITHDRAWN: usize = 32;
const STEP: u64 = MILLISECOND;
/// How often is looked for feeds whose time is over.
const LOOK: u64 = 100 * MILLISECOND;
/// Longest time for which routes may stay: it is counted in nanoseconds.
const LONGEST: u64 = 366 * 86_400;

/// Who brings routes.
#[derive(Clone, Copy)]
pub(crate) struct Feed {
    name: Text<NAME>,
    /// The number of its last batch that was applied.
    last: u64,
    /// For how long its routes stay once it is not heard of, in nanoseconds; 0: for good.
    stale: u64,
    /// When it was heard of last.
    heard: u64,
    /// It has said that it ends.
    has_ended: bool,
}

impl Feed {
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// It has ended, or is late: it says a word four times in the time for which its routes stay.
    pub(crate) fn is_stale(&self, now: u64) -> bool {
        self.has_ended || self.stale > 0 && now.saturating_sub(self.heard) > self.stale / 2
    }

    fn is_over(&self, now: u64) -> bool {
        self.stale > 0 && now.saturating_sub(self.heard) > self.stale
    }
}

/// All that there are, by the numbers that their routes have in the table.
#[derive(Clone, Default)]
pub(crate) struct Feeds {
    all: [Option<Feed>; FEEDS],
    next_look: u64,
    /// Where the table is looked through next.
    cursor: Option<Net>,
}

impl Feeds {
    /// The feed that owns routes of this owner.
    pub(crate) fn of(&self, owner: Owner) -> Option<&Feed> {
        self.all.get(usize::from(owner.0).wrapping_sub(1))?.as_ref()
    }

    fn of_mut(&mut self, owner: Owner) -> Option<&mut Feed> {
        self.all.get_mut(usize::from(owner.0).wrapping_sub(1))?.as_mut()
    }

    /// Who owns what a batch brings.
    pub(super) fn owner(&self, feed: Option<&str>) -> Result<Owner, Refusal> {
        let Some(name) = feed.map(str::trim) else { return Ok(Owner::OPERATOR) };
        self.named(name).ok_or_else(|| wrong(name, "is no feed yet: say `feed NAME stale SECONDS` first"))
    }

    fn named(&self, name: &str) -> Option<Owner> {
        let at = self.all.iter().position(|feed| feed.as_ref().is_some_and(|feed| feed.name() == name))?;
        u8::try_from(at + 1).ok().map(Owner)
    }

    /// The number of a feed's last batch.
    pub(super) fn last(&mut self, owner: Owner) -> Option<&mut u64> {
        self.of_mut(owner).map(|feed| &mut feed.last)
    }

    /// It was heard of.
    pub(super) fn renew(&mut self, owner: Owner, now: u64) {
        if let Some(feed) = self.of_mut(owner) {
            (feed.heard, feed.has_ended) = (now, false);
        }
    }

    /// Takes out some of the routes of a feed whose time is over. Called between bursts.
    pub(crate) fn withdraw(&mut self, tables: &mut Tables, share: &mut Share, now: u64) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        let over = self.all.iter().position(|feed| feed.as_ref().is_some_and(|feed| feed.is_over(now)));
        let Some(owner) = over.and_then(|at| u8::try_from(at + 1).ok()).map(Owner) else { return };
        if tables.fib.owned[usize::from(owner.0)] == 0 {
            self.all[usize::from(owner.0) - 1] = None;
            self.cursor = None;
            return;
        }
        self.next_look = now + STEP;
        self.cursor = step(tables, share, owner, self.cursor);
    }

    pub(crate) fn save(&self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        for feed in &self.all {
            let Some(feed) = feed else {
                state.push(&[0])?;
                continue;
            };
            let name = feed.name.as_bytes();
            state.push(&[u8::try_from(name.len()).unwrap_or(0)])?;
            state.push(name)?;
            [feed.last, feed.stale, feed.heard].iter().try_for_each(|number| state.push(&number.to_le_bytes()))?;
            state.push(&[u8::from(feed.has_ended)])?;
        }
        Ok(())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut feeds = Self::default();
        for place in &mut feeds.all {
            let len = reader.u8()?;
            if len == 0 {
                continue;
            }
            let mut name = Text::new();
            for _ in 0..len {
                let byte = [reader.u8()?];
                name.push(core::str::from_utf8(&byte).ok()?);
            }
            let [last, stale, heard] = [reader.u64()?, reader.u64()?, reader.u64()?];
            *place = Some(Feed { name, last, stale, heard, has_ended: reader.u8()? != 0 });
        }
        Some(feeds)
    }
}

/// Looks through a part of the table, and takes out what is the owner's. Where to go on; nothing: from the beginning.
fn step(tables: &mut Tables, share: &mut Share, owner: Owner, from: Option<Net>) -> Option<Net> {
    // Not now: the same once more.
    if !tables.fib.is_ready(WITHDRAWN) {
        return from;
    }
    let fib = &tables.fib;
    let mut found = [None; WITHDRAWN];
    let next = match from {
        Some(Net::V6(prefix)) => look(&fib.v6, Some(prefix), owner, &mut found, Net::V6),
        Some(Net::V4(prefix)) => look(&fib.v4, Some(prefix), owner, &mut found, Net::V4).or_else(first6),
        None => look(&fib.v4, None, owner, &mut found, Net::V4).or_else(first6),
    };
    for net in found.into_iter().flatten() {
        if let Ok(Some(gone)) = tables.fib.set(net, None) {
            tables.fib.leave(gone.target);
            Count::Routes.add(1);
        }
    }
    share.count_change(tables);
    next
}

fn first6() -> Option<Net> {
    Prefix::new(Ipv6Addr::UNSPECIFIED, 0).map(Net::V6)
}

/// Finds an owner's prefixes; where the table goes on behind them.
fn look<A: Address>(
    table: &RouteTable<A>,
    from: Option<Prefix<A>>,
    owner: Owner,
    found: &mut [Option<Net>; WITHDRAWN],
    net: fn(Prefix<A>) -> Net,
) -> Option<Net> {
    let (mut seen, mut count, mut next) = (0, 0, None);
    table.visit(from, |prefix, number| {
        if seen == SEEN || count == WITHDRAWN {
            next = Some(net(prefix));
            return false;
        }
        seen += 1;
        if Entry::from_number(number).owner == owner {
            found[count] = Some(net(prefix));
            count += 1;
        }
        true
    });
    next
}

/// `feed NAME stale SECONDS|never`: it is there, and its routes stay for so long once it is not heard of. `feed NAME end`: it goes.
pub(super) fn told(router: &mut Router, text: &str, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let mut words = text.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME || !name.bytes().all(is_good) {
        return Err(wrong(text, "a feed's name has 1 to 31 letters, digits, `-`, `_` and `.`"));
    }
    router.share.check_leads()?;
    let feeds = &mut router.batches.feeds;
    let known = feeds.named(name);
    let unknown = || wrong(text, "behind a feed's name comes `stale SECONDS`, `stale never` or `end`");
    match (words.next(), words.next(), words.next()) {
        (Some("end"), None, None) => {
            let owner = known.ok_or_else(|| wrong(text, "there is no such feed"))?;
            if let Some(feed) = feeds.of_mut(owner) {
                (feed.heard, feed.has_ended) = (router.now, true);
            }
            show_one(router, owner, reply)
        }
        (Some("stale"), Some(time), None) => {
            let seconds = if time == "never" { Some(0) } else { time.parse().ok().filter(|time| *time > 0) };
            let stale = seconds.filter(|seconds| *seconds <= LONGEST).ok_or_else(unknown)? * SECOND;
            let owner = match known {
                Some(owner) => owner,
                None => {
                    let free = feeds.all.iter_mut().position(|place| place.is_none());
                    let at = free.ok_or_else(|| wrong(text, "there are 14 feeds already"))?;
                    let new = Feed { name: name.into(), last: 0, stale, heard: 0, has_ended: false };
                    feeds.all[at] = Some(new);
                    Owner(u8::try_from(at + 1).unwrap_or(1))
                }
            };
            if let Some(feed) = feeds.of_mut(owner) {
                feed.stale = stale;
            }
            feeds.renew(owner, router.now);
            show_one(router, owner, reply)
        }
        _ => Err(unknown()),
    }
}

/// `feeds?`: the number of the last batch that is no feed's, and all feeds.
pub(super) fn show(router: &Router, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    written(writeln!(reply, "batch {}", router.batches.last))?;
    (1..Owner::INTERFACES.0).try_for_each(|number| show_one(router, Owner(number), reply))
}

/// Words in pairs, for programs.
fn show_one(router: &Router, owner: Owner, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let Some(feed) = router.batches.feeds.of(owner) else { return Ok(()) };
    let (name, last, routes) = (feed.name(), feed.last, router.tables.fib.owned[usize::from(owner.0)]);
    let (heard, stale) = (router.now.saturating_sub(feed.heard) / SECOND, feed.stale / SECOND);
    let state = if feed.is_stale(router.now) { "stale" } else { "alive" };
    written(writeln!(reply, "feed {name} batch {last} routes {routes} heard {heard} stale {stale} state {state}"))
}
