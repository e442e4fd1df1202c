//! What DPDK's testpmd does with a packet in its modes `csum` and `5tswap`, without tunnels: the same headers are read, and the same
//! bytes written. What is too short for a header goes back as far as it was understood; testpmd does not look.
#![cfg_attr(not(test), no_std)]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{checksum, ether_type, protocol};
use perigee_guest::{Batch, Module, Refusal, Setup};

perigee_guest::module!(TestpmdModes: process; mailbox = 4 * KIB);

/// Addresses of the next station and of the port, as testpmd has them by default.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];

/// A mode.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub enum Mode {
    /// New MAC addresses, and checksums of IPv4, UDP and TCP from their beginning. UDP without one stays without.
    Csum,
    /// MAC addresses, IP addresses and ports change places.
    #[serde(rename = "5tswap")]
    FiveTupleSwap,
}

/// What the module is told.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub struct TestpmdModes {
    mode: Mode,
}

impl Module for TestpmdModes {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        setup.json()
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        match self.mode {
            Mode::Csum => each(batch, fill_plain, fill),
            Mode::FiveTupleSwap => each(batch, swap_plain, swap),
        }
    }
}

/// The start of a packet with the headers of UDP in IPv4 and nothing between them.
type Head = [u8; 42];

/// Inlined once per mode, so that each is a loop of its own.  works on packets whose headers are at their usual places, and says whether
/// that was all.
#[inline(always)]
fn each(batch: &mut Batch<'_>, plain: impl Fn(&mut Head) -> bool, all: impl Fn(&mut [u8]) -> Option<()>) {
    for mut packet in batch {
        if !packet.head_mut().is_some_and(|head| is_plain(head) && plain(head)) {
            let _ = all(packet.bytes_mut());
        }
        packet.tx_back();
    }
}

fn is_plain(head: &Head) -> bool {
    head[12..15] == [8, 0, 0x45]
}

#[inline(always)]
fn swap_plain(head: &mut Head) -> bool {
    head[..12].rotate_left(6);
    head[26..34].rotate_left(4);
    if matches!(head[23], protocol::UDP | protocol::TCP) {
        head[34..38].rotate_left(2);
    }
    true
}

/// All but the checksum of what IPv4 carries, where it has one.
#[inline(always)]
fn fill_plain(head: &mut Head) -> bool {
    if head[23] == protocol::TCP || head[23] == protocol::UDP && head[40..] != [0, 0] {
        return false;
    }
    head[..12].copy_from_slice(&MACS);
    head[24..26].fill(0);
    let sum = checksum::finish(checksum::sum(&head[14..34]));
    head[24..26].copy_from_slice(&sum.to_be_bytes());
    true
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What Ethernet carries, behind all tags, and where that begins.
#[inline(always)]
fn carried(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut at = 12;
    loop {
        let kind = word(bytes, at)?;
        if !ether_type::is_tag(kind) {
            return Some((kind, at + 2));
        }
        at += 4;
    }
}

/// Two neighbours of N bytes change places.
#[inline(always)]
fn exchange<const N: usize>(bytes: &mut [u8], at: usize) -> Option<()> {
    let (one, rest) = bytes.get_mut(at..)?.split_first_chunk_mut::<N>()?;
    core::mem::swap(one, rest.first_chunk_mut()?);
    Some(())
}

#[inline(always)]
fn swap(bytes: &mut [u8]) -> Option<()> {
    exchange::<6>(bytes, 0)?;
    let (kind, at) = carried(bytes)?;
    let (protocol, behind) = match kind {
        ether_type::IPV4 => {
            exchange::<4>(bytes, at + 12)?;
            (*bytes.get(at + 9)?, at + header_len(*bytes.get(at)?))
        }
        ether_type::IPV6 => {
            exchange::<16>(bytes, at + 8)?;
            (*bytes.get(at + 6)?, at + 40)
        }
        _ => return Some(()),
    };
    if matches!(protocol, protocol::UDP | protocol::TCP) {
        exchange::<2>(bytes, behind)?;
    }
    Some(())
}

/// Of IPv4, by its first byte.
fn header_len(first: u8) -> usize {
    usize::from(first & 15) * 4
}

#[inline(always)]
fn fill(bytes: &mut [u8]) -> Option<()> {
    *bytes.first_chunk_mut()? = MACS;
    let (kind, at) = carried(bytes)?;
    let ip = bytes.get_mut(at..)?;
    match kind {
        ether_type::IPV4 => {
            let len = header_len(*ip.first()?);
            let header = ip.get_mut(..len)?;
            header.get_mut(10..12)?.fill(0);
            let sum = checksum::finish(checksum::sum(header));
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            let whole = usize::from(word(ip, 2)?);
            let (header, payload) = ip.get_mut(..whole)?.split_at_mut_checked(len)?;
            transport(*header.get(9)?, header.get(12..20)?, payload)
        }
        ether_type::IPV6 => {
            let len = usize::from(word(ip, 4)?);
            let (header, payload) = ip.get_mut(..40 + len)?.split_at_mut_checked(40)?;
            transport(*header.get(6)?, header.get(8..40)?, payload)
        }
        _ => Some(()),
    }
}

/// The checksum of TCP or UDP; `ends` are both addresses.
#[inline(always)]
fn transport(number: u8, ends: &[u8], payload: &mut [u8]) -> Option<()> {
    let place = match number {
        protocol::UDP if word(payload, 6)? != 0 => 6,
        protocol::TCP => 16,
        _ => return Some(()),
    };
    payload.get_mut(place..place + 2)?.fill(0);
    let (source, destination) = ends.split_at(ends.len() / 2);
    let sum = checksum::pseudo_header(source, destination, number, payload.len()) + checksum::sum(payload);
    let sum = checksum::finish(sum);
    let sum = if number == protocol::UDP { checksum::for_udp(sum) } else { sum };
    payload.get_mut(place..place + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests;
