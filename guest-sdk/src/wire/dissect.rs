//! Dissecting: which headers does this packet have?

use super::under::{Side, asked};
use super::{Cover, Error, Field, Info, Measured, Next, Role, checksum, protocol};
use core::ops::{Deref, Range};

/// Most headers that are looked at in a packet. A tunnel has about ten; more are nonsense or an attack.
pub const MAX_LAYERS: usize = 24;

/// A header found in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub info: &'static Info,
    /// Where it begins.
    pub start: usize,
    /// What it says.
    pub measured: Measured,
}

impl Place {
    /// The protocol's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.info.format.name
    }

    /// The bytes of the header with its variable part.
    #[must_use]
    pub const fn header(&self) -> Range<usize> {
        self.start..self.start + self.measured.header_len
    }

    /// The bytes of what it carries.
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        self.start + self.measured.header_len..self.start + self.measured.total_len
    }

    /// The bytes of both.
    #[must_use]
    pub const fn whole(&self) -> Range<usize> {
        self.start..self.start + self.measured.total_len
    }

    /// Whether addresses of pseudo-headers are here.
    pub(super) const fn is_network(&self) -> bool {
        matches!(self.info.role, Role::Ipv4 | Role::Ipv6)
    }
}

/// The headers of a packet, outermost first. It ends where a header is unknown, or cut off, or contradicts itself
/// ([`Self::is_malformed`]), and behind [`MAX_LAYERS`] of them ([`Self::is_too_deep`]): [`Self::rest`] then says what was not
/// understood. Another version of a protocol than that under its number, such as GRE's of PPTP or ARP for other hardware
/// than Ethernet, is unknown.
///
/// ```
/// use perigee_guest::wire::{Arp, Layers, Stack, Ethernet, Vlan};
///
/// perigee_guest::stack! { struct Question { eth: Ethernet, tag: Vlan, arp: Arp } }
/// let mut packet = [0; 60];
/// Question::fill(&mut packet, |p| p.tag.set_vid(5))?;
/// let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
/// assert_eq!(names, ["Ethernet", "VLAN", "ARP"]);
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layers<'a> {
    packet: &'a [u8],
    next: Option<Next>,
    more: &'static [&'static Info],
    rest: Range<usize>,
    left: usize,
    /// The last IP header was IPv4.
    in_ipv4: bool,
    is_template: bool,
    error: bool,
    is_too_deep: bool,
}

impl<'a> Layers<'a> {
    /// Of a packet that begins with Ethernet.
    #[must_use]
    pub fn new(packet: &'a [u8]) -> Self {
        Self::starting_with(&<super::Ethernet as super::Header>::INFO, packet)
    }

    /// Of bytes that begin with this header.
    #[must_use]
    pub fn starting_with(first: &'static Info, packet: &'a [u8]) -> Self {
        Self {
            packet,
            next: Some(Next::Header(first)),
            more: &[],
            rest: 0..packet.len(),
            left: MAX_LAYERS,
            in_ipv4: false,
            is_template: false,
            error: false,
            is_too_deep: false,
        }
    }

    /// Of a packet whose checksums are still to be written: where only a right checksum would tell IPv4 from other bytes
    /// ([`Next::IpByVersion`]), one of 0 is believed as well, if the packet ends with the last byte.
    #[must_use]
    pub const fn of_template(mut self) -> Self {
        self.is_template = true;
        self
    }

    /// Looks for headers of one's own as well, before those of the SDK.
    #[must_use]
    pub fn knowing(mut self, more: &'static [&'static Info]) -> Self {
        self.more = more;
        self
    }

    /// The bytes behind the last header.
    #[must_use]
    pub fn rest(&self) -> Range<usize> {
        self.rest.clone()
    }

    /// Whether it ended at a header that is cut off or contradicts itself.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.error
    }

    /// Whether it ended because there are more headers than [`MAX_LAYERS`]: what follows the last one was not looked at.
    #[must_use]
    pub const fn is_too_deep(&self) -> bool {
        self.is_too_deep
    }

    /// The header that follows, with what it says; an error where one is known, but is cut off or contradicts itself.
    fn read_next(&self, next: Next) -> Result<Option<(&'static Info, Measured)>, Error> {
        let bytes = self.packet.get(self.rest.clone()).ok_or(Error)?;
        match next {
            Next::Payload => return Ok(None),
            Next::IpByVersion => return Ok(self.guess(bytes)),
            Next::Header(info) => return read(info, bytes),
            _ => {}
        }
        let mut contradicts = false;
        // The receiver's port says more than the sender's.
        for side in [Side::Destination, Side::Source] {
            let Some((number, table)) = asked(next, side) else { continue };
            let own = self.more.iter().copied().filter(|info| is_under(info, next, number));
            let all = own.chain(table.iter().filter(|under| under.0 == number).map(|under| under.1));
            let all = all.filter(|info| !(self.in_ipv4 && info.role.is_of_ipv6()));
            // Whoever sends from a tunnel's port by chance sends no tunnel.
            for info in all.filter(|info| side == Side::Destination || info.role != Role::Tunnel) {
                match read(info, bytes) {
                    Ok(None) => {}
                    Ok(found) => return Ok(found),
                    Err(Error) => contradicts = true,
                }
            }
        }
        if contradicts && !is_hint(next) { Err(Error) } else { Ok(None) }
    }

    /// IP that nobody announced, if there is more to it than four bits.
    fn guess(&self, bytes: &[u8]) -> Option<(&'static Info, Measured)> {
        let (info, is_v4) = match bytes.first()? >> 4 {
            4 => (&<super::Ipv4 as super::Header>::INFO, true),
            6 => (&<super::Ipv6 as super::Header>::INFO, false),
            _ => return None,
        };
        let measured = info.measure(bytes).ok()?;
        let ends_here = measured.total_len == bytes.len();
        let is_good = || checksum::verify(checksum::sum(&bytes[..measured.header_len]));
        let is_to_be_written = || self.is_template && ends_here && bytes[10..12] == [0, 0];
        let is_ip = if is_v4 { is_good() || is_to_be_written() } else { ends_here };
        is_ip.then_some((info, measured))
    }
}

/// Reads this header; nothing where the bytes are another one.
fn read(info: &'static Info, bytes: &[u8]) -> Result<Option<(&'static Info, Measured)>, Error> {
    match info.measure(bytes) {
        Ok(measured) => Ok(Some((info, measured))),
        Err(Error) if info.is_other(bytes) => Ok(None),
        Err(Error) => Err(Error),
    }
}

/// Whether what does not fit is taken for data: a port says what is expected there, and an experiment's number is anybody's.
const fn is_hint(next: Next) -> bool {
    matches!(
        next,
        Next::UdpPorts { .. }
            | Next::TcpPorts { .. }
            | Next::IpProtocol(protocol::EXPERIMENT_1 | protocol::EXPERIMENT_2)
    )
}

/// Whether a header is carried under this number, of the kind that follows.
fn is_under(info: &Info, next: Next, number: u16) -> bool {
    let format = &info.format;
    match next {
        Next::EtherType(_) => format.ether_types.contains(&number),
        Next::IpProtocol(protocol) => format.ip_protocols.contains(&protocol),
        Next::UdpPorts { .. } => format.udp_ports.contains(&number),
        Next::TcpPorts { .. } => format.tcp_ports.contains(&number),
        Next::Payload | Next::Header(_) | Next::IpByVersion => false,
    }
}

impl Iterator for Layers<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let next = self.next.take()?;
        let found = self.read_next(next);
        if self.left == 0 {
            self.is_too_deep = found != Ok(None);
            return None;
        }
        let Ok(found) = found else {
            self.error = true;
            return None;
        };
        let (info, measured) = found?;
        let place = Place { info, start: self.rest.start, measured };
        self.rest = place.payload();
        self.left -= 1;
        if place.is_network() {
            self.in_ipv4 = info.role == Role::Ipv4;
        }
        self.next = (!self.rest.is_empty()).then_some(measured.next);
        Some(place)
    }
}

/// The headers of a packet, in a list without a heap: a slice of places, outermost first.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    list: [Place; MAX_LAYERS],
    len: usize,
}

impl Places {
    /// The outermost header of this protocol; nothing where the packet has none.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&Place> {
        self.iter().find(|place| place.name() == name)
    }

    /// The header that a name in a configuration means: that of the protocol, in letters of any case, with `-` for
    /// spaces; `#2` behind it is the second of its kind. `"ipv4"`, `"gtp-u"`, `"sctp-data"`, `"ipv4#2"`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Place> {
        let (name, number) = name.split_once('#').unwrap_or((name, "1"));
        let before = number.parse::<usize>().ok()?.checked_sub(1)?;
        self.iter().filter(|place| is_called(place.name(), name)).nth(before)
    }

    /// A field by the names of its header and its own (`docs/headers.md`), where it lies in the packet. `"ipv4.source"`,
    /// `"ipv4#2.source"`.
    ///
    /// ```
    /// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack, Udp, Vxlan};
    ///
    /// perigee_guest::stack! {
    ///     struct Tunnel { eth: Ethernet, ip: Ipv4, udp: Udp, vxlan: Vxlan, inner_eth: Ethernet, inner_ip: Ipv4 }
    /// }
    /// let mut packet = [0; 100];
    /// Tunnel::fill(&mut packet, |p| p.inner_ip.set_ttl(9))?;
    /// let places: Places = Layers::new(&packet).collect();
    /// assert_eq!(places.field("vxlan.vni").map(|field| field.bytes()), Some(46..49));
    /// assert_eq!(places.field("ipv4#2.ttl").and_then(|field| field.get(&packet)), Some(9));
    /// # Ok::<(), perigee_guest::wire::Error>(())
    /// ```
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field> {
        let (header, field) = name.split_once('.')?;
        let place = self.named(header)?;
        let known = place.info.format.fields.iter().find(|known| known.name == field)?;
        Some(known.after(place.start))
    }

    /// Follows a packet that became longer or shorter behind its headers: writes its length into those headers that
    /// reached to its end. What lay behind the outermost IP packet (Ethernet's padding) belongs to it from now on.
    ///
    /// # Errors
    ///
    /// The packet is shorter than its headers, or longer than 65,535 bytes; nothing is changed.
    pub fn set_len(&mut self, packet: &mut [u8]) -> Result<(), Error> {
        let Some(end) = self.end() else { return Ok(()) };
        let len = packet.len();
        if len > usize::from(u16::MAX) || self.iter().any(|place| len < place.header().end) {
            return Err(Error);
        }
        for place in self.list.iter_mut().take(self.len).filter(|place| place.filled_end() >= end) {
            let (start, header_len) = (place.start, place.measured.header_len);
            let variable = header_len - place.info.format.len;
            place.info.set_lengths(&mut packet[start..], variable, len - start - header_len)?;
            place.measured.total_len = len - start;
        }
        Ok(())
    }

    /// Takes UDP headers over IPv4 whose checksum is 0 for what they are: without a checksum (RFC 768). So it stays.
    #[must_use]
    pub fn without_absent_checksums(mut self, packet: &[u8]) -> Self {
        let mut v4 = false;
        for place in self.list.iter_mut().take(self.len) {
            if place.is_network() {
                v4 = place.info.role == Role::Ipv4;
            }
            if let Cover::Pseudo(field, protocol::UDP) = place.measured.cover
                && v4
                && field.after(place.start).get(packet) == Some(0)
            {
                place.measured.cover = Cover::Nothing;
            }
        }
        self
    }

    /// Leaves the checksum of one header to others.
    pub(super) fn leave_checksum(&mut self, index: usize) {
        if let Some(place) = self.list.get_mut(index) {
            place.measured.cover = Cover::Nothing;
        }
    }
}

/// Whether a protocol's name is meant.
fn is_called(protocol: &str, name: &str) -> bool {
    let same = |(known, given): (u8, u8)| known.eq_ignore_ascii_case(&given) || known == b' ' && given == b'-';
    protocol.len() == name.len() && protocol.bytes().zip(name.bytes()).all(same)
}

impl Deref for Places {
    type Target = [Place];

    fn deref(&self) -> &[Place] {
        &self.list[..self.len]
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let nothing = Measured { header_len: 0, total_len: 0, next: Next::Payload, cover: Cover::Nothing };
        let filler = Place { info: &<super::Ethernet as super::Header>::INFO, start: 0, measured: nothing };
        let mut list = Self { list: [filler; MAX_LAYERS], len: 0 };
        // The packet is asked for one more than there is room for: so it knows whether there are more.
        for (place, to) in places.into_iter().zip(&mut list.list) {
            *to = place;
            list.len += 1;
        }
        list
    }
}
