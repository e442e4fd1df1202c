//! Replacing modules while packets flow.

mod report;

pub use report::{ApplyReport, SeatReport, SwapOptions, SwapReport, Swaps};
