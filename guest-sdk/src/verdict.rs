//! What becomes of a packet.

use perigee_abi::verdict;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict(u32);

impl Verdict {
    /// Free it.
    pub const DROP: Self = Self(verdict::DROP);
    /// Pass it to the next stage; after the last one, to the chain's first tx port.
    pub const NEXT: Self = Self(verdict::NEXT);

    /// Send it to a port.
    #[inline]
    #[must_use]
    pub const fn tx(port: u16) -> Self {
        Self(verdict::tx(port))
    }

    /// Put it into a ring to another lcore.
    #[inline]
    #[must_use]
    pub const fn ring(ring: u16) -> Self {
        Self(verdict::ring(ring))
    }

    /// As the host reads it.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// As the host reads it, back.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether the module itself drops the packet.
    #[inline]
    #[must_use]
    pub const fn is_drop(self) -> bool {
        self.0 == verdict::DROP
    }
}
