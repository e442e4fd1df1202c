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

/// All packets that pass between two ends, in both directions: by addresses, protocol and, where there are any, ports; of frames that are
/// no IP by Ethernet addresses and type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    ends: [(Vec<u8>, Vec<u8>); 2],
    kind: Vec<u8>,
}

impl Flow {
    /// The flow of a frame.
    pub fn of(frame: &[u8]) -> Self {
        let parts = Parts::of(frame);
        let ends = parts.sorted().map(|(address, port)| (address.to_vec(), port.to_vec()));
        Self { ends, kind: parts.kind.to_vec() }
    }

    /// Whether a frame is one of its packets. Fragments have no ports: those between its addresses are.
    pub fn has(&self, frame: &[u8]) -> bool {
        let parts = Parts::of(frame);
        let sorted = parts.sorted();
        let mut ends = self.ends.iter().zip(sorted);
        let is_one = |ours: &[u8], theirs: &[u8]| ours.is_empty() || theirs.is_empty() || ours == theirs;
        parts.kind == self.kind && ends.all(|(ours, theirs)| ours.0 == theirs.0 && is_one(&ours.1, theirs.1))
    }
}

/// What tells a flow from others.
struct Parts<'a> {
    addresses: [&'a [u8]; 2],
    ports: [&'a [u8]; 2],
    /// IP's protocol; of what is no IP the frame's type.
    kind: &'a [u8],
    is_ip: bool,
}

impl<'a> Parts<'a> {
    fn of(frame: &'a [u8]) -> Self {
        ip(frame).unwrap_or_else(|| {
            let (ends, kind) = (frame.get(..12).unwrap_or(&[]), frame.get(12..14).unwrap_or(&[]));
            let (to, from) = ends.split_at(ends.len() / 2);
            Self { addresses: [to, from], ports: [&[], &[]], kind, is_ip: false }
        })
    }

    /// Both ends, the smaller one first.
    fn sorted(&self) -> [(&'a [u8], &'a [u8]); 2] {
        let mut ends = [(self.addresses[0], self.ports[0]), (self.addresses[1], self.ports[1])];
        ends.sort_unstable();
        ends
    }
}

/// A number that is the same for all packets of a flow and of its answers.
fn hash(frame: &[u8]) -> u32 {
    let parts = Parts::of(frame);
    mixed(parts.sorted(), if parts.is_ip { &[] } else { parts.kind })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// By addresses and, where there are any, by ports. Fragments have addresses alone.
fn ip(frame: &[u8]) -> Option<Parts<'_>> {
    let mut at = 12;
    for _ in 0..MOST_TAGS {
        if TAGS.contains(&word(frame, at)?) {
            at += 4;
        }
    }
    let (type_, packet) = (word(frame, at)?, frame.get(at + 2..)?);
    let (ends, kind, payload) = match type_ {
        IPV4 => {
            let length = usize::from(packet.first()? & 0xf) * 4;
            let is_fragment = word(packet, 6)? & 0x3fff != 0;
            (packet.get(12..20)?, packet.get(9..10)?, packet.get(length..).filter(|_| !is_fragment))
        }
        IPV6 => (packet.get(8..40)?, packet.get(6..7)?, packet.get(40..)),
        _ => return None,
    };
    let payload = payload.filter(|_| WITH_PORTS.contains(&kind[0]));
    let ports = payload.and_then(|payload| payload.get(..4)).unwrap_or(&[]);
    let (from, to) = ends.split_at(ends.len() / 2);
    let (from_port, to_port) = ports.split_at(ports.len() / 2);
    // Behind IPv6's further headers stands the same protocol with and without them, but nobody looks for it.
    Some(Parts { addresses: [from, to], ports: [from_port, to_port], kind, is_ip: true })
}

/// FNV-1a over both ends, the smaller one first, and some more rounds, for queues are taken from the highest bits.
fn mixed(ends: [(&[u8], &[u8]); 2], rest: &[u8]) -> u32 {
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
    fn a_flow_has_its_answers_and_fragments_and_nothing_else() {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let flow = Flow::of(&udp(a, b, [0, 1, 0, 2], false));
        assert!(flow.has(&udp(b, a, [0, 2, 0, 1], true)));
        assert!(!flow.has(&udp(b, a, [0, 1, 0, 2], false)), "the other one's ports");
        assert!(!flow.has(&udp(a, [10, 0, 0, 3], [0, 1, 0, 2], false)));
        let mut fragment = udp(b, a, [9, 9, 9, 9], false);
        fragment[20..22].copy_from_slice(&[0x20, 0x10]);
        assert!(flow.has(&fragment));
        fragment[23] = 6;
        assert!(!flow.has(&fragment), "another protocol");
        let arp = [&[1; 6][..], &[2; 6], &[8, 6, 0]].concat();
        let answer = [&[2; 6][..], &[1; 6], &[8, 6, 9]].concat();
        assert!(Flow::of(&arp).has(&answer) && !flow.has(&arp) && !flow.has(&[]));
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
