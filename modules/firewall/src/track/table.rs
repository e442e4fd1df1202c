//! The connections, in memory that goes to the instance which takes this one's place.
//!
//! A hash table of buckets with sixteen places each, as bytes: first a tag of four bytes for each place, those of a bucket in one
//! cache line, then the places, a cache line each. So a look-up reads two lines, an insertion looks at one bucket and no more, and
//! there are neither pointers nor lists: nothing has to be done to it when the module is replaced.
//!
//! A connection whose time is over is not found, and its place is free. Where a bucket is full, a connection that nobody has answered
//! goes for a new one, then one that is over; never one that is alive. So forged packets push out each other.

use super::connection::{Connection, LEN, Worth};
use super::key::{KEY_LEN, Key};
use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasher as _;
use foldhash::quality::FixedState;
use perigee_guest::{Refusal, Region, Setup};

/// Places of a bucket.
const WAYS: usize = 16;
/// Bytes of all the tags of a bucket: as many as a connection has.
const _: () = assert!(WAYS * size_of::<u32>() == LEN);

/// Where the bytes are.
enum Memory {
    /// Goes to the next instance.
    Region(Region),
    /// In native tests, and in a host that gives no region.
    Heap(Vec<u8>),
}

/// The table.
pub(super) struct Table {
    memory: Memory,
    buckets: usize,
    seed: u64,
    hasher: FixedState,
    /// The bucket that is swept next.
    cursor: usize,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Free,
    /// In the place of one that had to go.
    Instead(Worth),
    /// All places of its bucket are taken by connections that are alive.
    Full,
}

/// A key that was hashed.
#[derive(Clone, Copy)]
pub(super) struct Hashed {
    bytes: [u8; KEY_LEN],
    bucket: usize,
    tag: u32,
}

impl Table {
    /// An empty one for so many connections, rounded up to a power of two.
    pub(super) fn new(setup: &Setup<'_>, connections: u32) -> Result<Self, Refusal> {
        let buckets = (connections as usize).div_ceil(WAYS).next_power_of_two();
        let bytes = buckets * (WAYS + 1) * LEN;
        let memory = match setup.region() {
            Some(mut region) => {
                if region.bytes().len() < bytes {
                    return Err(Refusal::new("connections: more than the module's region has room for"));
                }
                Memory::Region(region)
            }
            None => Memory::Heap(vec![0; bytes]),
        };
        let seed = setup.seed();
        Ok(Self { memory, buckets, seed, hasher: FixedState::with_seed(seed), cursor: 0 })
    }

    /// What the next instance must know to use the bytes.
    pub(super) fn describe(&self) -> (u64, u64) {
        (self.buckets as u64, self.seed)
    }

    /// Takes over bytes of another instance, which said this of them.
    pub(super) fn adopt(&mut self, (buckets, seed): (u64, u64)) -> Result<(), Refusal> {
        let bytes = self.bytes().len();
        let fits = usize::try_from(buckets).ok().filter(|buckets| {
            buckets.is_power_of_two() && buckets.checked_mul((WAYS + 1) * LEN).is_some_and(|len| len <= bytes)
        });
        let Some(buckets) = fits else { return Err(Refusal::new("the state is of a larger table of connections")) };
        (self.buckets, self.seed, self.hasher, self.cursor) = (buckets, seed, FixedState::with_seed(seed), 0);
        Ok(())
    }

    /// The bytes, for a state that does not go by the region.
    pub(super) fn heap(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.memory {
            Memory::Heap(bytes) => Some(bytes),
            Memory::Region(_) => None,
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Region(region) => region.bytes(),
            Memory::Heap(bytes) => bytes,
        }
    }

    /// Tags and places.
    #[inline]
    fn parts(&mut self) -> (&mut [[u8; LEN]], &mut [[u8; LEN]]) {
        let buckets = self.buckets;
        let (lines, _) = self.bytes().as_chunks_mut::<LEN>();
        lines.split_at_mut_checked(buckets).unwrap_or_default()
    }

    /// Hashes a key.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "both halves of a hash are hashes")]
    pub(super) fn hash(&self, key: Key) -> Hashed {
        let bytes = key.bytes();
        let (words, _) = bytes.as_chunks::<8>();
        let mut numbers = [0; KEY_LEN / 8];
        for (number, word) in numbers.iter_mut().zip(words) {
            *number = u64::from_le_bytes(*word);
        }
        let hash = self.hasher.hash_one(numbers);
        // A tag of 0 is an empty place.
        Hashed { bytes, bucket: (hash >> 32) as usize & (self.buckets - 1), tag: hash as u32 | 1 }
    }

    /// A connection and its place. One whose time is over is none.
    #[inline]
    pub(super) fn find(&mut self, key: &Hashed, now: u64) -> Option<(usize, Connection)> {
        let (tags, places) = self.parts();
        let (tags, _) = tags.get(key.bucket)?.as_chunks::<4>();
        for (way, tag) in tags.iter().enumerate() {
            let at = key.bucket * WAYS + way;
            if u32::from_le_bytes(*tag) == key.tag
                && let Some(place) = places.get(at)
                && place[..KEY_LEN] == key.bytes
            {
                let connection = Connection::read(place);
                return (connection.deadline > now).then_some((at, connection));
            }
        }
        None
    }

    /// Writes a connection that was found.
    #[inline]
    pub(super) fn update(&mut self, key: &Hashed, at: usize, connection: &Connection) {
        let (_, places) = self.parts();
        if let Some(place) = places.get_mut(at) {
            *place = connection.write(&key.bytes);
        }
    }

    /// Forgets a connection that was found.
    pub(super) fn remove(&mut self, at: usize) {
        self.set_tag(at, 0);
    }

    fn set_tag(&mut self, at: usize, tag: u32) {
        let (tags, _) = self.parts();
        if let Some(line) = tags.get_mut(at / WAYS) {
            let (words, _) = line.as_chunks_mut::<4>();
            if let Some(word) = words.get_mut(at % WAYS) {
                *word = tag.to_le_bytes();
            }
        }
    }

    /// Puts a new connection in.
    pub(super) fn insert(&mut self, key: &Hashed, connection: &Connection, now: u64) -> Inserted {
        let (tags, places) = self.parts();
        let Some(line) = tags.get(key.bucket) else { return Inserted::Full };
        let (words, _) = line.as_chunks::<4>();
        let mut goes: Option<(Worth, u64, usize)> = None;
        let mut free = None;
        for (way, word) in words.iter().enumerate() {
            let at = key.bucket * WAYS + way;
            let Some(place) = places.get(at) else { break };
            let there = Connection::read(place);
            let same = u32::from_le_bytes(*word) == key.tag && place[..KEY_LEN] == key.bytes;
            if same || *word == [0; 4] || there.deadline <= now {
                // What was there under this key goes in any case.
                free = if same { Some(at) } else { free.or(Some(at)) };
                if same {
                    break;
                }
                continue;
            }
            let rank = (there.worth(), there.deadline, at);
            if rank.0 != Worth::Alive && goes.is_none_or(|least| rank < least) {
                goes = Some(rank);
            }
        }
        let (at, inserted) = match (free, goes) {
            (Some(at), _) => (at, Inserted::Free),
            (None, Some((worth, _, at))) => (at, Inserted::Instead(worth)),
            (None, None) => return Inserted::Full,
        };
        self.update(key, at, connection);
        self.set_tag(at, key.tag);
        inserted
    }

    /// Forgets all connections.
    pub(super) fn clear(&mut self) {
        let (tags, _) = self.parts();
        tags.fill([0; LEN]);
    }

    /// Frees places in so many buckets whose time is over, and says how many.
    pub(super) fn sweep(&mut self, now: u64, buckets: usize) -> u64 {
        let mut count = 0;
        for _ in 0..buckets.min(self.buckets) {
            let bucket = self.cursor;
            self.cursor = (bucket + 1) & (self.buckets - 1);
            let (tags, places) = self.parts();
            let Some(line) = tags.get_mut(bucket) else { continue };
            if *line == [0; LEN] {
                continue;
            }
            let (words, _) = line.as_chunks_mut::<4>();
            for (way, word) in words.iter_mut().enumerate() {
                let is_over = |place: &[u8; LEN]| Connection::read(place).deadline <= now;
                if *word != [0; 4] && places.get(bucket * WAYS + way).is_some_and(is_over) {
                    *word = [0; 4];
                    count += 1;
                }
            }
        }
        count
    }

    /// How many there are of each worth. Looks at all.
    pub(super) fn census(&mut self, now: u64) -> [u64; 3] {
        let mut counts = [0; 3];
        let (tags, places) = self.parts();
        let (words, _) = tags.as_flattened().as_chunks::<4>();
        for (word, place) in words.iter().zip(places) {
            let connection = Connection::read(place);
            if *word != [0; 4] && connection.deadline > now {
                counts[connection.worth() as usize] += 1;
            }
        }
        counts
    }
}
