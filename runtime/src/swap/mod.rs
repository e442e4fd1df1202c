//! Replacing modules while packets flow.

mod apply;
mod canary;
mod control;
mod report;
pub(crate) mod switch;

pub(crate) use control::Ledger;
pub use report::{ApplyReport, SeatReport, SwapOptions, SwapReport, Swaps};
