//! Checks of the streams: their names, chains and order, and whether the numbers of their patterns make sense.

use super::Problems;
use crate::stream::{AskedMethod, Levels, Pattern, Rate, Stream, Trace};
use crate::{Chain, Config, Source};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Longer times are a slip of a unit; and all sums of them fit.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Above it gaps are all the same to the nanosecond, and powers are no longer numbers.
const MOST_SHAPE: f64 = 1_000.0;
/// Probes that are remembered: a kilobyte, or 32 MiB of bits.
const MIN_PLACES: u32 = 1 << 13;
const MAX_PLACES: u32 = 1 << 28;

pub(super) fn streams(config: &Config, found: &mut Problems) {
    found.names("stream", config.streams.iter().map(|stream| &*stream.name));
    let chains: Vec<&str> = config.chains.iter().map(|chain| &*chain.name).collect();
    let names: Vec<&str> = config.streams.iter().map(|stream| &*stream.name).collect();
    let mut paced: HashMap<&str, &str> = HashMap::new();
    for (index, stream) in config.streams.iter().enumerate() {
        let (path, who) = (format!("stream[{index}]"), format!("stream {:?}", stream.name));
        found.known(format!("{path}.chain"), &who, "chain", &stream.chain, &chains);
        if config.chains.iter().any(|chain| chain.name == stream.chain && leaves_by_no_port(chain)) {
            let what = format!("{who}: no packet of chain {:?} leaves by a port", stream.chain);
            let help = "name one in the chain's `tx`, or pace the chain that does: what goes into a ring goes at once";
            found.error(format!("{path}.chain"), what, help);
        }
        if let Some(first) = paced.insert(&stream.chain, &stream.name) {
            let what = format!("{who}: chain {:?} is paced by stream {first:?} already", stream.chain);
            found.error(format!("{path}.chain"), what, "a chain has one stream: declare a chain for each");
        }
        if let Some(after) = &stream.after {
            found.known(format!("{path}.after"), &who, "stream", after, &names);
            order(config, stream, after, &format!("{path}.after"), &who, found);
        }
        let mut place = Place { path, who, found };
        limits(stream, &mut place);
        probes(config, stream, &mut place);
        rate(stream, &mut place);
        pattern(config, stream, &mut place);
        method(config, stream, &mut place);
    }
}

/// A chain that reads a port is granted that one, where it names none.
fn leaves_by_no_port(chain: &Chain) -> bool {
    chain.tx.is_empty() && !matches!(chain.source, Source::Port { .. })
}

/// Whether rate and pattern of a stream make sense by themselves.
///
/// # Errors
/// The first thing that is wrong, and how to mend it.
pub(crate) fn pace(stream: &Stream) -> Result<(), String> {
    let mut found = Problems::default();
    let mut place = Place { path: "stream".to_owned(), who: "it".to_owned(), found: &mut found };
    rate(stream, &mut place);
    numbers(stream, &mut place);
    match found.0.into_iter().next() {
        Some(problem) => Err(format!("{} ({})", problem.what.trim_start_matches("it: "), problem.help)),
        None => Ok(()),
    }
}

/// Traces whose files are not there, or no traces.
pub(super) fn files(config: &Config, base: &Path, found: &mut Problems) {
    for (index, stream) in config.streams.iter().enumerate() {
        if let Err(what) = stream.clone().read_trace(base) {
            let help = "a file has one gap on a line, as 1us; it is looked for in the configuration's directory";
            found.error(format!("stream[{index}].pattern.file"), what, help);
        }
    }
}

/// Where a stream's problems are written to.
struct Place<'a> {
    path: String,
    who: String,
    found: &'a mut Problems,
}

impl Place<'_> {
    fn wrong(&mut self, key: &str, what: &str, help: &str) {
        self.found.error(format!("{}.{key}", self.path), format!("{}: {what}", self.who), help);
    }
}

fn order(config: &Config, stream: &Stream, after: &str, path: &str, who: &str, found: &mut Problems) {
    let find = |name: &str| config.streams.iter().find(|other| other.name == name);
    let Some(first) = find(after) else { return };
    let mut waits_for = Some(first);
    for _ in 0..config.streams.len() {
        let Some(other) = waits_for else { break };
        if other.name == stream.name {
            let help = "streams that wait for each other never start: leave one `after` away";
            return found.error(path, format!("{who}: it waits for itself"), help);
        }
        waits_for = other.after.as_deref().and_then(find);
    }
    if !first.ends() {
        let what = format!("{who}: it starts after stream {after:?}, which does not end");
        found.error(path, what, "give that one a `duration` or a `count`");
    }
}

fn limits(stream: &Stream, place: &mut Place<'_>) {
    if stream.duration.is_some_and(|duration| duration.is_zero()) {
        place.wrong("duration", "duration is 0", "leave it away for a stream that lasts as long as the run");
    }
    if stream.count == Some(0) {
        place.wrong("count", "count is 0", "leave it away for a stream without a limit");
    }
}

/// What is measured, and by whom.
fn probes(config: &Config, stream: &Stream, place: &mut Place<'_>) {
    let Some(probes) = &stream.probes else { return };
    let chains: Vec<&str> = config.chains.iter().map(|chain| &*chain.name).collect();
    if probes.received_by.is_empty() {
        place.wrong(
            "probes.received_by",
            "nobody receives its probes",
            "name the chains that read the ports where they come",
        );
    }
    for name in &probes.received_by {
        let path = format!("{}.probes.received_by", place.path);
        place.found.known(path, &place.who, "chain", name, &chains);
        let chain = config.chains.iter().find(|chain| chain.name == *name);
        if chain.is_some_and(|chain| !matches!(chain.source, Source::Port { .. })) {
            let what = format!("chain {name:?} reads no port");
            place.wrong("probes.received_by", &what, "probes are looked at as they come from a port");
        }
    }
    if probes.every == 0 {
        place.wrong("probes.every", "every is 0", "1 makes all packets probes, 10 one in ten");
    }
    if probes.timeout.is_zero() || probes.timeout > LONGEST {
        place.wrong("probes.timeout", "the time-out is 0 or longer than an hour", "as in timeout = \"100ms\"");
    }
    if !probes.places.is_power_of_two() || !(MIN_PLACES..=MAX_PLACES).contains(&probes.places) {
        let what = format!("{} places are no power of two from {MIN_PLACES} to {MAX_PLACES}", probes.places);
        place.wrong("probes.places", &what, "as many as probes that leave within the time-out, and some more");
    }
}

fn rate(stream: &Stream, place: &mut Place<'_>) {
    let needs = match &stream.pattern {
        Pattern::Module | Pattern::Trace(_) | Pattern::Ramp { .. } => false,
        Pattern::Mmpp { rates, .. } => matches!(rates, Levels::Multiples(_)),
        _ => true,
    };
    match stream.rate {
        None if needs => place.wrong("rate", "it has no rate", "as in rate = \"1 Mpps\", \"1 Gbit/s\" or \"25 %\""),
        Some(rate) if rate.is_zero() => {
            place.wrong(
                "rate",
                "rate is 0: nothing would leave",
                "`paused = true` lets it wait until it is told to go",
            );
        }
        Some(_) if matches!(stream.pattern, Pattern::Ramp { .. }) => {
            place.wrong("rate", "a ramp has a `rate`", "leave it away: its rates are `from` and `to`");
        }
        Some(rate) if matches!(stream.pattern, Pattern::Trace(_)) && !matches!(rate, Rate::Packets(_)) => {
            place.wrong("rate", "a trace's rate is not in pps", "its gaps are stretched to so many packets per second");
        }
        _ => {}
    }
}

/// What a method that is asked for by name cannot do on any port.
fn method(config: &Config, stream: &Stream, place: &mut Place<'_>) {
    let AskedMethod::Only(method) = stream.method else { return };
    let chain = config.chains.iter().find(|chain| chain.name == stream.chain);
    let Some((chain, why)) = chain.and_then(|chain| Some((chain, config.unfit(stream, chain, method)?))) else {
        return;
    };
    let what = format!("method {:?} on chain {:?}: {}", method.name(), chain.name, why.0);
    place.wrong("method", &what, why.1);
}

fn pattern(config: &Config, stream: &Stream, place: &mut Place<'_>) {
    let chain = config.chains.iter().find(|chain| chain.name == stream.chain);
    if stream.pattern == Pattern::Module && chain.is_some_and(|chain| chain.modules().next().is_none()) {
        place.wrong("pattern", "its chain has no module that could say when packets leave", "name a rate");
    }
    numbers(stream, place);
}

/// The numbers of a pattern.
fn numbers(stream: &Stream, place: &mut Place<'_>) {
    match &stream.pattern {
        Pattern::Constant | Pattern::Poisson | Pattern::Module => {}
        Pattern::Bursts { size, gap } => bursts(stream.rate, *size, *gap, place),
        Pattern::OnOff { on, off, .. } => {
            for (key, time) in [("on", on), ("off", off)] {
                held(key, *time, place);
            }
        }
        Pattern::Mmpp { rates, hold } => mmpp(rates, hold, place),
        Pattern::Pareto { shape } => {
            if !(*shape > 1.0 && *shape <= MOST_SHAPE) {
                let what = format!("shape is {shape}");
                place.wrong("pattern.shape", &what, "above 1, for the mean is infinite up to that; 1000 at most");
            }
        }
        Pattern::Ramp { from, to, over, .. } => ramp(*from, *to, *over, place),
        Pattern::Trace(trace) => gaps(trace, stream.rate.is_some(), place),
    }
}

/// A time for which a pattern stays as it is.
fn held(key: &str, time: Duration, place: &mut Place<'_>) {
    if time.is_zero() || time > LONGEST {
        let what = format!("{key} is {}", humantime::format_duration(time));
        place.wrong(&format!("pattern.{key}"), &what, "it must be above 0, and 1h at most");
    }
}

fn bursts(rate: Option<Rate>, size: u32, gap: Option<Duration>, place: &mut Place<'_>) {
    if size < 2 {
        place.wrong("pattern.size", &format!("bursts of {size}"), "a burst has 2 packets at least");
    }
    let (Some(gap), Some(Rate::Packets(rate))) = (gap, rate) else { return };
    let nanos = gap.as_nanos().saturating_mul(rate.numerator().into());
    if nanos > 1_000_000_000 * u128::from(rate.denominator()) {
        let what = format!(
            "gap is {}: packets inside a burst are further apart than the rate's mean",
            humantime::format_duration(gap)
        );
        place.wrong("pattern.gap", &what, "a shorter gap, or a lower rate");
    }
}

fn mmpp(rates: &Levels, hold: &[Duration], place: &mut Place<'_>) {
    if rates.len() < 2 || rates.len() != hold.len() {
        let what = format!("{} rates and {} times in hold", rates.len(), hold.len());
        place.wrong(
            "pattern",
            &what,
            "two or more of both, a time for each rate: rates = [10, 1], hold = [\"1ms\", \"9ms\"]",
        );
    }
    let numbers = rates.numbers();
    if !numbers.iter().all(|level| level.is_finite() && *level >= 0.0) || numbers.iter().all(|level| *level == 0.0) {
        place.wrong("pattern.rates", "rates must be 0 or above, and not all 0", "as in rates = [10, 1]");
    }
    if let Levels::Rates(rates) = rates
        && rates.windows(2).any(|pair| !pair[0].is_like(pair[1]))
    {
        place.wrong("pattern.rates", "rates of different kinds", "all in pps, all in bit/s of one layer, or all in %");
    }
    for time in hold {
        held("hold", *time, place);
    }
}

fn ramp(from: Rate, to: Rate, over: Duration, place: &mut Place<'_>) {
    if !from.is_like(to) {
        let what = format!("it goes from {from} to {to}");
        place.wrong("pattern", &what, "both in pps, both in bit/s of one layer, or both in %");
    }
    if from.is_zero() && to.is_zero() {
        place.wrong("pattern", "it goes from 0 to 0: nothing would leave", "one of the two may be 0");
    }
    held("over", over, place);
}

fn gaps(trace: &Trace, is_stretched: bool, place: &mut Place<'_>) {
    match (&trace.file, &*trace.gaps) {
        (Some(_), []) => {}
        (None, [_, ..]) => {
            let lasts = trace.gaps.iter().any(|gap| !gap.is_zero());
            if !lasts && (trace.repeat || is_stretched) {
                place.wrong("pattern.gaps", "all gaps are 0", "one of them at least must take some time");
            }
            if let Some(gap) = trace.gaps.iter().find(|gap| **gap > LONGEST) {
                let what = format!("a gap of {}", humantime::format_duration(*gap));
                place.wrong("pattern.gaps", &what, "1h at most");
            }
        }
        _ => place.wrong("pattern", "a trace has either `gaps` or `file`", "as in gaps = [\"1us\", \"3us\"]"),
    }
}
