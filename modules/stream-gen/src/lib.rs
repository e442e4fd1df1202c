//! Generator: streams of packets made from templates, in which a program of draws varies the fields.
//!
//! What varies is the field engine's ([`perigee_guest::vary`]), what is known of headers is [`perigee_guest::wire`]'s: any
//! stack that the SDK dissects can be a template.
#![cfg_attr(not(test), no_std)]

#[cfg(test)]
mod checksum_tests;
mod config;
mod stream;
#[cfg(test)]
mod tests;

use config::{Config, Fill, STREAMS_MAX, VARY_MAX};
use perigee_guest::vary::{Cells, Compiled, Draw, Gaps, Kept, Plan, Weighted};
use perigee_guest::{Buffer, Lcg64, Module, Refusal, Rooms, Setup, Text, Verdict};
use stream::{FRAME_MIN, Longest, SIZES_MAX, Stream, Sums, VALUES_MAX};

perigee_guest::module!(StreamGen: generate, prefill, fields; mailbox = 32 * KIB);

perigee_guest::counters! {
    /// Packets made.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
}

/// The generator.
pub struct StreamGen {
    streams: [Option<Stream>; STREAMS_MAX],
    /// Which stream is next, where there are several.
    choice: Option<Weighted<STREAMS_MAX>>,
    gaps: Option<Gaps>,
    /// Length of the packet before.
    before: u16,
    /// Whether the rooms hold all packets as they are sent.
    is_ready: bool,
    fill: Fill,
    verdict: Verdict,
    /// Packets that may still be made.
    remaining: u64,
    random: Lcg64,
    /// What the host has made of the streams' programs.
    compiled: Compiled<CELLS>,
    /// Whether the host is told of the program at all.
    compile: bool,
}

impl Module for StreamGen {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config<'_> = setup.json()?;
        let (streams, choice) = streams(&config, setup)?;
        let gaps = match &config.gaps {
            Some(spec) => Some(spec.gaps()?),
            None => None,
        };
        if config.port.is_some_and(|port| usize::from(port) >= setup.ports().len()) {
            return Err(Refusal::new("port: this run has no port of that number"));
        }
        // A gap counts only with a verdict that names the port.
        let port = if gaps.is_some() { config.port.or(setup.next_port()) } else { config.port };
        let mut module = Self {
            streams,
            choice,
            gaps,
            before: 0,
            is_ready: false,
            fill: config.fill,
            verdict: port.map_or(Verdict::NEXT, Verdict::tx),
            remaining: if config.count == 0 { u64::MAX } else { config.count },
            // Instances with a seed of their own must not all send the same.
            random: Lcg64::new(config.seed.map_or(setup.seed(), |seed| seed.wrapping_add(setup.instance().0.into()))),
            compiled: Compiled::new(),
            compile: config.compile.0,
        };
        module.is_ready = module.is_ready();
        if module.fill == Fill::Cached && !module.is_ready {
            return Err(Refusal::new("fill: \"cached\" needs a single stream of one length, no gaps and no offload"));
        }
        Ok(module)
    }

    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        let [Some(stream), None, ..] = &mut self.streams else { return };
        // Packets of one length have it from here on, and the host writes it for them; others have zeros behind the template.
        let len = stream.only_len().or(u16::try_from(rooms.room_len()).ok()).unwrap_or(u16::MAX);
        for mut room in rooms.sized::<FRAME_MIN>(len).into_iter().flatten() {
            stream.write(room.bytes_mut());
            if self.fill == Fill::Cached {
                stream.vary(room.bytes_mut(), &mut self.random);
            }
        }
    }

    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        match self.only_len() {
            Some(len) => self.send_sized(rooms, len),
            None => self.send_any(rooms),
        }
        if self.remaining == 0 {
            rooms.finish();
        }
    }

    fn fields(&mut self, plan: &mut Buffer<'_>) -> Result<(), Refusal> {
        if !self.compile {
            return Err(Refusal::new("compile = false"));
        }
        if self.is_ready {
            return Ok(());
        }
        let has_one = self.only_len().is_some();
        let choice = self.choice.as_ref().filter(|_| !has_one);
        let streams = || self.streams.iter().flatten();
        let writes_template = self.fill == Fill::Always || choice.is_some();
        let mut plan = Plan::new(plan, streams().count(), choice, self.gaps.as_ref())?;
        for (number, stream) in streams().enumerate() {
            let written = stream.plan(&mut plan, writes_template);
            written.map_err(|refusal| if self.choice.is_some() { in_stream(number, refusal) } else { refusal })?;
        }
        Ok(())
    }
}

/// Cells of all that goes on from packet to packet.
const CELLS: usize = Compiled::<0>::cells(STREAMS_MAX * (VARY_MAX + 1), STREAMS_MAX * (VALUES_MAX + SIZES_MAX + 1));

/// What goes on from packet to packet, in the plan's order.
struct Going<'g> {
    streams: &'g mut [Option<Stream>; STREAMS_MAX],
    choice: Option<&'g Weighted<STREAMS_MAX>>,
    gaps: Option<(&'g mut Gaps, &'g mut u16)>,
}

impl Kept for Going<'_> {
    const CELLS: usize = CELLS;

    fn count(&self) -> usize {
        self.streams.iter().flatten().map(Stream::count).sum()
    }

    fn keep(&mut self, cells: &mut Cells<'_>) {
        if let Some(choice) = self.choice {
            cells.choice(choice);
        }
        self.streams.iter_mut().flatten().for_each(|stream| stream.keep(cells));
        if let Some((gaps, before)) = &mut self.gaps {
            cells.gaps(gaps, before);
        }
    }
}

impl StreamGen {
    /// The length of all packets, where one stream makes them and nothing else is to be done for each of them.
    fn only_len(&self) -> Option<u16> {
        match &self.streams {
            [Some(stream), None, ..] if self.gaps.is_none() => stream.only_len(),
            _ => None,
        }
    }

    /// A single stream of one length, which is checked for all rooms at once.
    fn send_sized(&mut self, rooms: &mut Rooms<'_>, len: u16) {
        let Some(rooms) = rooms.sized::<FRAME_MIN>(len) else { return };
        let rooms = rooms.limit(self.remaining);
        let sent = rooms.len() as u64;
        // The generator's state lives in a local variable, so that it is not stored for each draw.
        let mut random = self.random;
        let rooms = if self.is_ready {
            Some(rooms)
        } else {
            let mut going = Going { streams: &mut self.streams, choice: None, gaps: None };
            self.compiled.run(rooms, &mut going, &mut random, self.verdict)
        };
        let [Some(stream), ..] = &mut self.streams else { return };
        for mut room in rooms.into_iter().flatten() {
            if !self.is_ready {
                if self.fill == Fill::Always {
                    stream.write(room.bytes_mut());
                }
                stream.vary(room.bytes_mut(), &mut random);
                if let Some(asked) = stream.asked() {
                    room.ask_checksums(asked.flags, asked.l2_len, asked.l3_len);
                }
            }
            room.finish(self.verdict);
        }
        self.random = random;
        self.remaining -= sent;
        PACKETS.add(sent);
        BYTES.add(sent * u64::from(len));
    }

    /// Packets of any lengths, streams and gaps, by machine code. Says whether there is some.
    fn send_compiled(&mut self, rooms: &mut Rooms<'_>) -> bool {
        let Some(rooms) = rooms.any() else { return false };
        let rooms = rooms.limit(self.remaining);
        let sent = rooms.len() as u64;
        let gaps = self.gaps.as_mut().map(|gaps| (gaps, &mut self.before));
        let mut going = Going { streams: &mut self.streams, choice: self.choice.as_ref(), gaps };
        if self.compiled.run(rooms, &mut going, &mut self.random, self.verdict).is_some() {
            return false;
        }
        self.remaining -= sent;
        PACKETS.add(sent);
        BYTES.add(self.compiled.bytes());
        true
    }

    /// Packets of any lengths, streams and gaps.
    fn send_any(&mut self, rooms: &mut Rooms<'_>) {
        if self.send_compiled(rooms) {
            return;
        }
        let first = self.remaining;
        let mut random = self.random;
        let mut bytes = 0;
        for mut packet in rooms.packets() {
            if self.remaining == 0 {
                break;
            }
            let chosen = self.choice.as_mut().map_or(0, |choice| choice.next(&mut random));
            let stream = usize::try_from(chosen).ok().and_then(|chosen| self.streams.get_mut(chosen));
            let Some(Some(stream)) = stream else { break };
            let len = stream.next_len(&mut random);
            if !packet.set_len(len) {
                break;
            }
            if self.fill == Fill::Always || self.choice.is_some() {
                stream.write(packet.bytes_mut());
            }
            stream.vary(packet.bytes_mut(), &mut random);
            if let Some(asked) = stream.asked() {
                packet.ask_checksums(asked.flags, asked.l2_len, asked.l3_len);
            }
            if let Some(gaps) = &mut self.gaps {
                packet.set_gap(gaps.after(self.before.into(), &mut random));
                self.before = len;
            }
            packet.finish(self.verdict);
            self.remaining -= 1;
            bytes += u64::from(len);
        }
        self.random = random;
        PACKETS.add(first - self.remaining);
        BYTES.add(bytes);
    }

    /// Whether the rooms hold all packets as they are sent.
    fn is_ready(&self) -> bool {
        let [Some(stream), None, ..] = &self.streams else { return false };
        let is_written = match self.fill {
            Fill::Cached => true,
            Fill::Once => !stream.varies(),
            Fill::Always => false,
        };
        is_written && stream.only_len().is_some() && self.gaps.is_none() && stream.asked().is_none()
    }
}

/// The streams, and the choice between them where there are several.
type Streams = ([Option<Stream>; STREAMS_MAX], Option<Weighted<STREAMS_MAX>>);

fn streams(config: &Config<'_>, setup: &Setup<'_>) -> Result<Streams, Refusal> {
    let mut streams = [None; STREAMS_MAX];
    let mut weights = [0; STREAMS_MAX];
    let several = config.streams.iter().next().is_some();
    let port = config.port.or(setup.next_port()).and_then(|port| setup.ports().get(usize::from(port)));
    let sums = Sums { by: config.checksums, offloads: port.map_or(0, |port| port.offloads) };
    let longest = Longest::new(port, setup);
    if several == config.packet.is_some() {
        return Err(Refusal::new("packet: needs either packet (with vary and sizes) or streams"));
    }
    if several && (config.vary.iter().next().is_some() || config.sizes.is_some()) {
        return Err(Refusal::new("vary and sizes belong into each of the streams"));
    }
    if let (Some(packet), Some(place)) = (&config.packet, streams.first_mut()) {
        *place = Some(Stream::new(packet.as_str(), &config.vary, config.sizes.as_ref(), sums, longest, setup)?);
    }
    let places = streams.iter_mut().zip(&mut weights);
    for (number, (spec, (place, weight))) in config.streams.iter().zip(places).enumerate() {
        let stream = Stream::new(spec.packet.as_str(), &spec.vary, spec.sizes.as_ref(), sums, longest, setup);
        *place = Some(stream.map_err(|refusal| in_stream(number, refusal))?);
        *weight = spec.weight.unwrap_or(1);
    }
    Ok((streams, if several { Some(Weighted::new(weights)?) } else { None }))
}

/// Says in which stream.
fn in_stream(number: usize, refusal: Refusal) -> Refusal {
    let mut text = Text::<240>::from("streams[");
    text.push_number(number as u64).push("]: ").push(refusal.text().as_str());
    text.into()
}
