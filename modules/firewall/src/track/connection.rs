//! A connection as it stands in the table.

use super::key::{KEY_LEN, Way};
use super::tcp::State;
use crate::config::Timeouts;
use perigee_guest::state::SECOND;

/// Bytes of a connection.
pub(super) const LEN: usize = 64;

/// What is known of a connection, beside its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    /// How its first packet went.
    pub(super) original: Way,
    /// The other side has been heard.
    pub(super) is_answered: bool,
    /// When it is forgotten.
    pub(super) deadline: u64,
    /// What each side expects next, by its newest acknowledgment; 0 before the first.
    pub(super) expected: [u32; 2],
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Tcp(State),
    Udp,
    Icmp,
    Other,
}

const PHASES: [Phase; 12] = [
    Phase::Tcp(State::SynSent),
    Phase::Tcp(State::SynSent2),
    Phase::Tcp(State::SynReceived),
    Phase::Tcp(State::Established),
    Phase::Tcp(State::FinWait),
    Phase::Tcp(State::CloseWait),
    Phase::Tcp(State::LastAck),
    Phase::Tcp(State::TimeWait),
    Phase::Tcp(State::Closed),
    Phase::Udp,
    Phase::Icmp,
    Phase::Other,
];

/// Which of two goes first where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Nobody has answered.
    HalfOpen,
    /// It is over, or soon will be.
    Closing,
    /// It stays.
    Alive,
}

impl Connection {
    pub(super) fn worth(&self) -> Worth {
        match self.phase {
            Phase::Tcp(state) if state.is_opening() => Worth::HalfOpen,
            Phase::Tcp(state) if state.is_closing() => Worth::Closing,
            Phase::Tcp(_) => Worth::Alive,
            _ if self.is_answered => Worth::Alive,
            _ => Worth::HalfOpen,
        }
    }

    /// Nanoseconds for which it may have no packets.
    pub(super) fn patience(&self, timeouts: &Timeouts) -> u64 {
        let seconds = match self.phase {
            Phase::Tcp(State::Established) => timeouts.tcp_established,
            Phase::Tcp(State::Closed) => timeouts.tcp_closing.min(10),
            Phase::Tcp(state) if state.is_opening() => timeouts.tcp_opening,
            Phase::Tcp(_) => timeouts.tcp_closing,
            Phase::Udp if self.is_answered => timeouts.udp_answered,
            Phase::Udp => timeouts.udp,
            Phase::Icmp => timeouts.icmp,
            Phase::Other => timeouts.other,
        };
        u64::from(seconds) * SECOND
    }

    /// As bytes, behind its key.
    pub(super) fn write(&self, key: &[u8; KEY_LEN]) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..KEY_LEN].copy_from_slice(key);
        bytes[40] =
            PHASES.iter().position(|phase| *phase == self.phase).and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        bytes[41] = u8::from(self.original == Way::AToB) | u8::from(self.is_answered) << 1;
        bytes[48..56].copy_from_slice(&self.deadline.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.expected[0].to_le_bytes());
        bytes[60..].copy_from_slice(&self.expected[1].to_le_bytes());
        bytes
    }

    /// From such bytes.
    pub(super) fn read(bytes: &[u8; LEN]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default());
        Self {
            phase: PHASES.get(usize::from(bytes[40])).copied().unwrap_or(Phase::Other),
            original: if bytes[41] & 1 != 0 { Way::AToB } else { Way::BToA },
            is_answered: bytes[41] & 2 != 0,
            deadline: u64::from(word(48)) | u64::from(word(52)) << 32,
            expected: [word(56), word(60)],
        }
    }
}
