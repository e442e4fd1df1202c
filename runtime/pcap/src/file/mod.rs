//! Files of packets, read by our own hand: pcap and pcapng. A port that plays a file gives its packets at their own times, so what
//! counts here is each record's time, to the nanosecond, and the place of whatever is wrong. There is no `unsafe` in it, and no
//! length is believed before it was compared with what is left of the file.
//!
//! - `input.rs`: bytes, of which no more are read than there are.
//! - `old.rs`, `new.rs`: the two formats, from bytes to records.
//! - `reader.rs`: one record after the other, whatever the format.
//! - `kind.rs`: what a file is that is neither.
//! - `ethernet.rs`: frames of packets that were captured without a header of Ethernet.
//! - `preload.rs`: files in memory, ready to be played.

mod ethernet;
mod input;
mod kind;
mod new;
mod old;
mod preload;
mod reader;
#[cfg(test)]
mod tests;

pub use preload::{Facts, PER_PACKET, Packet, Recording, Snapped, Wanted};
pub use reader::{Fault, Reader, Record};
