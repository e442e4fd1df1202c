//! Verdicts: what becomes of a packet. The kind is the low byte, its argument the high half.

/// Free the packet. What the host writes before each call, so a packet that a module forgets is dropped.
pub const DROP: u32 = 0;
/// Pass it to the next stage of the chain; after the last stage, to the chain's first tx port.
pub const NEXT: u32 = 1;
/// Send it to a port; the argument is the port's number in the run.
pub const TX: u32 = 2;
/// Put it into a ring to another lcore; the argument is the ring's number in the run.
pub const RING: u32 = 3;
/// The module keeps it, and gives it back later through the output list.
pub const HOLD: u32 = 4;
/// The output list says what becomes of it; where it does not, the packet is dropped and counted.
pub const LISTED: u32 = 5;

/// The verdict that sends to port number `port`.
#[inline]
#[must_use]
pub const fn tx(port: u16) -> u32 {
    TX | (port as u32) << 16
}

/// The verdict that puts a packet into ring number `ring`.
#[inline]
#[must_use]
pub const fn ring(ring: u16) -> u32 {
    RING | (ring as u32) << 16
}

/// The kind of a verdict: its low half. Bits 8 to 15 are zero in every valid verdict.
#[inline]
#[must_use]
pub const fn kind(verdict: u32) -> u32 {
    verdict & 0xffff
}

/// The argument of a verdict: a port's or a ring's number.
#[inline]
#[must_use]
pub const fn argument(verdict: u32) -> u16 {
    (verdict >> 16) as u16
}
