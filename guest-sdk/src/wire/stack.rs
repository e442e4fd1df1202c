//! Stacks: headers one behind the other, as one type.

use super::checksum::fill;
use super::dissect::{Layers, Place};
use super::{Error, Format, Header, Info, Next, Role};
use core::fmt;
use core::ops::{Deref, DerefMut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A part of a stack: a header, or one with options of constant length.
pub trait Part: Copy + FromBytes + IntoBytes + Unaligned + Immutable + KnownLayout + 'static {
    /// Its header.
    type Header: Header;
    /// Bytes behind the fixed part.
    const VARIABLE: usize;

    /// Sensible values.
    fn initial() -> Self;
    /// Its header, to be changed.
    fn header_mut(&mut self) -> &mut Self::Header;
}

impl<H: Header> Part for H {
    type Header = H;
    const VARIABLE: usize = 0;

    fn initial() -> Self {
        H::default()
    }

    #[inline]
    fn header_mut(&mut self) -> &mut H {
        self
    }
}

/// A header with `N` bytes of options behind it, or whatever its variable part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Unaligned, Immutable, KnownLayout)]
#[repr(C)]
pub struct With<H, const N: usize> {
    /// The fixed part.
    pub header: H,
    /// The variable part.
    pub options: [u8; N],
}

impl<H: Header, const N: usize> Part for With<H, N> {
    type Header = H;
    const VARIABLE: usize = N;

    fn initial() -> Self {
        Self { header: H::default(), options: [0; N] }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut H {
        &mut self.header
    }
}

impl<H, const N: usize> Deref for With<H, N> {
    type Target = H;

    #[inline]
    fn deref(&self) -> &H {
        &self.header
    }
}

impl<H, const N: usize> DerefMut for With<H, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut H {
        &mut self.header
    }
}

/// A part's place in its stack.
#[derive(Clone, Copy, Debug)]
pub struct PartInfo {
    /// Its name in the stack.
    pub name: &'static str,
    /// Bytes before it.
    pub start: usize,
    /// Length of its variable part.
    pub variable: usize,
    /// Its header.
    pub info: &'static Info,
}

impl PartInfo {
    /// Where the next part begins.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start + self.info.format.len + self.variable
    }
}

/// Headers one behind the other. [`crate::stack`] makes one.
pub trait Stack: Copy + FromBytes + IntoBytes + Unaligned + Immutable + KnownLayout + 'static {
    /// Its parts, first to last.
    const PARTS: &'static [PartInfo];
    /// Length of all headers.
    const LEN: usize = size_of::<Self>();

    /// Headers with sensible values, in which each says which one follows.
    fn initial() -> Self;

    /// Writes into all headers that the packet is `len` bytes long, from the first header on.
    ///
    /// # Errors
    ///
    /// A packet of that length cannot exist: shorter than the headers, or longer than 65,535 bytes.
    fn set_lengths(&mut self, len: usize) -> Result<(), Error>;

    /// The headers of a packet, whatever it holds, and its payload. For packets that were made from this stack.
    ///
    /// # Errors
    ///
    /// The packet is shorter than the headers.
    #[inline]
    fn of(packet: &[u8]) -> Result<(&Self, &[u8]), Error> {
        Self::ref_from_prefix(packet).map_err(|_| Error)
    }

    /// As [`Self::of`], to be changed in place.
    ///
    /// # Errors
    ///
    /// As for [`Self::of`].
    #[inline]
    fn of_mut(packet: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        Self::mut_from_prefix(packet).map_err(|_| Error)
    }

    /// The headers and the payload of a packet that has these headers, in this order, and no others between them.
    ///
    /// # Errors
    ///
    /// It has other headers, or lengths that contradict each other.
    fn parse(packet: &[u8]) -> Result<(&Self, &[u8]), Error> {
        let end = check(Self::PARTS, packet)?;
        Self::ref_from_prefix(&packet[..end]).map_err(|_| Error)
    }

    /// As [`Self::parse`], to be changed in place.
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    fn parse_mut(packet: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        let end = check(Self::PARTS, packet)?;
        Self::mut_from_prefix(&mut packet[..end]).map_err(|_| Error)
    }

    /// Makes `packet` one of this stack: all headers with sensible values and right lengths, then what `set` changes, then
    /// the checksums. The payload stays as it is. For templates: it is slow.
    ///
    /// # Errors
    ///
    /// The packet is shorter than the headers, or longer than they can say.
    fn fill(packet: &mut [u8], set: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let mut headers = Self::initial();
        headers.set_lengths(packet.len())?;
        set(&mut headers);
        let (place, _) = Self::of_mut(packet)?;
        *place = headers;
        Self::fill_checksums(packet);
        Ok(())
    }

    /// Writes all checksums of a packet that was made from this stack.
    fn fill_checksums(packet: &mut [u8]) {
        let places = Layers::along(Self::PARTS, packet).collect();
        fill::fill_places(packet, &places);
    }

    /// Writes one line for each header, and one for the payload.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    fn dump(packet: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
        super::dump::lines(packet, Layers::along(Self::PARTS, packet), f)
    }
}

/// Whether a packet has these headers; where its payload ends.
fn check(parts: &[PartInfo], packet: &[u8]) -> Result<usize, Error> {
    let mut end = packet.len();
    for (index, part) in parts.iter().enumerate() {
        let measured = part.info.measure(packet.get(part.start..end).ok_or(Error)?)?;
        end = part.start + measured.total_len;
        if part.start + measured.header_len != part.end() {
            return Err(Error);
        }
        if let Some(next) = parts.get(index + 1)
            && !leads_to(measured.next, next.info)
        {
            return Err(Error);
        }
    }
    Ok(end)
}

/// Whether what a header says of the next one allows this one.
fn leads_to(next: Next, info: &Info) -> bool {
    let format = &info.format;
    match next {
        Next::Header(other) => other.format == *format,
        Next::EtherType(number) => format.ether_types.contains(&number),
        Next::IpProtocol(number) => format.ip_protocols.contains(&number),
        Next::UdpPorts { source, destination } => {
            let is_hint = info.role != Role::Tunnel && format.udp_ports.contains(&source);
            format.udp_ports.contains(&destination) || is_hint
        }
        Next::TcpPorts { source, destination } => {
            format.tcp_ports.contains(&destination) || format.tcp_ports.contains(&source)
        }
        // Whoever declares the stack knows what others would have to guess.
        Next::IpByVersion => matches!(info.role, Role::Ipv4 | Role::Ipv6),
        Next::Payload => false,
    }
}

/// The format of the part behind that which begins at `start`. For [`crate::stack`].
#[doc(hidden)]
#[must_use]
pub fn format_behind(parts: &'static [PartInfo], start: usize) -> Option<&'static Format> {
    parts.iter().find(|part| part.start > start).map(|part| &part.info.format)
}

/// A stack's parts as places in a packet, with the payloads' ends as the headers say.
impl<'a> Layers<'a> {
    /// The headers of a packet that was made from a stack.
    pub(super) fn along(parts: &'static [PartInfo], packet: &'a [u8]) -> impl Iterator<Item = Place> + use<'a> {
        let mut end = packet.len();
        parts.iter().map_while(move |part| {
            let measured = part.info.measure(packet.get(part.start..end)?).ok()?;
            end = part.start + measured.total_len;
            Some(Place { info: part.info, start: part.start, measured })
        })
    }
}

/// Declares a stack: a struct of headers, each of which may be there more than once.
///
/// ```
/// use perigee_guest::wire::{Ethernet, Ipv4, Stack, Udp, Vxlan};
///
/// perigee_guest::stack! {
///     /// A UDP packet in a VXLAN tunnel.
///     pub struct Tunnel {
///         eth: Ethernet,
///         ip: Ipv4,
///         udp: Udp,
///         vxlan: Vxlan,
///         inner_eth: Ethernet,
///         inner_ip: Ipv4,
///         inner_udp: Udp,
///     }
/// }
///
/// let mut packet = [0; 150];
/// Tunnel::fill(&mut packet, |p| {
///     p.vxlan.set_vni(7);
///     p.inner_udp.set_destination_port(53);
/// })?;
/// let (headers, payload) = Tunnel::parse(&packet)?;
/// assert_eq!((headers.udp.destination_port(), headers.inner_ip.total_length()), (4789, 86));
/// assert_eq!(payload.len(), 58);
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
///
/// A part with options is `With<Ipv4, 8>`. The type's `LEN` bytes at a packet's beginning are turned into it by
/// `from_head` and `from_head_mut` without any check, because the lengths are known.
///
/// What a stack does not have cannot be set:
///
/// ```compile_fail,E0609
/// use perigee_guest::wire::{Ethernet, Ipv4};
/// perigee_guest::stack! { pub struct Plain { eth: Ethernet, ip: Ipv4 } }
/// fn f(packet: &mut Plain) { packet.udp.set_length(8); }
/// ```
#[macro_export]
macro_rules! stack {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($(#[$doc:meta])* $part:ident: $kind:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, PartialEq, Eq,
            $crate::wire::zerocopy::FromBytes,
            $crate::wire::zerocopy::IntoBytes,
            $crate::wire::zerocopy::Unaligned,
            $crate::wire::zerocopy::Immutable,
            $crate::wire::zerocopy::KnownLayout,
        )]
        #[zerocopy(crate = "::perigee_guest::wire::zerocopy")]
        #[repr(C)]
        $visibility struct $name {
            $($(#[$doc])* #[allow(missing_docs, reason = "a part is named after its header")] $visibility $part: $kind,)+
        }

        #[allow(dead_code, reason = "not every stack is used in every way")]
        impl $name {
            /// Length of all headers.
            $visibility const LEN: usize = size_of::<Self>();

            /// The headers in the first bytes of a packet, whatever they hold.
            #[inline(always)]
            #[must_use]
            $visibility fn from_head(head: &[u8; size_of::<Self>()]) -> &Self {
                $crate::wire::zerocopy::transmute_ref!(head)
            }

            /// As [`Self::from_head`], to be changed in place.
            #[inline(always)]
            #[must_use]
            $visibility fn from_head_mut(head: &mut [u8; size_of::<Self>()]) -> &mut Self {
                $crate::wire::zerocopy::transmute_mut!(head)
            }
        }

        impl $crate::wire::Stack for $name {
            const PARTS: &'static [$crate::wire::PartInfo] = &[$($crate::wire::PartInfo {
                name: stringify!($part),
                start: ::core::mem::offset_of!($name, $part),
                variable: <$kind as $crate::wire::Part>::VARIABLE,
                info: &<<$kind as $crate::wire::Part>::Header as $crate::wire::Header>::INFO,
            }),+];

            fn initial() -> Self {
                let mut headers = Self { $($part: <$kind as $crate::wire::Part>::initial()),+ };
                $({
                    let start = ::core::mem::offset_of!($name, $part);
                    if let Some(next) = $crate::wire::format_behind(Self::PARTS, start) {
                        $crate::wire::Header::set_next($crate::wire::Part::header_mut(&mut headers.$part), next);
                    }
                })+
                headers
            }

            #[inline]
            fn set_lengths(&mut self, len: usize) -> Result<(), $crate::wire::Error> {
                if len < size_of::<Self>() || len > usize::from(u16::MAX) {
                    return Err($crate::wire::Error);
                }
                $({
                    let variable = <$kind as $crate::wire::Part>::VARIABLE;
                    let before = ::core::mem::offset_of!($name, $part) + size_of::<$kind>();
                    let header = $crate::wire::Part::header_mut(&mut self.$part);
                    $crate::wire::Header::set_lengths(header, variable, len - before);
                })+
                Ok(())
            }
        }
    };
}
