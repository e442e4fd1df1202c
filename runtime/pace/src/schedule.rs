//! When each packet of a stream leaves on one lcore.

use crate::draws::Draws;
use crate::tempo::Tempo;
use crate::walk::{Change, Origin, Walk};
use perigee_config::stream::{Pattern, Rate, Stream};
use perigee_core::clock::nanos;

/// An odd number that fits into 64 bits as far from a simple ratio as can be: seeds of neighbours differ in half of their bits.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;
/// Bytes that a packet is taken to have before there was one.
const TYPICAL: u16 = 60;

/// When each packet of a stream leaves on one lcore, in nanoseconds of the run's clock.
///
/// A packet's departure is known before its length, for it depends on the packets before it alone: ask [`Self::peek`] when the next
/// one leaves, then [`Self::take`] it with its length. A constant rate has no error that adds up: packet n leaves within 1 ns of
/// `start + n / rate`, however large n is.
#[derive(Clone, Debug)]
pub struct Schedule {
    walk: Walk,
    /// The stream is over from here on.
    end: u64,
    /// Packets that may still leave.
    left: u64,
    paused_at: Option<u64>,
    link: Option<u64>,
    /// On how many lcores the stream's chain runs.
    lcores: u64,
    /// Where the numbers of this lcore's next pattern come from.
    seed: u64,
    /// When it began.
    start: u64,
    /// For the mean length.
    packets: u64,
    bytes: u64,
}

/// A whole burst that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When its first packet leaves.
    pub first: u64,
    /// And its last one.
    pub last: u64,
}

impl Schedule {
    /// The schedule of lcore number `share.0`, from 0, of the `share.1` lcores on which the stream's chain runs. `link` is what its
    /// port's link carries, in bits per second on layer 1. The stream's `start` counts from `start_ns`: the run's beginning, or the
    /// end of the stream that it waits for. All lcores give the same `seed`.
    ///
    /// # Errors
    /// A rate in per cent of a link whose speed is not known; a trace whose file was not read ([`Stream::read_trace`]); and what
    /// [`perigee_config::Config::validate`] finds.
    pub fn new(
        stream: &Stream,
        link: Option<u64>,
        share: (u32, u32),
        seed: u64,
        start_ns: u64,
    ) -> Result<Self, String> {
        let (number, of) = (u64::from(share.0), u64::from(share.1));
        if number >= of {
            return Err(format!("stream {:?}: lcore number {number} of {of}", stream.name));
        }
        let start = start_ns.saturating_add(nanos(stream.start));
        let seed = seed.wrapping_add(number.wrapping_mul(APART));
        let origin = Origin { start, number, of, link, draws: Draws::new(seed) };
        let walk = Walk::new(&stream.pattern, stream.rate, origin)
            .map_err(|what| format!("stream {:?}: {what}", stream.name))?;
        Ok(Self {
            walk,
            end: stream.duration.map_or(u64::MAX, |lasts| start.saturating_add(nanos(lasts))),
            left: stream.count.map_or(u64::MAX, |count| own_part(count, block(&stream.pattern), number, of)),
            paused_at: stream.paused.then_some(start),
            link,
            lcores: of,
            seed,
            start,
            packets: 0,
            bytes: 0,
        })
    }

    /// When the next packet leaves; `None` where the stream is over, or paused.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u64> {
        if self.paused_at.is_some() { None } else { self.coming() }
    }

    /// When the next packet leaves, paused or not.
    #[inline]
    fn coming(&self) -> Option<u64> {
        self.walk.next().filter(|next| *next < self.end && self.left != 0)
    }

    /// No packet will leave any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.coming().is_none()
    }

    /// When it is over, where no packet will leave any more and its last one left at `last_ns`: then, or when the time is over that it
    /// was to last.
    #[must_use]
    pub fn over_at(&self, last_ns: u64) -> u64 {
        let by_time = self.left != 0 && self.walk.next().is_some_and(|next| next >= self.end);
        if by_time { last_ns.max(self.end) } else { last_ns }
    }

    /// No packet will leave any more, and the time that it was to last has passed.
    #[must_use]
    pub fn is_over_by(&self, now_ns: u64) -> bool {
        self.is_over() && self.over_at(0) <= now_ns
    }

    /// The next packet has this length, without its check sequence: returns when it leaves, and goes on to the one behind it.
    /// Where [`Self::peek`] gives none, the time means nothing.
    #[inline]
    pub fn take(&mut self, len: u16) -> u64 {
        let at = self.walk.next().unwrap_or(self.end);
        self.walk.advance(len);
        self.count(1, len);
        at
    }

    /// As [`Self::take`] with the pattern `module`, for a packet that is to leave at that time: it does, but not before the one
    /// in front of it.
    pub fn take_at(&mut self, at: u64, len: u16) -> u64 {
        if let Walk::Module(module) = &mut self.walk {
            module.place(at);
        }
        self.take(len)
    }

    /// As [`Self::take`] with the pattern `module`, for a packet that is to leave so long after the one in front of it.
    pub fn take_after(&mut self, gap: u64, len: u16) -> u64 {
        if let Walk::Module(module) = &mut self.walk {
            module.follow(gap);
        }
        self.take(len)
    }

    /// Takes the next `packets` at once, if all of them leave until now: a few instructions for a whole burst. `None`, and nothing
    /// is taken, where not all of them do for certain, and of all rates but a constant one in packets: then [`Self::take`] each.
    #[inline]
    pub fn take_due(&mut self, now_ns: u64, packets: u16) -> Option<Due> {
        let Walk::Constant(exact) = &mut self.walk else { return None };
        let units = exact.tempo().measure.fixed()?;
        let wanted = u64::from(packets);
        let until = now_ns.min(self.end.saturating_sub(1));
        let is_free = self.paused_at.is_none() && wanted != 0 && wanted <= self.left;
        if !is_free || !exact.surely_due(until, wanted, units) {
            return None;
        }
        let first = exact.next();
        let last = exact.advance_many(wanted, units);
        self.left -= if self.left == u64::MAX { 0 } else { wanted };
        Some(Due { first, last })
    }

    /// How many packets leave until `now_ns + horizon_ns`, `most` at most: what a generator is asked for. With a rate in bits
    /// packets are taken to be as long as those so far in the mean. With the pattern `module` and no rate it is `most`, once the
    /// packet in front has left.
    #[must_use]
    pub fn due(&self, now_ns: u64, horizon_ns: u64, most: usize) -> usize {
        let until = now_ns.saturating_add(horizon_ns).min(self.end.saturating_sub(1));
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        if self.peek().is_none_or(|next| next > until) {
            return 0;
        }
        let mean = self.mean_len();
        match &self.walk {
            Walk::Constant(exact) => {
                let units = exact.tempo().measure.units(mean);
                if exact.surely_due(until, most as u64, units) {
                    return most;
                }
                usize::try_from(exact.due(until, units)).unwrap_or(usize::MAX).min(most)
            }
            Walk::Module(module) if module.is_free() => most,
            walk => {
                let mut ahead = walk.clone();
                let mut found = 0;
                while found < most && ahead.next().is_some_and(|next| next <= until) {
                    ahead.advance(mean);
                    found += 1;
                }
                found
            }
        }
    }

    /// As [`Self::due`], for who makes packets ahead: where each gap is drawn by itself, about as many.
    #[must_use]
    pub fn wanted(&self, now_ns: u64, horizon_ns: u64, most: usize) -> usize {
        match &self.walk {
            Walk::Drawn(_) => {
                let due = self.about_due(now_ns.saturating_add(horizon_ns));
                usize::try_from(due).unwrap_or(usize::MAX).min(most)
            }
            _ => self.due(now_ns, horizon_ns, most),
        }
    }

    /// About how many packets should have left by that moment and were not taken: exact for a constant rate, else by the mean gap so far.
    #[must_use]
    pub fn about_due(&self, now_ns: u64) -> u64 {
        let until = now_ns.min(self.end.saturating_sub(1));
        let Some(next) = self.peek().filter(|next| *next <= until) else { return 0 };
        let due = match &self.walk {
            Walk::Constant(exact) => exact.due(until, exact.tempo().measure.units(self.mean_len())),
            _ => 1 + (until - next) / ((next - self.start.min(next)) / self.packets.max(1)).max(1),
        };
        due.min(self.left)
    }

    /// Goes on at another rate. The part of the gap that has passed by then has passed, so that changes, however many, neither add
    /// packets nor lose some; what was due before then and has not left stays due. A ramp ends. Several lcores that change
    /// at the same `now_ns` keep their places between each other.
    ///
    /// # Errors
    /// A rate of 0, one in per cent of a link whose speed is not known, and of a trace one that is not in pps.
    pub fn set_rate(&mut self, rate: Rate, now_ns: u64) -> Result<(), String> {
        if matches!(self.walk, Walk::Listed(_)) && !matches!(rate, Rate::Packets(_)) {
            return Err(format!("a rate of {rate}: the gaps of a trace are stretched to packets per second"));
        }
        let tempo = Tempo::new(rate, self.link)?;
        let change = Change { now: self.paused_at.unwrap_or(now_ns), mean: self.mean_len() };
        self.walk.set_tempo(tempo, change);
        Ok(())
    }

    /// Goes on in another pattern. The packet that comes next leaves when it would have, or, where gaps are drawn, a gap later: so
    /// changes add no packets. Lcores keep no places between each other.
    ///
    /// # Errors
    /// It is over; and as [`Self::new`].
    pub fn set_pattern(&mut self, pattern: &Pattern, rate: Option<Rate>) -> Result<(), String> {
        let start = self.coming().ok_or_else(|| "it is over".to_owned())?;
        let seed = self.seed.rotate_left(1).wrapping_add(APART);
        let origin = Origin { start, number: 0, of: self.lcores, link: self.link, draws: Draws::new(seed) };
        self.walk = Walk::new(pattern, rate, origin)?;
        self.seed = seed;
        Ok(())
    }

    /// Nothing leaves until [`Self::resume`].
    pub fn pause(&mut self, now_ns: u64) {
        self.paused_at.get_or_insert(now_ns);
    }

    /// Goes on where [`Self::pause`] has stopped it; its end is later by as much.
    pub fn resume(&mut self, now_ns: u64) {
        if let Some(paused_at) = self.paused_at.take() {
            self.shift(now_ns.saturating_sub(paused_at));
        }
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// All that is to come is later by so much, its end too: where `late` is `shift`.
    pub fn shift(&mut self, by_ns: u64) {
        self.walk.shift(by_ns);
        self.start = self.start.saturating_add(by_ns);
        self.end = self.end.saturating_add(by_ns);
    }

    /// The mean length of the packets so far.
    #[must_use]
    fn mean_len(&self) -> u16 {
        if self.packets == 0 {
            return TYPICAL;
        }
        u16::try_from(self.bytes / self.packets).unwrap_or(u16::MAX)
    }

    #[inline]
    fn count(&mut self, packets: u64, len: u16) {
        self.packets += packets;
        self.bytes += packets * u64::from(len);
        // u64::MAX is no limit.
        self.left -= if self.left == u64::MAX { 0 } else { packets.min(self.left) };
    }
}

/// How many packets of a stream one lcore sends in a row.
fn block(pattern: &Pattern) -> u64 {
    if let Pattern::Bursts { size, .. } = pattern { u64::from((*size).max(1)) } else { 1 }
}

/// How many of `count` packets are those of one lcore, if each lcore in turn sends a block of them.
fn own_part(count: u64, block: u64, number: u64, of: u64) -> u64 {
    let round = block.saturating_mul(of);
    let rest = (count % round).saturating_sub(block.saturating_mul(number)).min(block);
    count / round * block + rest
}
