//! What a packet is to a policer: whose, how long, and in which class of service.

use core::net::IpAddr;
use perigee_guest::state::{FiveTuple, FiveTuple4, FiveTuple6};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, checksum, ether_type, protocol};

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Bytes before it.
    pub(crate) start: usize,
    /// Its length.
    pub(crate) len: u64,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) dscp: u8,
}

/// Why a packet has no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// It is not IP.
    Other,
    /// It says that it is, and contradicts itself.
    Malformed,
}

impl Seen {
    /// Reads a frame.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Unseen> {
        let (number, start) = Ethernet::untagged(bytes).map_err(|_| Unseen::Malformed)?;
        match number {
            ether_type::IPV4 => {
                let ip = Ipv4::parse(&bytes[start..]).map_err(|_| Unseen::Malformed)?;
                let (source, destination) = (ip.source().into(), ip.destination().into());
                Ok(Self { start, len: ip.total_length().into(), source, destination, dscp: ip.dscp() })
            }
            ether_type::IPV6 => {
                let ip = Ipv6::parse(&bytes[start..]).map_err(|_| Unseen::Malformed)?;
                let (source, destination) = (ip.source().into(), ip.destination().into());
                let len = Ipv6::LEN as u64 + u64::from(ip.payload_length());
                Ok(Self { start, len, source, destination, dscp: ip.dscp() })
            }
            _ => Err(Unseen::Other),
        }
    }

    /// The flow of the packet, which was read from these bytes. Ports are 0 where the protocol has none, and in fragments, so that all
    /// fragments of two hosts and a protocol are one flow.
    pub(crate) fn flow(&self, bytes: &[u8]) -> FiveTuple {
        let packet = bytes.get(self.start..).unwrap_or_default();
        let (protocol, payload) = if self.source.is_ipv4() {
            Ipv4::parse(packet)
                .map_or((0, &[][..]), |ip| (ip.protocol(), if ip.is_fragment() { &[][..] } else { ip.payload }))
        } else {
            let carried = Ipv6::parse(packet).and_then(|ip| ip.carried(ip.payload));
            carried.map_or((0, &[][..]), |carried| {
                (carried.protocol, if carried.is_fragment { &[][..] } else { carried.payload })
            })
        };
        self.tuple(protocol, ports(protocol, payload))
    }

    /// All packets of the address that rates are for, as a flow.
    pub(crate) fn host(address: IpAddr) -> FiveTuple {
        let seen = Self { start: 0, len: 0, source: address, destination: address, dscp: 0 };
        seen.tuple(0, (0, 0))
    }

    fn tuple(&self, protocol: u8, (source_port, destination_port): (u16, u16)) -> FiveTuple {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                FiveTuple4 { source, destination, source_port, destination_port, protocol }.into()
            }
            (source, destination) => {
                let [source, destination] = [source, destination].map(|address| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                });
                FiveTuple6 { source, destination, source_port, destination_port, protocol }.into()
            }
        }
    }
}

fn ports(number: u8, payload: &[u8]) -> (u16, u16) {
    match (number, payload) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, &[a, b, c, d, ..]) => {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        _ => (0, 0),
    }
}

/// Writes another code point into an IP packet, whose ECN stays (RFC 3168), and corrects IPv4's checksum (RFC 1624).
pub(crate) fn remark(packet: &mut [u8], is_v4: bool, dscp: u8) {
    if !is_v4 {
        if let Ok((ip, _)) = Ipv6::split_mut(packet) {
            ip.set_dscp(dscp);
        }
        return;
    }
    let word = |packet: &[u8]| packet.first_chunk().map_or(0, |word| u16::from_be_bytes(*word));
    let before = word(packet);
    if let Ok((ip, _)) = Ipv4::split_mut(packet) {
        ip.set_dscp(dscp);
    }
    let after = word(packet);
    if let Ok((ip, _)) = Ipv4::split_mut(packet) {
        ip.set_checksum(checksum::update(ip.checksum(), before, after));
    }
}
