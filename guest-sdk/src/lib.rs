//! What a packet module is written with.
//!
//! A module is a type that implements [`Module`], and one line that exports it:
//!
//! ```
//! #![no_std]
//! use perigee_guest::{Batch, Module, Refusal, Setup};
//!
//! perigee_guest::module!(Reflector: process);
//!
//! struct Reflector;
//!
//! impl Module for Reflector {
//!     fn init(_setup: &Setup<'_>) -> Result<Self, Refusal> {
//!         Ok(Self)
//!     }
//!
//!     fn process(&mut self, batch: &mut Batch<'_>) {
//!         for packet in batch {
//!             packet.tx_back();
//!         }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! Packets are read and written where they lie: nothing is copied. What becomes of a packet is said once, by a method
//! that takes the [`Packet`] itself; a packet that is forgotten is dropped. All of this is safe Rust: the length of a
//! packet is checked once, and what was checked is not checked again.
//!
//! On other targets than WebAssembly the same code runs natively, with [`testing::Host`] in the host's place, so a
//! module's logic is tested with plain `cargo test`.
#![no_std]

// What `#[header]` and `stack!` write names this crate by its name, here as elsewhere.
#[cfg(feature = "state")]
extern crate alloc;
extern crate self as perigee_guest;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

pub mod area;
mod batch;
#[cfg(feature = "config")]
pub mod config;
mod counter;
pub mod export;
mod log;
mod macros;
mod module;
mod output;
mod packet;
mod quoted;
mod random;
mod raw;
mod refusal;
mod rooms;
#[cfg(feature = "state")]
pub mod state;
mod tell;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod text;
pub mod vary;
mod verdict;
pub mod wire;

pub use batch::{Batch, Packets};
pub use counter::Counter;
pub use log::{Level, broken};
pub use module::{Buffer, Full, Module, Setup};
pub use output::{Held, Listed, Outputs, Spare};
pub use packet::Packet;
pub use perigee_abi as abi;
pub use quoted::Quoted;
pub use random::{Lcg64, seed_mix};
pub use raw::Region;
pub use refusal::Refusal;
pub use rooms::{Rooms, SizedRoom, SizedRooms};
#[cfg(feature = "config")]
pub use serde;
pub use tell::{Untold, tell};
pub use text::Text;
pub use verdict::Verdict;

/// 1,024 bytes.
pub const KIB: usize = 1 << 10;
/// 1,024 × 1,024 bytes.
pub const MIB: usize = 1 << 20;

/// What a module declares in the last part of [`module!`], with its defaults.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of the host's packet rooms that the module can see. The host refuses a module whose window is smaller than
    /// its rooms.
    pub window: usize,
    /// Bytes of the mailbox: the longest configuration, message, reply and state.
    pub mailbox: usize,
    /// Empty rooms wanted in each batch, to make packets of.
    pub spares: u32,
    /// Version of the state that `save` writes; counted up when its layout changes.
    pub state_version: u32,
    /// Bytes of the flat state region ([`Region`]), a multiple of 4,096; 0: none. It goes along with `state`.
    pub region: usize,
    /// Bytes of heap, for the tables of `state` and for `alloc`; 0: none. It never grows. It needs the feature `state`.
    pub heap: usize,
}

impl Options {
    /// What [`module!`] takes where it is told nothing else.
    pub const DEFAULT: Self =
        Self { window: 64 * MIB, mailbox: 64 * KIB, spares: 0, state_version: 1, region: 0, heap: 0 };
}
