//! The packet that each room is filled with.

use crate::config::{Checksum, Config, PAYLOAD_MAX};
use crate::headers::Headers;
use crate::source::Drawn;
use perigee_guest::wire::checksum::Sum;
use perigee_guest::wire::zerocopy::IntoBytes as _;
use perigee_guest::wire::{Mac, Stack as _, protocol};
use perigee_guest::{Setup, Text};

/// The template, and the sums over what does not change.
#[derive(Clone, Copy)]
pub(crate) struct Template {
    headers: Headers,
    payload: Text<PAYLOAD_MAX>,
    len: u16,
    ip_sum: u16,
    udp_sum: u16,
    has_udp_checksum: bool,
}

impl Template {
    pub(crate) fn new(config: &Config, setup: &Setup<'_>) -> Self {
        let headers = headers(config, source_mac(config, setup));
        // What changes is left out of both sums: source address, source port, the checksums themselves.
        let mut fixed = headers;
        fixed.ip.set_source([0; 4].into());
        fixed.udp.set_source_port(0);
        let udp_len = headers.udp.length().into();
        let udp_sum = Sum::from_pseudo_header(&[], &config.dst.octets(), protocol::UDP, udp_len)
            .add(fixed.udp.as_bytes())
            .add(config.payload.as_bytes());
        let mut template = Self {
            headers,
            payload: config.payload,
            len: config.size,
            ip_sum: Sum::new().add(fixed.ip.as_bytes()).value(),
            udp_sum: udp_sum.value(),
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
        source.write_ip_checksum(&mut self.headers, ip);
        if self.has_udp_checksum {
            source.write_udp_checksum(&mut self.headers, udp);
        }
    }

    /// Writes the whole packet: headers, payload, zeros.
    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let Ok((headers, rest)) = Headers::of_mut(bytes) else { return };
        *headers = self.headers;
        let payload = self.payload.as_bytes();
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

/// The headers for the first source, with checksums of 0.
fn headers(config: &Config, source: Mac) -> Headers {
    let mut headers = Headers::initial();
    headers.eth.set_destination(config.dst_mac);
    headers.eth.set_source(source);
    headers.ip.set_source(config.src);
    headers.ip.set_destination(config.dst);
    headers.udp.set_source_port(config.src_port);
    headers.udp.set_destination_port(config.dst_port);
    // The configuration's check leaves no size for which there are no lengths.
    let _ = headers.set_lengths(config.size.into());
    headers
}
