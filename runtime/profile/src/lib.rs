//! Where lcores spend their time, for `perigee run --profile`: a timer of its own interrupts each lcore's thread some hundred times a
//! second, and what it was at is written down. No rights are needed for it, and no `perf`.
//!
//! - `mark.rs`: whose call an lcore is in. The data path sets it, profile or not: two stores for each batch.
//! - `sampler.rs`, `stack.rs`: the timer, the signal's handler, and what it reads of the stack.
//! - `lane.rs`: samples on their way from the handler to whoever counts them.
//! - `code.rs`: the machine code of modules, by name. `host.rs`: the same of the program and its libraries.
//! - `profiler.rs` counts stacks, `profile.rs` is what came of it, `jitdump.rs` the same
//!   code for `perf`.
//!
//! A process has one profiler at a time: the signal is the whole process's.

mod code;
mod host;
mod jitdump;
mod lane;
pub mod mark;
mod profile;
mod profiler;
mod sampler;
mod stack;

pub use code::{Code, Function, Machine, register};
pub use lane::Lane;
pub use profile::{FunctionShare, Profile, Stack};
pub use profiler::Profiler;
