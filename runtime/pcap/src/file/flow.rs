//! Which of several readers a packet is for: packets of one flow, in both directions, are for the same one.

const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags that are looked behind.
const MOST_TAGS: usize = 4;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Protocols whose header begins with two ports: TCP, UDP, SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

/// The rx queue that a frame comes from, of so many.
pub fn queue(frame: &[u8], queues: usize) -> usize {
    if queues <= 1 {
        return 0;
    }
    let hash = u64::from(hash(frame));
    usize::try_from((hash * queues as u64) >> 32).unwrap_or(0)
}

/// A number that is the same for all packets of a flow and of its answers.
fn hash(frame: &[u8]) -> u32 {
    ip(frame).unwrap_or_else(|| {
        let (ends, rest) = (frame.get(..12).unwrap_or(&[]), frame.get(12..14).unwrap_or(&[]));
        let (to, from) = ends.split_at(ends.len() / 2);
        mixed([to, from], [&[], &[]], rest)
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// By addresses and, where there are any, by ports. Fragments have addresses alone.
fn ip(frame: &[u8]) -> Option<u32> {
    let mut at = 12;
    for _ in 0..MOST_TAGS {
        if TAGS.contains(&word(frame, at)?) {
            at += 4;
        }
    }
    let (kind, packet) = (word(frame, at)?, frame.get(at + 2..)?);
    let (ends, protocol, payload) = match kind {
        IPV4 => {
            let length = usize::from(packet.first()? & 0xf) * 4;
            let is_fragment = word(packet, 6)? & 0x3fff != 0;
            (packet.get(12..20)?, *packet.get(9)?, packet.get(length..).filter(|_| !is_fragment))
        }
        IPV6 => (packet.get(8..40)?, *packet.get(6)?, packet.get(40..)),
        _ => return None,
    };
    let ports = payload.filter(|_| WITH_PORTS.contains(&protocol)).and_then(|payload| payload.get(..4)).unwrap_or(&[]);
    let (from, to) = ends.split_at(ends.len() / 2);
    let (from_port, to_port) = ports.split_at(ports.len() / 2);
    // Behind IPv6's further headers stands the same protocol with and without them, but nobody looks for it.
    Some(mixed([from, to], [from_port, to_port], &[]))
}

/// FNV-1a over both ends, the smaller one first, and some more rounds, for queues are taken from the highest bits.
fn mixed(addresses: [&[u8]; 2], ports: [&[u8]; 2], rest: &[u8]) -> u32 {
    let mut ends = [(addresses[0], ports[0]), (addresses[1], ports[1])];
    ends.sort_unstable();
    let bytes = ends.iter().flat_map(|(address, port)| address.iter().chain(port.iter())).chain(rest);
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    u32::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod test {
    use super::*;

    fn udp(from: [u8; 4], to: [u8; 4], ports: [u8; 4], is_tagged: bool) -> Vec<u8> {
        let tag: &[u8] = if is_tagged { &[0x81, 0, 0, 5] } else { &[] };
        let ip = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0][..], &from, &to].concat();
        [&[2; 12], tag, &[8, 0], &ip, &ports, &[0, 8, 0, 0]].concat()
    }

    #[test]
    fn a_flow_and_its_answers_have_one_queue_and_flows_spread() {
        let mut counts = [0_u32; 4];
        for n in 0..=255 {
            let (a, b) = ([10, 0, 0, n], [10, 0, 1, 1]);
            let there = udp(a, b, [1, n, 0, 53], false);
            let back = udp(b, a, [0, 53, 1, n], false);
            let tagged = udp(a, b, [1, n, 0, 53], true);
            assert_eq!((queue(&there, 4), queue(&there, 4)), (queue(&back, 4), queue(&tagged, 4)));
            counts[queue(&there, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (40..90).contains(count)), "{counts:?}");
    }

    #[test]
    fn whatever_the_bytes_are_they_have_a_queue() {
        let whole = udp([1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4], true);
        for len in 0..=whole.len() {
            assert!(queue(&whole[..len], 3) < 3);
            assert_eq!(queue(&whole[..len], 1), 0);
        }
    }
}
