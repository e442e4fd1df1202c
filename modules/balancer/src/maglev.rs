//! Maglev's lookup table (Eisenbud et al., NSDI '16, section 3.4): which backend has which part of all flows.
//!
//! Each backend has a permutation of all places, of its name alone. In turns, each takes the next place of its permutation that is
//! still free, until none is. So the backends' parts differ by a few places, and where one comes or goes few places change hands
//! but its own.

use alloc::vec::Vec;
use perigee_guest::seed_mix;
use perigee_guest::state::NoMemory;

/// Stands for no backend.
pub(crate) const NOBODY: u16 = u16::MAX;

/// A backend that takes part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Its number, which stands in the table.
    pub(crate) backend: u16,
    pub(crate) permutation: Permutation,
    /// How often it has a turn, against the other members.
    pub(crate) weight: u16,
}

/// In which order a backend wants places: `offset`, `offset + skip`, ... modulo the size, which is a prime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permutation {
    pub(crate) offset: u32,
    pub(crate) skip: u32,
}

impl Permutation {
    /// That of a name, by two hashes of it.
    #[allow(clippy::cast_possible_truncation, reason = "remainders of a division by 32 bits")]
    pub(crate) fn of(name: &str, size: u32) -> Self {
        let (one, other) = (hash(name, 0), hash(name, 1));
        Self { offset: (one % u64::from(size)) as u32, skip: (other % u64::from(size - 1)) as u32 + 1 }
    }
}

/// A backend while a table is filled.
struct Turn {
    member: Member,
    /// The place that it wants next.
    place: u32,
    /// What it has saved for a turn: one costs as much as the largest weight.
    credit: u32,
}

/// The table: for each place a backend, or [`NOBODY`] in all where there is no member.
pub(crate) struct Table {
    places: Vec<u16>,
    /// The table that is being filled, before it takes the place of the other.
    next: Vec<u16>,
    turns: Vec<Turn>,
    /// Who the members were before.
    former: Vec<u16>,
}

/// What a change of members did to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Places that belong to another backend now.
    pub(crate) places: u32,
    /// Those among them that went from one who still is a member to one who was before: moved without need.
    pub(crate) needless: u32,
}

impl Table {
    /// A table without members. `size` is a prime, and `members` the most that there will be.
    pub(crate) fn new(size: u32, members: usize) -> Result<Self, NoMemory> {
        let size = size as usize;
        let (mut places, mut next, mut turns, mut former) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let bytes = 2 * size * size_of::<u16>() + members * (size_of::<Turn>() + size_of::<u16>());
        let taken = [
            places.try_reserve_exact(size),
            next.try_reserve_exact(size),
            turns.try_reserve_exact(members),
            former.try_reserve_exact(members),
        ];
        if taken.iter().any(Result::is_err) {
            return Err(NoMemory { bytes });
        }
        places.resize(size, NOBODY);
        next.resize(size, NOBODY);
        Ok(Self { places, next, turns, former })
    }

    /// The backend for a hash, or [`NOBODY`].
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "below the table's size")]
    pub(crate) fn lookup(&self, hash: u64) -> u16 {
        let place = ((hash >> 32) * self.places.len() as u64) >> 32;
        self.places.get(place as usize).copied().unwrap_or(NOBODY)
    }

    /// Gives all places to these members, who have their turns in this order: that of their numbers. Takes about size × ln(size) steps.
    pub(crate) fn fill(&mut self, members: impl Iterator<Item = Member>) -> Moved {
        self.former.clear();
        self.former.extend(self.turns.drain(..).map(|turn| turn.member.backend));
        let room = self.turns.capacity();
        let turns = members.take(room).map(|member| Turn { member, place: member.permutation.offset, credit: 0 });
        self.turns.extend(turns);
        self.next.fill(NOBODY);
        let price = self.turns.iter().map(|turn| u32::from(turn.member.weight)).max().unwrap_or(0);
        let mut free = if price == 0 { 0 } else { self.next.len() };
        while free > 0 {
            for turn in &mut self.turns {
                turn.credit += u32::from(turn.member.weight);
                if turn.credit >= price && free > 0 {
                    turn.credit -= price;
                    turn.take(&mut self.next);
                    free -= 1;
                }
            }
        }
        let moved = self.compare();
        core::mem::swap(&mut self.places, &mut self.next);
        moved
    }

    /// Who has which place.
    pub(crate) fn places(&self) -> &[u16] {
        &self.places
    }

    fn compare(&self) -> Moved {
        let is_member = |backend: &u16| self.turns.binary_search_by_key(backend, |turn| turn.member.backend).is_ok();
        let was_member = |backend: &u16| self.former.binary_search(backend).is_ok();
        let changed = self.places.iter().zip(&self.next).filter(|(before, after)| before != after);
        changed.fold(Moved::default(), |moved, (before, after)| {
            let is_needless = is_member(before) && was_member(after);
            Moved { places: moved.places + 1, needless: moved.needless + u32::from(is_needless) }
        })
    }
}

impl Turn {
    /// Takes the next place of its permutation that is free. There is one.
    fn take(&mut self, places: &mut [u16]) {
        let size = places.len();
        for _ in 0..size {
            let at = self.place as usize;
            // Both are below the size, so this is the remainder.
            self.place += self.member.permutation.skip;
            if self.place as usize >= size {
                #[allow(clippy::cast_possible_truncation, reason = "a table's size has 32 bits")]
                let size = size as u32;
                self.place -= size;
            }
            if let Some(place) = places.get_mut(at).filter(|place| **place == NOBODY) {
                *place = self.member.backend;
                return;
            }
        }
    }
}

/// A hash of a name: FNV-1a, mixed. The same in each instance and on each machine, so that balancers agree.
fn hash(name: &str, number: u64) -> u64 {
    let fnv = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    seed_mix(fnv.wrapping_add(number.wrapping_mul(0xd1b5_4a32_d192_ed03)))
}

/// Whether a number is a prime. For numbers of a table's size: it divides by all up to the root.
pub(crate) fn is_prime(number: u32) -> bool {
    number > 1 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}
