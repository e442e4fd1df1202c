//! Which version the querier of a link speaks: with an older one we speak its version (RFC 9776,
//! section 7.2; RFC 9777, section 8.2). Versions are numbered as in `heard`.

const SECOND: u64 = 1_000_000_000;
/// How long after the last query of an older version: robustness (2) × query interval (125 s) + 10 s to answer.
const OLDER: u64 = 260 * SECOND;

/// What is known of the querier.
pub(crate) struct Querier {
    /// The version that we speak by ourselves.
    newest: u8,
    /// Until when versions 1 and 2 count as heard.
    older: [u64; 2],
}

impl Querier {
    /// None was heard; we speak this version.
    pub(crate) fn new(newest: u8) -> Self {
        Self { newest, older: [0; 2] }
    }

    /// Heard a query of a version.
    pub(crate) fn heard(&mut self, version: u8, now: u64) {
        if let Some(until) = self.older.get_mut(usize::from(version).wrapping_sub(1)) {
            *until = now.saturating_add(OLDER);
        }
    }

    /// The version to speak now.
    pub(crate) fn version(&self, now: u64) -> u8 {
        let heard = (1..=2).zip(self.older).find(|(_, until)| now < *until).map(|(version, _)| version);
        heard.unwrap_or(self.newest).min(self.newest)
    }

    /// Whether a version is spoken in which each host answers for itself: IGMP version 3, MLD version 2.
    pub(crate) fn is_newest(&self, now: u64) -> bool {
        self.version(now) >= 3
    }
}

/// Within which time a change is told again, in nanoseconds.
pub(crate) fn unsolicited(version: u8) -> u64 {
    if version >= 3 { SECOND } else { 10 * SECOND }
}
