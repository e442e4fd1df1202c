//! What counts of what a module says: the checks that a run and a trial share.

use perigee_abi::{PacketDesc, tx_flags, verdict};

/// Shortest packet that may leave a module: an Ethernet header. Some NICs stop at less.
pub const MIN_LEN: u16 = 14;

/// The bytes from `offset` of a room on lie in it whole, and are enough for a packet that may leave.
#[inline]
pub fn fits(offset: u32, len: u16, room_len: u16) -> bool {
    u64::from(offset) + u64::from(len) <= u64::from(room_len) && len >= MIN_LEN
}

/// A verdict, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is dropped.
    Drop,
    /// It goes to the next stage, or to the chain's port.
    Next,
    /// It leaves by the port of this number.
    Tx(u16),
    /// It goes into the ring of this number.
    Ring(u16),
    /// The module keeps it.
    Hold,
    /// The output list says it.
    Listed,
}

impl Way {
    /// `None` where there is no such verdict, or one that takes no argument has one.
    #[inline]
    pub fn of(v: u32) -> Option<Self> {
        match verdict::kind(v) {
            verdict::DROP if v == verdict::DROP => Some(Self::Drop),
            verdict::NEXT if v == verdict::NEXT => Some(Self::Next),
            verdict::TX => Some(Self::Tx(verdict::argument(v))),
            verdict::RING => Some(Self::Ring(verdict::argument(v))),
            verdict::HOLD if v == verdict::HOLD => Some(Self::Hold),
            verdict::LISTED if v == verdict::LISTED => Some(Self::Listed),
            _ => None,
        }
    }
}

/// Shortest headers: Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293).
const ETHERNET: u32 = 14;
const IPV4: u32 = 20;
/// Bytes of an IPv6 header.
pub const IPV6: u32 = 40;
const UDP: u32 = 8;
const TCP: u32 = 20;
/// DPDK keeps the first layer's length in seven bits.
pub const MAX_L2: u32 = 127;

/// The one question that all requests for checksums are asked, whatever does them: a driver believes the lengths, and would read
/// and write behind the packet by wrong ones. `asked` are the ABI's tx flags; a packet of `len` bytes has room for the IP header
/// that they name and for UDP's or TCP's behind it, and the flags do not contradict each other.
pub fn has_room(asked: u32, l2_len: u8, l3_len: u16, len: u16) -> bool {
    let (l2, l3) = (u32::from(l2_len), u32::from(l3_len));
    let ip = match asked & (tx_flags::IPV4 | tx_flags::IPV6) {
        tx_flags::IPV4 => IPV4,
        // IPv6 has no checksum of its own.
        tx_flags::IPV6 if asked & tx_flags::IP_CHECKSUM == 0 => IPV6,
        _ => return false,
    };
    let l4 = match asked & (tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM) {
        0 => 0,
        tx_flags::TCP_CHECKSUM => TCP,
        _ => UDP,
    };
    (ETHERNET..=MAX_L2).contains(&l2) && l3 >= ip && l2 + l3 + l4 <= len.into()
}

/// Bytes of a time of departure in a packet, and of what keeps checksums over it right (RFC 7820).
pub const STAMP: u16 = 8 + 2;

/// What a module asks for is known, contradicts nothing, and fits the packet.
#[inline]
pub fn makes_sense(desc: &PacketDesc) -> bool {
    let has = |bit: u32| desc.tx_flags & bit != 0;
    let fits = !has(tx_flags::STAMP) || desc.stamp.checked_add(STAMP).is_some_and(|end| end <= desc.len);
    if has(!tx_flags::ALL) || !fits || (has(tx_flags::TIME) && has(tx_flags::GAP)) {
        return false;
    }
    if !has(tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM) {
        return true;
    }
    let both_l4 = has(tx_flags::UDP_CHECKSUM) && has(tx_flags::TCP_CHECKSUM);
    !both_l4 && has_room(desc.tx_flags, desc.l2_len, desc.l3_len.into(), desc.len)
}
