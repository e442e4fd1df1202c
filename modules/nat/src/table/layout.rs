//! Where each array lies in the memory.

use super::{Head, Host, Index, Mapping, Session, Slab, Tables};
use crate::config::FORWARDS_MAX;
use alloc::vec::Vec;
use perigee_guest::{Refusal, Region, Setup, Text};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Protocols that have ports of their own.
const PROTOCOLS: usize = 3;
/// Words of 64 bits for the ports of one protocol of one address.
pub(crate) const PORT_WORDS: usize = 65_536 / 64;

/// How much there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) sessions: u32,
    pub(crate) hosts: u32,
    /// Addresses outside that have dynamic ports.
    pub(crate) addresses: u32,
}

/// Lengths of all arrays, in entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    sessions: usize,
    session_chains: usize,
    mappings: usize,
    hosts: usize,
    host_chains: usize,
    addresses: usize,
}

/// The memory itself: the state region, or where there is none, as in native tests, the heap.
pub(crate) enum Memory {
    Region(Region),
    Heap(Vec<u64>),
}

impl Layout {
    pub(crate) fn new(sizes: Sizes) -> Self {
        let (sessions, hosts) = (sizes.sessions as usize, sizes.hosts as usize);
        Self {
            sessions: sessions + 1,
            session_chains: sessions.next_power_of_two(),
            // Each session may have a mapping of its own, and forwards have theirs without any.
            mappings: sessions + 1 + FORWARDS_MAX,
            hosts: hosts + 1,
            host_chains: hosts.next_power_of_two(),
            addresses: sizes.addresses as usize,
        }
    }

    /// Bytes of all of it.
    pub(crate) fn bytes(&self) -> usize {
        let sessions = self.sessions * size_of::<Session>() + 16 * self.session_chains;
        let mappings = self.mappings * size_of::<Mapping>();
        let hosts = self.hosts * size_of::<Host>() + 4 * self.host_chains;
        let ports = self.addresses * (8 * PORT_WORDS * (PROTOCOLS + 1) + 4 * (PROTOCOLS + 1));
        size_of::<Head>() + sessions + mappings + hosts + ports + 16 * 8
    }

    /// The memory for it.
    pub(crate) fn memory(&self, setup: &Setup<'_>) -> Result<Memory, Refusal> {
        let bytes = self.bytes();
        let Some(mut region) = setup.region() else {
            let mut words = Vec::new();
            words.try_reserve_exact(bytes / 8 + 1).map_err(|_| Refusal::new("no memory for the tables"))?;
            words.resize(bytes / 8 + 1, 0);
            return Ok(Memory::Heap(words));
        };
        let there = region.bytes().len();
        if there < bytes {
            let mut text = Text::<240>::from("sessions, hosts and pools: they take ");
            text.push_number(bytes as u64).push(" bytes, and the module's state region has ");
            text.push_number(there as u64).push(": configure fewer");
            return Err(text.into());
        }
        Ok(Memory::Region(region))
    }
}

impl Memory {
    /// The tables in it. Nothing where it is too small, which `Layout::memory` excludes.
    pub(crate) fn tables(&mut self, layout: &Layout) -> Option<Tables<'_>> {
        let mut rest = match self {
            Self::Region(region) => region.bytes(),
            Self::Heap(words) => words.as_mut_bytes(),
        };
        let head = carve::<Head>(&mut rest, 1)?.first_mut()?;
        let ports = carve(&mut rest, layout.addresses * PORT_WORDS * PROTOCOLS)?;
        let blocks = carve(&mut rest, layout.addresses * PORT_WORDS)?;
        let taken = carve(&mut rest, layout.addresses * (PROTOCOLS + 1))?;
        let mut chains = |which, count| Some(Index::new(carve(&mut rest, count)?, which));
        let (by_inside, by_outside) = (chains(0, layout.session_chains)?, chains(1, layout.session_chains)?);
        let (mapped_inside, mapped_outside) = (chains(0, layout.session_chains)?, chains(1, layout.session_chains)?);
        let by_host = chains(0, layout.host_chains)?;
        let sessions = Slab::new(carve(&mut rest, layout.sessions)?);
        let mappings = Slab::new(carve(&mut rest, layout.mappings)?);
        let hosts = Slab::new(carve(&mut rest, layout.hosts)?);
        Some(Tables {
            head,
            sessions,
            by_inside,
            by_outside,
            mappings,
            mapped_inside,
            mapped_outside,
            hosts,
            by_host,
            ports,
            blocks,
            taken,
        })
    }
}

/// Takes an array off the front. Each begins at a multiple of eight bytes.
fn carve<'a, T: FromBytes + IntoBytes + Immutable + KnownLayout>(
    rest: &mut &'a mut [u8],
    count: usize,
) -> Option<&'a mut [T]> {
    let len = count.checked_mul(size_of::<T>())?;
    let (front, behind) = core::mem::take(rest).split_at_mut_checked(len.next_multiple_of(8))?;
    *rest = behind;
    <[T]>::mut_from_bytes(front.get_mut(..len)?).ok()
}
