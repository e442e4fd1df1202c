//! Dissecting: which headers does this packet have?

use super::{Cover, Error, Field, Format, Info, Measured, Next, Role, protocol};
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

/// The headers of a packet, outermost first. It ends where a header is unknown, or cut off, or contradicts itself:
/// [`Self::rest`] then says what was not understood.
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
    error: bool,
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
            error: false,
        }
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

    /// The header that follows, with what it says; an error where one is known, but the bytes are not it.
    fn read_next(&self, next: Next) -> Result<Option<(&'static Info, Measured)>, Error> {
        let Some(bytes) = self.packet.get(self.rest.clone()) else { return Err(Error) };
        if let Next::Header(info) = next {
            return info.measure(bytes).map(|measured| Some((info, measured)));
        }
        let mut known = false;
        // The receiver's port says more than the sender's.
        for port in [Side::Destination, Side::Source] {
            let all = self.more.iter().chain(super::protocols::HEADERS).copied();
            for info in all.filter(|info| is_under(&info.format, next, port)) {
                known = true;
                if let Ok(measured) = info.measure(bytes) {
                    return Ok(Some((info, measured)));
                }
            }
        }
        // A port is only a hint: what does not fit is taken for data.
        let must = known && !matches!(next, Next::UdpPorts { .. } | Next::TcpPorts { .. });
        if must { Err(Error) } else { Ok(None) }
    }
}

/// Whose port decides.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Destination,
    Source,
}

/// Whether a header is carried under this number.
fn is_under(format: &Format, next: Next, side: Side) -> bool {
    match next {
        Next::EtherType(number) => side == Side::Destination && format.ether_types.contains(&number),
        Next::IpProtocol(number) => side == Side::Destination && format.ip_protocols.contains(&number),
        Next::UdpPorts { source, destination } => {
            format.udp_ports.contains(if side == Side::Source { &source } else { &destination })
        }
        Next::TcpPorts { source, destination } => {
            format.tcp_ports.contains(if side == Side::Source { &source } else { &destination })
        }
        Next::Payload | Next::Header(_) => false,
    }
}

impl Iterator for Layers<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let next = self.next.take()?;
        match self.read_next(next) {
            Ok(Some((info, measured))) => {
                let place = Place { info, start: self.rest.start, measured };
                self.rest = place.payload();
                self.left -= 1;
                if self.left > 0 && !self.rest.is_empty() {
                    self.next = Some(measured.next);
                }
                Some(place)
            }
            Ok(None) => None,
            Err(Error) => {
                self.error = true;
                None
            }
        }
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
        let Some(whole) = self.list[..self.len].first().map(Place::whole) else { return Ok(()) };
        let end = self.iter().find(|place| place.is_network()).map_or(whole.end, |network| network.whole().end);
        let len = packet.len();
        if len > usize::from(u16::MAX) || self.iter().any(|place| len < place.header().end) {
            return Err(Error);
        }
        for place in self.list.iter_mut().take(self.len).filter(|place| place.whole().end >= end) {
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
        for (to, place) in list.list.iter_mut().zip(places) {
            *to = place;
            list.len += 1;
        }
        list
    }
}
