//! The packet that an error quotes.

use super::key::Key;
use crate::seen::{Addresses, Seen};
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::{ExtensionHeaders, Icmp, IcmpError, Ipv6, protocol};

/// Bytes of an error before what it quotes (RFC 792, RFC 4443).
const ERROR: usize = Icmp::LEN + IcmpError::LEN;

/// Addresses of the quoted packet, and its key. Its end is mostly cut off, so its lengths say nothing.
pub(super) fn read(seen: &Seen, bytes: &[u8]) -> Option<(Addresses, Key)> {
    let quote = bytes.get(usize::from(seen.transport) + ERROR..usize::from(seen.end))?;
    let (addresses, number, carried) = match seen.addresses {
        Addresses::V4(..) => v4(quote)?,
        Addresses::V6(..) => v6(quote)?,
    };
    let (key, _) = Key::new(addresses, number, seen.vlan, carried).ok()?;
    Some((addresses, key))
}

fn v4(quote: &[u8]) -> Option<(Addresses, u8, &[u8])> {
    let head = quote.first_chunk::<20>()?;
    let (version, words) = (head[0] >> 4, usize::from(head[0] & 15));
    // A later part has no ports.
    let offset = u16::from_be_bytes([head[6], head[7]]) & 0x1fff;
    if version != 4 || words < 5 || offset != 0 {
        return None;
    }
    let address = |at: usize| head[at..].first_chunk::<4>().map(|bytes| Ipv4Addr::from_octets(*bytes));
    Some((Addresses::V4(address(12)?, address(16)?), head[9], quote.get(words * 4..)?))
}

fn v6(quote: &[u8]) -> Option<(Addresses, u8, &[u8])> {
    let (head, rest) = quote.split_first_chunk::<{ Ipv6::LEN }>()?;
    if head[0] >> 4 != 6 {
        return None;
    }
    let mut headers = ExtensionHeaders::new(head[6], rest);
    for header in headers.by_ref() {
        let header = header.ok()?;
        let is_later = header.number == protocol::IPV6_FRAGMENT && {
            let word = header.bytes.get(2..4).and_then(|bytes| bytes.first_chunk());
            word.is_none_or(|word| u16::from_be_bytes(*word) >> 3 != 0)
        };
        if is_later {
            return None;
        }
    }
    let carried = headers.carried();
    let address = |at: usize| head[at..].first_chunk::<16>().map(|bytes| Ipv6Addr::from_octets(*bytes));
    Some((Addresses::V6(address(8)?, address(24)?), carried.protocol, carried.payload))
}
