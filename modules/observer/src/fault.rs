//! A fault on purpose: what a function with a mistake would do. A check that never fails proves nothing.

use crate::config::{Fault, Spoil};
use crate::seen::{ICMP, ICMPV6, IP, Seen};
use crate::stamp::Stamp;
use core::net::IpAddr;
use perigee_guest::wire::Mac;
use perigee_guest::{Batch, Held, Verdict};

/// After so many stamped packets one that is held goes on: its flow has gone on before.
const LATER: u32 = 64;

/// Spoils each so many packets.
pub(crate) struct Spoiler {
    fault: Fault,
    count: u32,
    /// What goes behind others, and how many those are still.
    held: Option<(Held, u32)>,
}

impl Spoiler {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, count: 0, held: None }
    }

    pub(crate) fn process(&mut self, batch: &mut Batch<'_>) {
        let (packets, mut outputs) = batch.split();
        for mut packet in packets {
            let stamped = Seen::read(packet.bytes()).filter(|seen| Stamp::read(packet.bytes(), seen).is_some());
            self.count += u32::from(stamped.is_some());
            if let Some((_, left)) = &mut self.held {
                *left = left.saturating_sub(u32::from(stamped.is_some()));
            }
            let Some(seen) = stamped.filter(|_| self.count.is_multiple_of(self.fault.every.max(1))) else {
                packet.next();
                continue;
            };
            self.count = 0;
            match self.fault.what {
                Spoil::Lose => packet.drop(),
                Spoil::Order if self.held.is_none() => self.held = Some((packet.hold(), LATER)),
                Spoil::Double => {
                    let listed = packet.list();
                    outputs.put(&listed, Verdict::NEXT);
                    outputs.put(&listed, Verdict::NEXT);
                }
                _ => {
                    self.spoil(packet.bytes_mut(), seen);
                    packet.next();
                }
            }
        }
        if let Some((held, 0)) = self.held.take_if(|(_, left)| *left == 0)
            && let Err(held) = outputs.give_back(held, Verdict::NEXT)
        {
            self.held = Some((held, 0));
        }
    }

    fn spoil(&self, bytes: &mut [u8], mut seen: Seen) {
        let is_v4 = seen.source.is_ipv4();
        match self.fault.what {
            Spoil::Ttl => bytes[if is_v4 { IP + 8 } else { IP + 7 }] -= 1,
            Spoil::Checksum => return bytes[seen.end - 1] ^= 0x55,
            Spoil::Mac => bytes[..6].copy_from_slice(&self.fault.mac.unwrap_or(Mac::BROADCAST).0),
            Spoil::Port => {
                // Of an echo its number.
                let at = if matches!(seen.protocol, ICMP | ICMPV6) { seen.l4 + 4 } else { seen.l4 };
                bytes[at..at + 2].copy_from_slice(&self.fault.port.to_be_bytes());
            }
            Spoil::Address => match self.fault.address {
                Some(IpAddr::V4(address)) if is_v4 => {
                    bytes[IP + 16..IP + 20].copy_from_slice(&address.octets());
                    seen.destination = address.into();
                }
                Some(IpAddr::V6(address)) if !is_v4 => {
                    bytes[IP + 24..IP + 40].copy_from_slice(&address.octets());
                    seen.destination = address.into();
                }
                _ => {}
            },
            Spoil::Double | Spoil::Lose | Spoil::Order => {}
        }
        seen.fill_checksums(bytes);
    }
}
