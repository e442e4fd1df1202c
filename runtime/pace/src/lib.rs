//! When packets leave. Times and lengths only, no packets; the same numbers come out for the same seed, on every machine.
//!
//! - [`Schedule`]: when each packet of a stream leaves on one lcore, by the stream's rate and pattern.
//! - [`Wheel`]: keeps what is to leave until its time has come.
//! - [`best`]: which method paces a port best, by what calibration has measured.
//! - [`Fit`]: whether the gaps that were measured are those of a Poisson process.
//!
//! From the ground: `tempo.rs` (what a rate means for a packet), `exact.rs` (steps without an error that adds up), `draws.rs` (what is
//! random), the patterns in `walk/`, and `schedule.rs` with beginning, end and pauses.

mod choice;
mod draws;
mod exact;
mod fit;
mod schedule;
mod tempo;
mod walk;
mod wheel;

pub use choice::{MOST_OFF, Trial, Tried, best};
pub use draws::seed;
pub use fit::{Bucket, Fit, Verdict};
pub use schedule::{Due, Schedule};
pub use wheel::Wheel;
