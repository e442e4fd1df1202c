//! A list of gaps.

use super::{Change, Origin, nanos, whole};
use crate::exact::Exact;
use crate::tempo::Tempo;
use perigee_config::stream::Trace;
use std::sync::Arc;

/// Gaps that somebody wrote down.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    gaps: Arc<[u64]>,
    /// All of them, in nanoseconds.
    together: u128,
    repeats: bool,
    /// The gap behind the next packet.
    index: usize,
    /// Goes on by the nanoseconds of the gaps, which may take longer than they say.
    even: Exact,
    /// Each packet is followed by those of other lcores.
    stride: u64,
    is_over: bool,
}

impl Listed {
    pub(crate) fn new(trace: &Trace, tempo: Option<Tempo>, origin: &Origin) -> Result<Self, String> {
        if let Some(file) = &trace.file {
            return Err(format!("the gaps in {file:?} were not read"));
        }
        let gaps: Arc<[u64]> = trace.gaps.iter().map(|gap| nanos(*gap)).collect();
        let together: u128 = gaps.iter().map(|gap| u128::from(*gap)).sum();
        if gaps.is_empty() || together == 0 && (trace.repeat || tempo.is_some()) {
            return Err("it has no gap that is longer than 0".to_owned());
        }
        let stretched = tempo.map_or(Tempo::of_trace(), |tempo| tempo.stretching(gaps.len() as u128, together));
        let mut listed = Self {
            gaps,
            together,
            repeats: trace.repeat,
            index: 0,
            even: Exact::new(stretched, origin.start, 1),
            stride: origin.of,
            is_over: false,
        };
        listed.go(origin.number);
        Ok(listed)
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<u64> {
        (!self.is_over).then(|| self.even.next())
    }

    pub(crate) fn advance(&mut self) {
        self.go(self.stride);
    }

    fn go(&mut self, gaps: u64) {
        for _ in 0..gaps {
            if self.index == self.gaps.len() {
                if !self.repeats {
                    self.is_over = true;
                    return;
                }
                self.index = 0;
            }
            self.even.advance(self.gaps[self.index]);
            self.index += 1;
        }
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.even.shift(by);
    }

    /// Stretches the gaps from now on, also the one that has begun.
    #[allow(clippy::cast_precision_loss, reason = "to the nanosecond for 104 days")]
    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        if self.together == 0 {
            return;
        }
        let stretched = tempo.stretching(self.gaps.len() as u128, self.together);
        let mut next = self.even.next();
        if let Some(left) = next.checked_sub(change.now) {
            let longer = stretched.nanos() / self.even.tempo().nanos();
            next = change.now.saturating_add(whole(left as f64 * longer));
        }
        self.even = Exact::new(stretched, next, 1);
    }
}
