//! Files as ports: captured packets that come when they are due by the run's clock, in a run in real time, in a simulation in
//! virtual time. The files are read into memory before anything starts (`perigee_pcap::file`); what is done for a packet is one copy
//! of its bytes into a room of the port's pool.
//!
//! - `tape.rs`: when each packet is due, for each rx queue: times alone.
//! - `flow.rs`: which rx queue a packet comes from.
//! - `rx.rs`: the end of an rx queue.
//! - `player.rs`: the port, as the control side sees it.

mod flow;
mod player;
mod rx;
mod tape;

pub use player::{Player, PlayerOptions};
pub use rx::RxEnd;
pub use tape::Tape;
