//! Files of packets, read by our own hand: pcap and pcapng. A port that plays a file gives its packets at their own times, so what
//! counts here is each record's time, to the nanosecond, and the place of whatever is wrong. There is no `unsafe` in it, and no
//! length is believed before it was compared with what is left of the file.
//!
//! - `input.rs`: bytes, of which no more are read than there are.
//! - `old.rs`, `new.rs`: the two formats, from bytes to records.
//! - `reader.rs`: one record after the other, whatever the format.
//! - `kind.rs`: what a file is that is neither.
//! - `ethernet.rs`: frames of packets that were captured without a header of Ethernet.
//! - `files.rs`: files that were opened to be played.
//! - `frames.rs`: one frame after the other, of all files: what is played.
//! - `flow.rs`: which of several readers a frame is for.
//! - `sieve.rs`: filters on records.
//! - `recording.rs`: files that were read from end to end, and are in memory where that is wanted.

pub mod ethernet;
mod files;
mod flow;
mod frames;
mod input;
mod kind;
mod new;
mod old;
mod reader;
mod recording;
mod sieve;
#[cfg(test)]
mod tests;

pub use files::{Files, Snapped, Wanted};
pub use flow::{Flow, queue};
pub use frames::{Facts, Frame, Frames};
pub use reader::{Fault, Origin, Reader, Record, STREAM};
pub use recording::{PER_PACKET, Packet, Recording};
pub use sieve::Sieve;
