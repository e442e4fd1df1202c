//! What is injected is what is counted: streams from a sender to receivers, over a line that loses, delays, copies and changes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use perigee_measure::arrivals::{ArrivalOptions, GapOptions, LoadOptions};
use perigee_measure::buckets::Precision;
use perigee_measure::flow::{Flow, FlowOptions};
use perigee_measure::probe::{self, Key};
use perigee_measure::readings::Readings;
use perigee_measure::receiver::{Kind, Receiver};
use perigee_measure::sender::Sender;
use perigee_measure::window::{Arrival, Readers};
use perigee_report::{PercentileValue, ProbeCounts};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::mpsc;

const KEY: [u64; 4] = [0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321, 3, 4];
const TIMEOUT_NS: u64 = 10_000_000;

fn options(readers: Readers) -> FlowOptions {
    FlowOptions { stream: 5, lane: 0, timeout_ns: TIMEOUT_NS, window: 1 << 16, readers }
}

/// A flow with one sender and one receiver.
struct Pair {
    sender: Sender,
    receiver: Receiver,
    readings: Readings,
}

fn pair(flow: FlowOptions, options: &ArrivalOptions) -> Pair {
    let (key, flows) = (Key::new(KEY), vec![(3, Arc::new(Flow::new(flow)))]);
    let sender = Sender::new(key, 3, Arc::clone(&flows[0].1));
    let receiver = Receiver::new(key, &flows, options).unwrap();
    let readings = Readings::new(flows, vec![receiver.received()]);
    Pair { sender, receiver, readings }
}

/// A frame that the sender has made a probe.
fn stamped(sender: &mut Sender, now: u64) -> [u8; 60] {
    let mut frame = [0x11; 60];
    let end = frame.last_chunk_mut().unwrap();
    *end = probe::bytes(sender.stamp(probe::words(end), now, now));
    frame
}

impl Pair {
    fn send(&mut self, now: u64) -> [u8; 60] {
        stamped(&mut self.sender, now)
    }

    fn receive(&mut self, frame: &[u8], now: u64) -> Kind {
        let end = frame.last_chunk().unwrap();
        self.receiver.packet(probe::words(end), now, u16::try_from(frame.len()).unwrap())
    }

    fn counts(&self) -> ProbeCounts {
        let counts = self.readings.counts(5);
        assert!(counts.is_balanced(), "{counts:?}");
        counts
    }
}

/// Numbers that look drawn.
fn draws(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }
}

#[test]
fn what_is_injected_is_what_is_counted() {
    let mut pair = pair(options(Readers::One), &ArrivalOptions::default());
    let mut draw = draws(1);
    let (mut lost, mut copies, mut late, mut strangers, mut corrupted) = (0, 0, 0, 0, 0);
    let mut line = Vec::new();
    for i in 0..100_000_u64 {
        let now = 1_000_000 + i * 1_000;
        let frame = pair.send(now);
        match draw(100) {
            0 => lost += 1,
            1 => {
                copies += 1;
                line.extend([(now + 5_000, frame), (now + 9_000, frame)]);
            }
            2 => {
                late += 1;
                line.push((now + TIMEOUT_NS + 1 + draw(5_000_000), frame));
            }
            3 => {
                // One bit of the fields behind the tag and its complement.
                let (mut frame, bit) = (frame, 28 * 8 + 64 + draw(192));
                frame[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
                corrupted += 1;
                line.push((now + 5_000, frame));
            }
            4..9 => {
                // A stranger beside it, with any bytes.
                strangers += 1;
                line.extend([(now + 5_000, frame), (now + 4_000, std::array::from_fn(|_| draw(256).to_le_bytes()[0]))]);
            }
            _ => line.push((now + 5_000, frame)),
        }
    }
    line.sort_by_key(|(at, _)| *at);
    for (at, frame) in line {
        if at % 1_000_000 < 1_000 {
            pair.receiver.expire(at);
            pair.counts();
        }
        pair.receive(&frame, at);
    }
    pair.receiver.finish();
    let counts = pair.counts();
    assert_eq!((counts.sent, counts.outstanding, counts.lost), (100_000, 0, lost + corrupted));
    assert_eq!((counts.late, counts.duplicated, counts.too_old, counts.overrun), (late, copies, 0, 0));
    let told = pair.readings.strangers();
    assert_eq!((told.foreign, told.corrupted), (strangers, corrupted));
    let stats = pair.readings.stream(5).unwrap().told("five");
    assert_eq!((stats.latency.min_ns, stats.latency.count), (Some(5_000), counts.in_time + counts.late));
    assert_eq!(stats.order.reordered, late, "only late ones come behind others");
    assert!(stats.latency.max_ns > Some(TIMEOUT_NS));
}

#[test]
fn strangers_change_no_count() {
    let run = |strangers: bool| {
        let mut pair = pair(options(Readers::One), &ArrivalOptions::default());
        let other = Key::new([9, 9, 9, 9]);
        let mut stranger = Sender::new(other, 3, Arc::new(Flow::new(options(Readers::One))));
        let mut draw = draws(7);
        for i in 0..50_000_u64 {
            let frame = pair.send(i * 500);
            if strangers && i % 20 == 0 {
                let another = stamped(&mut stranger, i * 500);
                assert_eq!(pair.receive(&another, i * 500), Kind::Foreign);
                assert_eq!(
                    pair.receive(&std::array::from_fn::<_, 60, _>(|_| draw(256).to_le_bytes()[0]), i),
                    Kind::Foreign
                );
                assert_eq!(pair.receive(&frame[20..], i), Kind::Foreign, "too short for a frame");
            }
            if i % 100 != 0 {
                pair.receive(&frame, i * 500 + 800 + i % 97);
            }
        }
        pair.receiver.finish();
        pair.readings.stream(5).unwrap().told("")
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_late_probe_is_lost_no_more_and_its_copy_is_a_copy() {
    let mut pair = pair(options(Readers::One), &ArrivalOptions::default());
    let frame = pair.send(0);
    let other = pair.send(1_000);
    pair.receiver.expire(TIMEOUT_NS);
    assert_eq!(pair.counts().outstanding, 2);
    pair.receiver.expire(TIMEOUT_NS + 2_000);
    assert_eq!((pair.counts().lost, pair.counts().outstanding), (2, 0));
    assert_eq!(pair.receive(&frame, 2 * TIMEOUT_NS), Kind::Probe(Arrival::LateFromLost));
    assert_eq!(pair.receive(&frame, 2 * TIMEOUT_NS), Kind::Probe(Arrival::Duplicate));
    let counts = pair.counts();
    assert_eq!((counts.lost, counts.late, counts.duplicated, counts.in_time), (1, 1, 1, 0));
    // Its own stamp says that it is late, before anybody has looked.
    let young = pair.send(3 * TIMEOUT_NS);
    assert_eq!(pair.receive(&young, 4 * TIMEOUT_NS + 1), Kind::Probe(Arrival::Late));
    let young = pair.send(3 * TIMEOUT_NS);
    assert_eq!(pair.receive(&young, 4 * TIMEOUT_NS), Kind::Probe(Arrival::InTime), "the time-out itself is in time");
    // The lcore was behind: it came in time, but was looked at when it had been called lost.
    pair.receive(&other, 2_000);
    pair.receiver.finish();
    let counts = pair.counts();
    assert_eq!((counts.lost, counts.late, counts.in_time, counts.outstanding), (0, 2, 2, 0));
}

#[test]
fn a_window_that_is_too_short_says_so() {
    let mut pair = pair(FlowOptions { window: 1_024, ..options(Readers::One) }, &ArrivalOptions::default());
    let frames: Vec<_> = (0..5_000).map(|i| pair.send(i)).collect();
    for frame in frames.iter().skip(1).step_by(2) {
        pair.receive(frame, 10_000);
        pair.counts();
    }
    let counts = pair.counts();
    assert_eq!(counts.in_time, 2_500);
    assert!(counts.overrun > 1_900 && counts.lost == counts.overrun, "{counts:?}");
    assert_eq!(pair.receive(&frames[0], 10_001), Kind::Probe(Arrival::TooOld));
    pair.receiver.finish();
    let counts = pair.counts();
    assert_eq!((counts.lost, counts.outstanding, counts.too_old), (2_500, 0, 1));
}

#[test]
fn a_number_that_was_not_given_is_foreign() {
    let mut one = pair(options(Readers::One), &ArrivalOptions::default());
    let mut other = pair(options(Readers::One), &ArrivalOptions::default());
    let frame = one.send(5);
    assert_eq!(other.receive(&frame, 10), Kind::Foreign, "another flow's, though its check is right");
    other.send(5);
    assert_eq!(other.receive(&frame, 10), Kind::Probe(Arrival::InTime));
}

#[test]
fn frames_that_no_port_took_were_not_sent() {
    let mut pair = pair(options(Readers::One), &ArrivalOptions::default());
    let frames: Vec<_> = (0..64).map(|_| pair.send(1_000)).collect();
    pair.sender.take_back(14);
    assert_eq!(pair.counts().sent, 50);
    frames[..50].iter().for_each(|frame| _ = pair.receive(frame, 2_000));
    let again = pair.send(3_000);
    assert_eq!(pair.receive(&again, 4_000), Kind::Probe(Arrival::InTime));
    assert_eq!((pair.counts().in_time, pair.counts().outstanding), (51, 0));
}

#[test]
fn what_was_lost_is_in_the_percentiles_that_say_so() {
    let mut pair = pair(options(Readers::One), &ArrivalOptions::default());
    for i in 0..2_000 {
        let frame = pair.send(i);
        if i % 20 != 0 {
            pair.receive(&frame, i + 700);
        }
    }
    pair.receiver.finish();
    let told = pair.readings.stream(5).unwrap().told("").latency;
    assert_eq!(told.percentiles[6].value, PercentileValue::Ns(700));
    assert_eq!(told.percentiles_with_lost[6].value, PercentileValue::AtLeast(TIMEOUT_NS));
    assert_eq!(told.percentiles_with_lost[5].value, PercentileValue::Ns(700));
}

#[test]
fn gaps_and_loads_are_of_the_flow() {
    let gaps = Some(GapOptions { precision: Precision::COARSE, asked_ns: Some(2_000) });
    let load = Some(LoadOptions { interval_ns: 100_000, kept: 50 });
    let mut pair = pair(options(Readers::One), &ArrivalOptions { gaps, load, ..ArrivalOptions::default() });
    for i in 0..1_000 {
        let frame = pair.send(i * 2_000 + i % 2 * 100);
        pair.receive(&frame, i * 2_000 + 5_000);
    }
    let told = pair.readings.stream(5).unwrap().told("");
    let (arrivals, departures) = (told.arrival_gaps.unwrap(), told.departure_gaps.unwrap());
    assert_eq!(arrivals.within.map_counts(), [999, 999, 999, 999]);
    assert_eq!(departures.within.map_counts(), [0, 999, 999, 999]);
    let load = told.load.unwrap();
    assert_eq!(load.intervals.iter().map(|interval| interval.packets).sum::<u64>(), 1_000);
    assert_eq!(
        load.bursts.iter().map(|burst| (burst.packets, burst.bytes)).collect::<Vec<_>>(),
        [(5, 300), (50, 3_000)]
    );
}

proptest! {
    /// Probes that a burst brings as they were sent are counted together: all figures are as if each had been counted by itself.
    #[test]
    fn what_is_counted_together_is_what_is_counted_singly(
        seed: u64, (window, one) in (64..2_048_u64, any::<bool>()), (trouble, stamped) in (0..60_u64, any::<bool>()),
    ) {
        let gaps = Some(GapOptions { precision: Precision::COARSE, asked_ns: Some(100) });
        let load = Some(LoadOptions { interval_ns: 20_000, kept: 8 });
        let all = ArrivalOptions { gaps, load, ..ArrivalOptions::default() };
        let readers = if one { Readers::One } else { Readers::Several };
        let flow = FlowOptions { window, timeout_ns: 40_000, ..options(readers) };
        let (mut singly, mut together, mut draw) = (pair(flow, &all), pair(flow, &all), draws(seed));
        let (mut now, mut line) = (1_000_000, Vec::new());
        for _ in 0..300 {
            for _ in 0..draw(100) {
                let (intended, real) = (now + draw(50), now + draw(3) * 30);
                let mut frame = [0x11; 60];
                for pair in [&mut singly, &mut together] {
                    let end = frame.last_chunk_mut().unwrap();
                    *end = probe::bytes(pair.sender.stamp([0; 4], intended, real));
                }
                match draw(100).checked_sub(trouble) {
                    Some(_) => line.push(frame),
                    None => match draw(6) {
                        0 => {}
                        1 => line.extend([frame, frame]),
                        2 => line.insert(usize::try_from(draw(line.len() as u64 + 1)).unwrap(), frame),
                        3 => line.push([0x11; 60]),
                        4 => { frame[59] ^= 1; line.push(frame) }
                        _ => now += draw(60_000),
                    },
                }
                now += 100;
            }
            let came = now + 500 - draw(20) * draw(2) * draw(40);
            let burst = usize::try_from(draw(80)).unwrap().min(line.len());
            for (at, frame) in (0..).zip(line.drain(..burst)) {
                let came = if stamped { came + at * 67 + draw(200) } else { came };
                singly.receive(&frame, came);
                together.receiver.take(probe::words(frame.last_chunk().unwrap()), came, 60);
            }
            together.receiver.end();
            let [a, b] = [&singly, &together].map(Pair::counts);
            prop_assert_eq!(a, b);
            if draw(4) == 0 {
                singly.receiver.expire(now);
                together.receiver.expire(now);
            }
        }
        singly.receiver.finish();
        together.receiver.finish();
        let [a, b] = [&singly, &together].map(|pair| (pair.counts(), pair.readings.stream(5).unwrap().told(""), pair.readings.strangers()));
        prop_assert_eq!(a, b);
    }
}

/// How many gaps are within each distance.
trait Counts {
    fn map_counts(&self) -> Vec<u64>;
}

impl Counts for Vec<perigee_report::GapShare> {
    fn map_counts(&self) -> Vec<u64> {
        self.iter().map(|near| near.count).collect()
    }
}

#[test]
fn every_snapshot_balances_while_lcores_work() {
    const N: u64 = 300_000;
    let (key, flow) = (Key::new(KEY), Arc::new(Flow::new(FlowOptions { window: 4_096, ..options(Readers::Several) })));
    let flows = vec![(3, Arc::clone(&flow))];
    let coarse = ArrivalOptions { latency: Precision::COARSE, ..ArrivalOptions::default() };
    let mut receivers: Vec<_> = (0..2).map(|_| Receiver::new(key, &flows, &coarse).unwrap()).collect();
    let readings = Readings::new(flows, receivers.iter().map(Receiver::received).collect());
    std::thread::scope(|scope| {
        let mut ends = Vec::new();
        let receivers: Vec<_> = receivers
            .iter_mut()
            .map(|receiver| {
                let (end, frames) = mpsc::sync_channel::<(u64, [u8; 60])>(512);
                ends.push(end);
                scope.spawn(move || {
                    for (at, frame) in frames {
                        receiver.packet(probe::words(frame.last_chunk().unwrap()), at, 60);
                        if at % 64_000 == 0 {
                            receiver.expire(at);
                        }
                    }
                })
            })
            .collect();
        let mut sender = Sender::new(key, 3, flow);
        let sending = scope.spawn(move || {
            let mut kept = None;
            for i in 0..N {
                let now = i * 1_000_000 / 100;
                let frame = stamped(&mut sender, now);
                let end = &ends[usize::try_from(i % 2).unwrap()];
                match i % 50 {
                    0 => {}
                    1 => _ = (end.send((now + 100, frame)), ends[0].send((now + 100, frame))),
                    // Comes when its time-out is over, by the other lcore.
                    2 => {
                        if let Some(frame) = kept.replace(frame) {
                            ends[1].send((now + 2 * TIMEOUT_NS, frame)).unwrap()
                        }
                    }
                    _ => end.send((now + 100, frame)).unwrap(),
                }
            }
        });
        let mut last = ProbeCounts::default();
        while !sending.is_finished() || !receivers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let counts = readings.counts(5);
            assert!(
                counts.is_balanced() && counts.outstanding <= counts.sent && counts.lost <= counts.sent,
                "{counts:?}"
            );
            assert!(counts.sent >= last.sent && counts.duplicated >= last.duplicated);
            let told = readings.stream(5).unwrap().told("").latency;
            assert!(told.min_ns <= told.max_ns);
            last = counts;
        }
    });
    receivers.iter_mut().for_each(Receiver::finish);
    let counts = readings.counts(5);
    assert_eq!((counts.sent, counts.outstanding, counts.is_balanced()), (N, 0, true));
    assert_eq!((counts.duplicated, counts.lost, counts.late), (N / 50, N / 50 + 1, N / 50 - 1));
}
