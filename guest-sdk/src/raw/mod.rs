//! The raw layer: the host's descriptors and the bytes they point at, made safe.
//!
//! What it rests on: between two calls the host writes the batch area; during a call nobody but the module does. The
//! host's descriptors are right: each packet has a room of its own, inside the window, with `addr` and `len` inside the
//! room. A room holds `headroom` + `room_len` bytes from where its slot says. Outside of this folder `addr` and `len` can
//! only be changed by methods that check them, so both stay true until the host reads them back.

mod host;
mod parts;
mod region;
mod room;
mod simd;
mod steps;

#[cfg(feature = "state")]
pub(crate) use host::region;
pub(crate) use host::{count, log, name_counter, tell, time};
pub(crate) use parts::{FreshParts, Parts, window_bytes};
pub use region::Region;
pub(crate) use room::{Fresh, Room};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd::sum_words;
pub(crate) use simd::swap_macs;
pub(crate) use steps::{DescIter, FreshIter};

/// How the host lays out rooms.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    pub(in crate::raw) window: u32,
    pub(in crate::raw) headroom: u32,
    pub(in crate::raw) room_len: u32,
}
