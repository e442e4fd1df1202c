//! How long a frame's headers are, as far as it takes to leave them alone: Ethernet, VLAN tags, IPv4 and IPv6, UDP and TCP.

/// Longest headers that are looked for: Ethernet, four tags, IPv6, TCP with all of its options.
pub(crate) const MOST: usize = 14 + 4 * 4 + 40 + 60;

const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Bytes of the headers at the beginning of a frame. Where they end behind what is given of it, more than that; what is not known is
/// payload.
#[inline]
pub(crate) fn len(frame: &[u8]) -> usize {
    let mut at = 12;
    loop {
        let Some(kind) = u16_at(frame, at) else { return at + 2 };
        at += 2;
        match kind {
            tag if TAGS.contains(&tag) => at += 2,
            IPV4 => return ipv4(frame, at),
            IPV6 => return behind(frame, at + 40, frame.get(at + 6)),
            _ => return at,
        }
    }
}

#[inline]
fn ipv4(frame: &[u8], at: usize) -> usize {
    let header = frame.get(at).map_or(20, |first| usize::from(first & 0xf) * 4).max(20);
    behind(frame, at + header, frame.get(at + 9))
}

/// With the header of the protocol that IP carries.
#[inline]
fn behind(frame: &[u8], at: usize, protocol: Option<&u8>) -> usize {
    match protocol {
        Some(&UDP) => at + 8,
        Some(&TCP) => at + frame.get(at + 12).map_or(20, |offset| usize::from(offset >> 4) * 4).max(20),
        _ => at,
    }
}

#[inline]
fn u16_at(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}

#[cfg(test)]
mod test {
    use super::*;

    fn frame(kinds: &[u16], rest: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for (i, kind) in kinds.iter().enumerate() {
            frame.extend(kind.to_be_bytes());
            if i + 1 < kinds.len() {
                frame.extend([0, 7]);
            }
        }
        frame.extend(rest);
        frame
    }

    #[test]
    fn headers_end_where_their_protocols_say() {
        let mut v4 = [0; 40];
        (v4[0], v4[9]) = (0x45, UDP);
        assert_eq!(len(&frame(&[IPV4], &v4)), 14 + 20 + 8);
        assert_eq!(len(&frame(&[0x8100, IPV4], &v4)), 18 + 20 + 8);
        (v4[0], v4[9], v4[24 + 12]) = (0x46, TCP, 0x60);
        assert_eq!(len(&frame(&[IPV4], &v4)), 14 + 24 + 24);
        let mut v6 = [0; 60];
        v6[6] = UDP;
        assert_eq!(len(&frame(&[0x88a8, 0x8100, IPV6], &v6)), 22 + 40 + 8);
        assert_eq!(len(&frame(&[0x88b5], &[0; 46])), 14);
        // Cut anywhere, no byte is looked at that is not there.
        let whole = frame(&[0x8100, IPV4], &v4);
        (0..whole.len()).for_each(|end| assert!(len(&whole[..end]) <= MOST));
    }
}
