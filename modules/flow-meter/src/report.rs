//! Answers to messages.

use crate::{FlowMeter, Tally};
use core::fmt::{self, Write as _};
use perigee_guest::state::{FiveTuple, Histogram};
use perigee_guest::{Buffer, Refusal};

/// Most flows in a list of the largest.
const TOP_MAX: usize = 32;
/// Flows in such a list where the message does not say.
const TOP: usize = 10;

/// Answers a message; README.md has the table.
pub(crate) fn answer(meter: &mut FlowMeter, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let request = core::str::from_utf8(request).unwrap_or_default();
    let mut words = request.split_ascii_whitespace();
    // What was over by the last batch or tick is not told any more.
    meter.expire(usize::MAX);
    let written = match (words.next(), words.next(), words.next()) {
        (Some("top"), count, None) => {
            let count = count.map_or(Ok(TOP), str::parse).ok().filter(|count| (1..=TOP_MAX).contains(count));
            let count = count.ok_or_else(|| Refusal::new("top: how many flows? 1 to 32"))?;
            top(meter, count, reply)
        }
        (Some("summary"), None, None) => summary(meter, reply),
        (Some("sizes"), None, None) => return Ok(meter.sizes.encode(|part| reply.push(part))?),
        (Some("gaps"), None, None) => return Ok(meter.gaps.encode(|part| reply.push(part))?),
        (Some("reset"), None, None) => {
            meter.forget();
            Ok(())
        }
        _ => return Err(Refusal::new("known messages: top, top COUNT, summary, sizes, gaps, reset")),
    };
    written.map_err(|fmt::Error| perigee_guest::Full.into())
}

/// The largest flows by bytes, the largest first. Looks at all flows.
fn top(meter: &FlowMeter, count: usize, reply: &mut Buffer<'_>) -> fmt::Result {
    let mut largest: [Option<(FiveTuple, Tally)>; TOP_MAX] = [None; TOP_MAX];
    for flow in meter.flows.iter() {
        // Where it belongs among the largest; those behind it move on, and the last one goes.
        let bytes = flow.value.bytes;
        let at = largest[..count].partition_point(|other| other.is_some_and(|(_, other)| other.bytes >= bytes));
        if at < count {
            largest[at..count].rotate_right(1);
            largest[at] = Some((*flow.key, *flow.value));
        }
    }
    reply.write_str("[")?;
    for (at, (flow, tally)) in largest[..count].iter().flatten().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(
            reply,
            "{comma}{{\"flow\":\"{flow}\",\"packets\":{},\"bytes\":{},\"first_ns\":{},\"last_ns\":{}}}",
            tally.packets, tally.bytes, tally.first, tally.last
        )?;
    }
    reply.write_str("]")
}

fn summary(meter: &FlowMeter, reply: &mut Buffer<'_>) -> fmt::Result {
    write!(reply, "{{\"flows\":{},\"capacity\":{},", meter.flows.len(), meter.flows.capacity())?;
    write!(reply, "\"evicted\":{},\"crowded\":{},\"sizes\":", meter.flows.evicted(), meter.flows.crowded())?;
    distribution(&meter.sizes, reply)?;
    reply.write_str(",\"gaps_ns\":")?;
    distribution(&meter.gaps, reply)?;
    reply.write_str("}")
}

fn distribution(histogram: &Histogram, reply: &mut Buffer<'_>) -> fmt::Result {
    write!(reply, "{{\"count\":{},\"min\":{},\"mean\":{}", histogram.count(), histogram.min(), histogram.mean())?;
    for (name, millionths) in [("p50", 500_000), ("p99", 990_000), ("p99_9", 999_000)] {
        write!(reply, ",\"{name}\":{}", histogram.quantile(millionths))?;
    }
    write!(reply, ",\"max\":{}}}", histogram.max())
}
