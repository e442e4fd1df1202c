//! In what order the packets of all streams leave, and when: by the schedules that pace a run.

use perigee_pace::{Schedule, seed};
use perigee_runtime::config::stream::Stream;

/// The streams, and how far they are.
pub(super) struct Order<'s> {
    streams: &'s [Stream],
    states: Vec<State>,
    link: Option<u64>,
    seed: u64,
}

enum State {
    /// It has not begun.
    Waiting,
    /// Its schedule, and when its last packet left or it began.
    Running(Box<Schedule>, u64),
    /// When its last packet left.
    Over(u64),
}

impl<'s> Order<'s> {
    /// None has begun. `link` is what their ports' links carry, in bits per second; `seed` the run's.
    pub(super) fn new(streams: &'s [Stream], link: Option<u64>, seed: u64) -> Self {
        Self { streams, states: streams.iter().map(|_| State::Waiting).collect(), link, seed }
    }

    /// The stream whose packet is next, and when it leaves; of two at a time, the first in the file.
    ///
    /// # Errors
    /// A stream of which nobody can say when its packets leave.
    pub(super) fn next(&mut self) -> Result<Option<(usize, u64)>, String> {
        while self.settle()? {}
        let next = |(number, state): (usize, &State)| match state {
            State::Running(schedule, _) => Some((schedule.peek()?, number)),
            _ => None,
        };
        let first = self.states.iter().enumerate().filter_map(next).min();
        Ok(first.map(|(at, number)| (number, at)))
    }

    /// That packet has so many bytes.
    pub(super) fn take(&mut self, stream: usize, len: usize) {
        if let State::Running(schedule, last) = &mut self.states[stream] {
            *last = schedule.take(u16::try_from(len).unwrap_or(u16::MAX));
        }
    }

    /// Ends what is over and begins what has waited for it; returns whether anything changed.
    fn settle(&mut self) -> Result<bool, String> {
        let mut changed = false;
        for number in 0..self.streams.len() {
            match &self.states[number] {
                State::Running(schedule, last) if schedule.is_over() => {
                    self.states[number] = State::Over(schedule.over_at(*last));
                }
                State::Waiting => {
                    let Some(begin) = self.begin(number) else { continue };
                    let stream = &self.streams[number];
                    let schedule = Schedule::new(stream, self.link, (0, 1), seed(self.seed, &stream.name), begin)?;
                    self.states[number] = State::Running(Box::new(schedule), begin);
                }
                _ => continue,
            }
            changed = true;
        }
        Ok(changed)
    }

    /// When a stream can begin that has not; `None`: not yet.
    fn begin(&self, number: usize) -> Option<u64> {
        let Some(after) = &self.streams[number].after else { return Some(0) };
        let before = self.streams.iter().position(|other| other.name == *after)?;
        if let State::Over(at) = self.states[before] { Some(at) } else { None }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::config::stream::Rate;

    fn stream(name: &str, rate: &str, count: u64) -> Stream {
        Stream { count: Some(count), ..Stream::new(name, name, Rate::parse(rate).unwrap()) }
    }

    fn times(streams: &[Stream]) -> Vec<(usize, u64)> {
        let mut order = Order::new(streams, None, 1);
        let mut times = Vec::new();
        while let Some((number, at)) = order.next().unwrap() {
            order.take(number, 60);
            times.push((number, at));
        }
        times
    }

    #[test]
    fn streams_are_merged_by_time() {
        let streams = [stream("a", "1 kpps", 2), stream("b", "2 kpps", 3)];
        assert_eq!(times(&streams), [(0, 0), (1, 0), (1, 500_000), (0, 1_000_000), (1, 1_000_000)]);
    }

    #[test]
    fn one_waits_for_another() {
        let mut streams = [stream("a", "1 kpps", 2), stream("b", "1 kpps", 1)];
        streams[0].after = Some("b".to_owned());
        streams[0].start = std::time::Duration::from_millis(3);
        assert_eq!(times(&streams), [(1, 0), (0, 3_000_000), (0, 4_000_000)]);
    }

    #[test]
    fn a_part_of_a_link_needs_to_know_it() {
        let streams = [stream("a", "10 %", 2)];
        assert!(Order::new(&streams, None, 1).next().unwrap_err().contains("link"));
        assert_eq!(Order::new(&streams, Some(1_000_000_000), 1).next().unwrap(), Some((0, 0)));
    }
}
