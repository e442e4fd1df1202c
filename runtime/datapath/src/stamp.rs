//! The time of departure in a packet, where a module asks for it: 8 bytes, and two behind them that keep checksums right.

use perigee_core::judge::STAMP;
use perigee_dpdk::packet::Packet;

/// Where the place of the stamp stands among the layer lengths: in bits that have a meaning with tunnels only, for which no flag is set.
const SHIFT: u32 = 40;
const MASK: u64 = 0xffff << SHIFT;

/// Notes where in the packet the time is to be written.
pub(crate) fn set_place(packet: &mut Packet, place: u16) {
    packet.set_tx_offload(packet.tx_offload() & !MASK | u64::from(place) << SHIFT);
}

/// The packet has got so many bytes more at its front.
pub(crate) fn move_place(packet: &mut Packet, by: u16) {
    set_place(packet, place(packet).saturating_add(by));
}

#[allow(clippy::cast_possible_truncation, reason = "takes the 16 bits")]
fn place(packet: &Packet) -> u16 {
    (packet.tx_offload() >> SHIFT) as u16
}

/// Writes `time` where it is to stand. What the checksums over these bytes came to, they still come to.
pub(crate) fn write(packet: &mut Packet, time: u64) {
    let at = usize::from(place(packet));
    let mut old = [0; STAMP as usize];
    if packet.read_at(at, &mut old) {
        packet.write_at(at, &stamped(old, time));
    }
}

/// The bytes of a stamp in place of those that were there, with the same sum in one's complement (RFC 1071). The sum over pairs of
/// bytes is the same whether the first is the higher or the lower one of a pair, so the stamp may lie at any offset.
fn stamped(old: [u8; STAMP as usize], time: u64) -> [u8; STAMP as usize] {
    let mut new = [0; STAMP as usize];
    new[..8].copy_from_slice(&time.to_be_bytes());
    let rest = sum(&old) + u64::from(!fold(sum(&new)));
    new[8..].copy_from_slice(&fold(rest).to_be_bytes());
    new
}

fn sum(bytes: &[u8; STAMP as usize]) -> u64 {
    bytes.chunks_exact(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

#[allow(clippy::cast_possible_truncation, reason = "twice folded, sixteen bits are left")]
fn fold(sum: u64) -> u16 {
    let once = (sum >> 16) + (sum & 0xffff);
    ((once >> 16) + (once & 0xffff)) as u16
}

#[cfg(test)]
mod test {
    use super::*;

    /// The checksum of a datagram that has the bytes at an offset in it, by the plainest code.
    fn checksum(bytes: &[u8], offset: usize) -> u16 {
        let mut all = vec![0x5a; offset];
        all.extend_from_slice(bytes);
        all.resize(all.len().next_multiple_of(2), 0);
        let mut sum: u32 = all.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        u16::try_from(sum).unwrap()
    }

    #[test]
    fn a_checksum_over_the_stamp_stays_as_it_was_at_even_and_odd_offsets() {
        let times = [0, 1, 0xffff, 0x1_0000, 1_234_567_890_123, u64::MAX];
        let olds = [[0; 10], [0xff; 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]];
        for (time, old) in times.into_iter().flat_map(|time| olds.map(|old| (time, old))) {
            let new = stamped(old, time);
            assert_eq!(new[..8], time.to_be_bytes());
            for offset in [42, 43] {
                // Both zeros of one's complement are the same sum.
                let zero = |sum: u16| if sum == 0xffff { 0 } else { sum };
                assert_eq!(zero(checksum(&new, offset)), zero(checksum(&old, offset)), "{time} {old:?} {offset}");
            }
        }
    }
}
