//! When packets leave, by the rates and patterns of streams.

mod constant;
mod control;
mod random;
mod shapes;

use perigee_config::stream::{Pattern, Rate, Stream};
use perigee_pace::Schedule;
use std::time::Duration;

fn rate(text: &str) -> Rate {
    Rate::parse(text).expect(text)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A stream at that rate.
fn stream(rate: &str, pattern: Pattern) -> Stream {
    let rate = (!rate.is_empty()).then(|| self::rate(rate));
    Stream { rate, pattern, ..Stream::new("s", "c", Rate::parse("1 pps").expect("a rate")) }
}

/// The schedule of one lcore alone.
fn alone(stream: &Stream) -> Schedule {
    shared(stream, 0, 1)
}

fn shared(stream: &Stream, number: u32, of: u32) -> Schedule {
    Schedule::new(stream, Some(10_000_000_000), (number, of), 1, 1_000).expect("a schedule")
}

/// The next departures, of packets of that length, as far as there are some.
fn times(schedule: &mut Schedule, packets: usize, len: u16) -> Vec<u64> {
    let next = |schedule: &mut Schedule| schedule.peek().map(|at| (at, schedule.take(len)));
    (0..packets)
        .map_while(|_| next(schedule))
        .inspect(|(peeked, at)| assert_eq!(peeked, at))
        .map(|(at, _)| at)
        .collect()
}

/// What lies between them.
fn gaps(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a mean")]
fn mean(numbers: &[u64]) -> f64 {
    numbers.iter().sum::<u64>() as f64 / numbers.len() as f64
}
