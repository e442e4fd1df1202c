//! Extensions of test packets (RFC 8972, section 4).

use crate::config::Sync;
use crate::session::Session;
use crate::{BAD_LENGTH, EXTENSIONS, UNRECOGNIZED};
use core::net::IpAddr;
use perigee_guest::wire::Mac;
use stamp_wire::{Place, tlv};

/// How timestamps are taken: by software, locally (RFC 8972, section 4.3).
const SOFTWARE: u8 = 2;

/// What extensions ask for.
pub(crate) struct Facts<'a> {
    pub(crate) place: &'a Place,
    /// The MAC address that the packet came from.
    pub(crate) source: Mac,
    /// The UDP port that it came to.
    pub(crate) port: u16,
    pub(crate) sync: Sync,
    /// The session before this packet, where sessions are told apart.
    pub(crate) session: Option<Session>,
    /// An HMAC has proven the extensions.
    pub(crate) is_proven: bool,
    /// Number and timestamp of the answer before this one.
    pub(crate) follow_up: Option<(u32, u64)>,
}

/// How an extension was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Understood,
    Unrecognized,
    BadLength,
}

/// Answers all extensions in place. Gives the code point for the answer's IP header, where one is asked for.
pub(crate) fn process(mut rest: &mut [u8], facts: &Facts<'_>) -> Option<u8> {
    let mut dscp = None;
    // TWAMP's padding, mostly: a sender sets a flag in each extension.
    if rest.iter().all(|byte| *byte == 0) {
        return None;
    }
    while let Some(next) = tlv::split_first(&mut rest) {
        match next {
            Ok(next) => {
                let taken = take(*next.kind, next.value, facts, &mut dscp);
                *next.flags = flags(taken);
                let counter = match taken {
                    Taken::Understood => EXTENSIONS,
                    Taken::Unrecognized => UNRECOGNIZED,
                    Taken::BadLength => BAD_LENGTH,
                };
                counter.add(1);
            }
            Err(bytes) => {
                // Where the next one would begin is not known.
                if let Some(first) = bytes.first_mut() {
                    *first = tlv::MALFORMED;
                }
                BAD_LENGTH.add(1);
                break;
            }
        }
    }
    dscp
}

/// All flags that the sender has set are written anew.
const fn flags(taken: Taken) -> u8 {
    match taken {
        Taken::Understood => 0,
        Taken::Unrecognized => tlv::UNRECOGNIZED,
        Taken::BadLength => tlv::MALFORMED,
    }
}

/// Answers one extension. `dscp` is what a class of service asks for.
fn take(kind: u8, value: &mut [u8], facts: &Facts<'_>, dscp: &mut Option<u8>) -> Taken {
    match (kind, value) {
        // Comes back as it is.
        (tlv::EXTRA_PADDING, _) => Taken::Understood,
        // The answer's is written when all before it is.
        (tlv::HMAC, _) if facts.is_proven => Taken::Understood,
        (tlv::LOCATION, [to_high, to_low, from_high, from_low, parts @ ..]) => {
            [*to_high, *to_low] = facts.port.to_be_bytes();
            [*from_high, *from_low] = facts.place.source_port.to_be_bytes();
            locate(parts, facts);
            Taken::Understood
        }
        (tlv::TIMESTAMP_INFORMATION, [sync_in, method_in, sync_out, method_out, ..]) => {
            (*sync_in, *method_in) = (facts.sync as u8, SOFTWARE);
            (*sync_out, *method_out) = (facts.sync as u8, SOFTWARE);
            Taken::Understood
        }
        (tlv::CLASS_OF_SERVICE, [first, second, third, fourth]) => {
            // DSCP1 is for the way back; DSCP2 and ECN are what came. The policy forbids nothing: RP is 0.
            *dscp = Some(*first >> 2);
            *first = *first & 0xfc | facts.place.dscp >> 4;
            *second = facts.place.dscp << 4 | facts.place.ecn << 2;
            (*third, *fourth) = (0, 0);
            Taken::Understood
        }
        (tlv::DIRECT_MEASUREMENT, value @ &mut [_, _, _, _, _, _, _, _, _, _, _, _]) => {
            // The packets that count are those of the session: without sessions there are no counters.
            let Some(session) = facts.session else { return Taken::Unrecognized };
            let count = session.answers.wrapping_add(1).to_be_bytes();
            value[4..8].copy_from_slice(&count);
            value[8..12].copy_from_slice(&count);
            Taken::Understood
        }
        (tlv::ACCESS_REPORT, [id, _, _, _]) => match *id >> 4 {
            1 | 2 => Taken::Understood,
            _ => Taken::Unrecognized,
        },
        (tlv::FOLLOW_UP, value @ &mut [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]) => {
            value.fill(0);
            if let Some((sequence, stamp)) = facts.follow_up {
                value[..4].copy_from_slice(&sequence.to_be_bytes());
                value[4..12].copy_from_slice(&stamp.to_be_bytes());
                value[12] = SOFTWARE;
            }
            Taken::Understood
        }
        (tlv::FOLLOW_UP, value) => {
            // Number and time are 0 even then (erratum 8339).
            value.iter_mut().take(12).for_each(|byte| *byte = 0);
            Taken::BadLength
        }
        (
            tlv::LOCATION
            | tlv::TIMESTAMP_INFORMATION
            | tlv::CLASS_OF_SERVICE
            | tlv::DIRECT_MEASUREMENT
            | tlv::ACCESS_REPORT,
            _,
        ) => Taken::BadLength,
        _ => Taken::Unrecognized,
    }
}

/// Answers the parts of a location (section 4.2.1): a general question becomes an answer of the kind that fits.
fn locate(mut parts: &mut [u8], facts: &Facts<'_>) {
    while let Some(next) = tlv::split_first(&mut parts) {
        match next {
            Ok(part) => *part.flags = flags(locate_part(part.kind, part.value, facts)),
            Err(bytes) => {
                if let Some(first) = bytes.first_mut() {
                    *first = tlv::MALFORMED;
                }
                return;
            }
        }
    }
}

fn locate_part(kind: &mut u8, value: &mut [u8], facts: &Facts<'_>) -> Taken {
    /// The general questions, and what answers them.
    const SOURCE_MAC: u8 = 1;
    const SOURCE_EUI48: u8 = 2;
    const DESTINATION: u8 = 4;
    const SOURCE: u8 = 7;
    match (*kind, value.len()) {
        (SOURCE_MAC, 8) => {
            *kind = SOURCE_EUI48;
            let (mac, rest) = value.split_at_mut(6);
            mac.copy_from_slice(&facts.source.0);
            rest.fill(0);
            Taken::Understood
        }
        (DESTINATION, 16) => {
            locate_address(kind, value, facts.place.destination);
            Taken::Understood
        }
        (SOURCE, 16) => {
            locate_address(kind, value, facts.place.source);
            Taken::Understood
        }
        (SOURCE_MAC | DESTINATION | SOURCE, _) => Taken::BadLength,
        _ => Taken::Unrecognized,
    }
}

/// The next type is that of an IPv4 address, the one behind it that of IPv6.
fn locate_address(kind: &mut u8, value: &mut [u8], address: IpAddr) {
    value.fill(0);
    match address {
        IpAddr::V4(address) => {
            *kind += 1;
            value.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from);
        }
        IpAddr::V6(address) => {
            *kind += 2;
            value.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from);
        }
    }
}
