//! `#[header]`: makes a protocol header of its fields, listed as its RFC draws them.
//!
//! Use it through `perigee_guest::wire::header`; its documentation is `docs/headers.md`.

mod emit;
mod parse;

use proc_macro::TokenStream;

/// Turns a struct of fields into a header: a value of as many bytes as its fields have, which is read and written in
/// place in a packet.
///
/// ```ignore
/// /// UDP.
/// #[header(name = "UDP", source = "RFC 768", ip_protocol = 17)]
/// pub struct Udp {
///     /// Port of the sender.
///     source_port: u16,
///     /// Port of the receiver.
///     destination_port: u16,
///     /// Length of header and payload.
///     length: u16,
///     /// Checksum; 0: none.
///     #[hex]
///     checksum: u16,
/// }
/// ```
///
/// Each field gets a getter, a setter and a constant `FIELD_NAME` that says where it lies. Fields stand in the order of the
/// bits, the most significant first. Types are `u8` to `u128`, `i8` to `i64`, `bool` (one bit), `[u8; N]`, `Mac`,
/// `Ipv4Addr`, `Ipv6Addr`; any other type needs `#[bits(n)]` and conversions from and to the smallest unsigned number of
/// that many bits. `#[bits(n)]` makes a number narrower. `#[initial = value]` is what `default()` sets, `#[hex]` how it is
/// shown.
///
/// The header's own arguments are `name`, `source` (where it is defined), and under which numbers other headers carry it:
/// `ether_type`, `ip_protocol`, `udp_port`, `tcp_port`, each one number or a list.
#[proc_macro_attribute]
pub fn header(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let declaration = parse::declaration(arguments.into(), item.into());
    declaration.map_or_else(|error| error.into_compile_error(), |declaration| emit::header(&declaration)).into()
}
