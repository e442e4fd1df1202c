//! Two ends that speak with each other, and one whose partner misbehaves.

use crate::machine::{Change, Machine};
use crate::participant::Participant;
use perigee_guest::wire::{Lacp, Mac};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn participant(number: u8, state: u8) -> Participant {
    Participant {
        system_priority: 0x8000,
        system: Mac([2, 0, 0, 0, 0, number]),
        key: 7,
        port_priority: 0x8000,
        port: number.into(),
        state,
    }
}

fn end(number: u8, is_active: bool) -> Machine {
    Machine::new(participant(number, Lacp::SHORT_TIMEOUT), is_active)
}

/// A cable between two ends, and how many LACPDUs each has sent.
struct Cable {
    ends: [Machine; 2],
    sent: [usize; 2],
    now: u64,
}

impl Cable {
    fn new(active: [bool; 2]) -> Self {
        Self { ends: [end(1, active[0]), end(2, active[1])], sent: [0; 2], now: 0 }
    }

    /// Lets time go on in steps of 10 ms; `cut`: what this end sends does not arrive.
    fn run(&mut self, time: u64, cut: Option<usize>) {
        let until = self.now + time;
        while self.now < until {
            self.now += 10 * MS;
            for at in [0, 1] {
                self.ends[at].step(self.now, true);
                if !self.ends[at].wants_to_send(self.now) {
                    continue;
                }
                let (actor, partner) = (*self.ends[at].actor(), *self.ends[at].partner());
                self.ends[at].sent(self.now);
                self.sent[at] += 1;
                if cut != Some(at) {
                    self.ends[1 - at].receive(&actor, &partner, self.now);
                }
            }
        }
    }

    fn is_up(&self) -> [bool; 2] {
        [self.ends[0].is_up(), self.ends[1].is_up()]
    }
}

#[test]
fn two_ends_come_together() {
    for active in [[true, true], [true, false], [false, true]] {
        let mut cable = Cable::new(active);
        cable.run(SECOND, None);
        assert_eq!(cable.is_up(), [false, false], "others may come for two seconds");
        cable.run(2 * SECOND, None);
        assert_eq!(cable.is_up(), [true, true], "{active:?}");
        for (at, end) in cable.ends.iter_mut().enumerate() {
            let bits = Lacp::SYNCHRONIZATION | Lacp::COLLECTING | Lacp::DISTRIBUTING | Lacp::AGGREGATION;
            assert!(end.actor().has(bits) && !end.actor().has(Lacp::DEFAULTED) && !end.actor().has(Lacp::EXPIRED));
            assert_eq!(usize::from(end.partner().port), 2 - at);
            assert_eq!((end.take_change(), end.take_change()), (Some(Change::Joined), None));
        }
        // Each second one, to either end.
        let before = cable.sent;
        cable.run(20 * SECOND, None);
        assert!([0, 1].into_iter().all(|at| (20..=21).contains(&(cable.sent[at] - before[at]))));
    }
}

#[test]
fn two_passive_ends_are_silent() {
    let mut cable = Cable::new([false, false]);
    cable.run(100 * SECOND, None);
    assert_eq!((cable.sent, cable.is_up()), ([0, 0], [false, false]));
}

#[test]
fn a_partner_that_is_silent_is_out_after_three_seconds() {
    let mut cable = Cable::new([true, true]);
    cable.run(5 * SECOND, None);
    cable.run(3 * SECOND + 20 * MS, Some(1));
    assert_eq!(cable.is_up(), [false, true]);
    assert!(cable.ends[0].actor().has(Lacp::EXPIRED));
    cable.run(4 * SECOND, Some(1));
    assert!(cable.ends[0].actor().has(Lacp::DEFAULTED));
    assert_eq!(cable.is_up(), [false, false], "the other end learns from our LACPDUs that we know of no partner");
    assert_eq!(*cable.ends[0].partner(), Participant::default());
    cable.run(4 * SECOND, None);
    assert_eq!(cable.is_up(), [true, true]);
}

#[test]
fn a_link_that_is_down_is_in_no_group() {
    let mut cable = Cable::new([true, true]);
    cable.run(5 * SECOND, None);
    cable.ends[0].step(cable.now, false);
    assert!(!cable.ends[0].is_up() && !cable.ends[0].wants_to_send(cable.now));
    cable.ends[0].receive(&participant(2, 0xff), &participant(1, 0xff), cable.now);
    assert!(!cable.ends[0].is_up());
}

#[test]
fn who_does_not_know_us_is_not_used() {
    let mut port = end(1, true);
    port.step(SECOND, true);
    // It says that it is in sync, but with somebody else.
    let their = participant(2, 0x3f);
    for second in 1..20 {
        port.receive(&their, &participant(9, 0x3f), second * SECOND);
        port.step(second * SECOND, true);
    }
    assert!(!port.is_up() && port.actor().has(Lacp::SYNCHRONIZATION));
    port.receive(&their, &participant(1, 0x3f), 20 * SECOND);
    assert!(port.is_up());
}

#[test]
fn another_partner_is_selected_anew() {
    let mut cable = Cable::new([true, true]);
    cable.run(5 * SECOND, None);
    let now = cable.now;
    cable.ends[0].receive(&participant(3, 0x3f), &participant(1, 0x3f), now);
    assert!(!cable.ends[0].is_up() && cable.ends[0].partner().port == 3);
}

#[test]
fn at_most_three_are_sent_in_a_second() {
    let mut port = end(1, true);
    let mut sent = Vec::new();
    for step in 0..5_000 {
        let now = step * MS;
        port.step(now, true);
        // Ever another partner that does not know us: something is to be told all the time.
        port.receive(&participant((step % 200) as u8, 0x07), &participant(9, 0), now);
        if port.wants_to_send(now) {
            port.sent(now);
            sent.push(now);
        }
    }
    assert!(sent.windows(4).all(|four| four[3] - four[0] >= SECOND), "{sent:?}");
    assert!(sent.len() >= 12);
}

#[test]
fn any_times_and_states_are_survived() {
    let mut port = end(1, true);
    for state in 0..=255 {
        for now in [0, u64::MAX, 7 * SECOND, u64::MAX - 1] {
            port.receive(&participant(state, state), &participant(1, state), now);
            port.step(now, state % 3 != 0);
            port.wants_to_send(now);
            port.sent(now);
        }
    }
}
