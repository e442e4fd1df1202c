//! How cards reach packets: at which addresses, and through whose mapping. A card that writes where no packet is spoils memory
//! of others, and nothing counts it; so nothing here is believed that can be asked.

use super::pool::Pool;
use super::region::Region;
use perigee_core::lock;
use perigee_dpdk_sys as sys;
use perigee_machine::HugePages;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// What cards' addresses are (DPDK's "IOVA mode").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Those of this process, which an IOMMU translates.
    Virtual,
    /// The machine's: memory must lie in huge pages, which stay where they are, and follows on itself only within one.
    Physical,
}

impl Addressing {
    /// As EAL has decided at its start.
    pub fn now() -> Self {
        // SAFETY:
        // - EAL is started; it only reads what was decided.
        match unsafe { sys::rte_eal_iova_mode() } {
            sys::RTE_IOVA_PA => Self::Physical,
            _ => Self::Virtual,
        }
    }
}

/// A room as a card sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its first byte in this process, and its length.
    pub at: usize,
    /// Bytes of it.
    pub len: usize,
    /// Its first byte for a card.
    pub card: u64,
}

/// Bytes that follow each other for both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    at: usize,
    len: usize,
    card: u64,
}

/// The address of a byte of this process's for a card; `None` where there is none that lasts.
fn address_of(addressing: Addressing, at: usize) -> Option<u64> {
    match addressing {
        Addressing::Virtual => Some(at as u64),
        Addressing::Physical => {
            let pointer = std::ptr::without_provenance::<libc::c_void>(at);
            // SAFETY:
            // - any address may be asked for; nothing is read behind it.
            let card = unsafe { sys::rte_mem_virt2iova(pointer) };
            // With no right to see them the kernel shows all physical addresses as 0.
            (card != u64::MAX && card != 0).then_some(card)
        }
    }
}

/// Looks at all rooms of a pool: a card that gets the address of a room's first byte must find its last byte where this
/// process has it.
///
/// # Errors
/// The number of rooms of which that does not hold, in words.
pub fn check(pool: &Pool, addressing: Addressing) -> Result<(), String> {
    let wrong = count_wrong(&pool.rooms(), |at| address_of(addressing, at));
    if wrong == 0 {
        return Ok(());
    }
    Err(format!(
        "{wrong} of {} rooms of the pool {} do not lie where a card would look for them: it would write into memory of others. \
         Cards that reach physical addresses need rooms in huge pages, and CAP_SYS_ADMIN to see where these are; with an \
         IOMMU and vfio-pci they need neither",
        pool.size(),
        pool.name()
    ))
}

fn count_wrong(rooms: &[Room], address_of: impl Fn(usize) -> Option<u64>) -> usize {
    /// The smallest page that there is: within one, bytes follow each other.
    const PAGE: usize = 4_096;
    let is_right = |room: &Room| {
        let last = room.at + room.len.max(1) - 1;
        // Every page that it has a part of is asked for, by the first byte of that part.
        let starts = (room.at / PAGE + 1..=last / PAGE).map(|page| page * PAGE);
        std::iter::once(room.at).chain(starts).all(|at| address_of(at) == Some(room.card + (at - room.at) as u64))
    };
    rooms.iter().filter(|room| !is_right(room)).count()
}

/// A region as few pieces, each of which follows on itself for a card.
fn pieces(base: usize, len: usize, page: usize, address_of: impl Fn(usize) -> Option<u64>) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for at in (base..base + len).step_by(page) {
        let (card, len) = (address_of(at)?, page.min(base + len - at));
        match pieces.last_mut() {
            Some(last) if last.card + last.len as u64 == card => last.len += len,
            _ => pieces.push(Piece { at, len, card }),
        }
    }
    Some(pieces)
}

/// Regions that a card reaches. Dropped, it reaches them no more: before the device is removed.
#[derive(Debug)]
pub(super) struct Mapped {
    port: u16,
    is_shared: bool,
    pieces: Vec<Piece>,
}

/// What is mapped for all cards of vfio's together: they share one container, so that the first maps and the last unmaps.
static SHARED: Mutex<BTreeMap<usize, u32>> = Mutex::new(BTreeMap::new());

fn shared() -> MutexGuard<'static, BTreeMap<usize, u32>> {
    lock(&SHARED)
}

impl Mapped {
    /// Lets the card of a port reach regions. Before it is started: from then on it may write. `is_shared` where vfio has it.
    ///
    /// # Errors
    /// What the kernel said, and what to do.
    pub(super) fn new<'a>(
        port: u16,
        is_shared: bool,
        regions: impl Iterator<Item = &'a Region>,
    ) -> Result<Self, String> {
        let mut mapped = Self { port, is_shared, pieces: Vec::new() };
        let addressing = Addressing::now();
        for region in regions {
            let (base, len) = (region.base(), region.len());
            let page = if addressing == Addressing::Virtual { len } else { HugePages::SIZE };
            let pieces = pieces(base, len, page, |at| address_of(addressing, at));
            let pieces =
                pieces.ok_or("where the rooms lie in physical memory, this process may not see (CAP_SYS_ADMIN)")?;
            pieces.into_iter().try_for_each(|piece| mapped.add(piece))?;
        }
        Ok(mapped)
    }

    fn add(&mut self, piece: Piece) -> Result<(), String> {
        if self.is_shared
            && let Some(users) = shared().get_mut(&piece.at)
        {
            *users += 1;
            self.pieces.push(piece);
            return Ok(());
        }
        let address = std::ptr::without_provenance_mut(piece.at);
        // SAFETY:
        // - the piece is memory of a region, which is registered with DPDK and outlives the mapping.
        let code = unsafe { sys::rte_dev_dma_map(device_of(self.port), address, piece.card, piece.len) };
        // SAFETY:
        // - reads a per-thread variable.
        let errno = unsafe { sys::perigee_errno() };
        match code {
            // Nothing stands between such a card and memory (uio), or its driver maps what it is given by itself.
            code if code < 0 && errno == libc::ENOTSUP => Ok(()),
            code if code < 0 => Err(refused(piece, &super::strerror(errno))),
            _ => {
                if self.is_shared {
                    shared().insert(piece.at, 1);
                }
                self.pieces.push(piece);
                Ok(())
            }
        }
    }
}

fn refused(piece: Piece, reason: &str) -> String {
    format!(
        "{} MiB of packets cannot be mapped for DMA at {:#x}: {reason}. Usual causes: too little memory may be locked (`ulimit \
         -l`, or CAP_IPC_LOCK); an IOMMU with few address bits; more than 256 pieces of memory, if eal_args ask for \
         --iova-mode=pa",
        piece.len >> 20,
        piece.card
    )
}

fn device_of(port: u16) -> *mut sys::rte_device {
    let mut info = sys::rte_eth_dev_info::default();
    // SAFETY:
    // - the port exists, and info is a valid place for the answer.
    unsafe { sys::rte_eth_dev_info_get(port, &raw mut info) };
    info.device
}

impl Drop for Mapped {
    fn drop(&mut self) {
        for piece in &self.pieces {
            if self.is_shared {
                let mut shared = shared();
                let users = shared.get(&piece.at).copied().unwrap_or(1);
                if users > 1 {
                    shared.insert(piece.at, users - 1);
                    continue;
                }
                shared.remove(&piece.at);
            }
            let address = std::ptr::without_provenance_mut(piece.at);
            // SAFETY:
            // - mapped in `add` with the same numbers; the port is stopped and not removed yet.
            let code = unsafe { sys::rte_dev_dma_unmap(device_of(self.port), address, piece.card, piece.len) };
            if code < 0 {
                tracing::debug!(port = self.port, "rte_dev_dma_unmap: {}", super::last_error());
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const HUGE: usize = HugePages::SIZE;
    const BASE: usize = 1 << 38;
    /// Frames of 2 MiB in the order in which a machine gave them that had run for a while.
    const SHUFFLED: [u64; 7] = [47, 323, 136, 137, 356, 203, 85];

    fn physical(at: usize) -> Option<u64> {
        let page = (at - BASE) / HUGE;
        Some(SHUFFLED.get(page)? * HUGE as u64 + (at % HUGE) as u64)
    }

    #[test]
    fn rooms_over_a_border_of_pages_are_found() {
        let room = |at: usize| Room { at, len: 2_240, card: physical(at).unwrap() };
        // One that ends at a border, one behind it, one over a border whose sides follow each other.
        assert_eq!(
            count_wrong(&[room(BASE + HUGE - 2_240), room(BASE + HUGE), room(BASE + 3 * HUGE - 64)], physical),
            0
        );
        assert_eq!(count_wrong(&[room(BASE + HUGE - 64), room(BASE + 5 * HUGE - 2_239)], physical), 2);
        // In small pages each may lie elsewhere, and one that is not told lies nowhere.
        let small = |at: usize| Some(((at / 4_096) as u64 ^ 1) * 4_096 + (at % 4_096) as u64);
        let long = Room { at: 2_048, len: 9_152, card: small(2_048).unwrap() };
        assert_eq!((count_wrong(&[long], small), count_wrong(&[long], |_| None)), (1, 1));
    }

    #[test]
    fn pages_that_follow_each_other_are_mapped_as_one() {
        let found = pieces(BASE, 7 * HUGE, HUGE, physical).unwrap();
        let wanted: Vec<_> =
            found.iter().map(|piece| (piece.at - BASE, piece.len)).map(|(a, l)| (a / HUGE, l / HUGE)).collect();
        assert_eq!(wanted, [(0, 1), (1, 1), (2, 2), (4, 1), (5, 1), (6, 1)]);
        let whole = pieces(BASE, 3 * HUGE + 4_096, 3 * HUGE + 4_096, |at| Some(at as u64)).unwrap();
        assert_eq!(whole, [Piece { at: BASE, len: 3 * HUGE + 4_096, card: BASE as u64 }]);
        assert_eq!(pieces(BASE, 8 * HUGE, HUGE, physical), None);
    }
}
