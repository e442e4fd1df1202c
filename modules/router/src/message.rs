//! What the operator asks, and tells: `perigee ctl message router 'routes?'`.

mod feeds;
mod show;

pub(crate) use feeds::Feeds;

use crate::counts::Count;
use crate::fib::{Entry, Net, Owner, room};
use crate::routes::{Route, exchange, read_net, wrong};
use crate::{Router, share};
use alloc::vec::Vec;
use core::fmt::Write as _;
use perigee_guest::{Buffer, Refusal};

/// Most changes of a message: they are made between two bursts of packets, all together, in less than 50 us.
const CHANGES: usize = 64;

/// What a message changed so far, to be taken back: it is applied as a whole or not at all.
pub(crate) struct Batches {
    undo: Vec<(Net, Option<Entry>)>,
    /// The number of the last batch that was applied, of those that are no feed's.
    pub(crate) last: u64,
    pub(crate) feeds: Feeds,
}

/// What a line of a batch does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Delete,
}

impl Batches {
    pub(crate) fn new() -> Result<Self, Refusal> {
        Ok(Self { undo: room(CHANGES)?, last: 0, feeds: Feeds::default() })
    }
}

/// Answers a message.
pub(crate) fn answer(router: &mut Router, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    if share::is_told(request) {
        return share::hear(router, request);
    }
    router.tables.fib.catch_up();
    let text = core::str::from_utf8(request).map_err(|_| Refusal::new("a message is text in UTF-8"))?.trim();
    let (first, rest) = text.split_once([' ', '\n']).unwrap_or((text, ""));
    match first {
        "routes?" => show::routes(router, rest.trim(), reply),
        "route?" => show::route(router, rest.trim(), reply),
        "neighbours?" => show::neighbours(router, rest.trim(), reply),
        "interfaces?" => show::interfaces(router, reply),
        "version?" => share::show_version(router, reply),
        "feeds?" => feeds::show(router, reply),
        "feed" => feeds::told(router, rest, reply),
        "batch" => {
            let (head, lines) = rest.split_once('\n').unwrap_or((rest, ""));
            let (number, feed) = head.split_once(" feed ").map_or((head, None), |(number, feed)| (number, Some(feed)));
            let number =
                number.trim().parse().map_err(|_| wrong(head, "behind `batch` comes a number, and then lines"))?;
            let owner = router.batches.feeds.owner(feed)?;
            let last = router.batches.feeds.last(owner).unwrap_or(&mut router.batches.last);
            if number == *last {
                return told(writeln!(reply, "batch {number} was applied before"));
            }
            let count = change(router, lines, owner)?;
            let Router { batches: Batches { feeds, last, .. }, now, .. } = router;
            feeds.renew(owner, *now);
            *feeds.last(owner).unwrap_or(last) = number;
            told(writeln!(reply, "batch {number}: {count} changes"))
        }
        "route" => {
            let count = change(router, text, Owner::OPERATOR)?;
            told(writeln!(reply, "{count} changes"))
        }
        _ => Err(Refusal::new(
            "known messages: routes? [PREFIX], route? ADDRESS, neighbours? [PORT ADDRESS], interfaces?, version?, feeds?, \
             route add|replace PREFIX …, route del PREFIX, batch NUMBER [feed NAME] and lines of these, \
             feed NAME stale SECONDS|never, feed NAME end",
        )),
    }
}

/// What a reply does not take, the mailbox has no room for.
fn told(written: core::fmt::Result) -> Result<(), Refusal> {
    written.map_err(|_| perigee_guest::Full.into())
}

/// Makes the changes of all lines, or none of them.
fn change(router: &mut Router, lines: &str, owner: Owner) -> Result<usize, Refusal> {
    router.share.check_leads()?;
    router.batches.undo.clear();
    let mut count = 0;
    if !router.tables.fib.is_ready(lines.lines().count().min(CHANGES)) {
        return Err(Refusal::new(
            "not now: fast instances still look at what was before, or another instance may go on with the table; nothing was changed, \
             send it again",
        ));
    }
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let done = if count == CHANGES {
            Err(Refusal::new("more than 64 changes in a message: send them in several"))
        } else {
            change_one(router, line, owner)
        };
        if let Err(refusal) = done {
            take_back(router);
            return Err(refusal);
        }
        count += 1;
    }
    router.share.count_change(&mut router.tables);
    // What went has still had its next hops, so that it could come back.
    let Router { tables, batches, .. } = router;
    batches.undo.drain(..).filter_map(|(_, before)| before).for_each(|before| tables.fib.leave(before.target));
    Count::Routes.add(count as u64);
    Ok(count)
}

/// Makes the changes undone, the last one first.
fn take_back(router: &mut Router) {
    let Router { tables, batches, .. } = router;
    while let Some((net, before)) = batches.undo.pop() {
        // There was room for it before.
        if let Ok(Some(entry)) = tables.fib.set(net, before) {
            tables.fib.leave(entry.target);
        }
    }
}

fn change_one(router: &mut Router, line: &str, owner: Owner) -> Result<(), Refusal> {
    let Router { tables, batches, .. } = router;
    let unknown = || wrong(line, "a change is `route add PREFIX …`, `route replace PREFIX …` or `route del PREFIX`");
    let (verb, rest) =
        line.strip_prefix("route ").and_then(|rest| rest.trim_start().split_once(' ')).ok_or_else(unknown)?;
    let verb = match verb {
        "add" => Verb::Add,
        "replace" => Verb::Replace,
        "del" => Verb::Delete,
        _ => return Err(unknown()),
    };
    let route = if verb == Verb::Delete { None } else { Some(Route::read(rest, &tables.interfaces)?) };
    let net = route.map_or_else(|| read_net(line, rest.trim()), |route| Ok(route.net))?;
    match (tables.fib.get(net), verb) {
        (Some(known), _) if known.owner == Owner::INTERFACES => {
            return Err(wrong(line, "this is a prefix or an address of an interface, which the configuration gives"));
        }
        // A feed changes what is its own. The operator may take over what is a feed's.
        (Some(known), _) if owner.is_feed() && known.owner != owner => {
            return Err(wrong(line, "this route is the operator's, the configuration's or another feed's"));
        }
        (Some(_), Verb::Add) => return Err(wrong(line, "there is such a route: `route replace` takes its place")),
        (None, Verb::Delete) => return Err(wrong(line, "there is no such route")),
        _ => {}
    }
    let target = route.map(|route| route.target(line, tables)).transpose()?;
    match exchange(line, net, target.map(|target| Entry { target, owner }), tables) {
        Ok(before) => batches.undo.push((net, before)),
        Err(refusal) => {
            target.into_iter().for_each(|target| tables.fib.leave(target));
            return Err(refusal);
        }
    }
    Ok(())
}
