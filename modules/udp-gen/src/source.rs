//! Random sources: an IPv4 address and a UDP port from one draw.
//!
//! Everything here is in the byte order of the packet, as it lies in memory. That saves swapping: random bits have no
//! order, and the Internet checksum comes out right in either one, as long as all words are in the same.

use crate::config::Config;
use crate::headers::Headers;
use core::net::Ipv4Addr;
use perigee_guest::Lcg64;
use perigee_guest::wire::checksum;

/// Where sources come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// The counts are powers of two, and the first address and port multiples of them: bits are masked in.
    Masked(Masked),
    /// Any counts: a draw is scaled to them, and the sum swapped.
    Scaled(Scaled),
}

impl Source {
    /// The source that the configuration asks for, the fast one where it can be.
    #[allow(clippy::cast_possible_truncation, reason = "a count less one has as many bits as what is counted")]
    pub(crate) fn new(config: &Config) -> Self {
        let (address, port) = (u32::from(config.src), config.src_port);
        let address_mask = (config.src_count - 1) as u32;
        let port_mask = (config.src_port_count - 1) as u16;
        let aligned = address & address_mask == 0 && port & port_mask == 0;
        if config.src_count.is_power_of_two() && config.src_port_count.is_power_of_two() && aligned {
            let (first, mask) = (Drawn::of(address, port), Drawn::of(address_mask, port_mask));
            return Self::Masked(Masked { first: first.word(), mask: mask.word() });
        }
        Self::Scaled(Scaled {
            address,
            port: port.into(),
            addresses: config.src_count,
            ports: config.src_port_count.into(),
        })
    }
}

/// A way to draw a source.
pub(crate) trait Draw: Copy {
    /// A source.
    fn draw(self, random: &mut Lcg64) -> Drawn;
}

/// See [`Source::Masked`]. Address and port lie in one word ([`Drawn::word`]), so that both are masked at once.
#[derive(Clone, Copy)]
pub(crate) struct Masked {
    first: u64,
    mask: u64,
}

impl Draw for Masked {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the bits that are wanted")]
    fn draw(self, random: &mut Lcg64) -> Drawn {
        let word = random.next_u64() & self.mask | self.first;
        Drawn { address: (word >> 32) as u32, port: (word >> 16) as u16 }
    }
}

/// See [`Source::Scaled`].
#[derive(Clone, Copy)]
pub(crate) struct Scaled {
    address: u32,
    port: u32,
    addresses: u64,
    ports: u64,
}

impl Draw for Scaled {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "first and count are checked to end at 65,536")]
    fn draw(self, random: &mut Lcg64) -> Drawn {
        let (address, port) = random.pair(self.addresses, self.ports);
        let port = (self.port + port) as u16;
        Drawn { address: self.address.wrapping_add(address).to_be(), port: port.to_be() }
    }
}

/// A source, in the byte order of the packet.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    address: u32,
    port: u16,
}

impl Drawn {
    pub(crate) fn new(address: Ipv4Addr, port: u16) -> Self {
        Self::of(address.into(), port)
    }

    fn of(address: u32, port: u16) -> Self {
        Self { address: address.to_be(), port: port.to_be() }
    }

    /// The address in the upper half and the port below it, in bits 16 to 31, which are the better random bits.
    fn word(self) -> u64 {
        u64::from(self.address) << 32 | u64::from(self.port) << 16
    }

    /// Writes address and port.
    #[inline(always)]
    pub(crate) fn write(self, headers: &mut Headers) {
        headers.ip.set_source(self.address.to_ne_bytes().into());
        headers.udp.set_source_port(u16::from_be(self.port));
    }

    /// Writes the IPv4 checksum; `rest` is the sum of everything else, in the byte order of the packet.
    #[inline(always)]
    pub(crate) fn write_ip_checksum(self, headers: &mut Headers, rest: u32) {
        headers.ip.set_checksum(u16::from_be(checksum::finish(rest + self.sum())));
    }

    /// Writes the UDP checksum; `rest` is the sum of everything else, in the byte order of the packet.
    #[inline(always)]
    pub(crate) fn write_udp_checksum(self, headers: &mut Headers, rest: u32) {
        let value = checksum::for_udp(checksum::finish(rest + self.sum() + u32::from(self.port)));
        headers.udp.set_checksum(u16::from_be(value));
    }

    #[inline(always)]
    fn sum(self) -> u32 {
        (self.address >> 16) + (self.address & 0xffff)
    }
}
