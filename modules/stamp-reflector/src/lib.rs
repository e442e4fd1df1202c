//! STAMP's session-reflector (RFC 8762, section 4.3) with extensions (RFC 8972); in unauthenticated mode it answers TWAMP Light's
//! senders, too.
//!
//! An answer is written over the question and goes back to the port that it came from, with its VLAN tags as they are.
#![cfg_attr(not(test), no_std)]

mod answer;
#[cfg(test)]
mod auth_tests;
mod config;
#[cfg(test)]
mod extension_tests;
mod extensions;
mod integrity;
mod session;
#[cfg(test)]
mod tests;

use config::{ADDRESS_MAX, Config, Sync, Timestamps};
use core::net::IpAddr;
use perigee_guest::{Batch, Counter, Module, Refusal, Setup, Verdict};
use session::Sessions;
use stamp_wire::{Clock, ErrorEstimate, Format, Mode, NoPacket, NoPlace};

perigee_guest::module!(StampReflector: process; mailbox = 4 * KIB, heap = 4 * MIB);

/// What became of a packet. The numbers are the places of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Answered.
    Reflected,
    /// Not answered: shorter than any test packet.
    Short,
    /// Not answered: lengths that contradict each other.
    Malformed,
    /// Not answered: a part of a packet.
    Fragment,
    /// Not answered: a checksum is wrong.
    BadChecksum,
    /// Not answered: it comes from the reflectors' port, so that it may be an answer itself.
    FromReflector,
    /// Not answered: no room for an answer that is longer than the question.
    NoRoom,
    /// Not answered: something else, or not for these addresses.
    Other,
    /// Not answered: the HMAC is not that of who has the key.
    BadHmac,
}

impl Outcome {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Reflected, "reflected"),
        (Self::Short, "short"),
        (Self::Malformed, "malformed"),
        (Self::Fragment, "fragment"),
        (Self::BadChecksum, "bad_checksum"),
        (Self::FromReflector, "from_reflector"),
        (Self::NoRoom, "no_room"),
        (Self::Other, "other"),
        (Self::BadHmac, "bad_hmac"),
    ];

    const fn counter(self) -> Counter {
        Counter::at(self as usize)
    }
}

impl From<NoPlace> for Outcome {
    fn from(why: NoPlace) -> Self {
        match why {
            NoPlace::Other => Self::Other,
            NoPlace::Malformed => Self::Malformed,
            NoPlace::Fragment => Self::Fragment,
            NoPlace::BadChecksum => Self::BadChecksum,
        }
    }
}

impl From<NoPacket> for Outcome {
    fn from(why: NoPacket) -> Self {
        match why {
            NoPacket::Short => Self::Short,
            NoPacket::BadHmac => Self::BadHmac,
        }
    }
}

/// Answers to packets shorter than STAMP's: of TWAMP Light.
const TWAMP: Counter = Counter::at(9);
/// Extensions that were understood.
const EXTENSIONS: Counter = Counter::at(10);
/// Extensions of unknown types, or of known ones that ask for what is not done.
const UNRECOGNIZED: Counter = Counter::at(11);
/// Extensions whose length is wrong.
const BAD_LENGTH: Counter = Counter::at(12);
/// Sessions that have begun.
const SESSIONS: Counter = Counter::at(13);
/// Sessions that had to go for others.
const EVICTED: Counter = Counter::at(14);
/// Answers with a receive time of the port.
const PORT_TIME: Counter = Counter::at(15);
/// Answers whose extensions were not the sender's word.
const BAD_INTEGRITY: Counter = Counter::at(16);

/// The reflector.
pub struct StampReflector {
    /// The addresses that are answered for; none: all.
    addresses: [Option<IpAddr>; ADDRESS_MAX],
    port: u16,
    same_port: bool,
    sessions: Option<Sessions>,
    clock: Clock,
    timestamps: Timestamps,
    sync: Sync,
    estimates: [ErrorEstimate; 2],
    extensions: bool,
    mode: Mode,
    other: Verdict,
}

impl Module for StampReflector {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        config.check()?;
        for (outcome, name) in Outcome::ALL {
            setup.counter(outcome.counter(), name);
        }
        let others = [
            (TWAMP, "twamp"),
            (EXTENSIONS, "extensions"),
            (UNRECOGNIZED, "unrecognized"),
            (BAD_LENGTH, "bad_length"),
            (SESSIONS, "sessions"),
            (EVICTED, "evicted"),
            (PORT_TIME, "port_time"),
            (BAD_INTEGRITY, "bad_integrity"),
        ];
        for (counter, name) in others {
            setup.counter(counter, name);
        }
        let mut addresses = [None; ADDRESS_MAX];
        for (place, address) in addresses.iter_mut().zip(config.addresses.iter()) {
            *place = Some(*address);
        }
        let sessions = config.sessions(setup.seed())?.map(Sessions::new).transpose()?;
        Ok(Self {
            addresses,
            port: config.port()?,
            same_port: config.same_port,
            sessions,
            clock: config.clock(setup.start_unix_ns())?,
            timestamps: config.timestamps,
            sync: config.sync,
            estimates: [config.estimate(Format::Ntp), config.estimate(Format::Ptp)],
            extensions: config.extensions(),
            mode: config.authentication()?,
            other: config.other(),
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let time = batch.time_ns();
        // A call for its own sake has no packets, and asks for no time.
        let now = if batch.is_empty() { time } else { batch.now_ns() };
        for mut packet in batch {
            let outcome = self.answer(&mut packet, now);
            match outcome {
                Ok(()) => {
                    Outcome::Reflected.counter().add(1);
                    packet.tx_back();
                }
                Err(outcome) => {
                    outcome.counter().add(1);
                    packet.finish(self.other);
                }
            }
        }
        if let Some(sessions) = &mut self.sessions {
            sessions.expire(time);
        }
    }
}
