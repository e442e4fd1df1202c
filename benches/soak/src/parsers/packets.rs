//! Packets that are nearly right.

use super::subjects::{Function, Talk};
use crate::fuzz::Random;
use anyhow::{Context, Result};
use perigee_guest::wire::checksum;
use perigee_runtime::trial::Packet;
use std::net::Ipv6Addr;
use std::path::Path;

/// Ports, and MAC addresses of them as the trial gives them, before the last byte.
const PORTS: usize = 2;
const MAC: [u8; 5] = [0x02, 0, 0, 0, 0];
/// Longest packet.
const LONGEST: usize = 1_514;
/// Where the headers lie: behind Ethernet, no tag.
const IP: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What packets are made of.
pub(super) struct Packets {
    /// Sound ones: of all kinds that the corpus has, and those that mean something to the function.
    sound: Vec<Vec<u8>>,
    v4: Vec<[u8; 4]>,
    v6: Vec<[u8; 16]>,
    talks: Vec<Talk>,
}

impl Packets {
    pub(super) fn read(root: &Path, function: &Function) -> Result<Self> {
        let folder = root.join("fuzz/corpus/wire");
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        let mut sound = Vec::new();
        for path in paths {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            if (1..=LONGEST).contains(&bytes.len()) {
                sound.push(bytes);
            }
        }
        let v6 = function.v6.iter().map(|text| Ok(text.parse::<Ipv6Addr>()?.octets())).collect::<Result<_>>()?;
        // More often than one in a hundred.
        let own = plain();
        (0..20).for_each(|_| sound.extend(own.iter().cloned()));
        Ok(Self { sound, v4: function.v4.to_vec(), v6, talks: function.talks.to_vec() })
    }

    /// One of them, changed.
    pub(super) fn any(&self, random: &mut Random) -> Packet {
        let mut bytes = self.sound[random.below(self.sound.len())].clone();
        // Half of them are of somebody who may be heard.
        let talk = (!self.talks.is_empty() && random.below(2) == 0).then(|| self.talks[random.below(self.talks.len())]);
        let port = talk.map_or_else(|| random.below(PORTS), |(_, _, port)| usize::from(port));
        // A mix that goes wherever the function listens, and elsewhere.
        if random.below(8) != 0 && bytes.len() >= IP {
            bytes[..5].copy_from_slice(&MAC);
            bytes[5] = 0x10 + u8::try_from(port).unwrap_or(0);
        }
        if talk.is_some() || random.below(4) != 0 {
            self.address(&mut bytes, talk, random);
        }
        for _ in 0..[0, 0, 1, 1, 2, 5][random.below(6)] {
            change(&mut bytes, random);
        }
        if random.below(4) != 0 {
            let _ = checksum::fill(&mut bytes);
        }
        bytes.truncate(LONGEST);
        if bytes.is_empty() {
            bytes.push(0);
        }
        Packet { bytes, port: u16::try_from(port).unwrap_or(0), ..Packet::default() }
    }

    /// Addresses and ports that mean something.
    fn address(&self, bytes: &mut [u8], talk: Option<Talk>, random: &mut Random) {
        let mut any = || self.v4[random.below(self.v4.len())];
        let [source, destination] = match talk {
            Some((source, destination, _)) => [source, destination],
            None if self.v4.is_empty() => [[0; 4]; 2],
            None => [any(), any()],
        };
        let put = |bytes: &mut [u8], at: usize, value: &[u8]| {
            if let Some(place) = bytes.get_mut(at..at + value.len()) {
                place.copy_from_slice(value);
            }
        };
        let kind = bytes.get(12..14).map_or(0, |kind| u16::from_be_bytes([kind[0], kind[1]]));
        let (l4, protocol) = match kind {
            0x0800 if !self.v4.is_empty() => {
                put(bytes, IP + 12, &source);
                put(bytes, IP + 16, &destination);
                (IP + 20, bytes.get(IP + 9).copied().unwrap_or(0))
            }
            0x0806 if !self.v4.is_empty() => {
                put(bytes, IP + 14, &source);
                put(bytes, IP + 24, &destination);
                return;
            }
            0x86dd if !self.v6.is_empty() => {
                for at in [IP + 8, IP + 24] {
                    put(bytes, at, &self.v6[random.below(self.v6.len())]);
                }
                (IP + 40, bytes.get(IP + 6).copied().unwrap_or(0))
            }
            _ => return,
        };
        if matches!(protocol, TCP | UDP) {
            let ports = [80, 53, 1024, 5000, 5001];
            for at in [l4, l4 + 2] {
                put(bytes, at, &u16::to_be_bytes(ports[random.below(ports.len())]));
            }
        }
    }
}

/// Changes something: mostly in a header.
fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    let end = bytes.len();
    let at = random.below(end.clamp(1, 100));
    match random.below(8) {
        0 if at < end => bytes[at] ^= 1 << random.below(8),
        1 if at < end => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
        2 if at < end => bytes[at] = u8::try_from(random.below(256)).unwrap_or(0),
        3 => bytes.truncate(1 + random.below(end)),
        4 => bytes.resize((end + random.below(1_400)).min(LONGEST), 0x5a),
        // Parts of packets, in IPv4.
        5 if end > IP + 8 => {
            let place = [0x2000, 0x2001, 0x0003, 0x2003, 0x1fff, 0x0000][random.below(6)];
            bytes[IP + 6..IP + 8].copy_from_slice(&u16::to_be_bytes(place));
        }
        // The last hops.
        6 if end > IP + 9 => bytes[IP + 8] = u8::try_from(random.below(3)).unwrap_or(0),
        7 if end > IP + 40 => {
            let (from, to, len) = (random.below(end - 20), random.below(end - 20), random.below(20));
            bytes.copy_within(from..from + len, to);
        }
        _ => {}
    }
}

/// Packets of both families, TCP with each flag that matters, UDP, echoes, errors, and questions for neighbours.
fn plain() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let tcp = |flags: u8| {
        [&[0x13, 0x88, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0][..], b"perigee"].concat()
    };
    let udp = [&[0x13, 0x88, 0, 53, 0, 19, 0, 0][..], b"perigee....."].concat();
    let bodies = [2, 18, 16, 17, 4].map(tcp).into_iter().map(|body| (TCP, body)).chain([(UDP, udp.clone())]);
    for (protocol, body) in bodies {
        all.extend([v4(protocol, &body), v6(protocol, &body)]);
    }
    let quoted4 = v4(UDP, &udp)[IP..].to_vec();
    for (kind, code) in [(8, 0), (0, 0), (3, 3), (3, 4), (11, 0), (5, 0)] {
        all.push(v4(
            1,
            &[&[kind, code, 0, 0, 0x12, 0x34, 0, 1][..], if kind == 8 || kind == 0 { b"perigee" } else { &quoted4 }]
                .concat(),
        ));
    }
    let quoted6 = v6(UDP, &udp)[IP..].to_vec();
    for (kind, code) in [(128, 0), (129, 0), (1, 4), (2, 0), (3, 0)] {
        all.push(v6(
            58,
            &[&[kind, code, 0, 0, 0, 0, 4, 0xb0][..], if kind >= 128 { b"perigee" } else { &quoted6 }].concat(),
        ));
    }
    // Neighbour discovery, with a MAC address as its option.
    for (kind, option) in [(133, 1), (134, 1), (135, 1), (136, 2)] {
        let target =
            if kind == 133 { Vec::new() } else { Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets().to_vec() };
        let mut frame =
            v6(58, &[&[kind, 0, 0, 0, 0x60, 0, 0, 0][..], &target, &[option, 1, 2, 0, 0, 0, 0, 0x99]].concat());
        frame[IP + 7] = 255;
        all.push(frame);
    }
    for kind in [1, 2] {
        let mut arp = ethernet(0x0806);
        arp.extend([0, 1, 8, 0, 6, 4, 0, kind, 2, 0, 0, 0, 0, 0x99, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        all.push(arp);
    }
    all.iter_mut().for_each(|frame| _ = checksum::fill(frame));
    all
}

fn ethernet(kind: u16) -> Vec<u8> {
    [&MAC[..], &[0x10, 2, 0, 0, 0, 0, 0x99], &kind.to_be_bytes()].concat()
}

fn v4(protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x0800);
    let len = u16::try_from(20 + body.len()).unwrap_or(0).to_be_bytes();
    frame.extend([0x45, 0, len[0], len[1], 0, 7, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 2, 192, 0, 2, 1]);
    frame.extend(body);
    frame
}

fn v6(protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x86dd);
    let len = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    frame.extend([0x60, 0, 0, 0, len[0], len[1], protocol, 64]);
    frame.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).octets());
    frame.extend(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2).octets());
    frame.extend(body);
    frame
}
