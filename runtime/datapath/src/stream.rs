//! What all lcores of a stream share: when it begins, and when it is over.

use perigee_config::stream::Rate;
use perigee_report::StreamState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// No such moment yet.
const NEVER: u64 = u64::MAX;

/// A change of a stream while packets flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another rate.
    Rate(Rate),
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
    began: AtomicU64,
    ended: AtomicU64,
    over: AtomicU32,
    paused: AtomicBool,
}

impl Stream {
    /// A stream that has not begun.
    pub fn new(lcores: u32, after: Option<Arc<Self>>, paused: bool) -> Self {
        Self {
            lcores,
            after,
            began: AtomicU64::new(NEVER),
            ended: AtomicU64::new(NEVER),
            over: AtomicU32::new(0),
            paused: AtomicBool::new(paused),
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

    /// All that one of its lcores had to send has left.
    pub fn end(&self, now_ns: u64) {
        if self.over.fetch_add(1, Ordering::Relaxed) + 1 >= self.lcores {
            self.ended.store(now_ns, Ordering::Release);
        }
    }

    /// All of its packets have left.
    pub fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire) != NEVER
    }

    /// Notes that somebody holds it up, or lets it go.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// How far it is, and for how long it has run.
    pub fn state(&self, now_ns: u64) -> (StreamState, u64) {
        let (began, ended) = (self.began.load(Ordering::Relaxed), self.ended.load(Ordering::Acquire));
        let state = match () {
            () if began == NEVER => StreamState::Waiting,
            () if ended != NEVER => StreamState::Over,
            () if self.paused.load(Ordering::Relaxed) => StreamState::Paused,
            () => StreamState::Running,
        };
        (state, if began == NEVER { 0 } else { now_ns.min(ended).saturating_sub(began) })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_stream_begins_once_for_all_lcores_and_is_over_when_all_are_done() {
        let first = Arc::new(Stream::new(2, None, false));
        let second = Stream::new(1, Some(Arc::clone(&first)), false);
        assert_eq!((first.state(5), second.begin(5)), ((StreamState::Waiting, 0), None));
        assert_eq!((first.begin(10), first.begin(12)), (Some(10), Some(10)));
        assert_eq!(first.state(15), (StreamState::Running, 5));
        first.end(20);
        assert_eq!((first.is_over(), second.begin(20)), (false, None));
        first.end(30);
        assert_eq!((first.state(50), second.begin(40)), ((StreamState::Over, 20), Some(40)));
        first.set_paused(true);
        assert_eq!(first.state(50).0, StreamState::Over);
    }
}
