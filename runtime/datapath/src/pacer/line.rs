//! What a line is handed that is kept busy: packets at their times, and fillers between them.

use super::{Pacer, Piece};
use crate::ledger::Ledger;

impl Pacer {
    /// What comes next on a line that is kept busy.
    pub fn next_piece(&mut self, now_ns: u64, counters: &mut Ledger) -> Piece {
        let horizon = self.horizon(now_ns);
        loop {
            let after_shift = |time: u64| time.saturating_add(self.shift);
            let waits = self.wheel.next_time().map(after_shift);
            let Some(paced) = &mut self.paced else { return Piece::Nothing };
            let made = paced.peek().map(after_shift);
            let Some(line) = &mut paced.filling else { return Piece::Nothing };
            line.go_on(now_ns);
            let leaves = line.free_at_ns();
            let filler = match waits.into_iter().chain(made).min() {
                None => return Piece::Nothing,
                Some(next) if waits == Some(next) && next <= horizon => line.before(next),
                Some(next) => match line.until(next.min(horizon)) {
                    None => return Piece::Nothing,
                    filler => filler,
                },
            };
            if let Some(len) = filler {
                line.send(len);
                return Piece::Filler(len);
            }
            match self.pop_one(horizon, leaves, counters) {
                None => return Piece::Nothing,
                // It was dropped, and what is behind it has its own time.
                Some(None) => {}
                Some(Some(waiting)) => {
                    if let Some(line) = self.paced.as_mut().and_then(|paced| paced.filling.as_mut()) {
                        line.send(waiting.packet.len());
                    }
                    return Piece::Packet(waiting);
                }
            }
        }
    }
}
