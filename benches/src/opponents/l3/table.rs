//! What the L3 forwarder in eBPF looks up in: DIR24-8, as DPDK's `rte_fib` has it, in memory that a program reads by its address.

use crate::functions::OWN;
use crate::functions::router::{HOPS, hop_mac};
use crate::natives::Route;
use anyhow::{Result, ensure};

/// An entry that names a group of the second table.
pub(super) const GROUP: u16 = 0x8000;
/// An entry that leads nowhere. Others are numbers of next hops.
pub(super) const NOTHING: u16 = 0x4000;
/// Bytes of a next hop: both MAC addresses, the MTU in the machine's order of bytes, two more.
pub(super) const HOP: usize = 16;
const MTU: u16 = 1_500;

/// Its three tables, of bytes.
#[derive(Debug)]
pub(super) struct Tables {
    /// By the upper 24 bits of a destination, two bytes each.
    pub(super) first: Vec<u8>,
    /// By the lower 8, of those destinations whose prefix is longer: groups of 256 entries.
    pub(super) second: Vec<u8>,
    /// Next hops: 256 places.
    pub(super) hops: Vec<u8>,
}

impl Tables {
    /// Of all routes.
    pub(super) fn new(routes: &[Route]) -> Result<Self> {
        let mut first = vec![NOTHING; 1 << 24];
        let mut second: Vec<u16> = Vec::new();
        let mut sorted: Vec<_> = routes.iter().collect();
        // Longer ones over shorter ones.
        sorted.sort_by_key(|route| route.len);
        for route in sorted {
            let at = (route.address >> 8) as usize;
            if route.len <= 24 {
                first[at..][..1 << (24 - route.len)].fill(route.hop.into());
                continue;
            }
            if first[at] & GROUP == 0 {
                let group = u16::try_from(second.len() / 256)?;
                ensure!(group < GROUP, "there are more long prefixes than groups");
                second.extend([first[at]; 256]);
                first[at] = GROUP | group;
            }
            let group = usize::from(first[at] & !GROUP) * 256;
            second[group + (route.address & 255) as usize..][..1 << (32 - route.len)].fill(route.hop.into());
        }
        // As long as a program may reach, whatever stands in the first table.
        second.resize(usize::from(GROUP) * 256, NOTHING);
        let bytes = |table: Vec<u16>| table.into_iter().flat_map(u16::to_le_bytes).collect();
        Ok(Self { first: bytes(first), second: bytes(second), hops: hops() })
    }

    /// As programs name them.
    pub(super) fn all(&self) -> [&[u8]; 3] {
        [&self.first, &self.second, &self.hops]
    }
}

fn hops() -> Vec<u8> {
    let mut hops = vec![0; 256 * HOP];
    for (hop, place) in (0..HOPS).zip(hops.chunks_mut(HOP)) {
        place[..6].copy_from_slice(&hop_mac(hop));
        place[6..12].copy_from_slice(&OWN[1]);
        place[12..14].copy_from_slice(&MTU.to_le_bytes());
    }
    hops
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::functions::router::draw;

    /// The longest prefix, one after the other.
    fn slow(routes: &[Route], to: u32) -> u16 {
        let fits = |route: &&Route| (route.address ^ to).checked_shr(32 - u32::from(route.len)).unwrap_or(0) == 0;
        routes.iter().filter(fits).max_by_key(|route| route.len).map_or(NOTHING, |route| route.hop.into())
    }

    #[test]
    fn longest_prefixes_are_those_of_a_search() {
        let routes = draw(3_000);
        let tables = Tables::new(&routes).unwrap();
        let entry = |table: &[u8], at: usize| u16::from_le_bytes([table[2 * at], table[2 * at + 1]]);
        let find = |to: u32| match entry(&tables.first, (to >> 8) as usize) {
            found if found & GROUP != 0 => {
                entry(&tables.second, usize::from(found & !GROUP) * 256 + (to & 255) as usize)
            }
            found => found,
        };
        let mut long = 0;
        for route in &routes {
            for to in [route.address, route.address | 1, route.address ^ (1 << (32 - route.len)), route.address + 77] {
                assert_eq!(find(to), slow(&routes, to), "{to:x}");
            }
            long += usize::from(route.len > 24);
        }
        assert!(long > 10, "{long}");
    }
}
