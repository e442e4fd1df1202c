//! The emulator in a test host.

use super::*;
use perigee_guest::testing::{Host, Input, Output, Run};

const MS: u64 = 1_000_000;
/// A call without packets.
const NOTHING: [Input; 0] = [];

fn host(config: &str) -> Host<LinkEmulator> {
    Host::start_in(Run { hold_quota: 300, ..Run::default() }, config).unwrap()
}

/// A packet of 60 bytes with a number in its first four.
fn packet(number: u32) -> Input {
    let mut bytes = [0; 60];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Input::new(&bytes)
}

fn number(output: &Output) -> u32 {
    u32::from_be_bytes(*output.bytes.first_chunk().unwrap())
}

/// The numbers of what goes on, in the order in which it does: verdicts in place, then the list.
fn gone(host: &Host<LinkEmulator>, out: &[Output]) -> Vec<u32> {
    let next = |output: &&Output| output.verdict == Verdict::NEXT;
    out.iter().filter(next).chain(host.outputs().iter().filter(next)).map(number).collect()
}

/// Sends so many packets at each of so many times, and lists what goes on and when, until nothing is held.
fn send(host: &mut Host<LinkEmulator>, packets: u32, each: u32, step: u64) -> Vec<(u64, u32)> {
    let (mut sent, mut came, mut now) = (0, Vec::new(), 0);
    while sent < packets || host.held() > 0 {
        host.set_time(now);
        let batch: Vec<_> = (sent..packets.min(sent + each)).map(packet).collect();
        sent += u32::try_from(batch.len()).unwrap();
        let out = host.process(batch);
        came.extend(gone(host, &out).into_iter().map(|number| (now, number)));
        now += step;
    }
    came
}

fn share(part: u64, all: u32) -> f64 {
    part as f64 / f64::from(all)
}

#[test]
fn nothing_is_changed_without_a_configuration() {
    let mut host = host("");
    let out = host.process((0..256).map(packet));
    assert_eq!(gone(&host, &out), (0..256).collect::<Vec<_>>());
    assert!(host.outputs().is_empty() && out.iter().enumerate().all(|(i, o)| number(o) as usize == i));
    assert_eq!((host.counter("packets"), host.counter("passed")), (256, 256));
}

#[test]
fn packets_come_when_their_delay_is_over() {
    let mut host = host(r#"{"delay": "2ms"}"#);
    let came = send(&mut host, 100, 10, MS);
    assert_eq!(came, (0..100).map(|n| (u64::from(n / 10) * MS + 2 * MS, n)).collect::<Vec<_>>());
    assert_eq!((host.counter("passed"), host.counter("late_ns")), (100, 0));
    // Between two calls they wait, which is counted.
    host.set_time(100 * MS);
    host.process([packet(0)]);
    host.set_time(102 * MS + 77);
    host.process(NOTHING);
    assert_eq!((host.outputs().len(), host.counter("late_ns")), (1, 77));
}

#[test]
fn a_rate_spreads_packets() {
    // 84 bytes on the wire take 672 ns at 1 Gbit/s.
    let mut host = host(r#"{"rate": "1G", "delay": "10us"}"#);
    let came = send(&mut host, 200, 200, 1);
    let expected: Vec<_> = (0..200).map(|n| (10_000 + 672 * u64::from(n + 1), n)).collect();
    assert_eq!(came, expected);
    // Fractions of a nanosecond do not add up: 67.2 ns at 10 Gbit/s.
    let mut host = self::host(r#"{"rate": "10G"}"#);
    let came = send(&mut host, 250, 250, 1);
    assert_eq!(came.last(), Some(&(250 * 672 / 10, 249)));
}

#[test]
fn a_full_queue_drops() {
    let mut host = host(r#"{"rate": "1G", "queue": "20"}"#);
    let came = send(&mut host, 100, 100, 1_000);
    assert_eq!((came.len(), host.counter("queue_full")), (20, 80));
    let mut host = self::host(r#"{"rate": "1G", "queue": "1KB"}"#);
    let came = send(&mut host, 100, 100, 1_000);
    assert_eq!((came.len(), host.counter("queue_full")), (1_024 / 60, 100 - 1_024 / 60));
}

#[test]
fn uniform_loss_is_as_asked() {
    let mut host = host(r#"{"loss": "2%"}"#);
    let came = send(&mut host, 100_000, 200, 1_000);
    let lost = host.counter("lost");
    assert_eq!(came.len() as u64 + lost, 100_000);
    // Four standard deviations: 177 packets.
    assert!((1_823..2_177).contains(&lost), "{lost}");
}

#[test]
fn bursts_are_as_long_as_asked() {
    // Good to bad 1 %, bad to good 25 %: 1/26 of the packets are lost, 4 in a row in the mean.
    let mut host = host(r#"{"gemodel": "1%/25%"}"#);
    let came: Vec<_> = send(&mut host, 200_000, 200, 1_000).into_iter().map(|(_, number)| number).collect();
    let lost = share(host.counter("lost"), 200_000);
    assert!((lost - 1.0 / 26.0).abs() < 0.003, "{lost}");
    let bursts = came.windows(2).filter(|pair| pair[1] - pair[0] > 1).count();
    let mean = host.counter("lost") as f64 / bursts as f64;
    assert!((mean - 4.0).abs() < 0.25, "{mean}");
    // The other two parts: a tenth is lost while bad, half while good.
    let mut host = self::host(r#"{"gemodel": "50%/50%/10%/50%"}"#);
    send(&mut host, 100_000, 200, 1_000);
    let lost = share(host.counter("lost"), 100_000);
    assert!((lost - 0.3).abs() < 0.01, "{lost}");
}

#[test]
fn jitter_keeps_the_order() {
    let mut host = host(r#"{"delay": "100us", "jitter": "50us"}"#);
    let came = send(&mut host, 5_000, 1, 1_000);
    assert!(came.iter().map(|(_, number)| *number).eq(0..5_000));
    let delays: Vec<_> = came.iter().map(|(time, number)| time - u64::from(*number) * 1_000).collect();
    assert!(delays.iter().all(|delay| (100_000..=151_000).contains(delay)));
    // Each waits for those before it: nearly always for one with most of the jitter.
    assert!(delays[1_000..].iter().sum::<u64>() / 4_000 > 135_000);
}

#[test]
fn some_are_overtaken() {
    for config in
        [r#"{"reorder": "5%", "reorder_by": "5us"}"#, r#"{"delay": "3us", "reorder": "5%", "reorder_by": "5us"}"#]
    {
        let mut host = host(config);
        let came = send(&mut host, 20_000, 1, 1_000);
        assert_eq!(came.len(), 20_000);
        let straight = came.iter().map(|(time, number)| time - u64::from(*number) * 1_000).min().unwrap();
        let late = came.iter().filter(|(time, n)| time - u64::from(*n) * 1_000 == straight + 5_000).count();
        assert_eq!(late as u64, host.counter("reordered"));
        assert!((share(late as u64, 20_000) - 0.05).abs() < 0.007, "{late}");
        let overtaken = came.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
        assert!(overtaken > 800, "{overtaken}");
    }
}

#[test]
fn some_come_twice() {
    for config in [r#"{"duplicate": "10%"}"#, r#"{"duplicate": "10%", "delay": "3us"}"#] {
        let mut host = host(config);
        let came = send(&mut host, 20_000, 20, 1_000);
        let twice = host.counter("duplicated");
        assert_eq!((came.len() as u64, host.counter("not_duplicated")), (20_000 + twice, 0));
        assert!((share(twice, 20_000) - 0.1).abs() < 0.01, "{twice}");
        // One behind the other, and in order.
        let numbers: Vec<_> = came.into_iter().map(|(_, number)| number).collect();
        assert!(numbers.is_sorted());
        assert_eq!(numbers.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64, twice);
    }
}

#[test]
fn where_no_copy_can_be_made_that_is_counted() {
    let mut host = host(r#"{"duplicate": "100%"}"#);
    let out = host.process((0..200).map(packet));
    let came = gone(&host, &out);
    assert_eq!((came.len(), host.counter("duplicated"), host.counter("not_duplicated")), (256, 56, 144));
    let mut host = self::host(r#"{"duplicate": "100%", "delay": "1us"}"#);
    host.process((0..20).map(packet));
    host.set_time(1_000);
    host.process(NOTHING);
    assert_eq!((host.counter("duplicated"), host.counter("not_duplicated")), (8, 12), "the test host has 8 spares");
}

#[test]
fn one_bit_is_turned_over() {
    let mut host = host(r#"{"corrupt": "20%"}"#);
    let mut places = vec![0; 480];
    for _ in 0..500 {
        for output in host.process((0..200).map(|_| Input::new(&[0; 60]))) {
            let ones: u32 = output.bytes.iter().map(|byte| byte.count_ones()).sum();
            assert!(ones <= 1);
            let at = output.bytes.iter().position(|byte| *byte != 0);
            if let Some(at) = at {
                places[at * 8 + output.bytes[at].leading_zeros() as usize] += 1;
            }
        }
    }
    let corrupted = host.counter("corrupted");
    assert_eq!(places.iter().sum::<u64>(), corrupted);
    assert!((share(corrupted, 100_000) - 0.2).abs() < 0.006, "{corrupted}");
    // 41.7 times each, more or less 6.5.
    assert!(places.iter().all(|count| (12..75).contains(count)), "{places:?}");
}

#[test]
fn no_more_is_held_than_may_be() {
    let mut host =
        Host::<LinkEmulator>::start_in(Run { hold_quota: 10, ..Run::default() }, r#"{"delay": "1ms"}"#).unwrap();
    let out = host.process((0..30).map(packet));
    assert!(out[10..].iter().all(|output| output.verdict.is_drop()));
    assert_eq!((host.held(), host.counter("hold_full"), host.log().len()), (10, 20, 1));
    let mut host =
        Host::<LinkEmulator>::start_in(Run { hold_quota: 0, ..Run::default() }, r#"{"delay": "1ms"}"#).unwrap();
    host.process([packet(0)]);
    assert_eq!((host.held(), host.counter("hold_full")), (0, 1));
}

#[test]
fn what_finds_no_room_does_not_have_the_line() {
    let mut host = host(r#"{"rate": "1G"}"#);
    let came = send(&mut host, 2_000, 200, 10_000);
    assert_eq!(came.len() as u64 + host.counter("hold_full"), 2_000);
    // The line was busy all the time: 100 us and 300 packets behind.
    assert!((430..460).contains(&came.len()), "{}", came.len());
}

#[test]
fn more_than_the_list_takes_comes_with_the_next_call() {
    let mut host = host(r#"{"delay": "1us"}"#);
    host.process((0..200).map(packet));
    host.process((200..290).map(packet));
    host.set_time(1_000);
    let first = host.process([packet(290)]);
    assert_eq!(gone(&host, &first), (0..256).collect::<Vec<_>>());
    let second = host.process(NOTHING);
    assert_eq!(gone(&host, &second), (256..290).collect::<Vec<_>>());
}

#[test]
fn what_is_under_way_goes_to_the_next_instance() {
    let config = r#"{"delay": "5us", "reorder": "50%", "reorder_by": "2us"}"#;
    let mut host = host(config);
    host.process((0..8).map(packet));
    let state = host.save().unwrap();
    assert_eq!(state.len(), 17 + 8 * 37);
    let mut other = self::host(r#"{"delay": "1us"}"#);
    other.restore(&state).unwrap();
    let again = other.save().unwrap();
    assert_eq!((again.len(), &again[..17]), (state.len(), &state[..17]));
    for len in [0, 16, 18, 17 + 36] {
        assert!(other.restore(&state[..len]).is_err(), "{len}");
    }
    let mut odd = state;
    odd[17 + 8] = 4;
    assert!(other.restore(&odd).is_err());
}

#[test]
fn the_same_seed_makes_the_same() {
    let config =
        r#"{"delay": "5us", "jitter": "3us", "loss": "5%", "corrupt": "5%", "reorder": "5%", "reorder_by": "9us"}"#;
    let run = |seed| {
        let mut host = Host::<LinkEmulator>::start_in(Run { seed, hold_quota: 300, ..Run::default() }, config).unwrap();
        send(&mut host, 2_000, 7, 500)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn packets_of_any_length_are_taken() {
    let mut host = host(r#"{"rate": "1G", "corrupt": "100%", "duplicate": "100%", "delay": "1us"}"#);
    for len in [14, 15, 59, 60, 1_514, 1_920] {
        host.process([vec![0; len]]);
    }
    host.set_time(MS);
    host.process(NOTHING);
    assert_eq!((host.counter("passed"), host.counter("corrupted")), (12, 6));
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"queue": "100"}"#, "queue needs a rate, as in rate = \"1G\""),
        (r#"{"reorder": "1%"}"#, "reorder and reorder_by belong together"),
        (r#"{"reorder_by": "1us"}"#, "reorder and reorder_by belong together"),
        (r#"{"loss": "1%", "gemodel": "1%/2%"}"#, "loss or gemodel, not both"),
        (r#"{"queue": "70000", "rate": "1G"}"#, "queue: at most 65536 packets"),
        (r#"{"loss": "101%"}"#, "loss"),
        (r#"{"delay": "5 parsecs"}"#, "delay"),
        (r#"{"latency": "5us"}"#, "latency"),
    ];
    for (config, expected) in cases {
        let error = Host::<LinkEmulator>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
