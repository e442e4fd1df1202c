//! Steps of a tempo, in integers: whatever is left of a nanosecond is carried on, so that no error adds up.

use crate::tempo::Tempo;

/// A moment that goes on by steps of a tempo.
#[derive(Clone, Debug)]
pub(crate) struct Exact {
    tempo: Tempo,
    /// Whole nanoseconds.
    next: u64,
    /// What is beyond them, in parts of `tempo.below`.
    rest: u128,
    /// Each packet is followed by those of other lcores: all of them together are so many.
    stride: u64,
    one: Step,
    many: Step,
}

/// How far some units lead.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    units: u64,
    whole: u64,
    rest: u128,
}

impl Step {
    #[allow(clippy::cast_possible_truncation, reason = "the least of two, one of which fits")]
    fn new(tempo: Tempo, units: u64) -> Self {
        let parts = tempo.above.saturating_mul(units.into());
        Self { units, whole: (parts / tempo.below).min(u64::MAX.into()) as u64, rest: parts % tempo.below }
    }
}

impl Exact {
    /// The first packet leaves at `next`, and each is followed by `stride - 1` of other lcores.
    pub(crate) fn new(tempo: Tempo, next: u64, stride: u64) -> Self {
        let one = Step::new(tempo, tempo.measure.least() * stride);
        Self { tempo, next, rest: 0, stride, one, many: one }
    }

    pub(crate) fn tempo(&self) -> Tempo {
        self.tempo
    }

    /// How many lcores the packets are of.
    pub(crate) fn stride(&self) -> u64 {
        self.stride
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// It goes on from there.
    pub(crate) fn set(&mut self, next: u64) {
        (self.next, self.rest) = (next, 0);
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.next = self.next.saturating_add(by);
    }

    /// Goes on past a packet of so many units, and past those of the other lcores.
    #[inline]
    pub(crate) fn advance(&mut self, units: u64) {
        let units = units * self.stride;
        if units != self.one.units {
            self.one = Step::new(self.tempo, units);
        }
        self.go(self.one);
    }

    /// Goes on past so many packets of that many units each; the moment of the last of them.
    #[inline]
    pub(crate) fn advance_many(&mut self, packets: u64, units: u64) -> u64 {
        let before = (packets - 1) * units * self.stride;
        if before != self.many.units {
            self.many = Step::new(self.tempo, before);
        }
        self.go(self.many);
        let last = self.next;
        self.advance(units);
        last
    }

    /// Goes on past so many units.
    pub(crate) fn pass(&mut self, units: u64) {
        self.go(Step::new(self.tempo, units));
    }

    #[inline]
    fn go(&mut self, step: Step) {
        self.next = self.next.saturating_add(step.whole);
        self.rest += step.rest;
        if self.rest >= self.tempo.below {
            self.rest -= self.tempo.below;
            self.next = self.next.saturating_add(1);
        }
    }

    /// Whether so many packets leave until then for certain: some that do may not be seen.
    #[inline]
    pub(crate) fn surely_due(&self, until: u64, packets: u64, units: u64) -> bool {
        let units = units * self.stride;
        let whole = if units == self.one.units { self.one.whole } else { Step::new(self.tempo, units).whole };
        let behind = whole.saturating_add(1).saturating_mul(packets.saturating_sub(1));
        self.next.saturating_add(behind) <= until
    }

    /// How many packets leave until then, that moment included, if each has that many units.
    pub(crate) fn due(&self, until: u64, units: u64) -> u64 {
        let Some(ahead) = until.checked_sub(self.next) else { return 0 };
        // A product that does not fit is cut off at more packets than anybody asks for.
        let room = (u128::from(ahead) + 1).saturating_mul(self.tempo.below);
        let step = self.tempo.above.saturating_mul(u128::from(units) * u128::from(self.stride)).max(1);
        let more = (room - self.rest - 1) / step;
        u64::try_from(more).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_config::stream::Rate;

    /// Rates of all kinds, with links' speeds where they matter.
    const RATES: [(&str, Option<u64>); 9] = [
        ("1 pps", None),
        ("14.88095238 Mpps", None),
        ("0.001000001 pps", None),
        ("333.333333333 kpps", None),
        ("1 Tpps", None),
        ("9.87654321 Gbit/s", None),
        ("1.000000007 Gbit/s l1", None),
        ("33.333333333 %", Some(100_000_000_000)),
        ("99.999999999 %", Some(800_000_000_000)),
    ];

    #[test]
    fn no_error_adds_up() {
        for (text, link) in RATES {
            let tempo = Tempo::new(Rate::parse(text).unwrap(), link).unwrap();
            // As many as come in a time that fits, and no more than 2^60 units.
            let fitting = u128::from(u64::MAX) * tempo.below / tempo.above / 1_600;
            let packets = u64::try_from(fitting.min(1 << 50)).unwrap();
            let mut exact = Exact::new(tempo, 7, 1);
            let mut units = 0_u128;
            for len in (0..1_000_u64).map(|step| step * 7 % 1_515) {
                let (whole, rest) = (tempo.above * units / tempo.below, tempo.above * units % tempo.below);
                assert_eq!((u128::from(exact.next), exact.rest), (whole + 7, rest), "{text} after {units}");
                let each = tempo.measure.units(u16::try_from(len).unwrap());
                exact.advance(each);
                exact.advance_many(packets / 1_000 + 1, each);
                units += u128::from(packets / 1_000 + 2) * u128::from(each);
            }
        }
    }

    #[test]
    fn a_packet_far_away_is_where_it_belongs() {
        let tempo = Tempo::new(Rate::parse("999.999937 Mpps").unwrap(), None).unwrap();
        let mut exact = Exact::new(tempo, 0, 1);
        let last = exact.advance_many(1 << 60, 1);
        let expected = ((1_u128 << 60) - 1) * 1_000_000_000 / 999_999_937;
        assert_eq!(u128::from(last), expected);
    }

    #[test]
    fn what_is_due_is_what_would_be_taken() {
        for (text, link) in RATES {
            let tempo = Tempo::new(Rate::parse(text).unwrap(), link).unwrap();
            for stride in [1, 3] {
                let mut exact = Exact::new(tempo, 1_000, stride);
                let units = tempo.measure.units(1_000);
                for _ in 0..50 {
                    let mut ahead = exact.clone();
                    for packets in 1..20 {
                        let last = ahead.next;
                        ahead.advance(units);
                        let after = if ahead.next > last { packets } else { continue };
                        let due = exact.due(last, units);
                        assert_eq!(due, after, "{text}, {stride}");
                        assert!(!exact.surely_due(last, after + 1, units));
                    }
                    exact.advance(units);
                }
                assert_eq!(exact.due(exact.next - 1, units), 0);
            }
        }
    }
}
