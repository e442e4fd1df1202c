//! Long runs against the host: what must hold for any module, tried many more times than `./x test` has time for.
//!
//! Each [`Scenario`] is a file of `scenarios/` and a line in [`scenarios::ALL`]. The binary `perigee-soak` runs each in a
//! process of its own, so that one which ends its process is seen, and the others still run. `./x soak` builds everything
//! and starts it. Tests of the same things with smaller figures are in `tests/`.

mod fuzz;
pub mod generated;
pub mod hostile;
mod namespace;
pub mod parsers;
pub mod scenario;
pub mod scenarios;

pub use scenario::{Report, Scenario, Task};

/// The argument with which `perigee-soak` compiles modules for a run of its own, as `perigee compile-server` does for others.
pub const COMPILE_SERVER: &str = "compile-server";
