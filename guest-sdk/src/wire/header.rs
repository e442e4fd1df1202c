//! What a header is: fields at constant places, and what they say of the bytes that follow.

use super::{Error, Field, show};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::fn_addr_eq;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What is known of a header beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The protocol's name.
    pub name: &'static str,
    /// Where it is defined.
    pub source: &'static str,
    /// Length in bytes, without a variable part.
    pub len: usize,
    /// Its fields, first to last.
    pub fields: &'static [Field],
    /// EtherTypes under which it is carried; the first is the usual one.
    pub ether_types: &'static [u16],
    /// IP protocol numbers under which it is carried.
    pub ip_protocols: &'static [u8],
    /// UDP ports on which it is expected.
    pub udp_ports: &'static [u16],
    /// TCP ports on which it is expected.
    pub tcp_ports: &'static [u16],
}

/// What [`super::header`] makes of a declaration.
pub trait Fields: Copy + Default + FromBytes + IntoBytes + Unaligned + Immutable + KnownLayout + 'static {
    /// Its fields and numbers.
    const FORMAT: Format;
    /// What its documentation says.
    const DOC: &'static str;
    /// What the documentation of its fields says, in their order.
    const FIELD_DOCS: &'static [&'static str];

    /// A field's value as its getter gives it, in big-endian bytes at the end of `value`. For tests.
    #[doc(hidden)]
    #[cfg(not(target_arch = "wasm32"))]
    fn get_by_index(&self, index: usize, value: &mut [u8]);
    /// Calls a field's setter with the value at the end of `value`. For tests.
    #[doc(hidden)]
    #[cfg(not(target_arch = "wasm32"))]
    fn set_by_index(&mut self, index: usize, value: &[u8]);
}

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Data without a header that is known.
    Payload,
    /// What this EtherType stands for.
    EtherType(u16),
    /// What this IP protocol number stands for.
    IpProtocol(u8),
    /// What is expected on these UDP ports.
    UdpPorts {
        /// Port of the sender.
        source: u16,
        /// Port of the receiver.
        destination: u16,
    },
    /// What is expected on these TCP ports.
    TcpPorts {
        /// Port of the sender.
        source: u16,
        /// Port of the receiver.
        destination: u16,
    },
    /// This header.
    Header(&'static Info),
    /// Perhaps IPv4 or IPv6, whose first four bits say which: nobody says so, and what begins like that may be anything (RFC
    /// 4928, section 3). It is believed where the packet is whole and IPv4's checksum is right, and where IPv6 ends with
    /// the last byte.
    IpByVersion,
}

/// What a header's checksum covers, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// It has none.
    Nothing,
    /// The header with its variable part.
    Header(Field),
    /// Header and payload.
    Message(Field),
    /// Header and payload, and before them a pseudo-header with this protocol number.
    Pseudo(Field, u8),
    /// Header and payload, by a sum of the header's own, such as SCTP's CRC32c.
    Own(OwnSum),
}

/// A checksum that is none of RFC 1071. As functions, so that a module has the code only of those that its headers use.
#[derive(Clone, Copy, Debug)]
pub struct OwnSum {
    /// Writes it into header and payload, and says whether these are long enough to have one.
    pub fill: fn(&mut [u8]) -> bool,
    /// Whether it is right in header and payload.
    pub is_right: fn(&[u8]) -> bool,
}

impl PartialEq for OwnSum {
    fn eq(&self, other: &Self) -> bool {
        fn_addr_eq(self.fill, other.fill) && fn_addr_eq(self.is_right, other.is_right)
    }
}

impl Eq for OwnSum {}

/// What a header is for those behind it and for their checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Other,
    /// It carries somebody else's packets. A UDP port means it only as the receiver's: whatever is sent from that port, by a
    /// program that was given it by chance, is not taken for packets.
    Tunnel,
    /// Its addresses are in the pseudo-header.
    Ipv4,
    /// Its addresses are in the pseudo-header.
    Ipv6,
    /// It may hold the last destination, which is in the pseudo-header (RFC 8200, section 8.1). Only IPv6 has it.
    Routing,
    /// It may hold the sender's home address, which is in the pseudo-header (RFC 6275, section 6.3). Only IPv6 has it.
    DestinationOptions,
    /// Nothing, but only IPv6 has it.
    Extension,
}

impl Role {
    /// Whether only IPv6 has it: IPv4 may carry another protocol under the same number.
    pub(super) const fn is_of_ipv6(self) -> bool {
        matches!(self, Self::Routing | Self::DestinationOptions | Self::Extension)
    }
}

/// A header. Everything has a default, so `impl Header for Name {}` is a header of constant length with a payload.
pub trait Header: Fields {
    /// What it is for the checksums of others.
    const ROLE: Role = Role::Other;
    /// What dissecting needs of it.
    const INFO: Info = Info::of::<Self>();

    /// Whether the values can be those of this header: a version number, for example. Where they cannot, it is another
    /// header under the same number, or another version of this one: dissecting ends there, which is no error. What
    /// contradicts itself says so by its lengths.
    #[inline]
    fn is_valid(&self) -> bool {
        true
    }

    /// Length with the variable part.
    #[inline]
    fn header_len(&self) -> usize {
        Self::FORMAT.len
    }

    /// Length of header and payload, of which `available` bytes are there.
    #[inline]
    fn total_len(&self, available: usize) -> usize {
        available
    }

    /// What follows. `payload` begins behind the variable part.
    #[inline]
    fn next(&self, payload: &[u8]) -> Next {
        let _ = payload;
        Next::Payload
    }

    /// As [`Self::next`], which it calls, for headers that say it in their variable part.
    #[inline]
    fn next_behind(&self, variable: &[u8], payload: &[u8]) -> Next {
        let _ = variable;
        self.next(payload)
    }

    /// What its checksum covers.
    #[inline]
    fn cover(&self) -> Cover {
        Cover::Nothing
    }

    /// Says in this header which one follows.
    #[inline]
    fn set_next(&mut self, next: &Format) {
        let _ = next;
    }

    /// Says in this header how long its variable part and its payload are.
    #[inline]
    fn set_lengths(&mut self, variable: usize, payload: usize) {
        let _ = (variable, payload);
    }

    /// The header at the beginning of `bytes`, with all lengths checked.
    ///
    /// # Errors
    ///
    /// The bytes are not this header, or are shorter than it says, or its lengths contradict each other.
    #[inline]
    fn parse(bytes: &[u8]) -> Result<Layer<'_, Self>, Error> {
        let (len, total) = check::<Self>(bytes)?;
        let (header, _) = Self::ref_from_prefix(bytes).map_err(|_| Error)?;
        Ok(Layer { header, variable: &bytes[size_of::<Self>()..len], payload: &bytes[len..total] })
    }

    /// As [`Self::parse`], to be changed in place.
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    #[inline]
    fn parse_mut(bytes: &mut [u8]) -> Result<LayerMut<'_, Self>, Error> {
        let (len, total) = check::<Self>(bytes)?;
        let (front, payload) = bytes[..total].split_at_mut(len);
        let (header, variable) = Self::mut_from_prefix(front).map_err(|_| Error)?;
        Ok(LayerMut { header, variable, payload })
    }

    /// The beginning of `bytes` as this header, whatever it holds: to write one.
    ///
    /// # Errors
    ///
    /// There are fewer bytes than the header has.
    #[inline]
    fn split_mut(bytes: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Error> {
        Self::mut_from_prefix(bytes).map_err(|_| Error)
    }
}

/// Lengths of the header with its variable part, and with its payload.
#[inline]
fn check<H: Header>(bytes: &[u8]) -> Result<(usize, usize), Error> {
    let (header, _) = H::ref_from_prefix(bytes).map_err(|_| Error)?;
    let (len, total) = (header.header_len(), header.total_len(bytes.len()));
    let good = header.is_valid() && size_of::<H>() <= len && len <= total && total <= bytes.len();
    if good { Ok((len, total)) } else { Err(Error) }
}

/// A header where it lies in a packet, and what belongs to it. What lies behind its total length (Ethernet's padding) is not
/// part of it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a, H> {
    /// The fixed part.
    pub header: &'a H,
    /// The variable part: options.
    pub variable: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

impl<H> Deref for Layer<'_, H> {
    type Target = H;

    #[inline]
    fn deref(&self) -> &H {
        self.header
    }
}

/// A header where it lies in a packet, to be changed in place.
#[derive(Debug)]
pub struct LayerMut<'a, H> {
    /// The fixed part.
    pub header: &'a mut H,
    /// The variable part: options.
    pub variable: &'a mut [u8],
    /// What it carries.
    pub payload: &'a mut [u8],
}

impl<H> Deref for LayerMut<'_, H> {
    type Target = H;

    #[inline]
    fn deref(&self) -> &H {
        self.header
    }
}

impl<H> DerefMut for LayerMut<'_, H> {
    #[inline]
    fn deref_mut(&mut self) -> &mut H {
        self.header
    }
}

/// A header as dissecting sees it: without its type.
#[derive(Clone, Copy)]
pub struct Info {
    /// Its fields and numbers.
    pub format: Format,
    /// What it is for those behind it.
    pub role: Role,
    measure: fn(&[u8]) -> Result<Measured, Error>,
    is_other: fn(&[u8]) -> bool,
    set_lengths: fn(&mut [u8], usize, usize) -> Result<(), Error>,
}

/// What the bytes of a header say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Length of the header with its variable part.
    pub header_len: usize,
    /// Length of header and payload.
    pub total_len: usize,
    /// What follows.
    pub next: Next,
    /// What its checksum covers.
    pub cover: Cover,
}

impl Info {
    /// That of a type.
    #[must_use]
    pub const fn of<H: Header>() -> Self {
        Self {
            format: H::FORMAT,
            role: H::ROLE,
            measure: measure::<H>,
            is_other: is_other::<H>,
            set_lengths: set_lengths::<H>,
        }
    }

    /// Reads a header of this kind at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// As for [`Header::parse`].
    pub fn measure(&self, bytes: &[u8]) -> Result<Measured, Error> {
        (self.measure)(bytes)
    }

    /// Whether the bytes are another header than this one, or another version of it, rather than this one cut off or with
    /// lengths that contradict each other.
    pub(super) fn is_other(&self, bytes: &[u8]) -> bool {
        // The number under which IP is carried says its version.
        !matches!(self.role, Role::Ipv4 | Role::Ipv6) && (self.is_other)(bytes)
    }

    /// Writes into a header of this kind at the beginning of `bytes` how long its variable part and its payload are.
    ///
    /// # Errors
    ///
    /// There are fewer bytes than the header has.
    pub fn set_lengths(&self, bytes: &mut [u8], variable: usize, payload: usize) -> Result<(), Error> {
        (self.set_lengths)(bytes, variable, payload)
    }
}

impl PartialEq for Info {
    fn eq(&self, other: &Self) -> bool {
        self.format == other.format
    }
}

impl Eq for Info {}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.name)
    }
}

fn measure<H: Header>(bytes: &[u8]) -> Result<Measured, Error> {
    let layer = H::parse(bytes)?;
    let header_len = size_of::<H>() + layer.variable.len();
    let next = layer.next_behind(layer.variable, layer.payload);
    Ok(Measured { header_len, total_len: header_len + layer.payload.len(), next, cover: layer.cover() })
}

/// Of a header that is cut off, what is there decides.
fn is_other<H: Header>(bytes: &[u8]) -> bool {
    let mut header = H::default();
    header.as_mut_bytes().iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    !header.is_valid()
}

fn set_lengths<H: Header>(bytes: &mut [u8], variable: usize, payload: usize) -> Result<(), Error> {
    let (header, _) = H::split_mut(bytes)?;
    header.set_lengths(variable, payload);
    Ok(())
}

impl<H: Header> fmt::Display for Layer<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&H::FORMAT, self.header.as_bytes(), f)?;
        write!(f, " | {} bytes", self.payload.len())
    }
}
