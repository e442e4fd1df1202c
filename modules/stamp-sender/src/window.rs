//! The packets that were sent, as long as their answers may come.

extern crate alloc;

use crate::config::WINDOW;
use alloc::vec::Vec;
use perigee_guest::Refusal;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was not sent.
    Empty,
    /// It waits for its answer.
    Waiting,
    /// It has its answer.
    Answered,
    /// Its time is over.
    Lost,
}

#[derive(Clone, Copy)]
struct Slot {
    sequence: u32,
    state: State,
    /// When it left, or was to leave, by the run's clock.
    departure: u64,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The first one to a packet, in time.
    InTime,
    /// The first one, to a packet that counts as lost.
    Late,
    /// The first one, to a packet that should count as lost by now.
    Overdue,
    /// To a packet that has its answer.
    Again,
}

/// The latest packets by number.
pub(crate) struct Window {
    slots: Vec<Slot>,
    /// The next packet's number.
    next: u32,
    /// The oldest packet that may still wait.
    oldest: u32,
}

impl Window {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let mut slots = Vec::new();
        let none = Slot { sequence: 0, state: State::Empty, departure: 0 };
        slots.try_reserve_exact(WINDOW as usize).map_err(|_| Refusal::new("the module's heap is too small"))?;
        slots.resize(WINDOW as usize, none);
        Ok(Self { slots, next: 0, oldest: 0 })
    }

    /// The number of the next packet. Nothing where too many wait.
    pub(crate) fn next(&self) -> Option<u32> {
        (self.next.wrapping_sub(self.oldest) < WINDOW).then_some(self.next)
    }

    /// The next packet was sent, or leaves at `departure`.
    pub(crate) fn sent(&mut self, departure: u64) {
        let sequence = self.next;
        if let Some(slot) = self.slot(sequence) {
            *slot = Slot { sequence, state: State::Waiting, departure };
        }
        self.next = sequence.wrapping_add(1);
    }

    /// Gives up those that have waited for too long, and says how many.
    pub(crate) fn expire(&mut self, now: u64, timeout: u64) -> u64 {
        let mut lost = 0;
        while self.oldest != self.next {
            let Some(slot) = self.slot(self.oldest) else { break };
            if slot.state == State::Waiting {
                if now.saturating_sub(slot.departure) < timeout {
                    break;
                }
                slot.state = State::Lost;
                lost += 1;
            }
            self.oldest = self.oldest.wrapping_add(1);
        }
        lost
    }

    /// When the packet of that number left; nothing where there is none among the latest.
    pub(crate) fn departure(&self, sequence: u32) -> Option<u64> {
        let slot = self.slots.get((sequence % WINDOW) as usize)?;
        (slot.state != State::Empty && slot.sequence == sequence).then_some(slot.departure)
    }

    /// Takes an answer to a packet that [`Self::departure`] knows.
    pub(crate) fn answered(&mut self, sequence: u32, now: u64, timeout: u64) -> Answer {
        let Some(slot) = self.slot(sequence) else { return Answer::Again };
        let is_over = now.saturating_sub(slot.departure) >= timeout;
        match slot.state {
            State::Waiting => {
                slot.state = State::Answered;
                if is_over { Answer::Overdue } else { Answer::InTime }
            }
            State::Lost => {
                slot.state = State::Answered;
                Answer::Late
            }
            State::Answered | State::Empty => Answer::Again,
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.slots.iter().filter(|slot| slot.state == State::Waiting).count()
    }

    fn slot(&mut self, sequence: u32) -> Option<&mut Slot> {
        self.slots.get_mut((sequence % WINDOW) as usize)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_answer_counts_once() {
        let mut window = Window::new().unwrap();
        for at in 0..3 {
            assert_eq!(window.next(), Some(at));
            window.sent(u64::from(at) * 10);
        }
        assert_eq!((window.departure(1), window.departure(3)), (Some(10), None));
        assert_eq!(window.answered(1, 15, 100), Answer::InTime);
        assert_eq!(window.answered(1, 16, 100), Answer::Again);
        assert_eq!((window.waiting(), window.expire(99, 100), window.expire(115, 100)), (2, 0, 1));
        assert_eq!(window.answered(0, 116, 100), Answer::Late);
        assert_eq!(window.answered(0, 117, 100), Answer::Again);
        assert_eq!(window.answered(2, 120, 100), Answer::Overdue);
        assert_eq!((window.expire(1_000, 100), window.waiting()), (0, 0));
    }

    #[test]
    fn numbers_go_round() {
        let mut window = Window::new().unwrap();
        (window.next, window.oldest) = (u32::MAX - 1, u32::MAX - 1);
        for at in 0..4 {
            window.sent(at);
        }
        assert_eq!((window.departure(u32::MAX), window.departure(1), window.next()), (Some(1), Some(3), Some(2)));
        assert_eq!((window.expire(10, 5), window.oldest), (4, 2));
        for _ in 0..WINDOW {
            window.sent(20);
        }
        assert_eq!(window.next(), None);
    }
}
