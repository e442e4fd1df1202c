//! What the translator remembers: sessions, mappings, hosts, and which ports are taken.
//!
//! All of it lies in one piece of memory, the state region, as arrays of plain structs, and everything points by index. So the
//! next instance takes it over as it is, however much it is. Memory that is all zeros is a valid empty table: index 0 stands for
//! "none", and no page is touched before it is needed.

mod entries;
mod index;
mod layout;
mod lists;
mod slab;

pub(crate) use entries::{BLOCKS_MAX, Class, Host, Mapping, Session};
pub(crate) use index::{Index, hash};
pub(crate) use layout::{Layout, Memory, Sizes};
pub(crate) use lists::List;
pub(crate) use slab::Slab;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What stands in front of the arrays.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Head {
    /// Of the configuration as far as the arrays depend on it; 0: nothing was written yet.
    pub(crate) shape: u64,
    /// The seed of all hashes.
    pub(crate) seed: u64,
    /// Nanoseconds of the run's clock at the last call.
    pub(crate) now: u64,
    pub(crate) sessions: slab::Slots,
    pub(crate) mappings: slab::Slots,
    pub(crate) hosts: slab::Slots,
    pub(crate) lists: [List; Class::LISTS],
    /// Fills it up to a multiple of eight bytes.
    pub(crate) spare: u32,
}

/// The whole of it, as seen by one call.
pub(crate) struct Tables<'a> {
    pub(crate) head: &'a mut Head,
    pub(crate) sessions: Slab<'a, Session>,
    pub(crate) by_inside: Index<'a>,
    pub(crate) by_outside: Index<'a>,
    pub(crate) mappings: Slab<'a, Mapping>,
    pub(crate) mapped_inside: Index<'a>,
    pub(crate) mapped_outside: Index<'a>,
    pub(crate) hosts: Slab<'a, Host>,
    pub(crate) by_host: Index<'a>,
    /// A bit for each port of each protocol of each address: it is taken.
    pub(crate) ports: &'a mut [u64],
    /// A bit for each block of ports of each address.
    pub(crate) blocks: &'a mut [u64],
    /// How many ports are taken, of each protocol of each address, and behind these how many blocks.
    pub(crate) taken: &'a mut [u32],
}
