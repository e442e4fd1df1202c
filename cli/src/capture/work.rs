//! From a session to files, until it is enough; then to the last packet, and to what it all comes to.

use super::account::{Account, PointCounts};
use super::blocks::Tally;
use super::files::{Files, Stop};
use super::session::Session;
use crate::client::Client;
use crate::rates;
use perigee_record::Map;
use perigee_runtime::config::capture::Way;
use perigee_runtime::{CaptureInfo, PlaceInfo, Snapshot};
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long it rests where nothing has come: less than any ring lasts.
const REST: Duration = Duration::from_millis(2);
/// How long the last packets may take to come after the run was asked to end the capture, or has closed the connection.
const END_TIME: Duration = Duration::from_secs(15);

/// When it is enough.
pub(super) struct Limits<'a> {
    /// After so many packets.
    pub(super) count: Option<u64>,
    /// After this time.
    pub(super) duration: Option<Duration>,
    /// When this says so.
    pub(super) is_over: &'a dyn Fn() -> bool,
    /// Takes down how long there was nothing to do.
    pub(super) idle: &'a Cell<Duration>,
}

/// Writes all that comes until it is enough: what it comes to, and what has ended it before.
pub(super) fn work(
    session: &mut Session,
    files: &mut Files<'_>,
    lost: &mut Lost<'_>,
    limits: &Limits<'_>,
) -> (Account, Option<Stop>) {
    let mut rest = follow(limits, session, files, lost);
    let complete = end(session, files, lost, &mut rest);
    let mut failed = if let Rest::Lost(stop) = rest { Some(stop) } else { None };
    lost.look();
    if failed.is_none() {
        failed = files.end(&tallies(session, files, lost), now_ns()).err();
    }
    let all = whole(session, files, lost);
    let points = session.info.places.iter().zip(&all);
    let account = Account {
        balanced: !complete || all.iter().all(Tally::is_balanced),
        complete,
        points: points.map(|(place, tally)| PointCounts::new(&place.name, tally)).collect(),
        files: files.made().map(|path| path.display().to_string()).collect(),
        dry: None,
    };
    (account, failed)
}

/// What becomes of packets that were recorded before the run has ended the capture.
enum Rest {
    /// They are wanted as well.
    Wanted,
    /// There are as many as were asked for.
    Surplus,
    /// Nothing can be written any more.
    Lost(Stop),
}

/// Writes what comes until it is enough.
fn follow(limits: &Limits<'_>, session: &mut Session, files: &mut Files<'_>, lost: &mut Lost<'_>) -> Rest {
    let begun = Instant::now();
    let mut left = limits.count.unwrap_or(u64::MAX);
    loop {
        let mut failed = None;
        let handed = session.lanes.drain(false, |place, record| {
            failed = files.packet(place, record).err();
            left -= 1;
            failed.is_none() && left != 0 && !files.is_full()
        });
        let failed = failed.or_else(|| files.tend().err());
        if let Some(stop) = failed {
            return Rest::Lost(stop);
        }
        if left == 0 {
            return Rest::Surplus;
        }
        if files.is_full() {
            lost.look();
            let tallies = tallies(session, files, lost);
            if let Err(stop) = files.rotate(&tallies, now_ns()) {
                return Rest::Lost(stop);
            }
        }
        let is_late = limits.duration.is_some_and(|duration| begun.elapsed() >= duration);
        if is_late || (limits.is_over)() || session.is_closed() {
            return Rest::Wanted;
        }
        if handed == 0 {
            let begun = Instant::now();
            pause();
            limits.idle.set(limits.idle.get() + begun.elapsed());
        }
    }
}

/// Ends the capture, and takes what was recorded until then: all of it is counted. Whether the run has told its last number.
fn end(session: &mut Session, files: &mut Files<'_>, lost: &Lost<'_>, rest: &mut Rest) -> bool {
    session.ask_end();
    let asked = Instant::now();
    loop {
        let ended = session.lanes.has_ended();
        let handed = session.lanes.drain(ended, |place, record| {
            match rest {
                Rest::Wanted => {
                    if let Err(stop) = files.packet(place, record) {
                        *rest = Rest::Lost(stop);
                    }
                }
                Rest::Surplus => files.pass_over(place),
                Rest::Lost(_) => files.lose(place),
            }
            !matches!(rest, Rest::Wanted) || !files.is_full()
        });
        if matches!(rest, Rest::Wanted) && files.is_full() {
            if let Err(stop) = files.rotate(&tallies(session, files, lost), now_ns()) {
                *rest = Rest::Lost(stop);
            }
            continue;
        }
        if handed != 0 {
            continue;
        }
        if ended || asked.elapsed() >= END_TIME || (session.is_closed() && !session.is_run_there()) {
            session.lanes.finish();
            return ended;
        }
        pause();
    }
}

/// Nothing has come: it lets others work.
pub(crate) fn pause() {
    std::thread::sleep(REST);
}

/// By point, what has become of packets that were read, or missed, until now: those that are still in memory come later.
fn tallies(session: &Session, files: &Files<'_>, lost: &Lost<'_>) -> Vec<Tally> {
    let one = |place| {
        let ((counts, ring), tally) = (session.lanes.counts(place), files.tally(place));
        let seen = counts.refused + ring + tally.writer + tally.surplus + tally.written;
        Tally { seen, filter: counts.refused, ring, port: lost.of(place), ..tally }
    };
    (0..session.info.places.len()).map(one).collect()
}

/// As [`tallies`], with what the run itself says that has passed: at the end both are the same.
fn whole(session: &Session, files: &Files<'_>, lost: &Lost<'_>) -> Vec<Tally> {
    let tallies = tallies(session, files, lost).into_iter().enumerate();
    tallies.map(|(place, tally)| Tally { seen: session.lanes.counts(place).0.seen, ..tally }).collect()
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Who says what ports have lost.
pub(super) enum Teller<'a> {
    /// The run, when it is asked.
    Run(&'a Client),
    /// The run, by itself, beside the packets.
    Memory(Arc<Map>),
}

/// By point: its port, where packets come from it.
pub(super) fn ports(info: &CaptureInfo) -> Vec<Option<String>> {
    let comes = |place: &&PlaceInfo| place.way == Way::In;
    info.places.iter().map(|place| Some(place).filter(comes).and_then(|place| place.port.clone())).collect()
}

/// What these have lost since the run's start; `None` where there is no port.
pub(super) fn lost<'a>(ports: &'a [Option<String>], now: &'a Snapshot) -> impl Iterator<Item = Option<u64>> + 'a {
    let of = |name: &String| now.ports.iter().find(|port| port.name == *name).map(rates::lost);
    ports.iter().map(move |port| port.as_ref().and_then(of))
}

/// What ports have lost since the capture began, of which no chain knows.
pub(super) struct Lost<'a> {
    from: Teller<'a>,
    /// By point: its port, where packets come from it.
    ports: Vec<Option<String>>,
    first: Vec<u64>,
    now: Vec<u64>,
}

impl<'a> Lost<'a> {
    /// Nothing so far.
    pub(super) fn new(from: Teller<'a>, info: &CaptureInfo) -> Self {
        let ports = ports(info);
        let zeros = vec![0; ports.len()];
        let mut lost = Self { from, ports, first: zeros.clone(), now: zeros };
        lost.look();
        lost.first.clone_from(&lost.now);
        lost
    }

    /// Asks the run. One that has ended leaves it as it was.
    fn look(&mut self) {
        if self.ports.iter().all(Option::is_none) {
            return;
        }
        match &self.from {
            Teller::Run(client) => {
                let Ok(snapshot) = client.snapshot() else { return };
                self.now
                    .iter_mut()
                    .zip(lost(&self.ports, &snapshot))
                    .for_each(|(place, lost)| *place = lost.unwrap_or(*place));
            }
            Teller::Memory(map) => (0..).zip(&mut self.now).for_each(|(number, place)| *place = map.told(number)),
        }
    }

    fn of(&self, place: usize) -> u64 {
        self.now[place].saturating_sub(self.first[place])
    }
}
