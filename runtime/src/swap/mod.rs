//! Replacing modules while packets flow.

mod apply;
mod canary;
mod control;
mod cost;
pub(crate) mod rebuild;
mod report;
pub(crate) mod switch;

pub(crate) use control::Ledger;
pub use report::{ApplyReport, ChainReport, SeatReport, SwapOptions, SwapReport, Swaps};
