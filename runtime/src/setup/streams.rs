//! The streams of a run: what paces the packets of its chains.

use super::methods::Choosing;
use crate::parts::PlacedStream;
use perigee_config::stream::{Method, Pattern, Stream as Asked};
use perigee_config::{Config, Placed, WhenFull};
use perigee_core::clock::nanos;
use perigee_datapath::pacer::{Filling, Paced, Pacer, Terms};
use perigee_datapath::port::Port;
use perigee_datapath::stream::Stream;
use perigee_dpdk::timestamp::TxMarks;
use perigee_pace::Schedule;
use perigee_report::Error;
use std::path::Path;
use std::sync::Arc;

/// Below the length that stands in fillers, which so is wrong in all of them.
const LONGEST_FILLER: u16 = 1_500;

/// What all streams share with their lcores, in the order of the configuration; their traces are read.
pub(super) fn streams(base: &Path, choosing: &Choosing<'_>) -> Result<Vec<PlacedStream>, Error> {
    let config = choosing.config;
    let asked: Vec<Asked> = config.streams.iter().map(|stream| with_trace(stream, base)).collect::<Result<_, _>>()?;
    let mut placed: Vec<Option<Arc<Stream>>> = vec![None; asked.len()];
    // One that waits for another needs that one first. The configuration has no circles: it was validated.
    while let Some(next) = (0..asked.len()).find(|at| placed[*at].is_none() && is_ready(&asked, &placed, *at)) {
        let before = before(&asked, next).and_then(|before| placed[before].as_ref().map(Arc::clone));
        let chain = config.chains.iter().find(|chain| chain.name == asked[next].chain);
        let lcores = u32::try_from(chain.map_or(1, |chain| chain.width())).unwrap_or(1);
        placed[next] = Some(Arc::new(Stream::new(lcores, before, nanos(asked[next].start), asked[next].paused)));
    }
    let both = asked.into_iter().zip(placed);
    let both = both.filter_map(|(asked, stream)| Some((asked, stream?)));
    both.map(|(asked, stream)| {
        let means = choosing.means(&asked)?;
        Ok(PlacedStream::new(asked, stream, means))
    })
    .collect()
}

fn with_trace(stream: &Asked, base: &Path) -> Result<Asked, Error> {
    let mut stream = stream.clone();
    stream.read_trace(base).map_err(Error::Request)?;
    Ok(stream)
}

fn before(streams: &[Asked], at: usize) -> Option<usize> {
    let name = streams[at].after.as_ref()?;
    streams.iter().position(|other| other.name == *name)
}

fn is_ready(streams: &[Asked], placed: &[Option<Arc<Stream>>], at: usize) -> bool {
    before(streams, at).is_none_or(|before| placed[before].is_some())
}

/// What paces a chain on one of its lcores; `None` where no stream does.
pub(super) fn pacer(
    config: &Config,
    streams: &[PlacedStream],
    placed: &Placed,
    ports: &[Arc<dyn Port>],
) -> Result<Option<Box<Pacer>>, Error> {
    let chain = &config.chains[placed.chain];
    let Some(stream) = streams.iter().find(|stream| stream.asked.chain == chain.name) else { return Ok(None) };
    let refuse = |what: String| Error::Request(format!("stream {:?}: {what}", stream.asked.name));
    let Some(marks) = TxMarks::get() else {
        return Err(refuse("DPDK has no place for times in its packets".to_owned()));
    };
    let port = chain.granted_ports().next().and_then(|name| config.port(name)).map(|number| &ports[number]);
    let speed = port.map(|port| u64::from(port.info(true).speed_mbps) * 1_000_000).filter(|speed| *speed != 0);
    let [worker, width] = [placed.worker, chain.width()].map(|number| u32::try_from(number).unwrap_or(1));
    let named = perigee_pace::seed(config.run.seed, &stream.asked.name);
    let schedule = Schedule::new(&stream.asked, speed, (worker, width), named, 0).map_err(refuse)?;
    let terms = Terms {
        late: stream.asked.late,
        late_after: nanos(stream.asked.late_after),
        by_module: stream.asked.pattern == Pattern::Module,
        makes: matches!(chain.source, perigee_config::Source::Module { .. }),
        waits: chain.when_full() == WhenFull::Wait,
        method: stream.means.method,
    };
    let paced = Paced::new(schedule, Arc::clone(&stream.stream));
    let paced = match port.filter(|_| stream.means.method == Method::Filler) {
        Some(port) => paced.filling(Filling::new(stream.means.line_rate, port.facts().max_frame.min(LONGEST_FILLER))),
        None => paced,
    };
    Ok(Some(Box::new(Pacer::new(Some(paced), terms, marks))))
}
