//! Wires: simulated cables between two ports of a run. What is simulated is the cable alone; packets, pools and all that chains
//! do with them are real. In a run a wire lives in real time, in a simulation (`perigee sim`) in virtual time.
//!
//! - `line.rs`: when a packet arrives, or how it is lost: times and lengths alone.
//! - `way.rs`: the packets that are under way in one direction.
//! - `queue.rs`: the queues at its ends; `hold.rs`: what an end holds back before it lets it onto the line.
//! - `end.rs`: a port at the end of a wire, as the control side sees it.
//! - `trace.rs`: a digest of all that happens on a simulation's wires.

pub mod draw;
mod end;
mod hold;
pub mod line;
mod queue;
mod red;
pub mod trace;
mod way;

pub use end::{End, EndOptions, lay};
pub use queue::{RxEnd, TxEnd};
