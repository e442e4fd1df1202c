//! What identifies a packet at two places, as a number.

use crate::headers::{self, IPV4, IPV6};
use perigee_config::path::{FieldStart, Identity};
use perigee_core::frame::Frame;
use twox_hash::XxHash3_64;

/// Longest frame that is looked at: the largest MTU and some more.
const LONGEST: usize = 1 << 14;

/// Makes numbers of packets. Its buffer is taken at the start.
#[derive(Debug)]
pub(crate) struct Identifier {
    identity: Identity,
    seed: u64,
    bytes: Box<[u8]>,
}

impl Identifier {
    /// With a seed that is the same at both places, and another one in each run.
    pub(crate) fn new(identity: Identity, seed: u64) -> Self {
        let len = match identity {
            Identity::Ip => 64 + usize::from(Identity::BEHIND_IP),
            Identity::Field { len, .. } => usize::from(len),
            Identity::Payload | Identity::Frame => LONGEST,
        };
        Self { identity, seed, bytes: vec![0; len].into() }
    }

    /// The number of a frame; `None` where it has nothing that identifies it.
    #[inline]
    pub(crate) fn of(&mut self, frame: &impl Frame) -> Option<u64> {
        let len = match self.identity {
            Identity::Ip => self.ip(frame),
            Identity::Payload => {
                let at = headers::len(frame);
                self.part(frame, at, datagram_end(frame))
            }
            Identity::Frame => self.part(frame, 0, frame.len()),
            Identity::Field { from, offset, len } => {
                let at = match from {
                    FieldStart::Start => Some(offset.into()),
                    FieldStart::Payload => headers::len(frame).checked_add(offset.into()),
                    FieldStart::End => frame.len().checked_sub(offset.into()),
                }?;
                self.part(frame, at, at + u32::from(len))
            }
        }?;
        Some(XxHash3_64::oneshot_with_seed(self.seed, self.bytes.get(..len)?))
    }

    /// Copies a part of a frame that is not empty; returns its length.
    #[inline]
    fn part(&mut self, frame: &impl Frame, at: u32, end: u32) -> Option<usize> {
        let len = end.checked_sub(at).filter(|len| *len != 0)? as usize;
        copy(frame, at, self.bytes.get_mut(..len)?)?;
        Some(len)
    }

    /// What routers leave alone: not the time to live, the header's checksum, the class of traffic, nor options.
    #[inline]
    fn ip(&mut self, frame: &impl Frame) -> Option<usize> {
        let (kind, at) = headers::network(frame)?;
        let (fixed, behind) = match kind {
            IPV4 => {
                let header = frame.bytes::<20>(at)?;
                // Length, id and fragment; protocol; addresses.
                self.bytes[..6].copy_from_slice(&header[2..8]);
                self.bytes[6] = header[9];
                self.bytes[7..15].copy_from_slice(&header[12..]);
                (15, at + (u32::from(header[0] & 0xf) * 4).max(20))
            }
            IPV6 => {
                let header = frame.bytes::<40>(at)?;
                // Length and next header; addresses.
                self.bytes[..3].copy_from_slice(&header[4..7]);
                self.bytes[3..35].copy_from_slice(&header[8..]);
                (35, at + 40)
            }
            _ => return None,
        };
        let len = datagram_end(frame).saturating_sub(behind).min(Identity::BEHIND_IP.into()) as usize;
        copy(frame, behind, self.bytes.get_mut(fixed..fixed + len)?)?;
        Some(fixed + len)
    }
}

/// Where the IP datagram in a frame ends: behind it there may be padding, which is not the same everywhere. The frame's end where
/// there is none, or where it does not say.
#[inline]
fn datagram_end(frame: &impl Frame) -> u32 {
    let len = frame.len();
    let said = headers::network(frame).and_then(|(kind, at)| match kind {
        IPV4 => Some(at + u32::from(frame.u16(at + 2).filter(|total| *total >= 20)?)),
        IPV6 => Some(at + 40 + u32::from(frame.u16(at + 4).filter(|payload| *payload != 0)?)),
        _ => None,
    });
    said.filter(|end| *end <= len).unwrap_or(len)
}

/// Copies bytes from `at` on; `None` where they do not all lie in the frame.
#[inline]
fn copy(frame: &impl Frame, mut at: u32, to: &mut [u8]) -> Option<()> {
    let (wide, rest) = to.as_chunks_mut::<32>();
    for chunk in wide {
        *chunk = frame.bytes(at)?;
        at += 32;
    }
    let (words, rest) = rest.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = frame.bytes(at)?;
        at += 8;
    }
    for byte in rest {
        [*byte] = frame.bytes(at)?;
        at += 1;
    }
    Some(())
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    const UDP4: usize = 14 + 20 + 8;

    /// Frames have a size, which slices have not.
    struct Bytes<'a>(&'a [u8]);

    impl Frame for Bytes<'_> {
        fn len(&self) -> u32 {
            Frame::len(self.0)
        }

        fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
            self.0.bytes(at)
        }
    }

    /// A UDP packet of this payload behind IPv4 or IPv6, and padding.
    fn udp(version: u8, payload: &[u8], padding: usize) -> Vec<u8> {
        let mut frame = vec![2; 12];
        let len = u16::try_from(payload.len() + 8).unwrap();
        if version == 4 {
            frame.extend(IPV4.to_be_bytes());
            frame.extend([0x45, 0]);
            frame.extend((len + 20).to_be_bytes());
            frame.extend([7, 7, 0, 0, 64, 17, 0xaa, 0xbb, 10, 0, 0, 1, 10, 0, 0, 2]);
        } else {
            frame.extend(IPV6.to_be_bytes());
            frame.extend([0x60, 0, 0, 0]);
            frame.extend(len.to_be_bytes());
            frame.extend([17, 64]);
            frame.extend([1; 16]);
            frame.extend([2; 16]);
        }
        frame.extend([0, 1, 0, 2]);
        frame.extend(len.to_be_bytes());
        frame.extend([0xcc, 0xdd]);
        frame.extend(payload);
        frame.extend(vec![0; padding]);
        frame
    }

    fn id(identity: Identity, frame: &[u8]) -> Option<u64> {
        Identifier::new(identity, 9).of(&Bytes(frame))
    }

    /// Which bytes of a frame its identity depends on.
    fn bytes_of(identity: Identity, frame: &[u8]) -> Vec<usize> {
        let whole = id(identity, frame);
        let differs = |at: &usize| {
            let mut other = frame.to_vec();
            other[*at] ^= 1;
            id(identity, &other) != whole
        };
        (0..frame.len()).filter(differs).collect()
    }

    #[test]
    fn ip_is_what_routers_leave_alone() {
        let frame = udp(4, &[5; 100], 0);
        // Neither addresses of Ethernet, class, time to live nor the header's checksum; 64 bytes behind it.
        let named: Vec<usize> = (12..14).chain([16, 17, 18, 19, 20, 21, 23]).chain(26..34 + 64).collect();
        assert_eq!(bytes_of(Identity::Ip, &frame), named);
        let frame = udp(6, &[5; 20], 0);
        let named: Vec<usize> = (12..14).chain([18, 19, 20]).chain(22..82).collect();
        assert_eq!(bytes_of(Identity::Ip, &frame), named);
        // A tag and padding change nothing.
        let mut tagged = udp(4, &[1, 2, 3], 20);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(id(Identity::Ip, &tagged), id(Identity::Ip, &udp(4, &[1, 2, 3], 0)));
        assert!(id(Identity::Ip, &tagged).is_some());
        let mut arp = udp(4, &[1; 20], 0);
        arp[12..14].copy_from_slice(&[8, 6]);
        assert_eq!(id(Identity::Ip, &arp), None);
    }

    #[test]
    fn payloads_and_fields_lie_where_they_are_said_to() {
        let frame = udp(4, &[5; 10], 7);
        // The bytes that say where it ends belong to it, too: of another length, another part is looked at.
        let named = bytes_of(Identity::Payload, &frame);
        assert!((UDP4..UDP4 + 10).all(|at| named.contains(&at)), "{named:?}");
        assert!(
            (UDP4 + 10..frame.len()).chain(0..12).chain(22..34).all(|at| !named.contains(&at) || at == 23),
            "{named:?}"
        );
        assert_eq!(id(Identity::Payload, &udp(4, &[], 18)), None);
        assert_eq!(bytes_of(Identity::Frame, &frame).len(), frame.len());
        let field = |from, offset, len| Identity::Field { from, offset, len };
        assert_eq!(bytes_of(field(FieldStart::Start, 42, 4), &frame), [42, 43, 44, 45]);
        let end = frame.len();
        assert_eq!(bytes_of(field(FieldStart::End, 4, 3), &frame), [end - 4, end - 3, end - 2]);
        let behind = bytes_of(field(FieldStart::Payload, 2, 2), &frame);
        assert!(behind.ends_with(&[UDP4 + 2, UDP4 + 3]), "{behind:?}");
        // What is not all there identifies nothing.
        for identity in
            [field(FieldStart::Start, 57, 3), field(FieldStart::End, 60, 2), field(FieldStart::Payload, 16, 2)]
        {
            assert_eq!(id(identity, &frame), None, "{identity}");
        }
        assert!(id(field(FieldStart::Start, 57, 2), &frame).is_some());
    }

    #[test]
    fn another_seed_gives_other_numbers() {
        let frame = Bytes(&[5; 60]);
        let [one, other] = [1, 2].map(|seed| Identifier::new(Identity::Frame, seed).of(&frame));
        assert!(one.is_some() && other.is_some() && one != other);
    }

    proptest! {
        #[test]
        fn no_frame_is_too_odd(frame in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..4_usize, offset in 0..300_u16, len in 1..256_u16) {
            let mut frame = frame;
            if frame.len() > 14 {
                frame[12..14].copy_from_slice(&[[8, 0], [0x86, 0xdd], [0x81, 0], [9, 9]][kind]);
            }
            for identity in [Identity::Ip, Identity::Payload, Identity::Frame] {
                let _ = id(identity, &frame);
            }
            for from in [FieldStart::Start, FieldStart::Payload, FieldStart::End] {
                let _ = id(Identity::Field { from, offset, len }, &frame);
            }
        }
    }
}
