//! Records of packets in memory that processes share: who writes never looks at who reads.
//!
//! A [`Memory`] is a file in memory with some lanes. Each lane is a ring with one [`Writer`], on an lcore, which writes over what is oldest
//! and waits for nobody. Readers ([`Map`], [`Reader`]) map the same file, which the kernel lets them only read. They copy, and then look
//! whether what they have copied was written over meanwhile; if so they go on at a later place. Records are numbered, so a reader
//! knows exactly how many it has missed.
//!
//! A lane consists of chunks, and a record lies in one of them. A chunk begins with the number and the time of its first record, so the
//! chunks' heads are an index by time ([`Reader::seek`]).
//!
//! Nothing here knows what a packet is: a record is a time, two lengths, two small numbers, and bytes.
//!
//! - `layout.rs`: what lies where.
//! - `memory.rs`: the file, as its writer has it. `map.rs`: as a reader has it.
//! - `writer.rs`, `reader.rs`: the two ends of a lane.

mod layout;
mod map;
mod memory;
mod reader;
mod words;
mod writer;

#[cfg(test)]
#[allow(unsafe_code, reason = "maps memory as a reader might try to")]
mod tests;

pub use layout::{CHUNK, MOST_BYTES, MOST_LANES, Shape};
pub use map::Map;
pub use memory::Memory;
pub use reader::{Counts, Reader, Record};
pub use writer::{Head, Mark, Writer};
