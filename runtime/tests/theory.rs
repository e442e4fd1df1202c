//! Truth from theory: wires and token buckets behind a Poisson source, compared with what queueing theory says of them. The figures
//! follow from seeds, so a comparison that holds once holds always; the tolerance is the confidence interval of 99.9 %, from the means
//! of 20 stretches (independent enough: each is thousands of busy periods long).
//!
//! `cargo test --release -p perigee-runtime --test without_ports -- theory --nocapture` prints the table.

use perigee_config::Grants;
use perigee_config::wire::{Cable, FRAME_BESIDE, Limit, Loss, Service};
use perigee_datapath::guard::Rate;
use perigee_wire::draw::Draws;
use perigee_wire::line::{Cause, Fate, Line, service_ps};

const RATE: u64 = 1_000_000_000;
const PACKETS: usize = 1_000_000;
const STRETCHES: usize = 20;
/// Student's t for 19 degrees of freedom, two-sided, 99.9 %.
const T: f64 = 3.883;

/// What was found, and how sure that is.
struct Measured {
    mean: f64,
    plus_minus: f64,
    sorted: Vec<f64>,
}

impl Measured {
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    fn of(values: &[f64]) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let stretches: Vec<f64> = values.chunks_exact(values.len() / STRETCHES).map(mean).collect();
        let all = mean(&stretches);
        let variance = stretches.iter().map(|m| (m - all).powi(2)).sum::<f64>() / (STRETCHES - 1) as f64;
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { mean: all, plus_minus: T * (variance / STRETCHES as f64).sqrt(), sorted }
    }

    /// The part of all values that are at most `x`.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    fn at_most(&self, x: f64) -> f64 {
        self.sorted.partition_point(|value| *value <= x) as f64 / self.sorted.len() as f64
    }

    fn agrees(&self, what: &str, theory: f64) {
        println!("{what:<44} theory {theory:>12.4}  measured {:>12.4} +- {:.4}", self.mean, self.plus_minus);
        assert!((self.mean - theory).abs() <= self.plus_minus, "{what}: {} is not {theory}", self.mean);
        assert!(self.plus_minus < theory * 0.1, "{what}: too unsure to say anything");
    }
}

/// The part of packets that wait for `t` service times at the most.
fn part(queue: &str, load: f64, t: f64, theory: f64, measured: f64) {
    let what = format!("{queue}, load {load}: P(wait <= {t})");
    println!("{what:<44} theory {theory:>12.4}  measured {measured:>12.4}");
    assert!((measured - theory).abs() < 0.005, "{what}: {measured} is not {theory}");
}

/// Waiting times behind a Poisson source, in mean service times of the lengths' mean; the source sends at that part of the rate.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times in tests"
)]
fn waiting(cable: Cable, load: f64, seed: u64, lengths: &[(u32, u32)]) -> Vec<f64> {
    let total: u32 = lengths.iter().map(|(_, weight)| weight).sum();
    let mean =
        lengths.iter().map(|(len, weight)| service_ps(Some(RATE), *len) as f64 * f64::from(*weight)).sum::<f64>()
            / f64::from(total);
    let fixed = cable.service == Service::Fixed;
    let (mut line, mut draws) = (Line::new(cable, seed, usize::MAX >> 1), Draws::new(seed + 1));
    let mut now = 0_u64;
    let mut waited = Vec::with_capacity(PACKETS);
    let mut free_at = 0_u64;
    for _ in 0..PACKETS {
        // In nanoseconds, as the wire counts: 1/600 of a service time at the most.
        now += (draws.exponential((mean / load) as u64) + 500) / 1_000;
        let mut pick = draws.below(u64::from(total)) as u32;
        let len = lengths.iter().find(|(_, weight)| pick.checked_sub(*weight).map(|rest| pick = rest).is_none());
        let len = len.map_or(60, |(len, _)| *len);
        let Fate::Arrives(arrival) = line.send(now, len) else { panic!("nothing is lost here") };
        if fixed {
            let own = service_ps(Some(RATE), len) as f64 / 1e3;
            waited.push(((arrival.due - now) as f64 - own) * 1e3 / mean);
        } else {
            // What a packet waits for is that the one before it has gone.
            waited.push(free_at.saturating_sub(now) as f64 * 1e3 / mean);
            free_at = arrival.due;
        }
    }
    waited
}

fn cable() -> Cable {
    Cable { rate: Some(RATE), ..Cable::default() }
}

/// Mean (A. K. Erlang, 1909) and distribution (C. D. Crommelin, 1932) of the time that packets of one length wait.
#[test]
fn one_length_waits_as_m_d_1_does() {
    for (load, seed) in [(0.3, 1), (0.6, 2), (0.8, 3)] {
        let waited = Measured::of(&waiting(cable(), load, seed, &[(60, 1)]));
        waited.agrees(&format!("M/D/1, load {load}: mean wait"), load / (2.0 * (1.0 - load)));
        for t in [0.0, 0.5, 1.0, 2.5, 5.0] {
            let theory = crommelin(load, t);
            // Half a nanosecond of the wire's clock stands beside each time.
            let measured = waited.at_most(t + 0.002);
            part("M/D/1", load, t, theory, measured);
        }
    }
}

/// P(W <= t), with t in service times.
fn crommelin(load: f64, t: f64) -> f64 {
    let (mut sum, mut k) = (0.0, 0.0);
    let mut factorial = 1.0;
    while k <= t {
        if k > 0.0 {
            factorial *= k;
        }
        let x = load * (k - t);
        sum += x.powf(k) / factorial * (-x).exp();
        k += 1.0;
    }
    (1.0 - load) * sum
}

/// F. Pollaczek (1930), A. Y. Khinchine (1932): the mean wait follows from mean and variance of the service time alone.
#[test]
fn a_mix_of_lengths_waits_as_m_g_1_does() {
    let imix = [(60, 7), (590, 4), (1_514, 1)];
    let service = |len: u32| f64::from(len.max(60) + FRAME_BESIDE);
    let weighted =
        |f: &dyn Fn(u32) -> f64| imix.iter().map(|(len, weight)| f(*len) * f64::from(*weight)).sum::<f64>() / 12.0;
    let (mean, square) = (weighted(&service), weighted(&|len| service(len).powi(2)));
    for (load, seed) in [(0.3, 4), (0.7, 5)] {
        let theory = load * square / (mean * mean) / (2.0 * (1.0 - load));
        Measured::of(&waiting(cable(), load, seed, &imix))
            .agrees(&format!("M/G/1 (IMIX), load {load}: mean wait"), theory);
    }
}

/// With service times drawn from an exponential distribution: mean and distribution.
#[test]
fn drawn_service_times_wait_as_m_m_1_does() {
    let cable = Cable { service: Service::Exponential, ..cable() };
    for (load, seed) in [(0.3, 6), (0.7, 7)] {
        let waited = Measured::of(&waiting(cable.clone(), load, seed, &[(60, 1)]));
        waited.agrees(&format!("M/M/1, load {load}: mean wait"), load / (1.0 - load));
        for t in [0.5, 2.0, 6.0_f64] {
            let (theory, measured) = (1.0 - load * (-(1.0 - load) * t).exp(), waited.at_most(t));
            part("M/M/1", load, t, theory, measured);
        }
    }
}

/// The part of packets that M/D/1/K loses: the chain of what is left behind at departures (L. Kleinrock, Queueing Systems, 1975).
fn m_d_1_k_loss(load: f64, places: usize) -> f64 {
    let mut arrivals = vec![(-load).exp()];
    for k in 1..=places {
        #[allow(clippy::cast_precision_loss, reason = "a small number")]
        arrivals.push(arrivals[k - 1] * load / k as f64);
    }
    // pi[k]: k are left behind, not normed.
    let mut pi = vec![1.0];
    for k in 0..places - 1 {
        let behind: f64 = (1..=k).map(|j| pi[j] * arrivals[k - j + 1]).sum();
        pi.push((pi[k] - pi[0] * arrivals[k] - behind) / arrivals[0]);
    }
    let none = 1.0 / pi.iter().sum::<f64>();
    1.0 - 1.0 / (none + load)
}

#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times in tests"
)]
fn a_short_queue_loses_as_m_d_1_k_does() {
    for (load, places, seed) in [(0.9, 4, 8), (0.7, 3, 9), (1.2, 10, 10)] {
        let cable = Cable { queue: Some(Limit::Packets(places)), ..cable() };
        let (mut line, mut draws, mut now) = (Line::new(cable, seed, 1), Draws::new(seed), 0);
        let mean = (service_ps(Some(RATE), 60) as f64 / load) as u64;
        let lost = |_| {
            now += (draws.exponential(mean) + 500) / 1_000;
            f64::from(u8::from(line.send(now, 60) == Fate::Lost(Cause::Queue)))
        };
        let lost: Vec<f64> = (0..PACKETS).map(lost).collect();
        let what = format!("M/D/1/{places}, load {load}: part that is lost");
        Measured::of(&lost).agrees(&what, m_d_1_k_loss(load, usize::try_from(places).unwrap()));
    }
}

/// A module's grant of packets per second is a token bucket of ten milliseconds: of 10 packets at 1,000 a second.
#[test]
fn a_token_bucket_polices_as_m_d_1_k_does() {
    for (load, seed) in [(0.9, 11), (1.1, 12)] {
        let grants = Grants { packets_per_second: Some(1_000), ..Grants::default() };
        let (mut bucket, mut draws, mut now) = (Rate::new(&grants, 1, 0).unwrap(), Draws::new(seed), 0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let mean = (1e6 / load) as u64;
        let refused = |_| {
            now += draws.exponential(mean);
            bucket.fill(now);
            f64::from(u8::from(!bucket.take(60)))
        };
        let refused: Vec<f64> = (0..PACKETS).map(refused).collect();
        Measured::of(&refused).agrees(&format!("token bucket of 10, load {load}: refused"), m_d_1_k_loss(load, 10));
    }
}

/// Loss, and how many packets are lost in a row.
#[test]
#[allow(clippy::cast_precision_loss, reason = "counts")]
fn a_bad_channel_loses_as_gilbert_and_elliott_say() {
    let (to_bad, to_good) = (0.01, 0.25);
    let loss = Loss::GilbertElliott { to_bad, to_good, in_bad: 1.0, in_good: 0.0 };
    let mut line = Line::new(Cable { loss, ..Cable::default() }, 13, 1);
    let lost: Vec<bool> = (0..PACKETS).map(|now| line.send(now as u64, 60) == Fate::Lost(Cause::Line)).collect();
    let parts: Vec<f64> = lost.iter().map(|lost| f64::from(u8::from(*lost))).collect();
    Measured::of(&parts).agrees("Gilbert-Elliott: part that is lost", to_bad / (to_bad + to_good));
    let runs: Vec<f64> = lost.chunk_by(|a, b| a == b).filter(|run| run[0]).map(|run| run.len() as f64).collect();
    Measured::of(&runs).agrees("Gilbert-Elliott: lost in a row", 1.0 / to_good);
    let (in_bad, in_good) = (0.5, 0.02);
    let loss = Loss::GilbertElliott { to_bad, to_good, in_bad, in_good };
    let mut line = Line::new(Cable { loss, ..Cable::default() }, 14, 1);
    let lost: Vec<f64> =
        (0..PACKETS).map(|now| f64::from(u8::from(line.send(now as u64, 60) == Fate::Lost(Cause::Line)))).collect();
    let theory = (in_bad * to_bad + in_good * to_good) / (to_bad + to_good);
    Measured::of(&lost).agrees("Gilbert-Elliott with loss in both states", theory);
}
