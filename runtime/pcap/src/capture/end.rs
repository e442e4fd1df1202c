//! Whether ports that read captures have given all that is in them: net_pcap never says that a file has ended.

use perigee_core::lock;
use std::sync::Mutex;

/// Polls without a packet after which nothing is hoped for any more, where the driver counts an error in each.
const PATIENCE: u64 = 1_000;

/// An rx queue that reads a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its port's number in the run.
    pub port: usize,
    /// Packets in its file.
    pub packets: u64,
}

/// What a chain got of its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Packets received.
    pub received: u64,
    /// Polls in which the driver gave nothing.
    pub dry: u64,
}

/// Packets that a port's driver counts as lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// For want of a room.
    pub no_room: u64,
    /// For an error.
    pub errors: u64,
}

impl Lost {
    fn all(self) -> u64 {
        self.no_room + self.errors
    }
}

/// The queues of a run that end, by the chain that reads them.
#[derive(Debug, Default)]
pub struct Ends {
    queues: Vec<Option<Queue>>,
    /// What each chain had when something last changed.
    last: Mutex<Vec<(Given, Lost)>>,
}

impl Ends {
    /// For the chains in the order in which they are placed.
    pub fn new(queues: Vec<Option<Queue>>) -> Self {
        let last = Mutex::new(vec![Default::default(); queues.len()]);
        Self { queues, last }
    }

    /// The queue of a chain, where it ends.
    pub fn queue(&self, chain: usize) -> Option<Queue> {
        self.queues.get(chain).copied().flatten()
    }

    /// Whether a chain gets nothing more from its port. `lost` is asked after `given` was read, so that what is lost is never
    /// less than it was then.
    pub fn has_ended(&self, chain: usize, given: Given, lost: impl FnOnce(usize) -> Lost) -> bool {
        let Some(queue) = self.queue(chain) else { return false };
        if given.received >= queue.packets {
            return true;
        }
        if given.dry == 0 {
            return false;
        }
        let lost = lost(queue.port);
        is_dry(given, lost) || self.is_stuck(chain, given, lost)
    }

    /// The driver gives nothing, and counts an error each time.
    fn is_stuck(&self, chain: usize, given: Given, lost: Lost) -> bool {
        let mut last = lock(&self.last);
        let Some(last) = last.get_mut(chain) else { return false };
        if (last.0.received, last.1.no_room) != (given.received, lost.no_room) {
            *last = (given, lost);
        }
        given.dry - last.0.dry >= PATIENCE
    }

    /// What is to be told of a port at the end: that its captures were not delivered as they were counted. `given` are all
    /// chains of the run.
    pub fn shortfall(&self, port: usize, given: &[Given], lost: Lost) -> Option<String> {
        let of_port =
            |(chain, given): (usize, &Given)| Some((self.queue(chain).filter(|queue| queue.port == port)?, *given));
        let queues: Vec<(Queue, Given)> = given.iter().enumerate().filter_map(of_port).collect();
        let packets: u64 = queues.iter().map(|(queue, _)| queue.packets).sum();
        let received: u64 = queues.iter().map(|(_, given)| given.received).sum();
        let is_short = |(queue, given): &(Queue, Given)| given.received < queue.packets && is_dry(*given, lost);
        if queues.is_empty() || received <= packets && lost.all() == 0 && !queues.iter().any(is_short) {
            return None;
        }
        let mut text = format!("{received} packets came of the {packets} that its captures had at the start");
        if lost.no_room > 0 {
            text += &format!("; {} were lost for want of a room: raise its `pool`", lost.no_room);
        }
        if lost.errors > 0 {
            text += &format!("; the driver could not read on, which it counted {} times", lost.errors);
        }
        if lost.no_room == 0 {
            text += "; leave captures alone while they are read";
        }
        Some(text)
    }
}

/// The driver gave nothing and counted nothing: that is how a file ends.
fn is_dry(given: Given, lost: Lost) -> bool {
    given.dry > lost.all()
}

#[cfg(test)]
mod test {
    use super::*;

    fn ends(packets: u64) -> Ends {
        Ends::new(vec![None, Some(Queue { port: 3, packets })])
    }

    fn given(received: u64, dry: u64) -> Given {
        Given { received, dry }
    }

    #[test]
    fn a_queue_ends_when_all_has_come() {
        let never = |_| -> Lost { unreachable!("nobody needs to ask") };
        assert!(ends(6).has_ended(1, given(6, 0), never));
        assert!(!ends(6).has_ended(1, given(5, 0), never));
        assert!(ends(0).has_ended(1, given(0, 0), never));
        assert!(!ends(6).has_ended(0, given(9, 9), never), "a source that never ends");
    }

    #[test]
    fn a_file_that_became_shorter_ends_as_well() {
        let none = |port| {
            assert_eq!(port, 3);
            Lost::default()
        };
        assert!(ends(6).has_ended(1, given(3, 1), none));
        let told = ends(6).shortfall(3, &[given(0, 0), given(3, 1)], Lost::default()).unwrap();
        assert_eq!(
            told,
            "3 packets came of the 6 that its captures had at the start; leave captures alone while they are read"
        );
        assert_eq!(ends(6).shortfall(2, &[given(0, 0), given(3, 1)], Lost::default()), None, "another port");
        assert_eq!(ends(6).shortfall(3, &[given(0, 0), given(3, 0)], Lost::default()), None, "it was stopped before");
        assert!(ends(6).shortfall(3, &[given(0, 0), given(7, 0)], Lost::default()).is_some(), "it became longer");
    }

    #[test]
    fn a_poll_without_a_room_is_no_end() {
        let lost = Lost { no_room: 2, errors: 0 };
        assert!(!ends(6).has_ended(1, given(3, 2), |_| lost));
        assert!(ends(6).has_ended(1, given(4, 3), |_| lost));
        let told = ends(6).shortfall(3, &[given(0, 0), given(4, 3)], lost).unwrap();
        assert!(told.contains("2 were lost for want of a room"), "{told}");
    }

    #[test]
    fn errors_without_end_are_an_end() {
        let ends = ends(1 << 40);
        let mut dry = 0;
        while !ends.has_ended(1, given(3, dry), |_| Lost { no_room: 0, errors: dry }) {
            dry += 100;
            assert!(dry < 10 * PATIENCE);
        }
        // Rooms that come back one by one are no standstill.
        let ends = Ends::new(vec![None, Some(Queue { port: 3, packets: 1 << 40 })]);
        for n in 1..10 {
            let lost = Lost { no_room: n, errors: n * PATIENCE };
            assert!(!ends.has_ended(1, given(3, n * PATIENCE), |_| lost), "{n}");
        }
    }
}
