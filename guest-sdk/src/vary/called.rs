//! What the host's code asks of the module: numbers whose mathematics is that of the module's own library.

use super::gaps::{exponential, pareto};
use super::item::rounded;
use super::{Draw, Normal, Zipf};
use crate::Lcg64;
use core::hint::black_box;

/// Ranks of Zipf's law, less one. All arguments are [`Zipf`]'s.
pub(super) const ZIPF: u64 = 0;
/// Indexes around a mean: [`Normal`]'s two numbers, and the largest index.
pub(super) const NORMAL: u64 = 1;
/// The bits of a number of the exponential distribution: the mean's bits.
pub(super) const POISSON: u64 = 2;
/// The bits of a number of Pareto's distribution: the bits of the mean and of the shape.
pub(super) const PARETO: u64 = 3;

/// What was drawn, and the generator's state behind it.
#[repr(C)]
struct Drawn {
    value: u64,
    random: u64,
}

type Function = extern "C" fn(u64, u64, u64, u64, u64, u64, u64) -> Drawn;

/// Place of the function in the module's table.
pub(super) fn slot() -> usize {
    let function: Function = draw;
    black_box(function) as *const () as usize
}

/// In WebAssembly its first parameter is the address to which the answer is written.
extern "C" fn draw(kind: u64, a: u64, b: u64, c: u64, d: u64, e: u64, random: u64) -> Drawn {
    let mut random = Lcg64::with_state(random);
    let float = f64::from_bits;
    let value = match kind {
        ZIPF => Zipf::of_bits([a, b, c, d, e]).next(&mut random),
        NORMAL => rounded(Normal::of_bits([a, b]).next(&mut random)).min(c),
        POISSON => exponential(float(a), &mut random).to_bits(),
        _ => pareto(float(a), float(b), &mut random).to_bits(),
    };
    Drawn { value, random: random.state() }
}
