//! How many bytes of memory DPDK's things take, known without asking it: so that what a configuration needs can be added up
//! before there is a port. `dpdk/` makes them of these sizes, and its tests compare.

use perigee_core::HEADROOM;
use perigee_machine::HugePages;

/// Rooms start at multiples of this, so a slot can name one by its offset in these units.
pub const ROOM_ALIGN: usize = perigee_abi::SLOT_UNIT as usize;

/// net_af_packet refuses smaller rooms (2,016 bytes behind the headroom).
const MIN_ROOM: usize = 2_048 + HEADROOM as usize;

/// What drivers put behind or in front of a frame in the room, which they ask for beyond the MTU: net_virtio's own header of 12
/// bytes, the frame check sequence of others.
const DRIVER: usize = 16;

/// Ethernet header and two VLAN tags, before the layer-3 packet.
pub const MAX_L2: usize = 14 + 8;

/// Lcores that DPDK has room for, and most packets in one's cache of a pool, as Debian builds it (`dpdk/pool.rs` compares).
pub const MAX_LCORE: u32 = 128;
/// Most packets in one lcore's cache of a pool.
pub const CACHE_MAX: u32 = 512;

/// Length of a room that holds `mtu` bytes of layer 3 behind headroom and tags. Rooms follow each other at this stride: an
/// odd multiple of 64 bytes, so that the rooms of a burst spread over all cache sets instead of a few.
pub fn room_len(mtu: u16) -> usize {
    let len = (usize::from(mtu) + MAX_L2 + usize::from(HEADROOM) + DRIVER).max(MIN_ROOM).next_multiple_of(ROOM_ALIGN);
    if len / ROOM_ALIGN % 2 == 1 { len } else { len + ROOM_ALIGN }
}

/// Bytes that a pool of `size` rooms takes of the region at most: no room crosses a border of huge pages, so one is lost at each.
pub fn pool_bytes(size: u32, room_len: usize) -> usize {
    let borders = size as usize / (HugePages::SIZE / room_len) + 1;
    ((size as usize + borders) * room_len).next_multiple_of(4_096)
}

/// Bytes of DPDK's memory that a pool of `size` headers takes at most: the headers, which no page of 4 KiB has a part of only,
/// the ring that they wait in, caches for each lcore that there can be.
pub fn header_bytes(size: u32) -> u64 {
    const HEADER: u64 = 64 + 128;
    u64::from(size).div_ceil(4_096 / HEADER) * 4_096 + beside_headers(size)
}

/// Bytes of DPDK's memory that an ordinary pool of `size` takes: one after the other, its rooms behind their headers.
pub fn own_bytes(size: u32, room_len: usize) -> u64 {
    // DPDK lengthens each a little, so that they spread over all memory channels.
    u64::from(size) * (64 + 128 + room_len as u64 + 128) + beside_headers(size)
}

fn beside_headers(size: u32) -> u64 {
    /// Pointers in a cache, twice the number that it is asked to have.
    const CACHE: u64 = 2 * 8 * CACHE_MAX as u64 + 128;
    let caches = if cache_size(size) == 0 { 0 } else { u64::from(MAX_LCORE) * CACHE };
    ring_bytes(size) + caches + (64 << 10)
}

/// The per-lcore cache: twice a burst of 64 and more for the pools that are usual, or each burst would go to the shared
/// ring; but an eighth of the pool at most, for what lies in one lcore's cache is out of the others' reach (up to one and a
/// half times its size).
pub fn cache_size(pool: u32) -> u32 {
    (pool / 8).min(CACHE_MAX)
}

/// Bytes of DPDK's memory that a ring of that many places takes: one more than these, as a power of two.
pub fn ring_bytes(size: u32) -> u64 {
    (u64::from(size) + 1).next_power_of_two() * 8 + 4_096
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn rooms_hold_the_mtu_and_spread_over_cache_sets() {
        for mtu in [68, 1_500, 1_522, 9_000, 16_000] {
            let room = room_len(mtu);
            assert!(room >= usize::from(mtu) + MAX_L2 + usize::from(HEADROOM));
            assert!(room >= 2_016 + 128);
            assert_eq!(room % 128, 64, "an odd multiple of 64");
        }
    }
}
