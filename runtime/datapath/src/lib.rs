//! The data path: what an lcore does with a burst. Read it from top to bottom as `lcore.rs`, `chain.rs`, `source.rs`,
//! `stage/`, `outlet.rs`; `orders.rs`, `switch.rs` and `rebuild.rs` are what happens between two bursts. Below the control side
//! this is the only room that knows both DPDK and wasm.

pub mod border;
pub mod chain;
pub mod entrance;
pub mod faults;
pub mod filter;
pub mod flow;
pub mod guard;
mod headers;
pub mod health;
mod identity;
pub mod lcore;
pub mod ledger;
mod offload;
pub mod on_wire;
pub mod orders;
pub mod outlet;
pub mod pacer;
mod phases;
pub mod port;
pub mod pressure;
pub mod probing;
pub mod rebuild;
pub mod recorder;
pub mod seat;
pub mod shape;
pub mod shares;
mod sieve;
pub mod source;
pub mod stage;
mod stamp;
pub mod stream;
pub mod switch;
pub mod taps;
pub mod timing;
