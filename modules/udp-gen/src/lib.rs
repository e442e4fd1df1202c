//! Generator: UDP packets whose source address and source port are random, from a prefilled template.
//!
//! The work per packet is what the configuration asks for and nothing else: the choice is made once per batch, and each
//! choice has a loop of its own ([`UdpGen::generate`]).
#![cfg_attr(not(test), no_std)]

mod config;
mod headers;
mod source;
mod template;
#[cfg(test)]
mod tests;

use config::{Checksum, Config, Fill, Vary};
use headers::Headers;
use perigee_guest::abi::tx_flags;
use perigee_guest::{Lcg64, Module, Refusal, Rooms, Setup, SizedRoom, Verdict};
use source::{Draw, Source};
use template::Template;

perigee_guest::module!(UdpGen: generate, prefill; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Packets made.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
}

/// A room as this module sees it: the headers can be written, the rest stays as prefilled.
type Room<'b> = SizedRoom<'b, { Headers::LEN }>;

/// The generator.
pub struct UdpGen {
    template: Template,
    work: Work,
    fill: Fill,
    /// Checksums that are asked of the way out.
    asked: u32,
    verdict: Verdict,
    /// Packets that may still be made.
    remaining: u64,
    random: Lcg64,
    source: Source,
}

/// What is done for each packet.
#[derive(Clone, Copy)]
enum Work {
    /// Nothing: the template goes out as it is.
    Nothing,
    /// The way out is asked for the checksums.
    Offload,
    /// A random source.
    Source,
    /// A random source; the way out is asked for the checksums.
    SourceOffload,
    /// A random source, and the IPv4 checksum for it.
    SourceIp,
    /// A random source, and both checksums for it.
    SourceIpUdp,
}

impl Module for UdpGen {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config = setup.json()?;
        config.check(setup)?;
        let udp = if config.udp_checksum { tx_flags::UDP_CHECKSUM } else { 0 };
        Ok(Self {
            template: Template::new(&config, setup),
            work: work(&config),
            fill: config.fill,
            asked: tx_flags::IPV4 | tx_flags::IP_CHECKSUM | udp,
            verdict: config.port.map_or(Verdict::NEXT, Verdict::tx),
            remaining: if config.count == 0 { u64::MAX } else { config.count },
            random: Lcg64::new(setup.seed()),
            source: Source::new(&config),
        })
    }

    #[inline(always)]
    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        let Some(rooms) = rooms.sized::<{ Headers::LEN }>(self.template.len()) else { return };
        for mut room in rooms {
            self.template.write(room.bytes_mut());
        }
    }

    #[inline(always)]
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        if self.fill == Fill::Always {
            self.prefill(rooms);
        }
        let asked = self.asked;
        match (self.work, self.source) {
            (Work::Nothing, _) => self.send(rooms, |_, _| {}),
            (Work::Offload, _) => self.send(rooms, |room, _| room.ask_checksums(asked, 14, 20)),
            (_, Source::Masked(source)) => self.send_from(rooms, source),
            (_, Source::Scaled(source)) => self.send_from(rooms, source),
        }
        if self.remaining == 0 {
            rooms.finish();
        }
    }
}

impl UdpGen {
    /// Packets from random sources.
    #[inline(always)]
    fn send_from(&mut self, rooms: &mut Rooms<'_>, source: impl Draw) {
        let (ip, udp, asked) = (self.template.ip_sum(), self.template.udp_sum(), self.asked);
        match self.work {
            Work::SourceOffload => self.send(rooms, |room, random| {
                source.draw(random).write(Headers::from_head_mut(room.head_mut()));
                room.ask_checksums(asked, 14, 20);
            }),
            Work::SourceIp => self.send(rooms, |room, random| {
                let (drawn, head) = (source.draw(random), Headers::from_head_mut(room.head_mut()));
                drawn.write(head);
                drawn.write_ip_checksum(head, ip);
            }),
            Work::SourceIpUdp => self.send(rooms, |room, random| {
                let (drawn, head) = (source.draw(random), Headers::from_head_mut(room.head_mut()));
                drawn.write(head);
                drawn.write_ip_checksum(head, ip);
                drawn.write_udp_checksum(head, udp);
            }),
            Work::Source | Work::Nothing | Work::Offload => {
                self.send(rooms, |room, random| source.draw(random).write(Headers::from_head_mut(room.head_mut())));
            }
        }
    }

    /// The loop over the rooms, once for each kind of work.
    #[inline(always)]
    fn send(&mut self, rooms: &mut Rooms<'_>, mut each: impl FnMut(&mut Room<'_>, &mut Lcg64)) {
        let Some(rooms) = rooms.sized::<{ Headers::LEN }>(self.template.len()) else { return };
        let rooms = rooms.limit(self.remaining);
        let sent = rooms.len() as u64;
        // The generator's state lives in a local variable, so that it is not stored for each packet.
        let (mut random, verdict) = (self.random, self.verdict);
        for mut room in rooms {
            each(&mut room, &mut random);
            room.finish(verdict);
        }
        self.random = random;
        self.remaining -= sent;
        PACKETS.add(sent);
        BYTES.add(sent * u64::from(self.template.len()));
    }
}

/// The work that the configuration asks for.
fn work(config: &Config) -> Work {
    match (config.vary, config.checksum) {
        (Vary::None, Checksum::Offload) => Work::Offload,
        (Vary::None, _) => Work::Nothing,
        (Vary::TwoFields, Checksum::Offload) => Work::SourceOffload,
        (Vary::TwoFields, Checksum::None) => Work::Source,
        (Vary::TwoFields, Checksum::Software) if config.udp_checksum => Work::SourceIpUdp,
        (Vary::TwoFields, Checksum::Software) => Work::SourceIp,
    }
}
