//! Random early detection (S. Floyd, V. Jacobson: Random Early Detection Gateways for Congestion Avoidance, 1993).

use crate::draw::Draws;
use perigee_config::wire::Red;

/// The gateway's state, by the names of the paper.
#[derive(Debug)]
pub(crate) struct Early {
    red: Red,
    /// `avg`: the mean length of the queue.
    mean: f64,
    /// `count`: packets since the last one that was dropped; `None` while the mean is below the lower bound.
    since: Option<u64>,
    /// `q_time`: since when the queue is empty, in picoseconds.
    idle_since: Option<u64>,
}

impl Early {
    pub(crate) fn new(red: Red) -> Self {
        Self { red, mean: 0.0, since: None, idle_since: Some(0) }
    }

    /// The queue has become empty then.
    pub(crate) fn idle_since(&mut self, at: u64) {
        self.idle_since.get_or_insert(at);
    }

    /// Whether a packet is dropped that comes when so many are in the queue. `typical` is how long a packet has the line.
    #[allow(clippy::cast_precision_loss, reason = "lengths of queues and counts of packets")]
    pub(crate) fn drops(&mut self, length: usize, at: u64, typical: u64, draws: &mut Draws) -> bool {
        if length == 0
            && let Some(since) = self.idle_since.take()
        {
            // As if so many packets had come to an empty queue.
            let missed = at.saturating_sub(since) as f64 / typical.max(1) as f64;
            self.mean *= (1.0 - self.red.weight).powf(missed);
        } else {
            self.idle_since = None;
        }
        self.mean += self.red.weight * (length as f64 - self.mean);
        if self.mean < self.red.least {
            self.since = None;
            return false;
        }
        if self.mean >= self.red.most {
            self.since = Some(0);
            return true;
        }
        let count = self.since.map_or(0, |count| count + 1);
        let part = (self.mean - self.red.least) / (self.red.most - self.red.least);
        let base = self.red.probability * part;
        // Drops are spread evenly, instead of coming in groups.
        let chance = base / (1.0 - count as f64 * base).max(base);
        let drops = draws.happens(chance);
        self.since = Some(if drops { 0 } else { count });
        drops
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn drops_begin_at_one_bound_and_are_certain_at_the_other() {
        let red = Red { least: 5.0, most: 15.0, probability: 0.1, weight: 1.0 };
        let dropped = |length| {
            let (mut early, mut draws) = (Early::new(red), Draws::new(1));
            (0..10_000).filter(|i| early.drops(length, *i, 1, &mut draws)).count()
        };
        assert_eq!((dropped(4), dropped(15)), (0, 10_000));
        // Halfway the base is 5 %, and by the count in between a packet of 2 / 0.05 - 1 at the latest: one of 1 / p + 1 / 2 in the mean.
        let n = dropped(10);
        assert!((900..1_050).contains(&n), "{n}");
    }

    #[test]
    fn an_idle_queue_is_forgotten() {
        let mut early = Early::new(Red { least: 1.0, most: 50.0, probability: 0.1, weight: 0.1 });
        let mut draws = Draws::new(1);
        for at in 0..100 {
            early.drops(40, at, 1, &mut draws);
        }
        assert!(early.mean > 35.0);
        early.idle_since(100);
        early.drops(0, 1_100, 10, &mut draws);
        assert!(early.mean < 0.1, "{}", early.mean);
    }
}
