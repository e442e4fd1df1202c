//! The packet that each room is filled with.

use crate::config::{Checksum, Config, PAYLOAD_MAX};
use crate::source::Drawn;
use perigee_guest::wire::{EtherType, Mac, checksum, ethernet, ipv4, protocol, udp};
use perigee_guest::{Setup, Text};

/// Ethernet, IPv4 and UDP.
pub(crate) const HEAD_LEN: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN + udp::HEADER_LEN;

/// Where in the headers the fields are that change.
pub(crate) mod at {
    use core::ops::Range;
    pub(crate) const IP_CHECKSUM: Range<usize> = 24..26;
    pub(crate) const SOURCE: Range<usize> = 26..30;
    pub(crate) const SOURCE_PORT: Range<usize> = 34..36;
    pub(crate) const UDP_CHECKSUM: Range<usize> = 40..42;
}

/// The template, and the sums over what does not change.
#[derive(Clone, Copy)]
pub(crate) struct Template {
    head: [u8; HEAD_LEN],
    payload: Text<PAYLOAD_MAX>,
    len: u16,
    ip_sum: u16,
    udp_sum: u16,
    has_udp_checksum: bool,
}

impl Template {
    pub(crate) fn new(config: &Config, setup: &Setup<'_>) -> Self {
        let head = headers(config, source_mac(config, setup));
        let udp_len = usize::from(config.size) - ethernet::HEADER_LEN - ipv4::HEADER_LEN;
        // The fields that change are left out of both sums: source address, source port, the checksums themselves.
        let ip_sum = checksum::sum(&head[14..26]) + checksum::sum(&head[30..34]);
        let udp_sum = checksum::pseudo_header(&[], &config.dst.octets(), protocol::UDP, udp_len)
            + checksum::sum(&head[36..])
            + checksum::sum(config.payload.as_bytes());
        let mut template = Self {
            head,
            payload: config.payload,
            len: config.size,
            ip_sum: checksum::fold(ip_sum),
            udp_sum: checksum::fold(udp_sum),
            has_udp_checksum: config.udp_checksum,
        };
        if config.checksum != Checksum::Offload {
            template.fill_checksums(Drawn::new(config.src, config.src_port));
        }
        template
    }

    /// Writes the checksums of a source into the headers.
    fn fill_checksums(&mut self, source: Drawn) {
        let (ip, udp) = (self.ip_sum(), self.udp_sum());
        source.write_ip_checksum(&mut self.head, ip);
        if self.has_udp_checksum {
            source.write_udp_checksum(&mut self.head, udp);
        }
    }

    /// Writes the whole packet: headers, payload, zeros.
    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let payload = self.payload.as_bytes();
        let (head, rest) = bytes.split_at_mut(HEAD_LEN);
        head.copy_from_slice(&self.head);
        let (text, zeros) = rest.split_at_mut(payload.len());
        text.copy_from_slice(payload);
        zeros.fill(0);
    }

    /// Length of the packet.
    pub(crate) fn len(&self) -> u16 {
        self.len
    }

    /// Sum of the IPv4 header without source address and checksum, for [`Drawn::write_ip_checksum`].
    pub(crate) fn ip_sum(&self) -> u32 {
        self.ip_sum.to_be().into()
    }

    /// Sum of pseudo header, UDP header and payload without source address, source port and checksum, for
    /// [`Drawn::write_udp_checksum`].
    pub(crate) fn udp_sum(&self) -> u32 {
        self.udp_sum.to_be().into()
    }
}

/// The configured address, or that of the port by which packets leave, or one of our own.
fn source_mac(config: &Config, setup: &Setup<'_>) -> Mac {
    let port = config.port.or(setup.next_port()).and_then(|port| setup.ports().get(usize::from(port)));
    let own = port.map(|port| Mac(port.mac)).filter(|mac| !mac.is_zero());
    config.src_mac.or(own).unwrap_or(Mac([0x02, 0, 0, 0, 0, 0x01]))
}

/// Ethernet, IPv4 and UDP for the first source, with checksums of 0.
fn headers(config: &Config, source: Mac) -> [u8; HEAD_LEN] {
    let ip_len = config.size - 14;
    let mut head = [0; HEAD_LEN];
    head[0..6].copy_from_slice(&config.dst_mac.0);
    head[6..12].copy_from_slice(&source.0);
    head[12..14].copy_from_slice(&EtherType::IPV4.0.to_be_bytes());
    // Version 4, five words of header, time to live 64.
    head[14] = 0x45;
    head[16..18].copy_from_slice(&ip_len.to_be_bytes());
    head[22] = 64;
    head[23] = protocol::UDP;
    head[at::SOURCE].copy_from_slice(&config.src.octets());
    head[30..34].copy_from_slice(&config.dst.octets());
    head[at::SOURCE_PORT].copy_from_slice(&config.src_port.to_be_bytes());
    head[36..38].copy_from_slice(&config.dst_port.to_be_bytes());
    head[38..40].copy_from_slice(&(ip_len - 20).to_be_bytes());
    head
}
