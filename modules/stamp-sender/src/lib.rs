//! STAMP's session-sender (RFC 8762, section 4.2): sends test packets, takes the answers, and tells delays
//! and losses.
//!
//! It is a stage of the chain that reads the port: test packets are made in spare rooms, answers are found among what the port
//! receives.
#![cfg_attr(not(test), no_std)]

#[cfg(test)]
mod auth_tests;
mod config;
mod delays;
mod template;
#[cfg(test)]
mod tests;
mod window;

use config::Config;
use delays::Delays;
use perigee_guest::{Batch, Buffer, Level, Module, Outputs, Packet, Refusal, Setup, Verdict, log};
use stamp_wire::{Clock, NoPacket, Place, Reflected, tlv};
use template::Template;
use window::{Answer, Window};

perigee_guest::module!(StampSender: process, tick, message; mailbox = 256 * KIB, spares = 64, heap = 2 * MIB);

perigee_guest::counters! {
    /// Test packets sent.
    SENT = "sent",
    /// Those whose answer came in time.
    RECEIVED = "received",
    /// Those whose answer did not.
    LOST = "lost",
    /// Answers that came after their time: their packets count as lost.
    LATE = "late",
    /// Further answers to a packet.
    DUPLICATES = "duplicates",
    /// Answers to an earlier packet than one that was answered before.
    REORDERED = "reordered",
    /// Delays there and back, all together, in nanoseconds.
    TWO_WAY = "two_way_ns",
    /// Delays there, all together.
    FORWARD = "forward_ns",
    /// Delays back, all together.
    BACKWARD = "backward_ns",
    /// One-way delays below 0: the clocks differ by more than the delay.
    NEGATIVE = "negative",
    /// Answers whose timestamps cannot be.
    BAD_TIME = "bad_time",
    /// Answers with the real time of their packet's departure.
    STAMPED = "stamped",
    /// Datagrams to our port that are no answers to us.
    FOREIGN = "foreign",
    /// Datagrams from the reflector whose HMAC is wrong.
    BAD_HMAC = "bad_hmac",
    /// Test packets that had to wait because no room was free.
    NO_ROOM = "no_room",
    /// Intervals that were left out because we were too late.
    SKIPPED = "skipped",
    /// Packets that are no answers.
    OTHER = "other",
}

/// The least time by which packets are made before they leave, where they leave at their times: two ticks.
const AHEAD: u64 = 2_000_000;
/// The most: no tick is so rare.
const AHEAD_MAX: u64 = 200_000_000;
/// Packets that are made up for where ticks came too late.
const BEHIND: u64 = 64;

/// The sender.
pub struct StampSender {
    template: Template,
    clock: Clock,
    window: Window,
    delays: Delays,
    port: u16,
    interval: u64,
    timeout: u64,
    /// Packets to send; 0: no end.
    count: u32,
    sent: u32,
    /// When the next packet is to leave.
    next: Option<u64>,
    last_tick: u64,
    is_begun: bool,
    is_paced: bool,
    one_way: bool,
    other: Verdict,
    /// The highest number answered.
    highest: Option<u32>,
    is_over: bool,
}

impl Module for StampSender {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        if setup.instance().1 > 1 {
            return Err(Refusal::new("a session has one sender: give the chain one worker"));
        }
        let (port, own) = config.port(setup)?;
        Ok(Self {
            template: Template::new(config.session(own)?, config.mode()?),
            clock: config.clock(setup.start_unix_ns())?,
            window: Window::new()?,
            delays: Delays::new()?,
            port,
            interval: config.interval()?,
            timeout: config.timeout()?,
            count: config.count,
            sent: 0,
            next: None,
            last_tick: 0,
            is_begun: false,
            is_paced: setup.is_paced(),
            one_way: config.one_way,
            other: config.other(),
            highest: None,
            is_over: false,
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        if batch.is_empty() {
            return;
        }
        let now = batch.now_ns();
        for packet in batch {
            match self.read(&packet, now) {
                Some(()) => packet.drop(),
                None => packet.finish(self.other),
            }
        }
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        let now = batch.now_ns();
        LOST.add(self.window.expire(now, self.timeout));
        if batch.is_draining() {
            self.sum_up();
            return;
        }
        // The host looks at the times that a module asks for from the second tick on.
        if !self.is_begun {
            (self.is_begun, self.last_tick) = (true, now);
            return;
        }
        // With a time of its own each packet is made before the next tick but one.
        let gap = now.saturating_sub(self.last_tick);
        self.last_tick = now;
        let ahead = if self.is_paced { (2 * gap).clamp(AHEAD, AHEAD_MAX) } else { 0 };
        self.send(&mut batch.outputs(), now, now.saturating_add(ahead));
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        self.delays.answer(request, reply)
    }
}

/// Sending.
impl StampSender {
    /// Sends what is due until `until`.
    fn send(&mut self, outputs: &mut Outputs<'_>, now: u64, until: u64) {
        if self.is_complete() {
            return;
        }
        let mut next = self.next.unwrap_or(now);
        // What one call has rooms for is made up for, no more.
        let behind = now.saturating_sub(next) / self.interval;
        if behind > BEHIND {
            SKIPPED.add(behind);
            next += behind * self.interval;
        }
        while next <= until && !self.is_complete() {
            // What is late leaves now.
            let departure = next.max(now);
            if self.send_one(outputs, departure).is_none() {
                NO_ROOM.add(1);
                break;
            }
            self.sent = self.sent.saturating_add(1);
            next = next.saturating_add(self.interval);
        }
        self.next = Some(next);
    }

    /// Whether all have been sent that were to be.
    fn is_complete(&self) -> bool {
        self.count > 0 && self.sent >= self.count
    }

    /// Sends a packet; nothing where there is no room for it.
    fn send_one(&mut self, outputs: &mut Outputs<'_>, departure: u64) -> Option<()> {
        let sequence = self.window.next()?;
        let mut spare = outputs.spare()?;
        let stamp = self.clock.stamp(self.template.session.estimate.format(), departure);
        self.template.write(spare.bytes_mut(self.template.len())?, sequence, stamp)?;
        if self.is_paced {
            spare.set_departure(departure);
            if let Some(place) = self.template.stamp() {
                spare.set_stamp(place);
            }
        }
        if !outputs.send(spare, Verdict::tx(self.port)) {
            return None;
        }
        self.window.sent(departure);
        SENT.add(1);
        Some(())
    }
}

/// Receiving.
impl StampSender {
    /// Reads a packet; something where it is to our port and from the reflector.
    fn read(&mut self, packet: &Packet<'_>, now: u64) -> Option<()> {
        let session = &self.template.session;
        let Ok(place) = Place::find(packet.bytes(), session.source_port, packet.rx_flags()) else {
            OTHER.add(1);
            return None;
        };
        let is_ours = (place.source, place.destination) == (session.destination, session.source)
            && place.source_port == session.destination_port;
        let payload = packet.bytes().get(place.payload()).unwrap_or_default();
        let answer = match self.template.mode.read_reflected(payload) {
            Err(NoPacket::BadHmac) if is_ours => {
                BAD_HMAC.add(1);
                return Some(());
            }
            answer => answer.ok().filter(|_| is_ours),
        };
        let known = answer.and_then(|answer| Some((answer, self.departure_of(&answer)?)));
        let Some((answer, departure)) = known else {
            FOREIGN.add(1);
            return Some(());
        };
        // A port's clock and the host's may differ a little, but nothing comes before it was sent.
        let arrival = packet.rx_time().unwrap_or(now).max(departure);
        let real = self.real_departure(payload, departure, arrival);
        self.take(&answer, real, arrival);
        Some(())
    }

    /// When the packet left that this answers; nothing where it answers none of ours. What the reflector sends back of it must be what
    /// it had: who has not seen the packet does not know its timestamp.
    fn departure_of(&self, answer: &Reflected) -> Option<u64> {
        let session = &self.template.session;
        // A reflector without RFC 8972 has zeros in the session's place.
        if answer.ssid() != session.ssid && answer.ssid() != 0 {
            return None;
        }
        let departure = self.window.departure(answer.sender_sequence())?;
        let stamp = self.clock.stamp(session.estimate.format(), departure);
        (answer.sender_timestamp() == stamp).then_some(departure)
    }

    /// The time of departure that the host has written into the padding, where it came back.
    fn real_departure(&self, payload: &[u8], departure: u64, arrival: u64) -> u64 {
        let extensions = payload.get(self.template.mode.base()..).unwrap_or_default();
        let stamp =
            extensions.get(tlv::HEADER..).and_then(|bytes| bytes.first_chunk()).copied().map(u64::from_be_bytes);
        // What a reflector has not believed is not looked at (RFC 8972, section 4.8).
        let is_believed = extensions.first().is_some_and(|flags| flags & tlv::INTEGRITY == 0);
        let is_stamped = self.is_paced && self.template.stamp().is_some() && is_believed;
        match stamp.filter(|stamp| is_stamped && (departure..=arrival).contains(stamp)) {
            Some(stamp) => {
                STAMPED.add(1);
                stamp
            }
            None => departure,
        }
    }

    /// Counts an answer, and its delays where it is the first one and in time.
    fn take(&mut self, answer: &Reflected, departure: u64, arrival: u64) {
        let sequence = answer.sender_sequence();
        match self.window.answered(sequence, arrival, self.timeout) {
            Answer::InTime => RECEIVED.add(1),
            Answer::Overdue => {
                LOST.add(1);
                return LATE.add(1);
            }
            Answer::Late => return LATE.add(1),
            Answer::Again => return DUPLICATES.add(1),
        }
        match self.highest {
            Some(highest) if sequence.wrapping_sub(highest) > u32::MAX / 2 => REORDERED.add(1),
            _ => self.highest = Some(sequence),
        }
        let format = answer.error().format();
        let times = (self.clock.time(format, answer.receive_timestamp()), self.clock.time(format, answer.timestamp()));
        let round = arrival.saturating_sub(departure);
        let (Some(came), Some(left)) = times else { return BAD_TIME.add(1) };
        let stay = left.checked_sub(came).and_then(|stay| u64::try_from(stay).ok());
        let Some(two_way) = stay.and_then(|stay| round.checked_sub(stay)) else { return BAD_TIME.add(1) };
        self.delays.two_way.record(two_way);
        TWO_WAY.add(two_way);
        if self.one_way {
            let forward = came.wrapping_sub(departure.cast_signed());
            let backward = arrival.cast_signed().wrapping_sub(left);
            match u64::try_from(forward) {
                Ok(forward) => {
                    self.delays.forward.record(forward);
                    FORWARD.add(forward);
                }
                Err(_) => NEGATIVE.add(1),
            }
            match u64::try_from(backward) {
                Ok(backward) => {
                    self.delays.backward.record(backward);
                    BACKWARD.add(backward);
                }
                Err(_) => NEGATIVE.add(1),
            }
        }
    }

    /// Says how it went, once.
    fn sum_up(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let all =
            [("two-way", &self.delays.two_way), ("forward", &self.delays.forward), ("backward", &self.delays.backward)];
        for (name, delays) in all {
            if let Some(mean) = delays.mean() {
                let (count, min, max) = (delays.count(), delays.min, delays.max);
                log!(
                    Level::Info,
                    "{name} delay of {count} packets in ns: {min} at least, {mean} in the mean, {max} at most"
                );
            }
        }
        let (sent, waiting) = (self.sent, self.window.waiting());
        log!(Level::Info, "{sent} sent, {waiting} still without answer");
    }
}
