//! Programs that the host has compiled.

use super::Program;
use crate::{Lcg64, SizedRooms, Verdict};
use core::hint::black_box;
use perigee_abi::fields::{DONE, cells};

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
    /// compiled; then program and generator are where the packets before have left them.
    #[inline]
    pub fn run<'b, const ITEMS: usize, const VALUES: usize, const HEAD: usize>(
        &mut self,
        rooms: SizedRooms<'b, HEAD>,
        program: &mut Program<ITEMS, VALUES>,
        random: &mut Lcg64,
        verdict: Verdict,
    ) -> Option<SizedRooms<'b, HEAD>> {
        const { assert!(CELLS >= Self::cells(ITEMS, VALUES), "too few cells for this program") };
        match self.state {
            State::Absent => return Some(rooms),
            State::Ahead => {}
            State::New => {
                self.cells[cells::RANDOM] = random.state();
                program.store(&mut self.cells);
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
            program.load(&self.cells);
        }
        self.state = State::Absent;
        Some(rooms)
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
