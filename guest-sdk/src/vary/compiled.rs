//! Programs that the host has compiled.

use super::item::Item;
use super::{Gaps, Program, Values, Weighted};
use crate::{Lcg64, SizedRooms, Verdict};
use core::hint::black_box;
use perigee_abi::fields::{DONE, cells};

/// What goes on from packet to packet, and lies in cells while machine code works on it.
pub trait Kept {
    /// Cells that it takes at most: [`Compiled::cells`].
    const CELLS: usize;

    /// Number of its items.
    fn count(&self) -> usize;

    /// Moves each item, list and table of it, in the plan's order.
    fn keep(&mut self, cells: &mut Cells<'_>);
}

/// Cells, and in which direction what is kept moves.
#[derive(Debug)]
pub struct Cells<'c> {
    head: &'c mut [u64],
    items: core::slice::ChunksExactMut<'c, u64>,
    pool: core::slice::IterMut<'c, u64>,
    is_load: bool,
}

impl<'c> Cells<'c> {
    /// For the state of so many items to go into the cells.
    pub(super) fn to_store(cells: &'c mut [u64], items: usize) -> Self {
        let (rest, pool) = cells.split_at_mut(cells::pool(items).min(cells.len()));
        let (head, items) = rest.split_at_mut(cells::ITEMS.min(rest.len()));
        Self { head, items: items.chunks_exact_mut(cells::PER_ITEM), pool: pool.iter_mut(), is_load: false }
    }

    /// For the state to be taken from them.
    pub(super) fn to_load(cells: &'c mut [u64], items: usize) -> Self {
        Self { is_load: true, ..Self::to_store(cells, items) }
    }

    fn item(&mut self, item: &mut Item) {
        match self.items.next() {
            Some(cells) if self.is_load => item.load(cells),
            Some(cells) => item.store(cells),
            None => {}
        }
    }

    /// Lists and tables do not change: they go in only.
    fn pool(&mut self, values: &[u64]) {
        self.pool.by_ref().zip(values).for_each(|(place, value)| *place = *value);
    }

    /// A choice between streams: before all of them.
    pub fn choice<const N: usize>(&mut self, choice: &Weighted<N>) {
        self.pool(choice.table());
    }

    /// A program, and before it how the length of its packets is drawn, where it is.
    pub fn stream<const ITEMS: usize, const VALUES: usize, const LENS: usize>(
        &mut self,
        program: &mut Program<ITEMS, VALUES>,
        len: Option<&mut Values<LENS>>,
    ) {
        let drawn = len.map(|len| {
            self.item(&mut len.item);
            len.pool.get(..len.used).unwrap_or_default()
        });
        program.items.iter_mut().take(program.len).for_each(|item| self.item(item));
        self.pool(program.pool.get(..program.used).unwrap_or_default());
        self.pool(drawn.unwrap_or_default());
    }

    /// Gaps, and the length of the packet before.
    pub fn gaps(&mut self, gaps: &mut Gaps, before: &mut u16) {
        let [.., rest, left, saved, length] = &mut *self.head else { return };
        if self.is_load {
            gaps.set_state([*rest, *left, *saved]);
            *before = u16::try_from(*length).unwrap_or(u16::MAX);
        } else {
            [*rest, *left, *saved] = gaps.state();
            *length = (*before).into();
        }
    }
}

const _: () = assert!(cells::GAP_REST + 4 == cells::ITEMS, "`gaps` takes the last cells before those of items");

impl<const ITEMS: usize, const VALUES: usize> Kept for Program<ITEMS, VALUES> {
    const CELLS: usize = Compiled::<0>::cells(ITEMS, VALUES);

    fn count(&self) -> usize {
        self.len
    }

    fn keep(&mut self, cells: &mut Cells<'_>) {
        cells.stream(self, None::<&mut Values<0>>);
    }
}

/// Runs a [`Program`] as machine code, where the host has compiled it: whole batches with one call. `CELLS` is at least
/// [`Compiled::cells`] of the program.
///
/// The module exports `fields` ([`crate::module!`]), in which it tells the host the program's [plan](Program::plan), and its
/// table of functions: its build script prints `cargo::rustc-cdylib-link-arg=--export-table`. Elsewhere, in native tests, and
/// on hosts that do not compile, `run` hands the rooms back.
///
/// ```
/// use perigee_guest::vary::{Compiled, Program};
/// use perigee_guest::{Lcg64, Rooms, Verdict};
///
/// # const ITEMS: usize = 2; const VALUES: usize = 8;
/// # fn generate(rooms: &mut Rooms, program: &mut Program<ITEMS, VALUES>, random: &mut Lcg64,
/// #     compiled: &mut Compiled<{ Compiled::<0>::cells(ITEMS, VALUES) }>) {
/// let Some(rooms) = rooms.sized::<60>(60) else { return };
/// if let Some(rooms) = compiled.run(rooms, program, random, Verdict::NEXT) {
///     for mut room in rooms {
///         program.apply(room.bytes_mut(), random);
///         room.finish(Verdict::NEXT);
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Compiled<const CELLS: usize> {
    cells: [u64; CELLS],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has tried yet.
    New,
    /// The cells have the state, the program an old one.
    Ahead,
    /// There is no machine code.
    Absent,
}

impl<const CELLS: usize> Compiled<CELLS> {
    /// For a program whose plan the host is told.
    #[must_use]
    pub const fn new() -> Self {
        Self { cells: [0; CELLS], state: State::New }
    }

    /// Cells for a program of so many items and values.
    #[must_use]
    pub const fn cells(items: usize, values: usize) -> usize {
        cells::pool(items) + values
    }

    /// Varies the packets of all rooms and finishes them with `verdict`. Hands the rooms back untouched where the program was not
    /// compiled; then what is kept and the generator are where the packets before have left them.
    #[inline]
    pub fn run<'b, K: Kept, const HEAD: usize>(
        &mut self,
        rooms: SizedRooms<'b, HEAD>,
        kept: &mut K,
        random: &mut Lcg64,
        verdict: Verdict,
    ) -> Option<SizedRooms<'b, HEAD>> {
        const { assert!(CELLS >= K::CELLS, "too few cells for this program") };
        match self.state {
            State::Absent => return Some(rooms),
            State::Ahead => {}
            State::New => {
                self.cells[cells::RANDOM] = random.state();
                let count = kept.count();
                kept.keep(&mut Cells::to_store(&mut self.cells, count));
            }
        }
        let (descs, count) = rooms.place();
        let cells = self.cells.as_mut_ptr().expose_provenance();
        // The host may have put another function into the table: the compiler must not think that it knows this one.
        if black_box(NOT_COMPILED)(descs, count, cells, verdict.bits()) == DONE {
            self.state = State::Ahead;
            return None;
        }
        if self.state == State::Ahead {
            // A snapshot of an instance whose program was compiled is played where nobody compiles.
            *random = Lcg64::with_state(self.cells[cells::RANDOM]);
            let count = kept.count();
            kept.keep(&mut Cells::to_load(&mut self.cells, count));
        }
        self.state = State::Absent;
        Some(rooms)
    }

    /// Bytes of the packets that the last call made, where their lengths are drawn or there are several streams.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cells.get(cells::BYTES).copied().unwrap_or_default()
    }
}

impl<const CELLS: usize> Default for Compiled<CELLS> {
    fn default() -> Self {
        Self::new()
    }
}

type Function = extern "C" fn(usize, usize, usize, u32) -> u32;

const NOT_COMPILED: Function = not_compiled;

/// Place of the function in the module's table.
pub(super) fn slot() -> usize {
    black_box(NOT_COMPILED) as *const () as usize
}

/// What is called where the host has compiled nothing. Its answer is a number that no other function returns always, so that
/// no linker makes one function of two.
#[inline(never)]
extern "C" fn not_compiled(_descs: usize, _count: usize, _cells: usize, _verdict: u32) -> u32 {
    0x6e6f_7421
}
