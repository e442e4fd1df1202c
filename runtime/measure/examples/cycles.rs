//! What measuring costs, in cycles of the time stamp counter: the median and the best of many bursts of 64 in cache, without what
//! it takes to read the counter.
//!
//! `cargo run --release -p perigee-measure --example cycles`

use perigee_core::clock::cycles;
use perigee_measure::arrivals::{ArrivalOptions, GapOptions, LoadOptions};
use perigee_measure::buckets::Precision;
use perigee_measure::flow::{Flow, FlowOptions};
use perigee_measure::probe::{self, Key};
use perigee_measure::receiver::Receiver;
use perigee_measure::sender::Sender;
use perigee_measure::window::Readers;
use std::hint::black_box;
use std::sync::Arc;

const BURST: usize = 64;
const ROUNDS: usize = 100_000;
const FRAME: usize = 60;
const FRAME_LEN: u16 = 60;

type Frames = [[u8; FRAME]; BURST];

struct Case {
    name: &'static str,
    readers: Readers,
    options: ArrivalOptions,
    flows: u16,
    /// Of each burst the packets that swap places with the next one.
    swapped: usize,
    /// Each packet has a time of arrival of its own.
    stamped: bool,
}

fn main() {
    let options = ArrivalOptions::default();
    let coarse = ArrivalOptions { latency: Precision::COARSE, ..options };
    let gaps = Some(GapOptions { precision: Precision::COARSE, asked_ns: Some(67) });
    let load = Some(LoadOptions { interval_ns: 10_000_000, kept: 100 });
    let case = |name, options| Case { name, readers: Readers::One, options, flows: 1, swapped: 0, stamped: false };
    println!("cycles of the time stamp counter, median and best of {ROUNDS} bursts of {BURST}");
    for case in [
        case("one reader", options),
        case("two digits of latency", coarse),
        Case { readers: Readers::Several, ..case("several readers", options) },
        Case { flows: 8, ..case("eight flows", options) },
        Case { swapped: 1, ..case("one of 64 swapped", options) },
        Case { stamped: true, ..case("times by the port", options) },
        case("with gaps", ArrivalOptions { gaps, ..options }),
        case("with gaps and load", ArrivalOptions { gaps, load, ..options }),
        Case { stamped: true, ..case("all, times by the port", ArrivalOptions { gaps, load, ..options }) },
    ] {
        measure(&case);
    }
    strangers();
}

fn measure(case: &Case) {
    let key = Key::new([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321, 3, 0x5555_aaaa_1111_7777]);
    let flow = |lane| {
        let flow = FlowOptions { stream: 0, lane, timeout_ns: 100_000_000, window: 1 << 16, readers: case.readers };
        (lane, Arc::new(Flow::new(flow)))
    };
    let flows: Vec<_> = (0..case.flows).map(flow).collect();
    let mut senders: Vec<_> = flows.iter().map(|(lane, flow)| Sender::new(key, *lane, Arc::clone(flow))).collect();
    let Ok(mut receiver) = Receiver::new(key, &flows, &case.options) else { return };
    let mut frames: Frames = [[0x5a; FRAME]; BURST];
    let lanes: [usize; BURST] = std::array::from_fn(|at| at % usize::from(case.flows));
    // Latencies as they are: some us, with noise.
    let latencies: Vec<u64> =
        (0..2 * BURST as u64).map(|i| 8_000 + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 2_000).collect();
    let (mut sent, mut received) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    let mut now = 1_000_000_000;
    for round in 0..ROUNDS as u64 {
        let before = cycles();
        for ((at, place), frame) in (0_u64..).zip(lanes.iter()).zip(black_box(&mut frames)) {
            let sender = &mut senders[*place];
            let Some(end) = frame.last_chunk_mut() else { continue };
            *end = probe::bytes(sender.stamp(
                probe::words(end),
                now + at * 67,
                now + if case.stamped { at * 67 + 20 } else { 4_288 },
            ));
        }
        sent.push(cycles() - before);
        for at in 0..case.swapped {
            frames.swap(at * 2, at * 2 + 1);
        }
        let latencies = latencies.iter().skip(usize::try_from(round % 61).unwrap_or(0));
        let first = latencies.clone().next().copied().unwrap_or(0);
        let before = cycles();
        for ((at, frame), latency) in (0_u64..).zip(black_box(&frames)).zip(latencies) {
            let Some(end) = frame.last_chunk() else { continue };
            // Without the port's times, all of a burst come at one.
            let came = if case.stamped { now + at * 67 + latency } else { now + 4_288 + first };
            receiver.take(probe::words(end), came, FRAME_LEN);
        }
        receiver.end();
        received.push(cycles() - before);
        now += 4_288;
        if round % 256 == 0 {
            receiver.expire(now);
        }
    }
    let ([sent, best_sent], [received, best_received]) = (per_packet(sent), per_packet(received));
    let (sum, best) = (sent + received, best_sent + best_received);
    println!("{:24} stamp {sent:5.1}  read {received:5.1}  both {sum:5.1}  (best {best:5.1})", case.name);
}

fn strangers() {
    let key = Key::new([1, 2, 3, 4]);
    let Ok(mut receiver) = Receiver::new(key, &[], &ArrivalOptions::default()) else { return };
    let frames: Frames = [[0x5a; FRAME]; BURST];
    let mut taken = Vec::with_capacity(ROUNDS);
    for now in 0..ROUNDS as u64 {
        let before = cycles();
        for frame in black_box(&frames) {
            let Some(end) = frame.last_chunk() else { continue };
            receiver.take(probe::words(end), now, FRAME_LEN);
        }
        receiver.end();
        taken.push(cycles() - before);
    }
    let [median, best] = per_packet(taken);
    println!("{:24} {median:5.2}  (best {best:5.2})", "no probe");
}

/// Median and best of bursts, by packet.
fn per_packet(mut bursts: Vec<u64>) -> [f64; 2] {
    let reading = (0..10_000).map(|_| cycles().abs_diff(cycles())).min().unwrap_or(0);
    bursts.sort_unstable();
    [bursts[bursts.len() / 2], bursts[0]].map(|cycles| cycles.saturating_sub(reading) as f64 / BURST as f64)
}
