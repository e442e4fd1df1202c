//! The recorder of one instance: what it was given since a snapshot of it. Only a run with `--record` has recorders; it pays
//! for them with copies and allocations on the data path (docs/evidence.md has the figures).

use super::image::Image;
use super::recording::{DESC, End, Event, HEAD, Header, Kind, PACKETS, Rooms, SPARES, Snapshot, append, encode};
use perigee_abi::{MAX_BATCH, MAX_SPARES};
use perigee_wasm::instance::Instance;
use std::borrow::Cow;
use std::collections::VecDeque;

/// An interval that has so many bytes ends before its last batch.
const INTERVAL_BYTES: usize = 32 << 20;
/// Most bytes of a recording that cannot have snapshots; then it is given up.
const WHOLE_BYTES: usize = 256 << 20;
/// The interval that goes on, and the one before: so there is something before a failure right behind a snapshot.
const INTERVALS: usize = 2;

/// What a snapshot and all after it have.
#[derive(Debug, Default)]
struct Interval {
    /// Without: the instance was new.
    start: Option<Snapshot>,
    events: Vec<u8>,
    batches: u32,
}

/// Records one instance.
#[derive(Debug)]
pub struct Recorder {
    /// Batches from one snapshot to the next.
    every: u32,
    intervals: VecDeque<Interval>,
    /// No snapshot can be made: what in the module is in its way.
    unsnapshotable: Option<&'static str>,
    /// What was recorded so far leads nowhere: the instance has got another state.
    is_stale: bool,
    /// It was given up.
    lost: Option<String>,
    /// Buffers that are used again.
    free: Vec<u8>,
    bytes: Vec<u8>,
}

impl Recorder {
    /// For an instance that was just made; it is looked at every `every` batches.
    pub fn new(every: u32, unsnapshotable: Option<&'static str>) -> Self {
        Self {
            every: every.max(1),
            intervals: VecDeque::from([Interval::default()]),
            unsnapshotable,
            is_stale: false,
            lost: None,
            free: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// The instance has got a state that is in no input: the recording begins again, with a snapshot before the next batch.
    pub fn renew(&mut self) {
        self.is_stale = true;
        if let Some(what) = self.unsnapshotable {
            self.lose(format!("the instance took over another one's state, and uses {what}: no snapshot can be made"));
        }
    }

    /// A snapshot is due before the next batch.
    pub fn is_due(&self) -> bool {
        let Some(now) = self.intervals.back() else { return false };
        self.unsnapshotable.is_none()
            && (self.is_stale || now.batches >= self.every || now.events.len() >= INTERVAL_BYTES)
    }

    /// Begins an interval. `rooms` are those that the module has now: offsets in the window and lengths.
    pub fn snapshot(&mut self, instance: &mut Instance, rooms: Vec<(u32, u32)>) {
        self.take_times(instance);
        let snapshot = Snapshot {
            image: Image::of(instance),
            globals: instance.globals(),
            wasi: instance.host().wasi_state(),
            rooms: read_rooms(instance, rooms),
        };
        if std::mem::take(&mut self.is_stale) {
            self.intervals.clear();
        }
        if self.intervals.len() == INTERVALS {
            let old = self.intervals.pop_front().map(|interval| interval.events);
            self.free = old.unwrap_or_default();
        }
        let mut events = std::mem::take(&mut self.free);
        events.clear();
        self.intervals.push_back(Interval { start: Some(snapshot), events, batches: 0 });
    }

    /// Notes a call with a batch, before it. `rooms` are handed over with it.
    pub fn batch(&mut self, instance: &mut Instance, kind: Kind, count: usize, rooms: Vec<(u32, u32)>) {
        self.take_times(instance);
        let area = instance.numbers().batch;
        let spares = (instance.numbers().spares as usize).min(MAX_SPARES);
        let read = |at: u32, len: usize| Cow::Owned(instance.copy(area.saturating_add(at), len));
        let mut bytes = std::mem::take(&mut self.bytes);
        read_into(instance, &rooms, &mut bytes);
        let event = Event::Batch {
            kind,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            head: read(0, HEAD),
            packets: read(PACKETS, count.min(MAX_BATCH) * DESC),
            spares: read(SPARES, spares * DESC),
            rooms: Rooms { places: rooms, bytes: Cow::Borrowed(&bytes) },
        };
        self.add(&event);
        drop(event);
        self.bytes = bytes;
        if let Some(now) = self.intervals.back_mut() {
            now.batches += 1;
        }
    }

    /// Notes a question, which is in the mailbox.
    pub fn request(&mut self, instance: &mut Instance, kind: Kind, mailbox: &[u8]) {
        self.take_times(instance);
        let head = Cow::Owned(instance.copy(instance.numbers().batch, HEAD));
        self.add(&Event::Request { kind, head, mailbox: Cow::Borrowed(mailbox) });
    }

    /// What the clock said since it was asked last belongs to the call before.
    fn take_times(&mut self, instance: &mut Instance) {
        match instance.host_mut().take_times() {
            Ok(times) if times.is_empty() => {}
            Ok(times) => self.add(&Event::Times(times)),
            Err(asked) => self.lose(format!("one call asked perigee.time {asked} times")),
        }
    }

    fn add(&mut self, event: &Event<'_>) {
        let Some(now) = self.intervals.back_mut().filter(|_| self.lost.is_none()) else { return };
        now.events = append(std::mem::take(&mut now.events), event);
        if let Some(what) = self.unsnapshotable.filter(|_| now.events.len() > WHOLE_BYTES) {
            let most = WHOLE_BYTES >> 20;
            self.lose(format!(
                "the module uses {what}, so no snapshot of it can be made, and its inputs are more than {most} MiB"
            ));
        }
    }

    fn lose(&mut self, why: String) {
        self.lost = Some(why);
        self.intervals = VecDeque::from([Interval::default()]);
    }

    /// Ends the recording: the last call has trapped. The file's bytes, or why there are none.
    pub fn finish(
        mut self,
        instance: &mut Instance,
        end: End,
        header: impl FnOnce(Option<Snapshot>, End) -> Header,
    ) -> Result<Vec<u8>, String> {
        self.take_times(instance);
        if let Some(why) = self.lost {
            return Err(why);
        }
        let start = self.intervals.front_mut().and_then(|interval| interval.start.take());
        let mut file = encode(&header(start, end));
        self.intervals.iter().for_each(|interval| file.extend_from_slice(&interval.events));
        Ok(file)
    }

    /// The packets of the last batch as they were published: room and bytes of each.
    pub fn last_rooms(&self) -> Option<Rooms<'static>> {
        let mut rest = self.intervals.back()?.events.as_slice();
        let mut last = None;
        while let Ok((event, after)) = postcard::take_from_bytes::<Event<'static>>(rest) {
            if let Event::Batch { rooms, .. } = event {
                last = Some(rooms);
            }
            rest = after;
        }
        last
    }
}

fn read_rooms(instance: &Instance, places: Vec<(u32, u32)>) -> Rooms<'static> {
    let mut bytes = Vec::new();
    read_into(instance, &places, &mut bytes);
    Rooms { places, bytes: Cow::Owned(bytes) }
}

/// The bytes of rooms, one after the other.
pub(super) fn read_into(instance: &Instance, places: &[(u32, u32)], bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(places.iter().map(|(_, len)| *len as usize).sum(), 0);
    let mut rest = bytes.as_mut_slice();
    for (at, len) in places {
        let (room, after) = std::mem::take(&mut rest).split_at_mut(*len as usize);
        instance.read(instance.window.saturating_add(*at), room);
        rest = after;
    }
}
