//! Dissecting: which headers does this packet have?

use super::{Cover, Error, Format, Info, Measured, Next};
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
