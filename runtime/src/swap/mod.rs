//! Replacing modules while packets flow.

mod apply;
mod canary;
mod control;
mod report;
pub(crate) mod switch;

pub(crate) use control::Ledger;
pub use report::{ApplyReport, SeatReport, SwapOptions, SwapReport, Swaps};

/// Bytes in hexadecimal, as digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
