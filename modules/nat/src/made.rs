//! Frames that are made here: requests of ARP, errors of ICMP. A few in each call, so that nobody can have many made.

use crate::icmp::write_error;
use crate::outcome::Count;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use perigee_guest::wire::{Arp, Ethernet, Header as _, Mac, ether_type};
use perigee_guest::{Outputs, Refusal, Verdict};

/// Most frames of one call.
const MOST: usize = 8;
/// Longest frame: an error of ICMP.
const FRAME_MAX: usize = Ethernet::LEN + 576;
/// Shortest frame, without frame check sequence.
const FRAME_MIN: usize = 60;

/// Who sends a frame, and by which port.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) port: u16,
    pub(crate) mac: Mac,
    pub(crate) address: Ipv4Addr,
}

/// What an error of ICMP says.
#[derive(Clone, Copy)]
pub(crate) struct Complaint {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// The MTU, where that is what it is about (RFC 1191); else 0.
    pub(crate) mtu: u16,
}

struct Frame {
    port: u16,
    len: usize,
    bytes: [u8; FRAME_MAX],
}

/// Frames to be sent.
pub(crate) struct Made(Vec<Frame>);

impl Made {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let mut frames = Vec::new();
        frames.try_reserve_exact(MOST).map_err(|_| Refusal::new("no memory for the frames that are made"))?;
        Ok(Self(frames))
    }

    /// A request of ARP.
    pub(crate) fn ask(&mut self, from: Sender, target: Ipv4Addr) {
        self.add(from, Mac([0xff; 6]), ether_type::ARP, |payload| {
            let (arp, _) = Arp::split_mut(payload).ok()?;
            *arp = Arp::default();
            arp.set_sender_mac(from.mac);
            arp.set_sender(from.address);
            arp.set_target(target);
            Count::ArpAsked.add(1);
            Some(Arp::LEN)
        });
    }

    /// An error of ICMP to who has sent a frame whose packet begins at `start`.
    pub(crate) fn complain(&mut self, from: Sender, about: &[u8], start: usize, what: Complaint) {
        let Ok(to) = Ethernet::parse(about).map(|ethernet| ethernet.source()) else { return };
        let Some(packet) = about.get(start..) else { return };
        self.add(from, to, ether_type::IPV4, |payload| {
            let len = write_error(payload, packet, from.address.to_bits(), what)?;
            Count::ErrorsMade.add(1);
            Some(len)
        });
    }

    fn add(&mut self, from: Sender, to: Mac, number: u16, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
        if self.0.len() >= MOST {
            return;
        }
        let mut bytes = [0; FRAME_MAX];
        let Ok((ethernet, payload)) = Ethernet::split_mut(&mut bytes) else { return };
        ethernet.set_destination(to);
        ethernet.set_source(from.mac);
        ethernet.set_ether_type(number);
        if let Some(len) = write(payload) {
            self.0.push(Frame { port: from.port, len: (Ethernet::LEN + len).max(FRAME_MIN), bytes });
        }
    }

    /// Sends them.
    pub(crate) fn flush(&mut self, outputs: &mut Outputs<'_>) {
        for frame in self.0.drain(..) {
            let Some(mut spare) = outputs.spare() else { break };
            let Some(bytes) = u16::try_from(frame.len).ok().and_then(|len| spare.bytes_mut(len)) else { break };
            bytes.copy_from_slice(&frame.bytes[..frame.len]);
            if !outputs.send(spare, Verdict::tx(frame.port)) {
                break;
            }
        }
    }
}
