//! When neighbours are asked, believed and forgotten.

use super::{Evicts, Neighbour, Neighbours, RESOLUTION, State};
use crate::fib::Place;
use perigee_guest::state::SECOND;
use perigee_guest::wire::Mac;

/// RFC 4861, section 10: RetransTimer, MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT, DELAY_FIRST_PROBE_TIME.
const AGAIN: u64 = SECOND;
const TRIES: u8 = 3;
const DELAY: u64 = 5 * SECOND;
/// One that nobody has used for so long is forgotten.
const FORGET: u64 = 600 * SECOND;
/// One that was used within this time is in use: what nobody asked for does not change it.
const IN_USE: u64 = 60 * SECOND;
/// A neighbour of which others say that it is somebody else is asked so often at most.
const DOUBT: u64 = SECOND;

/// Most timers that run in a call.
pub(crate) const TIMERS: usize = 32;

/// How a neighbour was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// By its answer.
    Answer,
    /// By something else that it sent: a question, or an announcement.
    Unasked,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All stations of the link are asked for it.
    AskAll(Place),
    /// It alone is asked whether it is still there.
    AskOne(Place, Mac),
    /// It does not answer, and is not in the table any more.
    Gone(Place),
}

impl Neighbours {
    /// Somebody wants to send to a neighbour that is not there or not found yet: where it stands then, and whether the oldest of
    /// the unresolved went for it. Nothing where there is no place.
    pub(crate) fn want(&mut self, place: Place, now: u64) -> Option<(u32, Option<Step>, bool)> {
        if let Some(at) = self.find(place) {
            return Some((at, None, false));
        }
        let evicts = self.unresolved.len() >= self.limits.unresolved;
        if evicts && let Some(oldest) = self.unresolved.front().copied() {
            self.remove(oldest);
        }
        let at = self.make(place, Evicts::Unused, now)?;
        let new = self.get_mut(at)?;
        (new.state, new.tries) = (State::Incomplete, 1);
        self.unresolved.push_back(at);
        self.set_timer(at, now + AGAIN);
        Some((at, Some(Step::AskAll(place)), evicts))
    }

    /// A neighbour was heard of. True: it can be sent to, which it could not before. A step: it has to be asked.
    pub(crate) fn hear(&mut self, place: Place, mac: Mac, heard: Heard, now: u64) -> (bool, Option<Step>) {
        let Some(at) = self.find(place) else {
            return (false, self.meet(place, mac, heard, now));
        };
        let Some(known) = self.get(at).copied() else { return (false, None) };
        match (known.state, heard) {
            (State::Permanent | State::Free, _) => (false, None),
            // The first answer counts, whoever gives it: of a neighbour that is not known yet nothing better is known.
            (State::Incomplete, _) => {
                self.settle(at);
                self.believe(at, mac, heard, now);
                (true, None)
            }
            // As long as it alone is asked, nobody else can answer.
            (State::Probe, Heard::Answer) if known.mac == mac || known.tries > TRIES => {
                self.believe(at, mac, heard, now);
                (false, None)
            }
            _ if known.mac == mac => {
                if heard == Heard::Answer {
                    self.believe(at, mac, heard, now);
                }
                (false, None)
            }
            // Nobody uses it, so nobody can be led astray.
            (State::Stale, _) if now.saturating_sub(self.used(known.used, now)) > IN_USE => {
                self.believe(at, mac, Heard::Unasked, now);
                (false, None)
            }
            _ => (false, self.doubt(at, &known, now)),
        }
    }

    /// A neighbour that nobody has looked for says that it is there. It is remembered while there is plenty of room.
    fn meet(&mut self, place: Place, mac: Mac, heard: Heard, now: u64) -> Option<Step> {
        if heard == Heard::Unasked && self.count < self.limits.neighbours / 4 * 3 {
            let at = self.make(place, Evicts::Nobody, now)?;
            self.believe(at, mac, heard, now);
        }
        None
    }

    /// Takes a MAC address for true, after an answer for a while.
    fn believe(&mut self, at: u32, mac: Mac, heard: Heard, now: u64) {
        let reachable = self.limits.reachable;
        let Some(neighbour) = self.get_mut(at) else { return };
        // A new one is of no MAC address.
        let is_other = neighbour.mac != mac || neighbour.state == State::Incomplete;
        (neighbour.mac, neighbour.tries) = (mac, 0);
        let (state, due) = match heard {
            Heard::Answer => (State::Reachable, now + reachable),
            Heard::Unasked => (State::Stale, now + DELAY),
        };
        neighbour.state = state;
        let place = neighbour.place;
        self.set_timer(at, due);
        if is_other {
            self.note(place);
        }
    }

    /// Somebody says that a neighbour in use has another MAC address: the old one is asked first, and all others if it does not
    /// answer. So a lie changes nothing.
    fn doubt(&mut self, at: u32, known: &Neighbour, now: u64) -> Option<Step> {
        if known.state == State::Probe || now.saturating_sub(known.doubted) < DOUBT {
            return None;
        }
        let neighbour = self.get_mut(at)?;
        neighbour.doubted = now;
        neighbour.state = State::Probe;
        // One question to itself is left, then all are asked.
        neighbour.tries = TRIES;
        self.set_timer(at, now + AGAIN);
        Some(Step::AskOne(known.place, known.mac))
    }

    /// The operator says where a neighbour is.
    pub(crate) fn fix(&mut self, place: Place, mac: Mac, now: u64) -> bool {
        let Some(at) = self.find(place).or_else(|| self.make(place, Evicts::Unused, now)) else { return false };
        self.settle(at);
        self.stop_timer(at);
        if let Some(neighbour) = self.get_mut(at) {
            (neighbour.mac, neighbour.state) = (mac, State::Permanent);
        }
        self.note(place);
        true
    }

    /// Puts one back that another instance knew. Those that it was looking for are looked for on, as often as is left.
    pub(crate) fn put_back(&mut self, place: Place, mac: Mac, (state, tries): (State, u8), now: u64) -> bool {
        if state == State::Permanent || self.find(place).is_some() {
            return true;
        }
        let Some(at) = self.make(place, Evicts::Nobody, now) else { return false };
        if state == State::Incomplete {
            let neighbour = &mut self.all[at as usize];
            (neighbour.state, neighbour.tries) = (State::Incomplete, tries);
            self.unresolved.push_back(at);
            self.set_timer(at, now);
        } else {
            let heard = if state == State::Reachable { Heard::Answer } else { Heard::Unasked };
            self.believe(at, mac, heard, now);
        }
        true
    }

    /// The neighbours whose time is over: so many of `due`, each to be given to [`Self::run_out`].
    #[inline]
    pub(crate) fn take_due(&mut self, now: u64, due: &mut [u32; TIMERS]) -> usize {
        if now < self.next_look {
            return 0;
        }
        // Nothing is due before the next tick of the timers.
        self.next_look = now + RESOLUTION;
        let mut count = 0;
        let steps = self.timers.advance(now, TIMERS, |at| {
            due[count] = at;
            count += 1;
        });
        if steps == TIMERS {
            self.next_look = now;
        }
        count
    }

    /// The time of a neighbour's state is over.
    pub(crate) fn run_out(&mut self, at: u32, now: u64) -> Option<Step> {
        let neighbour = self.get_mut(at)?;
        neighbour.timer = None;
        let known = *neighbour;
        let (place, used) = (known.place, self.used(known.used, now));
        match known.state {
            State::Free | State::Permanent => None,
            State::Incomplete if known.tries < TRIES => self.ask_again(at, State::Incomplete, Step::AskAll(place), now),
            State::Probe if known.tries < TRIES => {
                self.ask_again(at, State::Probe, Step::AskOne(place, known.mac), now)
            }
            // Not at this MAC address; perhaps at another.
            State::Probe if known.tries < 2 * TRIES => self.ask_again(at, State::Probe, Step::AskAll(place), now),
            State::Incomplete | State::Probe => {
                self.remove(at);
                Some(Step::Gone(place))
            }
            State::Reachable => {
                self.all[at as usize].state = State::Stale;
                self.set_timer(at, now + DELAY);
                None
            }
            State::Stale if now.saturating_sub(used) < DELAY => {
                self.all[at as usize].tries = 0;
                self.ask_again(at, State::Probe, Step::AskOne(place, known.mac), now)
            }
            State::Stale if now.saturating_sub(used) < FORGET => {
                self.set_timer(at, now + DELAY);
                None
            }
            State::Stale => {
                self.remove(at);
                None
            }
        }
    }

    fn ask_again(&mut self, at: u32, state: State, step: Step, now: u64) -> Option<Step> {
        let neighbour = self.get_mut(at)?;
        neighbour.state = state;
        neighbour.tries += 1;
        self.set_timer(at, now + AGAIN);
        Some(step)
    }
}
