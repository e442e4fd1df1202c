//! The router's own ends: ports with addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Refusal;
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::state::{Address, Prefix, SECOND};
use perigee_guest::wire::Mac;

/// Most addresses of an interface and family.
pub(crate) const ADDRESSES: usize = 8;
/// The smallest MTU of a link with IPv6 (RFC 8200, section 5), and of one with IPv4 alone (RFC 791).
const SMALLEST_MTU6: u16 = 1280;
const SMALLEST_MTU4: u16 = 68;

/// An own address, and the prefix of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own<A> {
    pub(crate) address: A,
    pub(crate) prefix: Prefix<A>,
}

/// A port with addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub(crate) mac: Mac,
    /// The longest packet, from the IP header on.
    pub(crate) mtu: u16,
    v4: [Option<Own<Ipv4Addr>>; ADDRESSES],
    v6: [Option<Own<Ipv6Addr>>; ADDRESSES],
    /// The address that only this link knows, made of the MAC address.
    pub(crate) link_local: Ipv6Addr,
    /// It says on its link that it is a router.
    pub(crate) advertises: bool,
    /// When it says so next.
    pub(crate) next_advertisement: u64,
    pub(crate) last_advertisement: u64,
}

/// The interfaces, by the number of their port.
pub(crate) struct Interfaces {
    by_port: [Option<Interface>; MAX_PORTS],
    /// Their MAC addresses as numbers; [`NO_MAC`] where there is none.
    macs: [u64; MAX_PORTS],
}

/// No MAC address: those have 48 bits.
const NO_MAC: u64 = u64::MAX;

impl Interface {
    pub(crate) fn new(mac: Mac, mtu: u16, advertises: bool) -> Self {
        let link_local = link_local(mac);
        Self {
            mac,
            mtu,
            v4: [None; ADDRESSES],
            v6: [None; ADDRESSES],
            link_local,
            advertises,
            next_advertisement: 0,
            last_advertisement: 0,
        }
    }

    /// Adds an address with the length of its link's prefix, as `192.0.2.1/24`.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), Refusal> {
        let wrong = |why: &str| Refusal::from_parts(&["interfaces: address \"", text, "\" ", why]);
        let not_one = || wrong("is not an address with a length, such as \"192.0.2.1/24\" or \"2001:db8::1/64\"");
        let (address, len) = text.split_once('/').ok_or_else(not_one)?;
        let len: u8 = len.parse().map_err(|_| not_one())?;
        let no_place = || wrong("is one too many: an interface has 8 of each family");
        match address.parse().map_err(|_| not_one())? {
            IpAddr::V4(address) => {
                let prefix = Prefix::new(address, len).ok_or_else(not_one)?;
                if !is_host4(address) || len < 31 && (address == prefix.address() || address == prefix.last()) {
                    return Err(wrong("is not that of one host: take one inside the prefix"));
                }
                *self.v4.iter_mut().find(|place| place.is_none()).ok_or_else(no_place)? = Some(Own { address, prefix });
            }
            IpAddr::V6(address) => {
                let prefix = Prefix::new(address, len).ok_or_else(not_one)?;
                if address.is_unicast_link_local() {
                    return Err(wrong("is a link-local one, which the router makes itself of the port's MAC address"));
                }
                if !is_host6(address) || len < 127 && address == prefix.address() {
                    return Err(wrong("is not that of one host: take one inside the prefix"));
                }
                *self.v6.iter_mut().find(|place| place.is_none()).ok_or_else(no_place)? = Some(Own { address, prefix });
            }
        }
        Ok(())
    }

    /// Whether the MTU is one that its addresses allow.
    pub(crate) fn has_good_mtu(&self) -> bool {
        self.mtu >= if self.v6().next().is_some() { SMALLEST_MTU6 } else { SMALLEST_MTU4 }
    }

    pub(crate) fn v4(&self) -> impl Iterator<Item = &Own<Ipv4Addr>> + Clone {
        self.v4.iter().flatten()
    }

    pub(crate) fn v6(&self) -> impl Iterator<Item = &Own<Ipv6Addr>> + Clone {
        self.v6.iter().flatten()
    }

    pub(crate) fn has_v4(&self, address: Ipv4Addr) -> bool {
        self.v4().any(|own| own.address == address)
    }

    pub(crate) fn has_v6(&self, address: Ipv6Addr) -> bool {
        self.link_local == address || self.v6().any(|own| own.address == address)
    }

    /// The own address from which another is spoken to: one of the same link, or else the first.
    pub(crate) fn source4(&self, towards: Ipv4Addr) -> Option<Ipv4Addr> {
        let same = self.v4().find(|own| own.prefix.contains(towards));
        same.or_else(|| self.v4().next()).map(|own| own.address)
    }

    /// As [`Self::source4`]. Without a global address it is the link's.
    pub(crate) fn source6(&self, towards: Ipv6Addr) -> Ipv6Addr {
        if towards.is_unicast_link_local() {
            return self.link_local;
        }
        let same = self.v6().find(|own| own.prefix.contains(towards));
        same.or_else(|| self.v6().next()).map_or(self.link_local, |own| own.address)
    }

    /// Somebody has asked for an advertisement: it is due now, or three seconds behind the last one (RFC 4861, section 6.2.6).
    pub(crate) fn hasten(&mut self, now: u64) {
        let soonest = if self.last_advertisement == 0 { 0 } else { self.last_advertisement + 3 * SECOND };
        self.next_advertisement = self.next_advertisement.min(now.max(soonest));
    }

    /// Whether an address is one of the link's.
    pub(crate) fn reaches(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4().any(|own| own.prefix.contains(address)),
            IpAddr::V6(address) => address.is_unicast_link_local() || self.v6().any(|own| own.prefix.contains(address)),
        }
    }
}

impl Interfaces {
    pub(crate) fn new() -> Self {
        Self { by_port: [None; MAX_PORTS], macs: [NO_MAC; MAX_PORTS] }
    }

    /// Adds one, whose links may not overlap with those of others.
    pub(crate) fn add(&mut self, port: u16, interface: Interface) -> Result<(), Refusal> {
        let overlaps =
            self.iter().any(|(_, other)| overlap(interface.v4(), other.v4()) || overlap(interface.v6(), other.v6()));
        if overlaps {
            return Err(Refusal::new(
                "interfaces: two of them have prefixes that overlap: an address can be on one link only",
            ));
        }
        match self.by_port.get_mut(usize::from(port)) {
            Some(place @ None) => {
                *place = Some(interface);
                self.macs[usize::from(port)] = interface.mac.to_number();
            }
            Some(Some(_)) => return Err(Refusal::new("interfaces: two of them have the same port")),
            None => return Err(Refusal::new("interfaces: there is no such port: ports are numbered from 0")),
        }
        Ok(())
    }

    /// The MAC address of a port, as a number; one that nobody has where it has no interface.
    #[inline(always)]
    pub(crate) fn mac_number(&self, port: u16) -> u64 {
        self.macs.get(usize::from(port)).copied().unwrap_or(NO_MAC)
    }

    #[inline]
    pub(crate) fn get(&self, port: u16) -> Option<&Interface> {
        self.by_port.get(usize::from(port))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, port: u16) -> Option<&mut Interface> {
        self.by_port.get_mut(usize::from(port))?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Interface)> {
        (0..).zip(&self.by_port).filter_map(|(port, interface)| Some((port, interface.as_ref()?)))
    }

    /// The interface on whose link an address is.
    pub(crate) fn reaching(&self, address: IpAddr) -> Option<u16> {
        self.iter().find(|(_, interface)| interface.reaches(address)).map(|(port, _)| port)
    }
}

/// Whether two links have an address in common.
fn overlap<'a, A: Address + 'a>(
    mut ours: impl Iterator<Item = &'a Own<A>>,
    others: impl Iterator<Item = &'a Own<A>> + Clone,
) -> bool {
    ours.any(|own| {
        let contains =
            |other: &Own<A>| own.prefix.contains(other.prefix.address()) || other.prefix.contains(own.prefix.address());
        others.clone().any(contains)
    })
}

/// Modified EUI-64 of a MAC address behind `fe80::/64` (RFC 4291, appendix A).
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// RFC 1122, section 3.2.1.3: not "this" network, loopback, groups, nor what is reserved.
#[inline]
pub(crate) const fn is_host4(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// RFC 4291, section 2.5: not the unspecified and the loopback address, groups, nor IPv4's addresses in IPv6's form.
#[inline]
pub(crate) fn is_host6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    bits >> 32 != 0xffff && bits > 1 && bits >> 120 != 0xff
}
