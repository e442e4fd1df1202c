//! What a module remembers between packets: flows, routes, rates, timers, distributions.
//!
//! | Type | For |
//! | --- | --- |
//! | [`FlowTable`] | a value for each key, of which there are at most so many; forgotten after a while |
//! | [`Lpm`] | the value of the longest prefix that contains an address |
//! | [`RouteTable`] | the same for many prefixes that change all the time: routes |
//! | [`SharedWords`] | numbers that other modules read |
//! | [`TokenBucket`], [`SingleRate`], [`TwoRate`] | a rate: may this packet pass, and what colour is it? |
//! | [`Wheel`] | something to do at a given time, which may be called off |
//! | [`Histogram`] | how values are distributed, to so many digits, in the format of HdrHistogram |
//!
//! All of them take their memory when they are made, which is in [`Module::init`](crate::Module::init), and none later.
//! Their capacity is fixed. What a call costs has a bound that is written at the call. Times are nanoseconds of the
//! batch's clock ([`Batch::time_ns`](crate::Batch::time_ns)); a time that lies before an earlier one counts as that.
//!
//! The memory is the module's heap, declared in [`module!`](crate::module!):
//!
//! ```text
//! perigee_guest::module!(Meter: process, tick; heap = 4 * MIB);
//! ```
//!
//! It is a static of that size, which costs nothing in the module's file and never grows. So `alloc`'s types, `Vec` and
//! `String`, work in a module that says `extern crate alloc`. Where the heap is too small, making a table fails with
//! [`NoMemory`], which becomes a [`Refusal`] that says so.

mod bucket;
mod five_tuple;
mod flow;
mod flow_bytes;
mod histogram;
mod lpm;
mod marker;
mod prefix;
mod routes;
mod shared_words;
mod wheel;

pub use bucket::{BadRate, TokenBucket};
pub use five_tuple::{FiveTuple, FiveTuple4, FiveTuple6};
pub use flow::{Flow, FlowHash, FlowLimits, FlowTable, Found, Saved, WhenFull};
pub use histogram::{BadHistogram, Histogram};
pub use lpm::Lpm;
pub use marker::{Colour, SingleRate, TwoRate};
pub use prefix::{Address, BadPrefix, Prefix};
pub use routes::RouteTable;
pub use shared_words::SharedWords;
pub use wheel::{Timer, Wheel};

use crate::Refusal;
use crate::text::Text;
use alloc::vec::Vec;
use core::fmt;

/// One second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
/// One millisecond in nanoseconds.
pub const MILLISECOND: u64 = 1_000_000;

/// Stands for "none" where an index of 32 bits is kept.
const NONE: u32 = u32::MAX;

/// The heap has no room for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory {
    /// Bytes that were asked for.
    pub bytes: usize,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the heap has no room for {} bytes", self.bytes)
    }
}

impl core::error::Error for NoMemory {}

impl From<NoMemory> for Refusal {
    fn from(error: NoMemory) -> Self {
        let mut text = Text::from("the module's heap has no room for ");
        text.push_number(error.bytes as u64);
        text.push(" bytes more: configure smaller tables, or declare a larger heap (`heap = ...` in `module!`)");
        Self::from(text)
    }
}

/// A table is full. What was to be put in comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFull<T>(pub T);

impl<T> fmt::Display for TableFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the table is full")
    }
}

impl<T: fmt::Debug> core::error::Error for TableFull<T> {}

impl<T> From<TableFull<T>> for Refusal {
    fn from(_: TableFull<T>) -> Self {
        Self::new("the table is full: configure a larger one, or fewer entries")
    }
}

impl From<BadRate> for Refusal {
    fn from(error: BadRate) -> Self {
        Self::new(error.text())
    }
}

impl From<BadPrefix> for Refusal {
    fn from(error: BadPrefix) -> Self {
        Self::new(error.text())
    }
}

/// Room for `count` values.
fn room<T>(count: usize) -> Result<Vec<T>, NoMemory> {
    let mut values = Vec::new();
    match values.try_reserve_exact(count) {
        Ok(()) => Ok(values),
        Err(_) => Err(NoMemory { bytes: count.saturating_mul(size_of::<T>()) }),
    }
}

/// `count` copies of a value.
fn filled<T: Copy>(count: usize, value: T) -> Result<Vec<T>, NoMemory> {
    let mut values = room(count)?;
    values.resize(count, value);
    Ok(values)
}

#[cfg(test)]
mod tests;
