//! Where a test packet lies in a frame.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Range;
use perigee_guest::abi::rx_flags;
use perigee_guest::wire::checksum::{self, Sum};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Mac, Udp, ether_type, protocol};

/// Where a test packet lies in its frame, and what its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the IP header begins, behind the tags.
    pub ip: usize,
    /// Where the UDP header begins.
    pub udp: usize,
    /// Where the IP packet ends.
    pub end: usize,
    /// From whom.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// From which port.
    pub source_port: u16,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Differentiated services code point.
    pub dscp: u8,
    /// Explicit congestion notification.
    pub ecn: u8,
}

/// Why a frame is no test packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// It is something else.
    Other,
    /// Lengths contradict each other.
    Malformed,
    /// It is a part of a packet.
    Fragment,
    /// A checksum is wrong.
    BadChecksum,
}

impl Place {
    /// Finds the datagram to a UDP port in a frame, behind at most two tags, over IPv4 without options or IPv6 without extension
    /// headers, from one station to one. `known` are the packet's `rx_flags`: checksums that the port has checked are believed.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(frame: &[u8], port: u16, known: u32) -> Result<Self, NoPlace> {
        let eth = Ethernet::parse(frame).map_err(|_| NoPlace::Malformed)?;
        if !is_station(eth.source()) || !is_station(eth.destination()) {
            return Err(NoPlace::Other);
        }
        let (number, start) = Ethernet::untagged(frame).map_err(|_| NoPlace::Malformed)?;
        let rest = frame.get(start..).unwrap_or_default();
        match number {
            ether_type::IPV4 => Self::find_v4(rest, start, port, known),
            ether_type::IPV6 => Self::find_v6(rest, start, port, known),
            _ => Err(NoPlace::Other),
        }
    }

    fn find_v4(bytes: &[u8], start: usize, port: u16, known: u32) -> Result<Self, NoPlace> {
        let ip = Ipv4::parse(bytes).map_err(|_| NoPlace::Malformed)?;
        if ip.protocol() != protocol::UDP
            || !ip.variable.is_empty()
            || !is_host(ip.source())
            || !is_host(ip.destination())
        {
            return Err(NoPlace::Other);
        }
        if ip.is_fragment() {
            return Err(NoPlace::Fragment);
        }
        if known & rx_flags::IP_CHECKSUM_GOOD == 0 && !ip.checksum_is_good(ip.variable) {
            return Err(NoPlace::BadChecksum);
        }
        let (source, destination) = (ip.source().octets(), ip.destination().octets());
        let source_port = read_udp(ip.payload, port, &source, &destination, known)?;
        Ok(Self {
            ip: start,
            udp: start + Ipv4::LEN,
            end: start + Ipv4::LEN + ip.payload.len(),
            source: source.into(),
            destination: destination.into(),
            source_port,
            ttl: ip.ttl(),
            dscp: ip.dscp(),
            ecn: ip.ecn(),
        })
    }

    fn find_v6(bytes: &[u8], start: usize, port: u16, known: u32) -> Result<Self, NoPlace> {
        let ip = Ipv6::parse(bytes).map_err(|_| NoPlace::Malformed)?;
        if ip.next_header() == protocol::IPV6_FRAGMENT {
            return Err(NoPlace::Fragment);
        }
        if ip.next_header() != protocol::UDP || !is_node(ip.source()) || !is_node(ip.destination()) {
            return Err(NoPlace::Other);
        }
        let (source, destination) = (ip.source().octets(), ip.destination().octets());
        let source_port = read_udp(ip.payload, port, &source, &destination, known)?;
        Ok(Self {
            ip: start,
            udp: start + Ipv6::LEN,
            end: start + Ipv6::LEN + ip.payload.len(),
            source: source.into(),
            destination: destination.into(),
            source_port,
            ttl: ip.hop_limit(),
            dscp: ip.dscp(),
            ecn: ip.ecn(),
        })
    }

    /// Where the test packet lies in the frame.
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        self.udp + Udp::LEN..self.end
    }

    /// Writes lengths and checksums of IP and UDP anew.
    #[must_use]
    pub fn complete(&self, frame: &mut [u8]) -> Option<()> {
        let len = self.end.checked_sub(self.udp)?;
        let (head, datagram) = frame.get_mut(..self.end)?.split_at_mut_checked(self.udp)?;
        let head = head.get_mut(self.ip..)?;
        let udp_len = u16::try_from(len).ok()?;
        let pseudo = match self.source {
            IpAddr::V4(_) => {
                let (ip, _) = Ipv4::split_mut(head).ok()?;
                ip.set_total_length(u16::try_from(Ipv4::LEN + len).ok()?);
                ip.fill_checksum(&[]);
                Sum::from_pseudo_header(&ip.source().octets(), &ip.destination().octets(), protocol::UDP, len)
            }
            IpAddr::V6(_) => {
                let (ip, _) = Ipv6::split_mut(head).ok()?;
                ip.set_payload_length(udp_len);
                Sum::from_pseudo_header(&ip.source().octets(), &ip.destination().octets(), protocol::UDP, len)
            }
        };
        let (udp, _) = Udp::split_mut(datagram).ok()?;
        udp.set_length(udp_len);
        udp.set_checksum(0);
        let sum = checksum::for_udp(pseudo.add(datagram).finish());
        let (udp, _) = Udp::split_mut(datagram).ok()?;
        udp.set_checksum(sum);
        Some(())
    }
}

/// The port from which a datagram comes, which must fill its IP packet.
fn read_udp(bytes: &[u8], port: u16, source: &[u8], destination: &[u8], known: u32) -> Result<u16, NoPlace> {
    let udp = Udp::parse(bytes).map_err(|_| NoPlace::Malformed)?;
    if udp.destination_port() != port {
        return Err(NoPlace::Other);
    }
    if usize::from(udp.length()) != bytes.len() || udp.source_port() == 0 {
        return Err(NoPlace::Malformed);
    }
    // Only IPv4 may do without a checksum.
    let is_good = match udp.checksum() {
        0 => source.len() == 4,
        _ if known & rx_flags::L4_CHECKSUM_GOOD != 0 => true,
        _ => Sum::from_pseudo_header(source, destination, protocol::UDP, bytes.len()).add(bytes).verify(),
    };
    if is_good { Ok(udp.source_port()) } else { Err(NoPlace::BadChecksum) }
}

/// Whether a station can have this MAC address.
fn is_station(mac: Mac) -> bool {
    !mac.is_multicast() && !mac.is_zero()
}

/// Whether a host can have this address.
#[must_use]
pub fn is_host(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..=255)
}

/// Whether a node can have this address.
#[must_use]
pub fn is_node(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && address.to_ipv4_mapped().is_none()
}
