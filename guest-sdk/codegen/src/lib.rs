//! Pairs of functions: an accessor of the guest SDK, and the store that one would write by hand with the field's offset.
//! `./x codegen` compiles them as modules are, and fails where the two of a pair differ, or where one differs from the
//! snapshot beside this crate.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![allow(unsafe_code, reason = "exports functions, and stores without a check, to compare with")]
#![cfg(target_arch = "wasm32")]

use perigee_guest::wire::{EtherType, Ethernet, Mac};

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

/// The view that is asked for; of a head it is always there.
#[inline(always)]
fn ethernet(head: &mut [u8; HEAD], set: impl FnOnce(&mut Ethernet<&mut [u8]>)) {
    if let Ok(mut frame) = Ethernet::new_checked(&mut head[..]) {
        set(&mut frame);
    }
}

probe!(sdk_ethernet_type, raw_ethernet_type, u16;
    |head, value| ethernet(head, |frame| frame.set_ether_type(EtherType(value)));
    12, value.to_be_bytes());

probe!(sdk_ethernet_source, raw_ethernet_source, u64;
    |head, value| ethernet(head, |frame| frame.set_source(mac(value)));
    6, mac(value));

probe!(sdk_ethernet_destination, raw_ethernet_destination, u64;
    |head, value| ethernet(head, |frame| frame.set_destination(mac(value)));
    0, mac(value));

/// The last six bytes of a number.
#[inline(always)]
fn mac(value: u64) -> Mac {
    let [_, _, mac @ ..] = value.to_be_bytes();
    Mac(mac)
}
