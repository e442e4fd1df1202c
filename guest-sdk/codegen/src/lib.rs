//! Pairs of functions: an accessor of the guest SDK, and the store that one would write by hand with the field's offset.
//! `./x codegen` compiles them as modules are, and fails where the two of a pair differ, or where one differs from the
//! snapshot beside this crate.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![allow(unsafe_code, reason = "exports functions, and stores without a check, to compare with")]
#![cfg(target_arch = "wasm32")]

use perigee_guest::wire::{Ethernet, Ipv4, Mac, Udp};

/// Bytes of Ethernet, IPv4 and UDP headers: a head of that length is known to be there.
const HEAD: usize = 42;

/// Exports a pair: the names of both, what the field is given, how the SDK writes it, and where it is in which bytes.
macro_rules! probe {
    ($sdk:ident, $raw:ident, $type:ty; |$head:ident, $value:ident| $set:expr; $offset:literal, $bytes:expr) => {
        #[doc = concat!("The SDK's way to write ", stringify!($offset), " bytes into a head.")]
        #[unsafe(no_mangle)]
        pub extern "C" fn $sdk($head: &mut [u8; HEAD], $value: $type) {
            $set;
        }

        #[doc = concat!("The same by hand, ", stringify!($offset), " bytes into a head.")]
        #[unsafe(no_mangle)]
        pub extern "C" fn $raw($head: &mut [u8; HEAD], $value: $type) {
            store::<$offset, _>($head, $bytes);
        }
    };
}

/// One store without a check at run time.
#[inline(always)]
fn store<const OFFSET: usize, T>(head: &mut [u8; HEAD], value: T) {
    const { assert!(OFFSET + size_of::<T>() <= HEAD) };
    // SAFETY:
    // - The bytes lie in the head, checked above when it is compiled; it is borrowed mutably.
    let place = unsafe { head.as_mut_ptr().add(OFFSET) }.cast::<T>();
    // SAFETY:
    // - As above; no alignment is needed.
    unsafe { place.write_unaligned(value) };
}

/// The head as the stack that it is.
#[inline(always)]
fn udp4(head: &mut [u8; HEAD]) -> &mut Udp4 {
    Udp4::from_head_mut(head)
}

perigee_guest::stack! {
    /// The headers of the probes.
    struct Udp4 {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
    }
}

/// The last six bytes of a number.
#[inline(always)]
fn mac(value: u64) -> Mac {
    let [_, _, mac @ ..] = value.to_be_bytes();
    Mac(mac)
}

probe!(sdk_ethernet_destination, raw_ethernet_destination, u64;
    |head, value| udp4(head).eth.set_destination(mac(value));
    0, mac(value));

probe!(sdk_ethernet_source, raw_ethernet_source, u64;
    |head, value| udp4(head).eth.set_source(mac(value));
    6, mac(value));

probe!(sdk_ipv4_total_length, raw_ipv4_total_length, u16;
    |head, value| udp4(head).ip.set_total_length(value);
    16, value.to_be_bytes());

probe!(sdk_ipv4_identification, raw_ipv4_identification, u16;
    |head, value| udp4(head).ip.set_identification(value);
    18, value.to_be_bytes());

probe!(sdk_ipv4_ttl, raw_ipv4_ttl, u8;
    |head, value| udp4(head).ip.set_ttl(value);
    22, value);

probe!(sdk_ipv4_checksum, raw_ipv4_checksum, u16;
    |head, value| udp4(head).ip.set_checksum(value);
    24, value.to_be_bytes());

probe!(sdk_ipv4_source, raw_ipv4_source, u32;
    |head, value| udp4(head).ip.set_source(value.into());
    26, value.to_be_bytes());

probe!(sdk_ipv4_destination, raw_ipv4_destination, u32;
    |head, value| udp4(head).ip.set_destination(value.into());
    30, value.to_be_bytes());

probe!(sdk_udp_source_port, raw_udp_source_port, u16;
    |head, value| udp4(head).udp.set_source_port(value);
    34, value.to_be_bytes());

probe!(sdk_udp_destination_port, raw_udp_destination_port, u16;
    |head, value| udp4(head).udp.set_destination_port(value);
    36, value.to_be_bytes());

probe!(sdk_udp_checksum, raw_udp_checksum, u16;
    |head, value| udp4(head).udp.set_checksum(value);
    40, value.to_be_bytes());
