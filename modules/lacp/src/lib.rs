//! Brings a port into a link aggregation group by LACP (IEEE 802.1AX): an actor that a bond or a switch accepts as its
//! partner.
//!
//! It is a stage of the chain that reads the port. The protocol's machines are in `machine`, and know no packets.
#![cfg_attr(not(test), no_std)]

mod config;
mod machine;
#[cfg(test)]
mod machine_tests;
mod participant;
#[cfg(test)]
mod tests;

use config::Config;
use machine::{Change, Machine};
use participant::Participant;
use perigee_guest::wire::{Ethernet, Header as _, Lacp, Mac, Marker, SlowProtocol, Stack as _, ether_type};
use perigee_guest::{Batch, Level, Module, Packet, Refusal, Setup, Spare, Verdict, log};

perigee_guest::module!(LacpPort: process, tick; mailbox = 4 * KIB, spares = 4);

perigee_guest::counters! {
    /// LACPDUs received.
    RECEIVED = "received",
    /// LACPDUs sent.
    SENT = "sent",
    /// Markers answered.
    MARKERS = "markers",
    /// LACPDUs and markers that cannot be.
    MALFORMED = "malformed",
    /// Our own LACPDUs: the port's cable leads back to it.
    OWN = "own",
    /// Other slow protocols, which are dropped: they concern this link alone.
    OTHER_SLOW = "other_slow",
    /// Times that the port came into a group.
    JOINED = "joined",
    /// Times that it left.
    LEFT = "left",
    /// Frames passed on.
    PASSED = "passed",
    /// Frames dropped because the port was in no group.
    NOT_COLLECTING = "not_collecting",
    /// LACPDUs that had to wait because no room was free.
    NO_ROOM = "no_room",
}

perigee_guest::stack! { struct Frame { eth: Ethernet, slow: SlowProtocol, lacp: Lacp } }

/// A frame with the zeros at its end.
#[allow(clippy::cast_possible_truncation, reason = "124 bytes")]
const FRAME_LEN: u16 = (Frame::LEN + Lacp::PADDING) as u16;

/// One port.
pub struct LacpPort {
    machine: Machine,
    /// The source of what we send.
    mac: Mac,
    port: u16,
    /// Frames pass only while the port is in a group.
    gate: bool,
}

/// What a frame of a slow protocol is.
enum Slow {
    /// A marker: it goes back as its answer.
    Marker,
    /// Anything else: it ends here.
    Done,
}

impl Module for LacpPort {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let (port, mac) = config.port(setup)?;
        Ok(Self { machine: Machine::new(config.actor(port, mac)?, config.is_active()), mac, port, gate: config.gate })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        for mut packet in batch {
            if ether_type_of(&packet) == Some(ether_type::SLOW) {
                match self.read(&mut packet, now) {
                    Slow::Marker => packet.tx_back(),
                    Slow::Done => packet.drop(),
                }
            } else if self.gate && !self.machine.is_up() {
                NOT_COLLECTING.add(1);
                packet.drop();
            } else {
                PASSED.add(1);
                packet.next();
            }
        }
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        let is_link_up = batch.ports().get(usize::from(self.port)).is_some_and(|port| port.link_up != 0);
        self.machine.step(now, is_link_up);
        self.tell();
        if batch.is_draining() || !self.machine.wants_to_send(now) {
            return;
        }
        let mut outputs = batch.outputs();
        let Some(mut spare) = outputs.spare() else {
            NO_ROOM.add(1);
            return;
        };
        if self.write(&mut spare).is_some() && outputs.send(spare, Verdict::tx(self.port)) {
            SENT.add(1);
            self.machine.sent(now);
        }
    }
}

fn ether_type_of(packet: &Packet<'_>) -> Option<u16> {
    Ethernet::parse(packet.bytes()).ok().map(|frame| frame.ether_type())
}

impl LacpPort {
    /// Reads a frame of a slow protocol; a marker becomes its answer.
    fn read(&mut self, packet: &mut Packet<'_>, now: u64) -> Slow {
        let Ok((frame, payload)) = Ethernet::split_mut(packet.bytes_mut()) else { return Slow::Done };
        let Some((&mut subtype, message)) = payload.split_first_mut() else { return Slow::Done };
        match subtype {
            SlowProtocol::LACP => {
                self.receive(message, now);
                self.tell();
                Slow::Done
            }
            SlowProtocol::MARKER => match Marker::split_mut(message) {
                Ok((marker, _)) if marker.is_valid() && marker.kind() == Marker::INFORMATION => {
                    marker.set_kind(Marker::RESPONSE);
                    frame.set_destination(SlowProtocol::GROUP);
                    frame.set_source(self.mac);
                    MARKERS.add(1);
                    Slow::Marker
                }
                Ok((marker, _)) if marker.is_valid() => Slow::Done,
                _ => {
                    MALFORMED.add(1);
                    Slow::Done
                }
            },
            _ => {
                OTHER_SLOW.add(1);
                Slow::Done
            }
        }
    }

    fn receive(&mut self, message: &[u8], now: u64) {
        let Ok(lacp) = Lacp::parse(message) else {
            MALFORMED.add(1);
            return;
        };
        let (actor, partner) = (Participant::actor_of(&lacp), Participant::partner_of(&lacp));
        if actor.is_same_port(self.machine.actor()) {
            OWN.add(1);
            return;
        }
        RECEIVED.add(1);
        self.machine.receive(&actor, &partner, now);
    }

    /// Writes an LACPDU; nothing where a room is too short for one.
    fn write(&self, spare: &mut Spare<'_>) -> Option<()> {
        let bytes = spare.bytes_mut(FRAME_LEN)?;
        bytes.fill(0);
        Frame::fill(bytes, |frame| {
            frame.eth.set_destination(SlowProtocol::GROUP);
            frame.eth.set_source(self.mac);
            self.machine.actor().write_actor(&mut frame.lacp);
            self.machine.partner().write_partner(&mut frame.lacp);
        })
        .ok()
    }

    /// Tells what has changed.
    fn tell(&mut self) {
        let partner = *self.machine.partner();
        let (system, key, port) = (partner.system, partner.key, partner.port);
        match self.machine.take_change() {
            Some(Change::Joined) => {
                JOINED.add(1);
                log!(Level::Info, "the port is in a group: partner {system}, key {key}, port {port}");
            }
            Some(Change::Left) => {
                LEFT.add(1);
                Level::Warn.log("the port is in no group any more");
            }
            None => {}
        }
    }
}
