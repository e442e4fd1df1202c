//! A feed at work: it hears its source, and brings the router what differs.

use super::args::{From, RoutesArgs, Stale};
use super::places::Places;
use super::rib::{Effect, Rib};
use super::router::{Router, Standing};
use super::source::{Event, Source};
use super::table::{Change, Table};
use crate::output;
use crate::table::count;
use anyhow::Result;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long is waited for more to happen, where all must be asked for anew.
const MOMENT: Duration = Duration::from_millis(100);
/// Most lines in the log about routes that cannot be held, in a row.
const LINES: u64 = 20;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Changes that the router has made, and has refused.
    changes: u64,
    refused: u64,
    /// How often all was asked for anew, and how often of these because news were lost.
    dumps: u64,
    lost: u64,
    /// Peers that came.
    peers: u64,
    /// What was said beyond what is remembered.
    forgotten: u64,
}

/// A feed.
pub(super) struct Feed {
    router: Router,
    source: Source,
    from: From,
    table_number: u32,
    stale: Stale,
    map: HashMap<String, u16>,
    once: bool,
    rib: Rib,
    places: Places,
    table: Table,
    counts: Counts,
    /// It stands for its routes: the kernel does always, FRR while it is connected.
    is_alive: bool,
    next_heartbeat: Instant,
    /// When all is asked for anew.
    next_dump: Option<Instant>,
    /// When what an earlier peer has left goes, unless it was said again.
    sweep_at: Option<Instant>,
    /// Whether routes that lead to objects are to be looked at again.
    objects_changed: bool,
    logged: u64,
    /// It has said that the router has all.
    has_told: bool,
}

impl Feed {
    pub(super) fn new(args: &RoutesArgs, router: Router, source: Source, interfaces: HashMap<u32, u16>) -> Self {
        let mut places = Places::default();
        places.set_interfaces(interfaces);
        let now = Instant::now();
        Self {
            router,
            source,
            from: args.from,
            table_number: args.table,
            stale: args.stale,
            map: args.map.iter().cloned().collect(),
            once: args.once,
            rib: Rib::new(args.from, args.table),
            places,
            table: Table::default(),
            counts: Counts::default(),
            is_alive: false,
            next_heartbeat: now,
            next_dump: (args.from == From::Kernel).then_some(now),
            sweep_at: None,
            objects_changed: false,
            logged: 0,
            has_told: false,
        }
    }

    /// Goes round, until it has brought all where that is asked for once, or the run ends.
    pub(super) async fn run(&mut self) -> Result<()> {
        if self.from == From::Kernel {
            self.begin().await?;
        }
        loop {
            // News go first: the kernel has little room for them.
            let is_idle = self.table.is_done() && !self.objects_changed;
            let due = self.due();
            let events = tokio::select! {
                biased;
                events = self.source.next() => events?,
                () = std::future::ready(()), if !is_idle => Vec::new(),
                () = sleep_until(due) => Vec::new(),
            };
            for event in events {
                self.hear(event).await?;
            }
            self.look_at_clock().await?;
            if std::mem::take(&mut self.objects_changed) {
                let nets: Vec<_> = self.rib.nets_of_objects().collect();
                nets.into_iter().for_each(|net| self.table.touch(net));
            }
            if self.is_alive && !self.table.is_done() {
                self.send().await?;
            }
            if self.table.is_done() && self.next_dump.is_none() && self.is_alive {
                self.logged = 0;
                if self.once {
                    return Ok(());
                }
                if !std::mem::replace(&mut self.has_told, true) && !self.is_quiet() {
                    output::result(&format!("{}\n", self.text()))?;
                }
            }
        }
    }

    /// FRR has just come, and has said nothing yet.
    fn is_quiet(&self) -> bool {
        self.from == From::Fpm && self.rib.len() == 0
    }

    /// When there is something to do, whatever happens.
    fn due(&self) -> Instant {
        let heartbeat = self.is_alive.then_some(self.next_heartbeat);
        let first = [heartbeat, self.next_dump, self.sweep_at].into_iter().flatten().min();
        first.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600))
    }

    /// Begins to stand for routes: what the router has of an earlier time is compared.
    async fn begin(&mut self) -> Result<()> {
        self.router.look_at_links(&mut self.places).await?;
        let Standing { routes, .. } = self.router.begin(&mut self.table).await?;
        if routes > 0 {
            tracing::info!("the router has {routes} routes of this feed from before");
        }
        self.rib.forget_texts();
        self.is_alive = true;
        self.has_told = false;
        self.next_heartbeat = Instant::now() + self.stale.heartbeat();
        Ok(())
    }

    async fn hear(&mut self, event: Event) -> Result<()> {
        match event {
            Event::News(news) => match self.rib.hear(news) {
                Effect::None => {}
                Effect::Net(net) => self.table.touch(net),
                Effect::Objects => self.objects_changed = true,
                Effect::Unclear => self.doubt("a route has come beside another, or one of several has gone"),
                Effect::Full => self.counts.forgotten += 1,
            },
            Event::Doubt(why) => self.doubt(why),
            Event::Lost(why) => {
                self.counts.lost += 1;
                self.doubt(why);
            }
            Event::Begun => {
                self.counts.peers += 1;
                tracing::info!("a peer has come");
                self.rib = Rib::new(self.from, self.table_number);
                self.begin().await?;
                // It never says that it has told all.
                self.sweep_at = self.stale.0.map(|stale| Instant::now() + stale);
            }
            Event::Ended(why) => {
                tracing::warn!("the peer has gone: {why}; its routes are marked, and stay {}", self.stays());
                self.is_alive = false;
                self.sweep_at = None;
                self.objects_changed = false;
                self.rib = Rib::new(self.from, self.table_number);
                self.table.begin();
                self.router.leave().await?;
            }
        }
        Ok(())
    }

    /// All is asked for anew in a moment: what happens to an interface comes in many pieces.
    fn doubt(&mut self, why: &str) {
        tracing::debug!("all routes are asked for anew: {why}");
        self.next_dump.get_or_insert_with(|| Instant::now() + MOMENT);
    }

    /// All that the source has said is compared with what the router has. What an earlier peer has left waits for its time.
    fn look_at_all(&mut self) {
        let said: Vec<_> = self.rib.nets().collect();
        said.into_iter().for_each(|net| self.table.touch(net));
        if self.sweep_at.is_none() {
            self.table.touch_all();
        }
    }

    fn stays(&self) -> String {
        match self.stale.0 {
            Some(stale) => humantime::format_duration(stale).to_string(),
            None => "for good".to_owned(),
        }
    }

    async fn look_at_clock(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.next_dump.is_some_and(|due| due <= now) {
            self.next_dump = None;
            self.dump().await?;
        }
        if self.sweep_at.is_some_and(|due| due <= now) {
            self.sweep_at = None;
            self.table.sweep();
        }
        if self.is_alive && self.next_heartbeat <= now {
            self.next_heartbeat = now + self.stale.heartbeat();
            self.renew().await?;
        }
        Ok(())
    }

    /// Says that it stands for its routes, and sees whether the router is as it was.
    async fn renew(&mut self) -> Result<()> {
        let standing = self.router.renew().await?;
        let has_lost = standing.routes != self.table.counts().0 as u64 && self.table.is_done();
        if self.router.look_at_links(&mut self.places).await? {
            tracing::info!("the router's interfaces have changed: all routes are looked at");
            self.rib.forget_texts();
            self.look_at_all();
        }
        if has_lost {
            let (has, had) = (standing.routes, self.table.counts().0);
            tracing::warn!("the router has {has} routes of this feed where it had {had}: they are compared");
            let sweep_at = self.sweep_at;
            self.begin().await?;
            self.sweep_at = sweep_at;
            self.look_at_all();
        }
        Ok(())
    }

    /// Asks the kernel for all, in the place of what is known.
    async fn dump(&mut self) -> Result<()> {
        let Source::Kernel(kernel) = &mut self.source else { return Ok(()) };
        let (from, table) = (self.from, self.table_number);
        let dump = kernel.dump(|| Rib::new(from, table)).await?;
        self.counts.dumps += 1;
        self.counts.forgotten += u64::from(dump.is_full);
        let port = |name: &String| self.map.get(name).copied();
        self.places
            .set_interfaces(dump.links.iter().filter_map(|(number, name)| Some((*number, port(name)?))).collect());
        let old: Vec<_> = self.rib.nets().collect();
        self.rib = dump.rib;
        old.into_iter().for_each(|net| self.table.touch(net));
        self.look_at_all();
        Ok(())
    }

    /// Sends the next batch.
    async fn send(&mut self) -> Result<()> {
        let logged = &mut self.logged;
        let batch = self.table.next_batch(&mut self.rib, &self.places, |net, why| {
            log(logged, &format!("route {net} {why}: the router cannot hold it"));
        });
        if batch.is_empty() {
            return Ok(());
        }
        let refused = self.router.send(&batch).await?;
        let mut others: Vec<Change> = Vec::new();
        for (change, refused) in batch.iter().zip(refused) {
            match refused {
                None => {
                    self.table.made(change);
                    self.counts.changes += 1;
                }
                Some(why) => {
                    self.counts.refused += 1;
                    log(&mut self.logged, &format!("the router refuses a route: {why}"));
                    others.extend(self.table.refused(change));
                }
            }
        }
        if !others.is_empty() {
            let refused = self.router.send(&others).await?;
            others
                .iter()
                .zip(refused)
                .filter(|(_, refused)| refused.is_none())
                .for_each(|(change, _)| self.table.made(change));
        }
        Ok(())
    }

    /// The end: nobody stands for the routes any more, unless they were to be brought once.
    pub(super) async fn end(&self) -> Result<()> {
        if self.is_alive && !self.once { self.router.leave().await } else { Ok(()) }
    }

    /// What was done, for people.
    pub(super) fn text(&self) -> String {
        let ((has, odd), counts) = (self.table.counts(), &self.counts);
        let n = |number: u64| count(number);
        format!(
            "{}: {} routes in the router, {} that it cannot hold; {} changes in {} batches, {} refused; asked for anew {} times, {} of \
             them for lost news",
            self.from.name(),
            n(has as u64),
            n(odd as u64),
            n(counts.changes),
            n(self.router.batches),
            n(counts.refused),
            n(counts.dumps),
            n(counts.lost),
        )
    }

    /// The same, for programs.
    pub(super) fn json(&self) -> String {
        let ((routes, odd), counts) = (self.table.counts(), &self.counts);
        let sent_away = if let Source::Fpm(fpm) = &self.source { fpm.sent_away } else { 0 };
        json!({
            "routes": routes,
            "not_held": odd,
            "changes": counts.changes,
            "batches": self.router.batches,
            "refused": counts.refused,
            "dumps": counts.dumps,
            "lost": counts.lost,
            "peers": counts.peers,
            "peers_sent_away": sent_away,
            "forgotten": counts.forgotten,
        })
        .to_string()
    }
}

/// Logs what is wrong with routes, some lines of it in a row.
fn log(logged: &mut u64, text: &str) {
    *logged += 1;
    match *logged {
        ..=LINES => tracing::warn!("{text}"),
        line if line == LINES + 1 => {
            tracing::warn!("and more such routes: `--json` counts them, `--log debug` names them")
        }
        _ => tracing::debug!("{text}"),
    }
}
