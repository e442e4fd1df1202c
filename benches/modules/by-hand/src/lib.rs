//! Generators written by hand for what `./x bench --only fields` has the field engine make of a configuration: a mix of sizes, and a mix
//! of streams. In each packet a source address and a source port are drawn, and checksums follow.
#![no_std]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::vary::{Draw as _, Weighted};
use perigee_guest::wire::checksum::{self, Sum};
use perigee_guest::wire::{Ethernet, Ipv4, Stack, Tcp, Udp, protocol};
use perigee_guest::{Lcg64, Module, Refusal, Rooms, Setup, Verdict};

perigee_guest::module!(ByHand: generate, prefill; mailbox = 4 * KIB);

perigee_guest::stack! {
    /// Packets of the mix of sizes, and of the first stream.
    struct Datagram {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
    }
}

perigee_guest::stack! {
    /// Packets of the second stream.
    struct Segment {
        eth: Ethernet,
        ip: Ipv4,
        tcp: Tcp,
    }
}

/// Shortest packet, and the length of those of both streams.
const LEN: u16 = 60;
/// The simple IMIX.
const SIZES: [u16; 3] = [60, 566, 1514];
const SHARES: [u32; 3] = [7, 4, 1];
/// Packets of the two streams.
const STREAMS: [u32; 2] = [3, 1];
/// What a packet has before the bytes that its two lengths count.
const BEFORE_IP: u16 = 14;
const BEFORE_UDP: u16 = 34;

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Config {
    mix: Mix,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Mix {
    Sizes,
    Streams,
}

/// The generator.
pub struct ByHand {
    mix: Mix,
    random: Lcg64,
    sizes: Weighted<3>,
    streams: Weighted<2>,
    datagram: Template,
    segment: Template,
}

/// A packet whose source varies, and the sums of what stays, in the packet's order of bytes.
struct Template {
    bytes: [u8; LEN as usize],
    ip: u32,
    transport: u32,
}

impl Template {
    /// The place of the checksum in the transport's header is `at`.
    fn new<S: Stack>(number: u8, at: usize, mix: Mix, set: impl FnOnce(&mut S)) -> Result<Self, Refusal> {
        let mut bytes = [0; LEN as usize];
        S::fill(&mut bytes, set).map_err(|_| Refusal::new("the template does not fit"))?;
        let mut still = bytes;
        // What is added later: checksums, and lengths that vary.
        still[24..26].fill(0);
        still[34 + at..36 + at].fill(0);
        let mut len = (LEN - BEFORE_UDP).to_be_bytes();
        if mix == Mix::Sizes {
            still[16..18].fill(0);
            still[38..40].fill(0);
            len = [0; 2];
        }
        let ip = Sum::new().add(&still[14..34]).value();
        let transport = Sum::new().add(&still[26..]).add(&[0, number]).add(&len).value();
        Ok(Self { bytes, ip: ip.to_be().into(), transport: transport.to_be().into() })
    }
}

/// A source address and port, and their sums, in the packet's order of bytes.
struct Source {
    address: u32,
    port: u16,
    address_sum: u32,
}

impl Source {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "a port of the upper half")]
    fn draw(random: &mut Lcg64) -> Self {
        let (address, port) = random.pair(256, 32_768);
        let address = (0x0a00_0000 + address).to_be();
        Self { address, port: (0x8000 + port as u16).to_be(), address_sum: (address & 0xffff) + (address >> 16) }
    }
}

impl Module for ByHand {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let Config { mix } = setup.json()?;
        let datagram = Template::new::<Datagram>(protocol::UDP, 6, mix, |packet| {
            packet.ip.set_source([0; 4].into());
            packet.ip.set_destination([10, 1, 0, 1].into());
            packet.udp.set_source_port(0);
            packet.udp.set_destination_port(9);
        })?;
        let segment = Template::new::<Segment>(protocol::TCP, 16, mix, |packet| {
            packet.ip.set_source([0; 4].into());
            packet.ip.set_destination([10, 1, 0, 1].into());
            packet.tcp.set_source_port(0);
            packet.tcp.set_destination_port(80);
        })?;
        let (sizes, streams) = (Weighted::new(SHARES)?, Weighted::new(STREAMS)?);
        Ok(Self { mix, random: Lcg64::new(setup.seed()), sizes, streams, datagram, segment })
    }

    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        for mut packet in rooms.packets() {
            if packet.set_len(SIZES[2]) {
                let (head, rest) = packet.bytes_mut().split_at_mut(self.datagram.bytes.len());
                head.copy_from_slice(&self.datagram.bytes);
                rest.fill(0);
            }
        }
    }

    #[inline(always)]
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        match self.mix {
            Mix::Sizes => self.send_sizes(rooms),
            Mix::Streams => self.send_streams(rooms),
        }
    }
}

impl ByHand {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the number of a size")]
    fn send_sizes(&mut self, rooms: &mut Rooms<'_>) {
        let mut random = self.random;
        for mut packet in rooms.packets() {
            let len = SIZES[self.sizes.next(&mut random) as usize % SIZES.len()];
            if !packet.set_len(len) {
                break;
            }
            let Ok((headers, _)) = Datagram::of_mut(packet.bytes_mut()) else { break };
            let source = Source::draw(&mut random);
            let (total, udp) = (len - BEFORE_IP, len - BEFORE_UDP);
            headers.ip.set_source(source.address.to_ne_bytes().into());
            headers.ip.set_total_length(total);
            headers.udp.set_source_port(u16::from_be(source.port));
            headers.udp.set_length(udp);
            let ip = self.datagram.ip + source.address_sum + u32::from(total.to_be());
            headers.ip.set_checksum(u16::from_be(checksum::finish(ip)));
            let sum =
                self.datagram.transport + source.address_sum + u32::from(source.port) + 2 * u32::from(udp.to_be());
            headers.udp.set_checksum(checksum::for_udp(u16::from_be(checksum::finish(sum))));
            packet.finish(Verdict::NEXT);
        }
        self.random = random;
    }

    #[inline(always)]
    fn send_streams(&mut self, rooms: &mut Rooms<'_>) {
        let mut random = self.random;
        let Some(rooms) = rooms.sized::<{ LEN as usize }>(LEN) else { return };
        for mut room in rooms {
            let is_first = self.streams.next(&mut random) == 0;
            let template = if is_first { &self.datagram } else { &self.segment };
            let source = Source::draw(&mut random);
            let bytes = room.head_mut();
            *bytes = template.bytes;
            let ip = u16::from_be(checksum::finish(template.ip + source.address_sum));
            let sum = template.transport + source.address_sum + u32::from(source.port);
            let sum = u16::from_be(checksum::finish(sum));
            if is_first {
                let Ok((headers, _)) = Datagram::of_mut(bytes) else { continue };
                headers.ip.set_source(source.address.to_ne_bytes().into());
                headers.ip.set_checksum(ip);
                headers.udp.set_source_port(u16::from_be(source.port));
                headers.udp.set_checksum(checksum::for_udp(sum));
            } else {
                let Ok((headers, _)) = Segment::of_mut(bytes) else { continue };
                headers.ip.set_source(source.address.to_ne_bytes().into());
                headers.ip.set_checksum(ip);
                headers.tcp.set_source_port(u16::from_be(source.port));
                headers.tcp.set_checksum(sum);
            }
            room.finish(Verdict::NEXT);
        }
        self.random = random;
    }
}
