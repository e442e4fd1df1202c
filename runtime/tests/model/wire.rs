//! What the host's software does to a packet that is about to leave: checksums, then the tag.

use super::case::Asked;
use perigee_abi::tx_flags;

/// The bytes as they leave a port without hardware for it, from `headroom` bytes into the room; `None` where the request
/// does not fit the bytes.
pub(crate) fn finish(mut bytes: Vec<u8>, asked: Asked, headroom: usize) -> Option<Vec<u8>> {
    let has = |bit: u32| asked.flags & bit != 0;
    let (l2, l3) = (usize::from(asked.l2_len), usize::from(asked.l3_len));
    if has(tx_flags::UDP_CHECKSUM) {
        l4_checksum(&mut bytes, l2, l3, has(tx_flags::IPV4), &Protocol { number: 17, header: 8, field: 6 })?;
    }
    if has(tx_flags::TCP_CHECKSUM) {
        l4_checksum(&mut bytes, l2, l3, has(tx_flags::IPV4), &Protocol { number: 6, header: 20, field: 16 })?;
    }
    if has(tx_flags::IP_CHECKSUM) {
        let header = bytes.get_mut(l2..l2 + l3).filter(|header| header.len() >= 20)?;
        header[10..12].fill(0);
        let sum = !folded(total(header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    if has(tx_flags::VLAN_INSERT) {
        if headroom < 4 {
            return None;
        }
        bytes.splice(12..12, [[0x81, 0], asked.vlan.to_be_bytes()].concat());
    }
    Some(bytes)
}

struct Protocol {
    number: u8,
    header: usize,
    field: usize,
}

fn l4_checksum(bytes: &mut [u8], l2: usize, l3: usize, is_ipv4: bool, protocol: &Protocol) -> Option<()> {
    let l4 = l2 + l3;
    if l4 + protocol.header > bytes.len() || l3 < if is_ipv4 { 20 } else { 40 } {
        return None;
    }
    let ip = &bytes[l2..l4];
    // The header says which it is, and IPv4's how long it is.
    let (version, words) = (ip[0] >> 4, usize::from(ip[0] & 15));
    if if is_ipv4 { version != 4 || words * 4 != l3 } else { version != 6 } {
        return None;
    }
    let number = |at: usize| usize::from(u16::from_be_bytes([ip[at], ip[at + 1]]));
    // IPv4 says how long all is, IPv6 how long everything is behind its first 40 bytes.
    let (l4_len, addresses) =
        if is_ipv4 { (number(2).checked_sub(l3)?, &ip[12..20]) } else { (number(4).checked_sub(l3 - 40)?, &ip[8..40]) };
    if l4_len > bytes.len() - l4 || l4_len < protocol.header {
        return None;
    }
    let length = u16::try_from(l4_len).unwrap().to_be_bytes();
    let pseudo = total(addresses) + total(&length) + u64::from(protocol.number);
    let segment = &mut bytes[l4..];
    segment[protocol.field..protocol.field + 2].fill(0);
    let sum = !folded(pseudo + total(&segment[..l4_len]));
    // RFC 768: zero means that there is no checksum.
    let sum = if sum == 0 && protocol.number == 17 { 0xffff } else { sum };
    segment[protocol.field..protocol.field + 2].copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// The sum of all 16-bit words; an odd byte at the end is the high half of one.
fn total(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0))).sum()
}

/// Ones' complement: what does not fit into 16 bits is added again (RFC 1071).
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
