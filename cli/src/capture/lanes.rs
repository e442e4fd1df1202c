//! The lanes of a record together: their packets in the order of their times.

use anyhow::{Context, Result};
use perigee_record::{Counts, Map, Reader, Record};
use perigee_runtime::{CaptureInfo, LaneInfo};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For so long packets wait for those of other lcores that came before them.
pub(crate) const SETTLE: Duration = Duration::from_millis(3);

/// A reader of all lanes.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    places: usize,
    /// Packets until this time are in order, as far as is known; and until when those will be that have come since.
    horizon: u64,
    next_horizon: (u64, Instant),
}

struct Lane {
    reader: Reader,
    place: usize,
    /// The time of its next record.
    head: Option<u64>,
}

impl Lanes {
    /// Before the first packet.
    pub(super) fn new(map: &Arc<Map>, info: &CaptureInfo) -> Result<Self> {
        let lane = |(number, lane): (u64, &LaneInfo)| {
            let known = lane.place < info.places.len();
            let reader = map.reader(number).filter(|_| known).context("the run is of another version")?;
            Ok(Lane { reader, place: lane.place, head: None })
        };
        let lanes = (0..).zip(&info.lanes).map(lane).collect::<Result<Vec<_>>>()?;
        Ok(Self { lanes, places: info.places.len(), horizon: 0, next_horizon: (0, Instant::now()) })
    }

    /// How many places they are of.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Nothing more is written to any lane.
    pub(crate) fn has_ended(&self) -> bool {
        self.lanes.iter().all(|lane| lane.reader.counts().ended)
    }

    /// Goes to the packets of a time, or to some before it. What lies before them is not missed.
    pub(crate) fn seek(&mut self, ns: u64) {
        for lane in &mut self.lanes {
            lane.reader.seek(ns);
            lane.head = None;
        }
    }

    /// The time from which on all lanes have all that there was; `None` where they have had it from the beginning.
    pub(crate) fn whole_since(&self) -> Option<u64> {
        let begins = self.lanes.iter().filter_map(|lane| lane.reader.oldest()).filter(|(number, _)| *number > 0);
        begins.map(|(_, ns)| ns).max()
    }

    /// Hands on what is there, in order: the place and the packet. It stops where `take` does not go on, behind that packet. How many they
    /// were.
    pub(crate) fn drain(&mut self, all: bool, mut take: impl FnMut(usize, &Record<'_>) -> bool) -> u64 {
        self.look_ahead();
        let horizon = if all { u64::MAX } else { self.horizon };
        for lane in self.lanes.iter_mut().filter(|lane| lane.head.is_none()) {
            lane.head = lane.reader.peek().map(|record| record.ns);
        }
        let mut handed = 0;
        loop {
            let due = self.lanes.iter_mut().filter(|lane| lane.head.is_some_and(|ns| ns <= horizon));
            let Some(lane) = due.min_by_key(|lane| lane.head) else { return handed };
            let goes_on = lane.reader.peek().is_none_or(|record| take(lane.place, &record));
            lane.reader.pass();
            lane.head = lane.reader.peek().map(|record| record.ns);
            handed += 1;
            if !goes_on {
                return handed;
            }
        }
    }

    /// What lcores have shown a while ago has nothing before it any more that is to come.
    fn look_ahead(&mut self) {
        if self.next_horizon.1.elapsed() >= SETTLE {
            self.horizon = self.next_horizon.0;
            let shown = self.lanes.iter().map(|lane| lane.reader.shown_ns()).max();
            self.next_horizon = (shown.unwrap_or(0), Instant::now());
        }
    }

    /// All was read that there was: what is missing behind it was missed too.
    pub(crate) fn finish(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.reader.finish());
    }

    /// What a place has counted, and how much of it this reader has missed.
    pub(crate) fn counts(&self, place: usize) -> (Counts, u64) {
        let lanes = self.lanes.iter().filter(|lane| lane.place == place);
        lanes.fold((Counts { ended: true, ..Counts::default() }, 0), |(sum, missed), lane| {
            let one = lane.reader.counts();
            let sum = Counts {
                seen: sum.seen + one.seen,
                refused: sum.refused + one.refused,
                recorded: sum.recorded + one.recorded,
                ended: sum.ended && one.ended,
            };
            (sum, missed + lane.reader.missed())
        })
    }

    /// How much all places have that this reader has missed.
    pub(crate) fn missed(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.reader.missed()).sum()
    }
}
