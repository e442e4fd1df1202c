//! Connections that nobody inside has asked for: their SYN is answered late, or not at all (RFC 5382, REQ-4).
//!
//! Somebody inside may be about to open the same connection from the other end. So the answer waits, and is not given if that happens.

use crate::made::{Complaint, Made, Sender};
use crate::rewrite::{Ip, ports};
use crate::session::Engine;
use alloc::collections::VecDeque;
use perigee_guest::Refusal;
use perigee_guest::state::SECOND;
use perigee_guest::wire::{Ethernet, Icmp, protocol};

/// SYNs that wait. Others are not answered: nobody can make us remember more.
const MOST: usize = 64;
/// For how long.
const WAIT: u64 = 6 * SECOND;
/// Longest frame that is remembered: the longest headers of IPv4 and TCP.
const FRAME_MAX: usize = Ethernet::LEN + 60 + 60;
/// Of "unreachable": the port.
const PORT: u8 = 3;

struct Stranger {
    came: u64,
    len: usize,
    frame: [u8; FRAME_MAX],
}

/// The SYNs that wait, the oldest first.
pub(crate) struct Strangers(VecDeque<Stranger>);

impl Strangers {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let mut waiting = VecDeque::new();
        waiting
            .try_reserve_exact(MOST)
            .map_err(|_| Refusal::new("no memory for connections that are not asked for"))?;
        Ok(Self(waiting))
    }

    /// Remembers a SYN.
    pub(crate) fn note(&mut self, frame: &[u8], now: u64) {
        let mut copy = [0; FRAME_MAX];
        let Some(place) = copy.get_mut(..frame.len()) else { return };
        place.copy_from_slice(frame);
        if self.0.len() < MOST {
            self.0.push_back(Stranger { came: now, len: frame.len(), frame: copy });
        }
    }

    /// Answers those that have waited long enough, unless their connection is there by now. `from`: who we are outside.
    pub(crate) fn answer(&mut self, engine: &Engine<'_>, from: Sender, made: &mut Made, now: u64) {
        while self.0.front().is_some_and(|stranger| now.saturating_sub(stranger.came) >= WAIT) {
            let Some(stranger) = self.0.pop_front() else { break };
            let frame = &stranger.frame[..stranger.len];
            let Some(ip) = frame.get(Ethernet::LEN..).and_then(Ip::read) else { continue };
            let Some((remote, own)) = ports(&frame[Ethernet::LEN + ip.header_len..]) else { continue };
            if engine.by_outside(protocol::TCP, (ip.destination, own), (ip.source, remote)) == 0 {
                let from = Sender { address: ip.destination.into(), ..from };
                made.complain(from, frame, Ethernet::LEN, Complaint { kind: Icmp::UNREACHABLE, code: PORT, mtu: 0 });
            }
        }
    }
}
