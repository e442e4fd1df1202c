//! Files as ports: captured packets that come when they are due by the run's clock, in a run in real time, in a simulation in
//! virtual time. The files are read from end to end before anything starts (`perigee_pcap::file`), and are in memory then, or are read
//! ahead while they are played; what an lcore does for a packet is one copy of its bytes into a room of the port's pool.
//!
//! - `tape.rs`: when each packet is due, for each rx queue: times alone.
//! - `rx.rs`: the end of an rx queue.
//! - `ahead.rs`: what is read while it is played.
//! - `player.rs`: the port, as the control side sees it.

mod ahead;
mod player;
mod rx;
mod tape;

pub use ahead::Reader;
pub use player::{Player, PlayerOptions};
pub use rx::RxEnd;
pub use tape::Tape;
