//! Test packets in both modes, without extensions.

use crate::ErrorEstimate;
use perigee_guest::wire::{Header, header};

/// What a session-sender sends (RFC 8762, section 4.2.1; RFC 8972, section 3).
#[header(name = "STAMP request", source = "RFC 8762", udp_port = 862)]
pub struct Sent {
    /// Number of the packet in its session.
    sequence: u32,
    /// When it left, in the format that the error estimate says.
    #[hex]
    timestamp: u64,
    /// How far the sender's clock may be wrong.
    #[bits(16)]
    #[hex]
    error: ErrorEstimate,
    /// Number of the session (RFC 8972, section 3); 0: none.
    ssid: u16,
    /// Must be 0; the reflector's answer has its place here.
    reserved: [u8; 28],
}

impl Header for Sent {}

/// What a session-reflector sends (RFC 8762, section 4.3.1; RFC 8972, section 3).
#[header(name = "STAMP answer", source = "RFC 8762")]
pub struct Reflected {
    /// Number of the packet: that of the sender's packet, or the reflector's own count.
    sequence: u32,
    /// When the answer left.
    #[hex]
    timestamp: u64,
    /// How far the reflector's clock may be wrong.
    #[bits(16)]
    #[hex]
    error: ErrorEstimate,
    /// Number of the session, as the sender's packet had it.
    ssid: u16,
    /// When the sender's packet came.
    #[hex]
    receive_timestamp: u64,
    /// Number of the sender's packet.
    sender_sequence: u32,
    /// When the sender's packet left, as it says.
    #[hex]
    sender_timestamp: u64,
    /// The sender's error estimate, as its packet says.
    #[bits(16)]
    #[hex]
    sender_error: ErrorEstimate,
    /// Must be 0.
    reserved: u16,
    /// Time to live or hop limit with which the sender's packet came.
    sender_ttl: u8,
    /// Must be 0.
    reserved2: [u8; 3],
}

impl Header for Reflected {}

/// What a session-sender sends (RFC 8762, section 4.2.2; RFC 8972, section 3).
#[header(name = "STAMP authenticated request", source = "RFC 8762")]
pub struct AuthenticatedSent {
    /// Number of the packet in its session.
    sequence: u32,
    /// Must be 0.
    reserved: [u8; 12],
    /// When it left, in the format that the error estimate says.
    #[hex]
    timestamp: u64,
    /// How far the sender's clock may be wrong.
    #[bits(16)]
    #[hex]
    error: ErrorEstimate,
    /// Number of the session; 0: none.
    ssid: u16,
    /// Must be 0.
    reserved2: [u8; 68],
    /// What vouches for all before it.
    hmac: [u8; 16],
}

impl Header for AuthenticatedSent {}

/// What a session-reflector sends (RFC 8762, section 4.3.2; RFC 8972, section 3).
#[header(name = "STAMP authenticated answer", source = "RFC 8762")]
pub struct AuthenticatedReflected {
    /// Number of the packet: that of the sender's packet, or the reflector's own count.
    sequence: u32,
    /// Must be 0.
    reserved: [u8; 12],
    /// When the answer left.
    #[hex]
    timestamp: u64,
    /// How far the reflector's clock may be wrong.
    #[bits(16)]
    #[hex]
    error: ErrorEstimate,
    /// Number of the session, as the sender's packet had it.
    ssid: u16,
    /// Must be 0.
    reserved2: [u8; 4],
    /// When the sender's packet came.
    #[hex]
    receive_timestamp: u64,
    /// Must be 0.
    reserved3: [u8; 8],
    /// Number of the sender's packet.
    sender_sequence: u32,
    /// Must be 0.
    reserved4: [u8; 12],
    /// When the sender's packet left, as it says.
    #[hex]
    sender_timestamp: u64,
    /// The sender's error estimate, as its packet says.
    #[bits(16)]
    #[hex]
    sender_error: ErrorEstimate,
    /// Must be 0.
    reserved5: [u8; 6],
    /// Time to live or hop limit with which the sender's packet came.
    sender_ttl: u8,
    /// Must be 0.
    reserved6: [u8; 15],
    /// What vouches for all before it.
    hmac: [u8; 16],
}

impl Header for AuthenticatedReflected {}

#[cfg(test)]
mod test {
    use super::*;
    use crate::{AUTHENTICATED_BASE, BASE};

    #[test]
    fn both_packets_have_44_bytes() {
        assert_eq!((size_of::<Sent>(), size_of::<Reflected>()), (BASE, BASE));
        let fields = [
            (Reflected::SEQUENCE, 0..4),
            (Reflected::TIMESTAMP, 4..12),
            (Reflected::ERROR, 12..14),
            (Reflected::SSID, 14..16),
            (Reflected::RECEIVE_TIMESTAMP, 16..24),
            (Reflected::SENDER_SEQUENCE, 24..28),
            (Reflected::SENDER_TIMESTAMP, 28..36),
            (Reflected::SENDER_ERROR, 36..38),
            (Reflected::SENDER_TTL, 40..41),
            (Sent::SSID, 14..16),
        ];
        for (field, bytes) in fields {
            assert_eq!(field.bytes(), bytes, "{}", field.name);
        }
    }

    /// The figures of RFC 8762, sections 4.2.2 and 4.3.2, with the session's number of RFC 8972, section 3.
    #[test]
    fn both_packets_have_112_bytes() {
        assert_eq!(size_of::<AuthenticatedSent>(), AUTHENTICATED_BASE);
        assert_eq!(size_of::<AuthenticatedReflected>(), AUTHENTICATED_BASE);
        let fields = [
            (AuthenticatedSent::TIMESTAMP, 16..24),
            (AuthenticatedSent::ERROR, 24..26),
            (AuthenticatedSent::SSID, 26..28),
            (AuthenticatedSent::HMAC, 96..112),
            (AuthenticatedReflected::TIMESTAMP, 16..24),
            (AuthenticatedReflected::ERROR, 24..26),
            (AuthenticatedReflected::SSID, 26..28),
            (AuthenticatedReflected::RECEIVE_TIMESTAMP, 32..40),
            (AuthenticatedReflected::SENDER_SEQUENCE, 48..52),
            (AuthenticatedReflected::SENDER_TIMESTAMP, 64..72),
            (AuthenticatedReflected::SENDER_ERROR, 72..74),
            (AuthenticatedReflected::SENDER_TTL, 80..81),
            (AuthenticatedReflected::HMAC, 96..112),
        ];
        for (field, bytes) in fields {
            assert_eq!(field.bytes(), bytes, "{}", field.name);
        }
    }
}
