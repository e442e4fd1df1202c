//! The field engine: what generators vary from packet to packet.
//!
//! A **draw** ([`Draw`]) gives one value after the other: a counter ([`Steps`]), random numbers ([`Uniform`], [`Zipf`],
//! [`Weighted`], [`Normal`], [`Exponential`]), numbers in a random order that comes again ([`Shuffle`], [`Repeatable`]),
//! values of a list ([`Items`]). Draws are made of draws: [`Draw::map`], [`Draw::times`], [`Draw::zip`], [`Draw::carry`],
//! [`Draw::then`]. A **place** ([`Place`]) is a range of bits in a packet. A **program** ([`Program`]) is a list of both,
//! read from a module's configuration and applied to packets.
//!
//! Nothing is allocated, and everything follows from seeds: the same configuration and the same seed give the same
//! values on every target. Instances of a module on several lcores share a counter, a list or clients: together they give what
//! one would ([`Steps::split`]).
//!
//! ```
//! use perigee_guest::vary::{Draw, Place, Steps, Uniform};
//!
//! # fn main() -> Result<(), perigee_guest::Refusal> {
//! let mut random = perigee_guest::Lcg64::new(42);
//! let mut bytes = [0; 60];
//! // Each of 256 source addresses with all 1,000 ports, one address after the other.
//! let mut flows = Steps::new(1024, 2023, 1)?.carry(Steps::new(0x0a00_0000, 0x0a00_00ff, 1)?);
//! let mut ttl = Uniform::new(32, 64)?;
//! let (address_at, port_at, ttl_at) = (Place::bytes(26, 4), Place::bytes(34, 2), Place::bytes(22, 1));
//! if let (Some(address_at), Some(port_at), Some(ttl_at)) = (address_at, port_at, ttl_at) {
//!     let (port, address) = flows.next(&mut random);
//!     address_at.write(&mut bytes, address);
//!     port_at.write(&mut bytes, port);
//!     ttl_at.write(&mut bytes, ttl.next(&mut random));
//! }
//! assert_eq!(&bytes[26..30], [10, 0, 0, 0]);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "config")]
mod called;
mod clients;
mod combine;
#[cfg(feature = "config")]
mod compiled;
mod draw;
mod gaps;
#[cfg(feature = "config")]
mod item;
mod names;
mod place;
#[cfg(feature = "config")]
mod plan;
#[cfg(feature = "config")]
mod program;
mod shuffle;
mod sizes;
#[cfg(feature = "config")]
mod spec;
mod steps;
mod uniform;
mod weighted;
mod zipf;

pub use clients::{Clients, Flow};
pub use combine::{Always, Carry, Items, Map, Then, Times, Zip};
#[cfg(feature = "config")]
pub use compiled::{Cells, Compiled, Kept};
pub use draw::Draw;
pub use gaps::{Exponential, Gaps, Normal, Shape};
pub use place::Place;
#[cfg(feature = "config")]
pub use plan::{DrawnLen, Plan, Stream};
#[cfg(feature = "config")]
pub use program::{Program, Values};
pub use shuffle::{Repeatable, Shuffle};
pub use sizes::{MIX_MAX, Mix};
#[cfg(feature = "config")]
pub use spec::{ClientsSpec, GapsSpec, LIST_MAX, Order, Pattern, Spec, Value};
pub use steps::Steps;
pub use uniform::Uniform;
pub use weighted::Weighted;
pub use zipf::Zipf;

#[cfg(test)]
#[cfg(feature = "config")]
mod tests;
