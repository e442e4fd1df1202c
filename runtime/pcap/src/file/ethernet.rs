//! Frames of Ethernet, of packets that were captured without its header: raw IP, and what Linux captures on "any" interface.

use crate::capture::link_name;

/// What a file says of its packets' first bytes, by the list of LINKTYPE numbers.
pub(super) const ETHERNET: u16 = 1;
/// IP of either version; 12 and 14 are what some systems write for it.
const RAW: [u16; 3] = [101, 12, 14];
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const COOKED: u16 = 113;
const COOKED_2: u16 = 276;

const HEADER: usize = 14;
const TYPE_IPV4: u16 = 0x0800;
const TYPE_IPV6: u16 = 0x86dd;
/// Smaller numbers in a frame's third field are lengths.
const LEAST_TYPE: u16 = 0x0600;
/// What Linux writes for IEEE 802.2 (ETH_P_802_2), whose frames have a length there.
const LINUX_802_2: u16 = 4;

/// Addresses of frames whose own are not known: both administered locally, as examples and tests have them.
const DESTINATION: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A frame of Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header that it gets where the packet has none. Its EtherType is the packet's; its addresses are mostly made up.
    pub header: Option<[u8; HEADER]>,
    /// The bytes that follow: all of them, where the packet has a header of its own.
    pub rest: &'a [u8],
}

/// Packets of this type can be made frames.
pub(super) fn can_be(link: u16) -> bool {
    link == ETHERNET || RAW.contains(&link) || [IPV4, IPV6, COOKED, COOKED_2].contains(&link)
}

/// A type of links as people call it: `Raw IP (RAW)`.
pub fn name(link: u16) -> String {
    /// DLT_RAW, on most systems.
    const DLT_RAW: i32 = 12;
    link_name(if RAW.contains(&link) { DLT_RAW } else { link.into() })
}

/// The frame that a packet of this link is, or is made; `None` where it carries nothing that has a place in one, and for links of which
/// nothing makes a frame.
pub fn frame(link: u16, bytes: &[u8]) -> Option<Frame<'_>> {
    if link == ETHERNET {
        return Some(Frame { header: None, rest: bytes });
    }
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let made = |source: [u8; 6], kind: u16, skipped: usize| {
        let rest = bytes.get(skipped..)?;
        let kind = match kind {
            LEAST_TYPE.. => kind,
            LINUX_802_2 => u16::try_from(rest.len()).ok().filter(|len| *len < LEAST_TYPE)?,
            _ => return None,
        };
        let mut header = [0; HEADER];
        header[..6].copy_from_slice(&DESTINATION);
        header[6..12].copy_from_slice(&source);
        header[12..].copy_from_slice(&kind.to_be_bytes());
        Some(Frame { header: Some(header), rest })
    };
    if !can_be(link) {
        return None;
    }
    match link {
        COOKED => made(address(bytes, 4, 6), word(14)?, 16),
        COOKED_2 => {
            let length = u16::from(*bytes.get(11)?);
            made(address_of(bytes, 12, length), word(0)?, 20)
        }
        _ => {
            let kind = match bytes.first()? >> 4 {
                4 if link != IPV6 => TYPE_IPV4,
                6 if link != IPV4 => TYPE_IPV6,
                _ => return None,
            };
            made(SOURCE, kind, 0)
        }
    }
}

/// The sender's address, where its length, at `len_at`, is that of an Ethernet address.
fn address(bytes: &[u8], len_at: usize, at: usize) -> [u8; 6] {
    let length = bytes.get(len_at..len_at + 2).map_or(0, |b| u16::from(b[0]) << 8 | u16::from(b[1]));
    address_of(bytes, at, length)
}

fn address_of(bytes: &[u8], at: usize, length: u16) -> [u8; 6] {
    let own = bytes.get(at..at + 6).filter(|_| length == 6);
    own.and_then(|own| own.try_into().ok()).unwrap_or(SOURCE)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn packets_without_a_header_get_one() {
        let ip = [0x45, 0, 0, 20];
        let made = frame(101, &ip).unwrap();
        assert_eq!(made.header.unwrap(), [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        assert_eq!(made.rest, &ip[..]);
        assert_eq!(frame(229, &[0x60]).unwrap().header.unwrap()[12..], [0x86, 0xdd]);
        assert_eq!(
            (frame(229, &ip), frame(228, &[0x60]), frame(101, &[0x12]), frame(101, &[])),
            (None, None, None, None)
        );
        assert_eq!(frame(147, &ip), None);
    }

    #[test]
    fn cooked_packets_keep_their_senders() {
        let mut cooked = vec![0, 0, 0, 1, 0, 6, 9, 8, 7, 6, 5, 4, 0, 0, 0x08, 0x06, 0xaa];
        let made = frame(COOKED, &cooked).unwrap();
        assert_eq!((&made.header.unwrap()[6..], made.rest), (&[9, 8, 7, 6, 5, 4, 8, 6][..], &[0xaa][..]));
        cooked[5] = 0;
        assert_eq!(frame(COOKED, &cooked).unwrap().header.unwrap()[6..12], SOURCE);
        cooked[14..16].copy_from_slice(&[0, 4]);
        assert_eq!(frame(COOKED, &cooked).unwrap().header.unwrap()[12..], [0, 1], "a length");
        cooked[15] = 1;
        assert_eq!(frame(COOKED, &cooked), None);
        let second = [0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x60];
        let made = frame(COOKED_2, &second).unwrap();
        assert_eq!((&made.header.unwrap()[6..], made.rest), (&[1, 2, 3, 4, 5, 6, 0x86, 0xdd][..], &[0x60][..]));
        for len in 0..20 {
            assert_eq!(frame(COOKED_2, &second[..len]), None);
        }
    }
}
