//! How long a frame's headers are, as far as it takes to leave them alone: Ethernet, VLAN tags, IPv4 and IPv6, UDP and TCP.

use perigee_core::frame::Frame;

/// Longest headers that are looked for: Ethernet, four tags, IPv6, TCP with all of its options.
pub(crate) const MOST: u32 = 14 + 4 * 4 + 40 + 60;

const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Bytes of the headers at the beginning of a frame. Where they end behind the frame, more than it has; what is not known is payload.
#[inline]
pub(crate) fn len(frame: &(impl Frame + ?Sized)) -> u32 {
    // What most packets are: UDP in IPv4 without options.
    if let Some([0x08, 0, 0x45, .., UDP]) = frame.bytes::<12>(12) {
        return 14 + 20 + 8;
    }
    match network(frame) {
        Some((IPV4, at)) => ipv4(frame, at),
        Some((IPV6, at)) => behind(frame, at + 40, byte(frame, at + 6)),
        Some((_, at)) => at,
        // Its type is behind its end.
        None => MOST,
    }
}

/// The type of what Ethernet carries, behind all tags, and where that begins; `None` where the frame ends before.
#[inline]
pub(crate) fn network(frame: &(impl Frame + ?Sized)) -> Option<(u16, u32)> {
    let mut at = 12;
    loop {
        let kind = frame.u16(at)?;
        at += 2;
        if !TAGS.contains(&kind) || at >= MOST {
            return Some((kind, at));
        }
        at += 2;
    }
}

#[inline]
fn ipv4(frame: &(impl Frame + ?Sized), at: u32) -> u32 {
    let header = byte(frame, at).map_or(20, |first| u32::from(first & 0xf) * 4).max(20);
    behind(frame, at + header, byte(frame, at + 9))
}

/// With the header of the protocol that IP carries.
#[inline]
fn behind(frame: &(impl Frame + ?Sized), at: u32, protocol: Option<u8>) -> u32 {
    match protocol {
        Some(UDP) => at + 8,
        Some(TCP) => at + byte(frame, at + 12).map_or(20, |offset| u32::from(offset >> 4) * 4).max(20),
        _ => at,
    }
}

#[inline]
fn byte(frame: &(impl Frame + ?Sized), at: u32) -> Option<u8> {
    frame.bytes::<1>(at).map(|[byte]| byte)
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
        assert_eq!(len(&*frame(&[IPV4], &v4)), 14 + 20 + 8);
        assert_eq!(len(&*frame(&[0x8100, IPV4], &v4)), 18 + 20 + 8);
        (v4[0], v4[9], v4[24 + 12]) = (0x46, TCP, 0x60);
        assert_eq!(len(&*frame(&[IPV4], &v4)), 14 + 24 + 24);
        let mut v6 = [0; 60];
        v6[6] = UDP;
        assert_eq!(len(&*frame(&[0x88a8, 0x8100, IPV6], &v6)), 22 + 40 + 8);
        assert_eq!(len(&*frame(&[0x88b5], &[0; 46])), 14);
        // Cut anywhere, no byte is looked at that is not there.
        let whole = frame(&[0x8100, IPV4], &v4);
        (0..whole.len()).for_each(|end| assert!(len(&whole[..end]) <= MOST));
    }
}
