//! The machines of IEEE 802.1AX, clause 6.4, for one port: receive, periodic transmission, selection, mux (coupled control),
//! transmit. No packets, and no clock but what a call says.

use crate::participant::Participant;
use perigee_guest::wire::Lacp;

const SECOND: u64 = 1_000_000_000;
/// How often a partner that asks for it hears of us, and how often the others do.
const FAST_PERIODIC: u64 = SECOND;
const SLOW_PERIODIC: u64 = 30 * SECOND;
/// After how long a partner that is not heard of is out.
const SHORT_TIMEOUT: u64 = 3 * SECOND;
const LONG_TIMEOUT: u64 = 90 * SECOND;
/// How long a port waits for others that may come into the group.
const AGGREGATE_WAIT: u64 = 2 * SECOND;
/// Most LACPDUs in a [`FAST_PERIODIC`].
const BURST: usize = 3;

/// What the partner must know of us.
const KNOWN: u8 = Lacp::ACTIVITY | Lacp::SHORT_TIMEOUT | Lacp::AGGREGATION | Lacp::SYNCHRONIZATION;
const IN_USE: u8 = Lacp::COLLECTING | Lacp::DISTRIBUTING;

/// The receive machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receive {
    /// The link is down.
    Disabled,
    /// The partner was not heard of for too long, or never: until then it may still speak.
    Expired(u64),
    /// There is no partner.
    Defaulted,
    /// There is one, and it is to be heard of before this time.
    Current(u64),
}

/// The mux machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mux {
    /// In no group.
    Detached,
    /// Chosen for a group; until then others may come.
    Waiting(u64),
    /// In its group, but the partner is not yet.
    Attached,
    /// Both are.
    InUse,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The port is in use.
    Joined,
    /// It is not any more.
    Left,
}

/// One port.
pub(crate) struct Machine {
    actor: Participant,
    partner: Participant,
    receive: Receive,
    mux: Mux,
    /// Something is to be told to the partner.
    need_to_transmit: bool,
    /// When something was last sent because its time had come.
    last_periodic: u64,
    /// When the last LACPDUs were sent.
    sent: [Option<u64>; BURST],
    change: Option<Change>,
}

impl Machine {
    /// A port whose link is down. `is_active`: it speaks without being spoken to.
    pub(crate) fn new(mut actor: Participant, is_active: bool) -> Self {
        actor.set(Lacp::ACTIVITY, is_active);
        actor.set(Lacp::AGGREGATION, true);
        Self {
            actor,
            partner: Participant::default(),
            receive: Receive::Disabled,
            mux: Mux::Detached,
            need_to_transmit: false,
            last_periodic: 0,
            sent: [None; BURST],
            change: None,
        }
    }

    pub(crate) fn actor(&self) -> &Participant {
        &self.actor
    }

    pub(crate) fn partner(&self) -> &Participant {
        &self.partner
    }

    /// Whether frames may pass.
    pub(crate) fn is_up(&self) -> bool {
        self.mux == Mux::InUse
    }

    /// What has changed since the last call.
    pub(crate) fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// Lets time go on.
    pub(crate) fn step(&mut self, now: u64, is_link_up: bool) {
        self.receive = match self.receive {
            _ if !is_link_up => {
                self.partner.set(Lacp::SYNCHRONIZATION, false);
                Receive::Disabled
            }
            Receive::Disabled => self.expire(now),
            Receive::Current(until) if now >= until => self.expire(now),
            Receive::Expired(until) if now >= until => self.forget_partner(),
            same => same,
        };
        self.step_mux(now);
        self.step_periodic(now);
    }

    /// Takes what the other end says of itself, and of us.
    pub(crate) fn receive(&mut self, their: &Participant, our: &Participant, now: u64) {
        if self.receive == Receive::Disabled {
            return;
        }
        if !their.agrees(&self.partner, Lacp::AGGREGATION) {
            // Another port than before: it is selected anew.
            self.detach();
        }
        if !our.agrees(&self.actor, KNOWN) {
            self.need_to_transmit = true;
        }
        let is_known = our.agrees(&self.actor, Lacp::AGGREGATION) || !their.has(Lacp::AGGREGATION);
        let is_kept_alive = their.has(Lacp::ACTIVITY) || self.actor.has(Lacp::ACTIVITY) && our.has(Lacp::ACTIVITY);
        self.partner = *their;
        self.partner.set(Lacp::SYNCHRONIZATION, their.has(Lacp::SYNCHRONIZATION) && is_known && is_kept_alive);
        self.actor.set(Lacp::DEFAULTED | Lacp::EXPIRED, false);
        let timeout = if self.actor.has(Lacp::SHORT_TIMEOUT) { SHORT_TIMEOUT } else { LONG_TIMEOUT };
        self.receive = Receive::Current(now.saturating_add(timeout));
        self.step_mux(now);
    }

    /// Whether an LACPDU is to be sent, and may be: at most three in a second.
    pub(crate) fn wants_to_send(&self, now: u64) -> bool {
        let is_free = |sent: &Option<u64>| sent.is_none_or(|sent| now.saturating_sub(sent) >= FAST_PERIODIC);
        self.need_to_transmit && self.speaks() && self.sent.iter().any(is_free)
    }

    /// An LACPDU was sent.
    pub(crate) fn sent(&mut self, now: u64) {
        self.need_to_transmit = false;
        self.sent.rotate_right(1);
        self.sent[0] = Some(now);
    }

    /// The partner is not heard of: it is asked to speak, fast.
    fn expire(&mut self, now: u64) -> Receive {
        self.partner.set(Lacp::SYNCHRONIZATION, false);
        self.partner.set(Lacp::SHORT_TIMEOUT, true);
        self.actor.set(Lacp::EXPIRED, true);
        self.need_to_transmit = true;
        Receive::Expired(now.saturating_add(SHORT_TIMEOUT))
    }

    fn forget_partner(&mut self) -> Receive {
        self.partner = Participant::default();
        self.detach();
        self.actor.set(Lacp::EXPIRED, false);
        self.actor.set(Lacp::DEFAULTED, true);
        Receive::Defaulted
    }

    /// Whether the two speak at all: one of them must be active.
    fn speaks(&self) -> bool {
        self.receive != Receive::Disabled && (self.actor.has(Lacp::ACTIVITY) || self.partner.has(Lacp::ACTIVITY))
    }

    fn step_periodic(&mut self, now: u64) {
        let period = if self.partner.has(Lacp::SHORT_TIMEOUT) { FAST_PERIODIC } else { SLOW_PERIODIC };
        if self.speaks() && now.saturating_sub(self.last_periodic) >= period {
            self.last_periodic = now;
            self.need_to_transmit = true;
        }
    }

    /// Goes as far as the mux machine comes. There is one aggregator, so a port with a partner is selected for it.
    fn step_mux(&mut self, now: u64) {
        let has_partner =
            matches!(self.receive, Receive::Current(_) | Receive::Expired(_)) && !self.partner.system.is_zero();
        if !has_partner {
            self.detach();
            return;
        }
        let is_in_sync = self.partner.has(Lacp::SYNCHRONIZATION);
        match self.mux {
            Mux::Detached => self.mux = Mux::Waiting(now.saturating_add(AGGREGATE_WAIT)),
            Mux::Waiting(until) if now >= until => {
                self.enter(Mux::Attached);
                if is_in_sync {
                    self.enter(Mux::InUse);
                }
            }
            Mux::Attached if is_in_sync => self.enter(Mux::InUse),
            Mux::InUse if !is_in_sync => self.enter(Mux::Attached),
            _ => {}
        }
    }

    fn detach(&mut self) {
        if self.mux != Mux::Detached {
            self.enter(Mux::Detached);
        }
    }

    fn enter(&mut self, mux: Mux) {
        let was_up = self.is_up();
        self.mux = mux;
        self.actor.set(Lacp::SYNCHRONIZATION, matches!(mux, Mux::Attached | Mux::InUse));
        self.actor.set(IN_USE, self.is_up());
        self.need_to_transmit = true;
        if was_up != self.is_up() {
            self.change = Some(if was_up { Change::Left } else { Change::Joined });
        }
    }
}
