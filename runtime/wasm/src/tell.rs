//! Messages that an instance of one module tells all instances of another, on their way from lcore to lcore.
//!
//! Nobody locks, allocates or waits for that: the letters that carry them are made when the run learns who may tell whom, and go
//! back and forth between two queues of the place that they are for.

use crossbeam_queue::ArrayQueue;
use perigee_abi::names;
use perigee_core::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// Most messages that wait at one place.
pub const LETTERS: usize = 64;

/// A message on its way.
pub struct Letter {
    len: usize,
    bytes: [u8; names::TELL_MAX],
}

impl Letter {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What waits for the instance at one place, and what is counted there of messages. It stays while instances come and go.
pub struct Inbox {
    /// Letters that nobody has claimed: fewer than in `empty`, where somebody is about to take one.
    room: AtomicUsize,
    empty: ArrayQueue<Box<Letter>>,
    waiting: ArrayQueue<Box<Letter>>,
    is_open: AtomicBool,
    told: AtomicU64,
    full: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
}

/// What an [`Inbox`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the instances here have told others: each counts once, however many it came to.
    pub told: u64,
    /// Messages that they could not tell: somebody's queue was full, or they were too long.
    pub full: u64,
    /// Messages of others that the instances here have taken.
    pub delivered: u64,
    /// Those that they have not: they said no, did not run, or had too small a mailbox.
    pub refused: u64,
    /// Those that wait.
    pub waiting: u64,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            room: AtomicUsize::new(0),
            empty: ArrayQueue::new(LETTERS),
            waiting: ArrayQueue::new(LETTERS),
            is_open: AtomicBool::new(false),
            told: AtomicU64::new(0),
            full: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.tally().fmt(f)
    }
}

impl Inbox {
    /// Makes its letters, where that was not done yet: a place that nobody may tell anything has none. On the control side only.
    fn open(&self) {
        if self.is_open.swap(true, Ordering::AcqRel) {
            return;
        }
        for _ in 0..LETTERS {
            // Written now, so that no page of it is missing when an lcore writes there.
            let letter = Box::new(Letter { len: 0, bytes: [0xff; names::TELL_MAX] });
            if self.empty.push(letter).is_ok() {
                self.room.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// Claims a letter. True: there is one.
    fn claim(&self) -> bool {
        self.room.fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| room.checked_sub(1)).is_ok()
    }

    /// Gives up a claim.
    fn disclaim(&self) {
        self.room.fetch_add(1, Ordering::AcqRel);
    }

    /// Puts a message into the letter that was claimed.
    fn put(&self, message: &[u8]) {
        let Some(mut letter) = self.empty.pop() else { return };
        letter.len = message.len().min(names::TELL_MAX);
        letter.bytes[..letter.len].copy_from_slice(&message[..letter.len]);
        // As many fit as there are letters.
        let _ = self.waiting.push(letter);
    }

    /// Nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The message that has waited longest, which goes back by [`Self::put_back`].
    pub fn take(&self) -> Option<Box<Letter>> {
        self.waiting.pop()
    }

    /// A letter that was taken is empty again, and what became of it is counted.
    pub fn put_back(&self, letter: Box<Letter>, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Delivered => &self.delivered,
            Outcome::Refused => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.empty.push(letter).is_ok() {
            self.room.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// What was counted.
    pub fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            told: read(&self.told),
            full: read(&self.full),
            delivered: read(&self.delivered),
            refused: read(&self.refused),
            waiting: self.waiting.len() as u64,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The instance has taken it.
    Delivered,
    /// It has not.
    Refused,
}

/// All places at which a module works, which change while the run goes on.
#[derive(Debug, Default)]
struct Audience {
    places: RwLock<Vec<Arc<Inbox>>>,
}

impl Audience {
    fn set(&self, places: Vec<Arc<Inbox>>) {
        places.iter().for_each(|place| place.open());
        *self.places.write().unwrap_or_else(std::sync::PoisonError::into_inner) = places;
    }

    /// Tells all of them, or none: false where one has no room. Nor is it told while somebody changes the places, for which an
    /// lcore does not wait.
    fn tell(&self, message: &[u8]) -> bool {
        let Ok(places) = self.places.try_read() else { return false };
        let claimed = places.iter().take_while(|place| place.claim()).count();
        if claimed < places.len() {
            places.iter().take(claimed).for_each(|place| place.disclaim());
            return false;
        }
        places.iter().for_each(|place| place.put(message));
        true
    }
}

/// Who is told by which name: the places of a run by their modules.
#[derive(Debug, Default)]
pub struct Audiences(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    places: Vec<(String, Arc<Inbox>)>,
    audiences: BTreeMap<String, Arc<Audience>>,
}

impl Known {
    fn of(&self, module: &str) -> Vec<Arc<Inbox>> {
        self.places.iter().filter(|(name, _)| name == module).map(|(_, inbox)| Arc::clone(inbox)).collect()
    }
}

impl Audiences {
    /// From now on these are all places, with the names of their modules.
    pub fn set(&self, places: Vec<(String, Arc<Inbox>)>) {
        let mut known = lock(&self.0);
        known.places = places;
        known.audiences.iter().for_each(|(module, audience)| audience.set(known.of(module)));
    }

    fn of(&self, module: &str) -> Arc<Audience> {
        let mut known = lock(&self.0);
        if let Some(audience) = known.audiences.get(module) {
            return Arc::clone(audience);
        }
        let audience = Arc::new(Audience::default());
        audience.set(known.of(module));
        known.audiences.insert(module.to_owned(), Arc::clone(&audience));
        audience
    }
}

/// By what an instance tells others something.
#[derive(Debug)]
pub struct Teller {
    from: Arc<Inbox>,
    to: Vec<Arc<Audience>>,
}

impl Teller {
    /// Of the instance at a place, which may tell the modules of these names something.
    pub fn new(from: &Arc<Inbox>, to: &[String], audiences: &Audiences) -> Self {
        Self { from: Arc::clone(from), to: to.iter().map(|module| audiences.of(module)).collect() }
    }

    /// The hostcall `tell`, but for the guest's memory.
    pub(super) fn tell(&self, target: u32, message: &[u8]) -> i32 {
        let Some(audience) = self.to.get(target as usize) else { return names::TELL_NOT_GRANTED };
        let (counter, answer) = if message.len() > names::TELL_MAX {
            (&self.from.full, names::TELL_TOO_LONG)
        } else if audience.tell(message) {
            (&self.from.told, 0)
        } else {
            (&self.from.full, names::TELL_FULL)
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn places(audiences: &Audiences, count: usize) -> Vec<Arc<Inbox>> {
        let all: Vec<_> = std::iter::repeat_with(Arc::<Inbox>::default).take(count).collect();
        audiences.set(all.iter().map(|inbox| ("m".to_owned(), Arc::clone(inbox))).collect());
        all
    }

    fn said(inbox: &Inbox) -> Vec<Vec<u8>> {
        let next = || {
            let letter = inbox.take()?;
            let bytes = letter.bytes().to_vec();
            inbox.put_back(letter, Outcome::Delivered);
            Some(bytes)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn all_are_told_or_none() {
        let (audiences, own) = (Audiences::default(), Arc::default());
        let teller = Teller::new(&own, &["m".to_owned(), "nobody".to_owned()], &audiences);
        let all = places(&audiences, 3);
        for n in 0..LETTERS {
            assert_eq!(teller.tell(0, n.to_string().as_bytes()), 0);
        }
        assert_eq!(teller.tell(0, b"more"), names::TELL_FULL);
        // One has room again, two have not.
        assert_eq!(said(&all[1]).len(), LETTERS);
        assert_eq!(teller.tell(0, b"more"), names::TELL_FULL);
        assert!(all[1].is_empty());
        let numbers: Vec<_> = (0..LETTERS).map(|n| n.to_string().into_bytes()).collect();
        assert_eq!((said(&all[0]), said(&all[2])), (numbers.clone(), numbers));
        assert_eq!(teller.tell(0, &[7; names::TELL_MAX]), 0);
        assert_eq!(teller.tell(0, &[7; names::TELL_MAX + 1]), names::TELL_TOO_LONG);
        assert_eq!((teller.tell(1, b"x"), teller.tell(2, b"x")), (0, names::TELL_NOT_GRANTED));
        assert!(all.iter().all(|inbox| said(inbox) == [[7; names::TELL_MAX]]));
        let tally = own.tally();
        assert_eq!((tally.told, tally.full), (LETTERS as u64 + 2, 3));
        assert_eq!(all[1].tally(), Tally { delivered: LETTERS as u64 + 1, ..Tally::default() });
    }

    #[test]
    fn many_tell_at_once_and_each_in_its_order() {
        let audiences = Audiences::default();
        let all = places(&audiences, 2);
        let told = |n: u8| {
            let teller = Teller::new(&Arc::default(), &["m".to_owned()], &audiences);
            (0..2_000_u32).filter(|i| teller.tell(0, &[&[n], &i.to_le_bytes()[..]].concat()) == 0).collect::<Vec<_>>()
        };
        let hear = |inbox: &Inbox| {
            let mut heard = vec![Vec::new(); 3];
            let mut rest = 0;
            while rest < 200 {
                let letters = said(inbox);
                rest = if letters.is_empty() { rest + 1 } else { 0 };
                for letter in letters {
                    heard[usize::from(letter[0])]
                        .push(u32::from_le_bytes([letter[1], letter[2], letter[3], letter[4]]));
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            heard
        };
        let (told, heard) = std::thread::scope(|s| {
            let hearing: Vec<_> = all.iter().map(|inbox| s.spawn(|| hear(inbox))).collect();
            let telling: Vec<_> = (0..3).map(|n| s.spawn(move || told(n))).collect();
            let told: Vec<_> = telling.into_iter().map(|t| t.join().expect("tells")).collect();
            (told, hearing.into_iter().map(|h| h.join().expect("hears")).collect::<Vec<_>>())
        });
        assert!(told.iter().any(|told| !told.is_empty()));
        assert!(heard.iter().all(|heard| *heard == told), "what was told came to both, in order");
    }
}
