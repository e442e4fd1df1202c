//! What all lcores of a stream share: when it begins, and when it is over.

use perigee_config::stream::{Pattern, Rate};
use perigee_report::StreamState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// No such moment yet.
const NEVER: u64 = u64::MAX;

/// A change of a stream while packets flow.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Another rate.
    Rate(Rate),
    /// Another pattern, at a rate of its own or at the one that the stream has.
    Pattern(Box<Pattern>, Option<Rate>),
    /// No packets until it goes on.
    Pause,
    /// It goes on.
    Resume,
}

/// One stream, as its lcores and the control side see it. Times are nanoseconds of the run's clock.
#[derive(Debug)]
pub struct Stream {
    /// On how many lcores its chain runs.
    lcores: u32,
    /// Where it waits for the end of another one.
    after: Option<Arc<Stream>>,
    /// How long after its beginning its first packet is due.
    start_ns: u64,
    began: AtomicU64,
    ended: AtomicU64,
    /// The latest of the moments at which its lcores were done.
    done: AtomicU64,
    over: AtomicU32,
    /// Since when it is held up.
    paused: AtomicU64,
    /// For how long it was held up before that.
    rested: AtomicU64,
    /// It has had another rate than the configuration's.
    changed: AtomicBool,
}

impl Stream {
    /// A stream that has not begun; its first packet is due `start_ns` behind its beginning.
    pub fn new(lcores: u32, after: Option<Arc<Self>>, start_ns: u64, paused: bool) -> Self {
        Self {
            lcores,
            after,
            start_ns,
            began: AtomicU64::new(NEVER),
            ended: AtomicU64::new(NEVER),
            done: AtomicU64::new(0),
            over: AtomicU32::new(0),
            paused: AtomicU64::new(if paused { 0 } else { NEVER }),
            rested: AtomicU64::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// When it begins: as the first of its lcores asks, unless it waits for another stream. All lcores get the same answer.
    pub fn begin(&self, now_ns: u64) -> Option<u64> {
        if self.after.as_ref().is_some_and(|before| !before.is_over()) {
            return None;
        }
        let first = self.began.compare_exchange(NEVER, now_ns, Ordering::Relaxed, Ordering::Relaxed);
        Some(first.map_or_else(|began| began, |_| now_ns))
    }

    /// All that one of its lcores had to send has left by then.
    pub fn end(&self, at_ns: u64) {
        let latest = self.done.fetch_max(at_ns, Ordering::AcqRel).max(at_ns);
        if self.over.fetch_add(1, Ordering::AcqRel) + 1 >= self.lcores {
            self.ended.store(latest.max(self.done.load(Ordering::Acquire)), Ordering::Release);
        }
    }

    /// One lcore sends it.
    pub fn is_alone(&self) -> bool {
        self.lcores == 1
    }

    /// All of its packets have left.
    pub fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire) != NEVER
    }

    /// Notes what somebody has changed at that moment. Each of its lcores says so; the first one counts.
    pub fn change(&self, change: &Change, at_ns: u64) {
        match change {
            Change::Pause => _ = self.paused.compare_exchange(NEVER, at_ns, Ordering::Relaxed, Ordering::Relaxed),
            Change::Resume => {
                let since = self.paused.swap(NEVER, Ordering::Relaxed);
                if since != NEVER {
                    self.rested.fetch_add(self.pause(since, at_ns), Ordering::Relaxed);
                }
            }
            Change::Rate(_) | Change::Pattern(..) => self.changed.store(true, Ordering::Relaxed),
        }
    }

    /// From `since`, or from its beginning where that is later, to `until`.
    fn pause(&self, since: u64, until: u64) -> u64 {
        until.saturating_sub(since.max(self.first_due()))
    }

    /// When its first packet is due; never, where that is not known.
    fn first_due(&self) -> u64 {
        self.began.load(Ordering::Relaxed).saturating_add(self.start_ns)
    }

    /// Its rate has been the configuration's all along.
    pub fn has_one_rate(&self) -> bool {
        !self.changed.load(Ordering::Relaxed)
    }

    /// How far it is, and for how long its packets have left, without pauses.
    pub fn state(&self, now_ns: u64) -> (StreamState, u64) {
        let (first, ended) = (self.first_due(), self.ended.load(Ordering::Acquire));
        let (paused, rested) = (self.paused.load(Ordering::Relaxed), self.rested.load(Ordering::Relaxed));
        let until = now_ns.min(ended).min(paused.max(first));
        let state = match () {
            () if ended != NEVER => StreamState::Over,
            () if first == NEVER => StreamState::Waiting,
            () if paused != NEVER => StreamState::Paused,
            () if now_ns < first => StreamState::Waiting,
            () => StreamState::Running,
        };
        (state, until.saturating_sub(first).saturating_sub(rested))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn pauses_are_no_part_of_how_long_it_ran() {
        let stream = Stream::new(2, None, 0, false);
        assert_eq!(stream.begin(100), Some(100));
        stream.change(&Change::Pause, 150);
        stream.change(&Change::Pause, 151);
        assert_eq!(stream.state(500), (StreamState::Paused, 50));
        stream.change(&Change::Resume, 400);
        stream.change(&Change::Resume, 401);
        assert_eq!(stream.state(500), (StreamState::Running, 150));
        let waits = Stream::new(1, None, 0, true);
        waits.begin(100);
        assert_eq!(waits.state(200), (StreamState::Paused, 0));
        waits.change(&Change::Resume, 300);
        assert_eq!(waits.state(310), (StreamState::Running, 10));
    }

    #[test]
    fn a_stream_begins_once_for_all_lcores_and_is_over_when_all_are_done() {
        let first = Arc::new(Stream::new(2, None, 0, false));
        let second = Stream::new(1, Some(Arc::clone(&first)), 0, false);
        assert_eq!((first.state(5), second.begin(5)), ((StreamState::Waiting, 0), None));
        assert_eq!((first.begin(10), first.begin(12)), (Some(10), Some(10)));
        assert_eq!(first.state(15), (StreamState::Running, 5));
        first.end(30);
        assert_eq!((first.is_over(), second.begin(20)), (false, None));
        first.end(20);
        assert_eq!((first.state(50), second.begin(40)), ((StreamState::Over, 20), Some(40)));
        first.change(&Change::Pause, 45);
        assert_eq!(first.state(50).0, StreamState::Over);
        let late = Stream::new(1, None, 500, false);
        assert_eq!((late.begin(100), late.state(599)), (Some(100), (StreamState::Waiting, 0)));
        assert_eq!(late.state(700), (StreamState::Running, 100));
    }
}
