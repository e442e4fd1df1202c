//! Which port outside a new mapping gets.

use crate::config::Rules;
use crate::outcome::Drop;
use crate::pool::{Pool, Ports};
use crate::table::{BLOCKS_MAX, Tables};
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;

const PROTOCOLS: u32 = 3;
/// Counts of an address: of the ports of each protocol, and of its blocks.
const COUNTS: u32 = PROTOCOLS + 1;
/// Addresses that are looked at for one that has room for another host.
const SEARCH: u32 = 256;
const PORT_WORDS: u32 = 65_536 / 64;
/// Bits of the even ports.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// A block of ports that was given to a host, or has come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockOf {
    pub(crate) host: u32,
    pub(crate) outside: u32,
    pub(crate) ports: Ports,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The host's place in its table.
    pub(crate) host: u32,
    pub(crate) protocol: u8,
    /// The port inside.
    pub(crate) port: u16,
    /// The port outside that would be next to that of the host's port before this one.
    pub(crate) beside: Option<u16>,
}

/// The place of a protocol's bits; other protocols are not translated.
const fn protocol_number(number: u8) -> u32 {
    match number {
        protocol::TCP => 0,
        protocol::UDP => 1,
        _ => 2,
    }
}

/// The bits of the ports of one protocol of one address.
struct Bits<'a> {
    words: &'a mut [u64],
    taken: &'a mut u32,
}

impl Bits<'_> {
    fn is_free(&self, port: u16) -> bool {
        self.words.get(usize::from(port / 64)).is_some_and(|word| word >> (port % 64) & 1 == 0)
    }

    /// The first free port from `start` on to the end of the range, then from its beginning, among those of `mask`.
    fn free(&self, range: Ports, start: u16, mask: u64) -> Option<u16> {
        let behind = self.first_free(Ports { first: start, last: range.last }, mask);
        let before = || self.first_free(Ports { first: range.first, last: start }, mask);
        behind.or_else(before)
    }

    #[allow(clippy::cast_possible_truncation, reason = "a word has 64 bits, and all words 65,536")]
    fn first_free(&self, range: Ports, mask: u64) -> Option<u16> {
        let (first, last) = (range.first / 64, range.last / 64);
        for (at, word) in self.words.iter().enumerate().take(usize::from(last) + 1).skip(usize::from(first)) {
            let mut free = !word & mask;
            if at == usize::from(first) {
                free &= !0 << (range.first % 64);
            }
            if at == usize::from(last) {
                free &= !0 >> (63 - range.last % 64);
            }
            if free != 0 {
                return Some((at as u32 * 64 + free.trailing_zeros()) as u16);
            }
        }
        None
    }

    fn set(&mut self, port: u16, taken: bool) {
        let Some(word) = self.words.get_mut(usize::from(port / 64)) else { return };
        let bit = 1 << (port % 64);
        if (*word & bit != 0) != taken {
            *word ^= bit;
            *self.taken = if taken { self.taken.wrapping_add(1) } else { self.taken.wrapping_sub(1) };
        }
    }
}

impl Tables<'_> {
    fn bits(&mut self, address: u32, number: u8) -> Option<Bits<'_>> {
        let which = address * PROTOCOLS + protocol_number(number);
        let start = (which * PORT_WORDS) as usize;
        let words = self.ports.get_mut(start..start + PORT_WORDS as usize)?;
        let count = (address * COUNTS + protocol_number(number)) as usize;
        Some(Bits { words, taken: self.taken.get_mut(count)? })
    }

    /// A port for a new mapping: its address's number, and the port. It is taken from then on.
    ///
    /// A host has all its ports at one address (RFC 4787, REQ-2), and where there are blocks, in its blocks.
    pub(crate) fn take_port(
        &mut self,
        rules: &Rules,
        random: &mut Lcg64,
        wish: Wish,
        mut each_block: impl FnMut(BlockOf),
    ) -> Result<(u32, u16), Drop> {
        self.pair(rules, wish)?;
        let number = u32::from(self.hosts.at(wish.host).pool).wrapping_sub(1);
        let port = match rules.pool.blocks {
            None => self.choose(rules, random, number, wish, rules.pool.ports()),
            Some(_) => self.choose_in_blocks(rules, random, number, wish, &mut each_block),
        };
        let port = port.ok_or(Drop::PortsExhausted)?;
        self.bits(number, wish.protocol).ok_or(Drop::PortsExhausted)?.set(port, true);
        Ok((number, port))
    }

    /// Gives a port back.
    pub(crate) fn give_port(&mut self, address: u32, number: u8, port: u16) {
        if let Some(mut bits) = self.bits(address, number) {
            bits.set(port, false);
        }
    }

    /// Sees to it that a host has its address outside: the first one that has room, from one that follows from its own address.
    fn pair(&mut self, rules: &Rules, wish: Wish) -> Result<(), Drop> {
        let (host, pool) = (*self.hosts.at(wish.host), &rules.pool);
        if host.pool != 0 {
            return Ok(());
        }
        let (count, ports) = (pool.len(), pool.ports().len());
        let chosen = match pool.blocks {
            Some(blocks) if blocks.deterministic => {
                let number = rules.inside_number(host.address).ok_or(Drop::PortsExhausted)?;
                let (address, block) = (number / u64::from(pool.block_count()), number % u64::from(pool.block_count()));
                let entry = self.hosts.at_mut(wish.host);
                entry.blocks[0] = u16::try_from(block).unwrap_or_default();
                entry.block_count = 1;
                u32::try_from(address).ok().filter(|address| *address < count)
            }
            _ => {
                let start = if count == 0 { 0 } else { rules.spread(host.address) % count };
                let (which, most) = match pool.blocks {
                    Some(_) => (PROTOCOLS, pool.block_count()),
                    None => (protocol_number(wish.protocol), ports),
                };
                let mut some = (0..count.min(SEARCH)).map(|step| (start + step) % count);
                some.find(|address| {
                    self.taken.get((address * COUNTS + which) as usize).is_some_and(|taken| *taken < most)
                })
            }
        };
        let number = chosen.ok_or(Drop::PortsExhausted)?;
        self.hosts.at_mut(wish.host).pool = u16::try_from(number + 1).map_err(|_| Drop::PortsExhausted)?;
        Ok(())
    }

    /// A free port of a range: the one beside its sibling's, else the one that the host itself has, else one by chance.
    fn choose(&mut self, rules: &Rules, random: &mut Lcg64, address: u32, wish: Wish, range: Ports) -> Option<u16> {
        let bits = self.bits(address, wish.protocol)?;
        let wanted = [wish.beside.filter(|_| rules.contiguity), Some(wish.port).filter(|_| rules.preserve)];
        let fits = |port: &u16| range.contains(*port) && bits.is_free(*port);
        if let Some(port) = wanted.into_iter().flatten().find(fits) {
            return Some(port);
        }
        let start = range.first + u16::try_from(random.below(range.len().into())).unwrap_or_default();
        // Queries of ICMP have identifiers, which know no parity.
        let has_parity = rules.parity && wish.protocol != protocol::ICMP;
        let mask = if wish.port.is_multiple_of(2) { EVEN } else { !EVEN };
        let same = if has_parity { bits.free(range, start, mask) } else { None };
        same.or_else(|| bits.free(range, start, !0))
    }

    /// The same among the host's blocks; it gets one more where they are full.
    fn choose_in_blocks(
        &mut self,
        rules: &Rules,
        random: &mut Lcg64,
        address: u32,
        wish: Wish,
        each_block: &mut dyn FnMut(BlockOf),
    ) -> Option<u16> {
        let (pool, host) = (&rules.pool, *self.hosts.at(wish.host));
        let blocks = pool.blocks?;
        let count = usize::from(host.block_count).min(BLOCKS_MAX);
        for block in &host.blocks[..count] {
            let port = self.choose(rules, random, address, wish, pool.block((*block).into()));
            if port.is_some() {
                return port;
            }
        }
        if blocks.deterministic || host.block_count >= blocks.most {
            return None;
        }
        let block = self.free_block(pool, address)?;
        self.set_block(address, block, true);
        let entry = self.hosts.at_mut(wish.host);
        *entry.blocks.get_mut(count)? = u16::try_from(block).ok()?;
        entry.block_count += 1;
        let ports = pool.block(block);
        each_block(BlockOf { host: host.address, outside: pool.address(address), ports });
        self.choose(rules, random, address, wish, ports)
    }

    /// The first free block of an address.
    fn free_block(&self, pool: &Pool, address: u32) -> Option<u32> {
        let start = (address * PORT_WORDS) as usize;
        let words = self.blocks.get(start..start + PORT_WORDS as usize)?;
        let full = words.iter().take_while(|word| **word == !0).count();
        let block = u32::try_from(full).ok()? * 64 + words.get(full)?.trailing_ones();
        (block < pool.block_count()).then_some(block)
    }

    fn set_block(&mut self, address: u32, block: u32, taken: bool) {
        let Some(word) = self.blocks.get_mut((address * PORT_WORDS + block / 64) as usize) else { return };
        let bit = 1 << (block % 64);
        let count = self.taken.get_mut((address * COUNTS + PROTOCOLS) as usize);
        if let (Some(count), true) = (count, (*word & bit != 0) != taken) {
            *word ^= bit;
            *count = if taken { count.wrapping_add(1) } else { count.wrapping_sub(1) };
        }
    }

    /// Takes a host's blocks back.
    pub(crate) fn give_blocks(&mut self, pool: &Pool, host: u32, mut each: impl FnMut(BlockOf)) {
        let entry = *self.hosts.at(host);
        let is_chosen = pool.blocks.is_some_and(|blocks| !blocks.deterministic);
        let Some(address) = u32::from(entry.pool).checked_sub(1).filter(|_| is_chosen) else { return };
        for block in &entry.blocks[..usize::from(entry.block_count).min(BLOCKS_MAX)] {
            let block = u32::from(*block);
            self.set_block(address, block, false);
            each(BlockOf { host: entry.address, outside: pool.address(address), ports: pool.block(block) });
        }
        self.hosts.at_mut(host).block_count = 0;
        self.hosts.at_mut(host).pool = 0;
    }
}
