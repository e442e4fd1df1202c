//! When a new instance is made after a failure: later each time, and at last never. No clock in here: the caller says what
//! time it is.

use perigee_config::Restart;
use std::collections::VecDeque;
use std::time::Duration;

/// The failures of one seat, as far as they decide about the next restart.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// How long the next restart is waited for; `None` before the first failure.
    delay: Option<Duration>,
    /// Failures within the breaker's time.
    recent: VecDeque<Duration>,
    /// When the instance that runs now came.
    since: Duration,
}

impl Backoff {
    /// A new instance runs from now on.
    pub(super) fn installed(&mut self, now: Duration) {
        self.since = now;
    }

    /// An instance has failed. Returns when a new one shall be made; `None` where the breaker has opened.
    pub(super) fn failed(&mut self, rule: &Restart, now: Duration) -> Option<Duration> {
        let healthy = now.saturating_sub(self.since) >= rule.healthy;
        let delay = match self.delay {
            Some(delay) if !healthy => delay.saturating_mul(2).min(rule.longest),
            _ => rule.first,
        };
        self.delay = Some(delay);
        while self.recent.front().is_some_and(|then| now.saturating_sub(*then) > rule.within) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let most = usize::try_from(rule.failures).unwrap_or(usize::MAX);
        (self.recent.len() < most).then(|| now + delay)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Lets an instance fail `run` after it came; returns how long the next one is waited for.
    fn fail(backoff: &mut Backoff, rule: &Restart, now: &mut Duration, run: Duration) -> Option<Duration> {
        *now += run;
        let at = backoff.failed(rule, *now)?;
        let delay = at - *now;
        *now = at;
        backoff.installed(at);
        Some(delay)
    }

    #[test]
    fn the_time_doubles_up_to_the_longest_and_then_the_breaker_opens() {
        let (mut backoff, mut now) = (Backoff::default(), Duration::ZERO);
        let rule = Restart::default();
        let delays: Vec<_> =
            std::iter::from_fn(|| fail(&mut backoff, &rule, &mut now, Duration::ZERO)).map(|d| d.as_millis()).collect();
        let doubled = (0..16).map(|n| 1_u128 << n);
        assert_eq!(delays, doubled.chain([60_000; 3]).collect::<Vec<_>>(), "19 restarts, the 20th failure is the last");
    }

    #[test]
    fn a_healthy_time_makes_the_next_failure_a_first_one() {
        let (mut backoff, mut now) = (Backoff::default(), Duration::ZERO);
        let rule = Restart::default();
        assert_eq!(fail(&mut backoff, &rule, &mut now, Duration::ZERO), Some(ms(1)));
        assert_eq!(fail(&mut backoff, &rule, &mut now, rule.healthy - ms(1)), Some(ms(2)));
        assert_eq!(fail(&mut backoff, &rule, &mut now, rule.healthy), Some(ms(1)));
    }

    #[test]
    fn old_failures_do_not_open_the_breaker() {
        let rule = Restart { failures: 3, within: ms(1_000), healthy: ms(1), ..Restart::default() };
        let (mut backoff, mut now) = (Backoff::default(), Duration::ZERO);
        for _ in 0..100 {
            assert!(fail(&mut backoff, &rule, &mut now, ms(500)).is_some());
        }
        assert!(fail(&mut backoff, &rule, &mut now, ms(10)).is_none());
    }
}
