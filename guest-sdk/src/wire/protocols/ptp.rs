//! PTP: the common header, and what follows it by the type of message.
//!
//! ```
//! use perigee_guest::wire::{Ethernet, Ptp, PtpTimestamp, Stack};
//!
//! perigee_guest::stack! { struct Sync { eth: Ethernet, ptp: Ptp, time: PtpTimestamp } }
//! let mut packet = [0; Sync::LEN];
//! Sync::fill(&mut packet, |sync| {
//!     sync.ptp.set_correction(3 << 15);
//!     sync.time = PtpTimestamp::from_nanos(1_700_000_000_000_000_123);
//! })?;
//! let (sync, _) = Sync::parse(&packet)?;
//! assert_eq!((sync.ptp.kind(), sync.ptp.length(), sync.ptp.correction_nanos()), (Ptp::SYNC, 44, 1));
//! assert_eq!(sync.time.nanos(), Ok(1_700_000_000_000_000_123));
//! # Ok::<(), perigee_guest::wire::Error>(())
//! ```

use crate::wire::{Error, Format, Header, Info, Next, TlvFormat, Tlvs, header};

/// A PTP message of version 2.
#[header(name = "PTP", source = "IEEE 1588-2019", ether_type = 0x88f7, udp_port = [319, 320])]
pub struct Ptp {
    /// Who defines the message, the upper four bits: 1 is IEEE 802.1AS.
    #[bits(4)]
    major_sdo_id: u8,
    /// The type: [`Ptp::SYNC`] and others.
    #[bits(4)]
    kind: u8,
    /// Minor version: 1 for 2019, 0 for 2008.
    #[bits(4)]
    minor_version: u8,
    /// Version: 2.
    #[bits(4)]
    #[initial = 2]
    version: u8,
    /// Length of the message, this header included.
    #[initial = 34]
    length: u16,
    /// Clocks of one domain are set to each other.
    domain: u8,
    /// Who defines the message, the lower eight bits.
    minor_sdo_id: u8,
    /// Bit 15 to 8 of the flags: must be 0.
    reserved_flag: bool,
    /// A flag of the profile.
    profile_specific2: bool,
    /// A flag of the profile.
    profile_specific1: bool,
    /// Must be 0.
    #[bits(2)]
    reserved_flags: u8,
    /// It was sent to one receiver, not to a group.
    unicast: bool,
    /// The exact time follows in a message of its own.
    two_step: bool,
    /// The sender is not the best clock, but offers itself.
    alternate: bool,
    /// Bit 7 to 0 of the flags: must be 0.
    reserved_flag2: bool,
    /// The time is less certain than it was (2019).
    synchronization_uncertain: bool,
    /// The frequency comes from a primary reference.
    frequency_traceable: bool,
    /// The time comes from a primary reference.
    time_traceable: bool,
    /// The time is that of PTP: atomic time.
    ptp_timescale: bool,
    /// The offset to UTC is known.
    utc_offset_valid: bool,
    /// The last minute of the day has 59 seconds.
    leap59: bool,
    /// The last minute of the day has 61 seconds.
    leap61: bool,
    /// Time that the message spent on its way in between, in units of 1/65,536 ns ([`Ptp::correction_nanos`]).
    correction: i64,
    /// Depends on the type.
    #[hex]
    type_specific: u32,
    /// Which clock sent it ([`Ptp::clock_identity`]).
    #[hex]
    source_clock: u64,
    /// Which of its ports.
    source_port: u16,
    /// Number of the message among those of its type.
    sequence: u16,
    /// The type as version 1 said it.
    control: u8,
    /// Time between two messages of this type, as the power of two of seconds; 127: there is none.
    log_interval: i8,
}

impl Header for Ptp {
    fn is_valid(&self) -> bool {
        self.version() == 2 && matches!(self.kind(), 0..=3 | 8..=13)
    }

    fn total_len(&self, _available: usize) -> usize {
        usize::from(self.length())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        BODIES.iter().find(|(kind, _)| *kind == self.kind()).map_or(Next::Payload, |(_, body)| Next::Header(body))
    }

    /// Of several types with one body the first is set.
    fn set_next(&mut self, next: &Format) {
        if let Some((kind, _)) = BODIES.iter().find(|(_, body)| body.format == *next) {
            self.set_kind(*kind);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_length((Self::LEN + payload) as u16);
    }
}

/// What follows each type.
const BODIES: [(u8, &Info); 10] = [
    (Ptp::SYNC, &PtpTimestamp::INFO),
    (Ptp::DELAY_REQUEST, &PtpTimestamp::INFO),
    (Ptp::FOLLOW_UP, &PtpTimestamp::INFO),
    (Ptp::PEER_DELAY_REQUEST, &PtpPeerDelayRequest::INFO),
    (Ptp::DELAY_RESPONSE, &PtpResponse::INFO),
    (Ptp::PEER_DELAY_RESPONSE, &PtpResponse::INFO),
    (Ptp::PEER_DELAY_RESPONSE_FOLLOW_UP, &PtpResponse::INFO),
    (Ptp::ANNOUNCE, &PtpAnnounce::INFO),
    (Ptp::SIGNALING, &PtpSignaling::INFO),
    (Ptp::MANAGEMENT, &PtpManagement::INFO),
];

impl Ptp {
    /// This is my time.
    pub const SYNC: u8 = 0;
    /// When do you get this?
    pub const DELAY_REQUEST: u8 = 1;
    /// When does my neighbour get this?
    pub const PEER_DELAY_REQUEST: u8 = 2;
    /// I got it then.
    pub const PEER_DELAY_RESPONSE: u8 = 3;
    /// The last [`Self::SYNC`] left then.
    pub const FOLLOW_UP: u8 = 8;
    /// I got it then.
    pub const DELAY_RESPONSE: u8 = 9;
    /// My response left then.
    pub const PEER_DELAY_RESPONSE_FOLLOW_UP: u8 = 10;
    /// So good is my clock.
    pub const ANNOUNCE: u8 = 11;
    /// Requests between clocks.
    pub const SIGNALING: u8 = 12;
    /// Settings of a clock.
    pub const MANAGEMENT: u8 = 13;

    /// Whether it must be stamped when it is sent and received: types 0 to 3, which go to port 319; the others go to 320.
    #[must_use]
    pub fn is_event(&self) -> bool {
        self.kind() < 8
    }

    /// The correction in nanoseconds, rounded down. The greatest value means that it is too large to be said.
    #[must_use]
    pub fn correction_nanos(&self) -> i64 {
        self.correction() >> 16
    }

    /// The identity that a clock makes of its MAC address (IEEE 1588-2019, 7.5.2.2.2, the 2008 form).
    #[must_use]
    pub const fn clock_identity(mac: crate::wire::Mac) -> u64 {
        let [a, b, c, d, e, f] = mac.0;
        u64::from_be_bytes([a, b, c, 0xff, 0xfe, d, e, f])
    }

    /// The TLVs behind a body.
    #[must_use]
    pub const fn tlvs(behind: &[u8]) -> Tlvs<'_> {
        Tlvs::new(behind, TlvFormat::WORDS)
    }
}

/// A time of PTP: seconds and nanoseconds since 1970, in atomic time. The body of sync, delay request and follow-up.
#[header(name = "PTP time", source = "IEEE 1588-2019")]
pub struct PtpTimestamp {
    /// Seconds.
    #[bits(48)]
    seconds: u64,
    /// Nanoseconds, below 1,000,000,000.
    nanoseconds: u32,
}

impl Header for PtpTimestamp {}

/// The body of a peer's delay request.
#[header(name = "PTP peer delay request", source = "IEEE 1588-2019")]
pub struct PtpPeerDelayRequest {
    /// When it left, seconds ([`PtpTimestamp`]).
    #[bits(48)]
    seconds: u64,
    /// When it left, nanoseconds.
    nanoseconds: u32,
    /// Must be 0: makes it as long as its response.
    reserved: [u8; 10],
}

impl Header for PtpPeerDelayRequest {}

/// The body of the responses to delay requests.
#[header(name = "PTP response", source = "IEEE 1588-2019")]
pub struct PtpResponse {
    /// When the request came, or the response left: seconds ([`PtpTimestamp`]).
    #[bits(48)]
    seconds: u64,
    /// When the request came, or the response left: nanoseconds.
    nanoseconds: u32,
    /// Which clock asked.
    #[hex]
    requesting_clock: u64,
    /// Which of its ports.
    requesting_port: u16,
}

impl Header for PtpResponse {}

/// The body of an announcement: how good the best clock is. TLVs may follow ([`Ptp::tlvs`]).
#[header(name = "PTP announce", source = "IEEE 1588-2019")]
pub struct PtpAnnounce {
    /// When it left, seconds ([`PtpTimestamp`]).
    #[bits(48)]
    seconds: u64,
    /// When it left, nanoseconds.
    nanoseconds: u32,
    /// Seconds from UTC to atomic time.
    #[initial = 37]
    utc_offset: i16,
    /// Must be 0.
    reserved: u8,
    /// First priority of the best clock: the smallest wins.
    #[initial = 128]
    priority1: u8,
    /// What kind of clock it is: 6 is set to a primary reference, 248 is any.
    #[initial = 248]
    clock_class: u8,
    /// How accurate it is: 0x20 is 25 ns, 0xfe unknown.
    #[initial = 0xfe]
    #[hex]
    clock_accuracy: u8,
    /// How stable it is.
    #[initial = 0xffff]
    #[hex]
    clock_variance: u16,
    /// Second priority.
    #[initial = 128]
    priority2: u8,
    /// Which clock it is.
    #[hex]
    grandmaster: u64,
    /// How many clocks lie between.
    steps_removed: u16,
    /// Where its time comes from: 0x20 is GNSS, 0xa0 its own oscillator.
    #[initial = 0xa0]
    #[hex]
    time_source: u8,
}

impl Header for PtpAnnounce {}

/// The body of signaling. TLVs follow ([`Ptp::tlvs`]).
#[header(name = "PTP signaling", source = "IEEE 1588-2019")]
pub struct PtpSignaling {
    /// To which clock; all ones: to all.
    #[hex]
    target_clock: u64,
    /// To which of its ports; 0xffff: to all.
    target_port: u16,
}

impl Header for PtpSignaling {}

/// The body of management. One TLV follows ([`Ptp::tlvs`]).
#[header(name = "PTP management", source = "IEEE 1588-2019")]
pub struct PtpManagement {
    /// To which clock; all ones: to all.
    #[hex]
    target_clock: u64,
    /// To which of its ports; 0xffff: to all.
    target_port: u16,
    /// How far the answer may go.
    starting_hops: u8,
    /// How far this message may go.
    hops: u8,
    /// Must be 0.
    #[bits(4)]
    reserved: u8,
    /// 0: get, 1: set, 2: response, 3: command, 4: acknowledge.
    #[bits(4)]
    action: u8,
    /// Must be 0.
    reserved2: u8,
}

impl Header for PtpManagement {}

impl PtpTimestamp {
    /// That of nanoseconds since 1970, in atomic time.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        let mut time = Self::ZERO;
        time.set_seconds(nanos / 1_000_000_000);
        time.set_nanoseconds(u32::try_from(nanos % 1_000_000_000).unwrap_or(0));
        time
    }

    /// Nanoseconds since 1970, in atomic time.
    ///
    /// # Errors
    ///
    /// The nanoseconds are a second or more, or there are more than 64 bits can hold (after the year 2554).
    pub fn nanos(&self) -> Result<u64, Error> {
        let nanos = u64::from(self.nanoseconds());
        let seconds = self.seconds().checked_mul(1_000_000_000).filter(|_| nanos < 1_000_000_000).ok_or(Error)?;
        seconds.checked_add(nanos).ok_or(Error)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::protocols::captured::hex;
    use std::string::ToString as _;

    const HEADER: &str = "05000208 fffffffffffd8000 00000000 001122fffe334455 0001 004d 03 fd";

    #[test]
    fn a_response_is_read() {
        let bytes = hex(&std::format!("0912 0036 {HEADER} 00006553f100 075bcd15 0102030405060708 0009 00"));
        let ptp = Ptp::parse(&bytes).unwrap();
        assert_eq!((ptp.kind(), ptp.minor_version(), ptp.domain()), (Ptp::DELAY_RESPONSE, 1, 5));
        assert!(ptp.two_step() && ptp.ptp_timescale() && !ptp.unicast() && !ptp.leap61() && !ptp.is_event());
        assert_eq!((ptp.correction(), ptp.correction_nanos(), ptp.log_interval()), (-0x28000, -3, -3));
        let mac = crate::wire::Mac([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!((ptp.source_clock(), ptp.source_port(), ptp.sequence()), (Ptp::clock_identity(mac), 1, 77));
        assert_eq!(ptp.next(ptp.payload), Next::Header(&PtpResponse::INFO));
        let text = "PTP response seconds=1700000000 nanoseconds=123456789 requesting_clock=0x0102030405060708 \
                    requesting_port=9";
        assert_eq!(PtpResponse::parse(ptp.payload).unwrap().header.to_string(), text);
    }

    #[test]
    fn an_announcement_is_read() {
        let body = "00006553f100 075bcd15 0025 00 80 06 21 4e5d 7f aabbccfffeddeeff 0002 20";
        let bytes = hex(&std::format!("0b12 0040 {} {body}", HEADER.replace("0208", "003f")));
        let ptp = Ptp::parse(&bytes).unwrap();
        assert!(ptp.leap61() && ptp.leap59() && ptp.utc_offset_valid() && ptp.time_traceable() && !ptp.two_step());
        assert!(ptp.frequency_traceable() && !ptp.synchronization_uncertain());
        let announce = PtpAnnounce::parse(ptp.payload).unwrap();
        assert_eq!((announce.utc_offset(), announce.priority1(), announce.priority2()), (37, 128, 127));
        assert_eq!((announce.clock_class(), announce.clock_accuracy(), announce.clock_variance()), (6, 0x21, 0x4e5d));
        assert_eq!((announce.grandmaster(), announce.steps_removed()), (0xaabb_ccff_fedd_eeff, 2));
        assert_eq!(announce.time_source(), 0x20);
        for (at, value) in [(1, 1), (3, 33), (3, 65), (0, 4)] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            assert!(Ptp::parse(&bytes).is_err(), "{at} {value}");
        }
    }

    #[test]
    #[allow(unreachable_pub, reason = "a stack's parts are public, and it is seen here only")]
    fn a_stack_says_which_message_it_is() {
        crate::stack! { struct Follow { eth: crate::wire::Ethernet, ptp: Ptp, time: PtpResponse } }
        let mut packet = [0; 68];
        <Follow as crate::wire::Stack>::fill(&mut packet, |_| ()).unwrap();
        let (headers, _) = <Follow as crate::wire::Stack>::parse(&packet).unwrap();
        assert_eq!((headers.ptp.kind(), headers.ptp.length()), (Ptp::DELAY_RESPONSE, 54));
    }

    #[test]
    fn times_convert() {
        let time = PtpTimestamp::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(
            (time.seconds(), time.nanoseconds(), time.nanos()),
            (1_700_000_000, 123_456_789, Ok(1_700_000_000_123_456_789))
        );
        let mut late = PtpTimestamp::ZERO;
        late.set_seconds((1 << 48) - 1);
        assert_eq!(late.nanos(), Err(Error));
        late.set_seconds(0);
        late.set_nanoseconds(1_000_000_000);
        assert_eq!(late.nanos(), Err(Error));
    }
}
