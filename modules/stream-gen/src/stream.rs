//! One stream: a template, what varies in it, and its sizes.

use crate::config::{Checksums, VARY_MAX};
use perigee_guest::abi::PortInfo;
use perigee_guest::config::List;
use perigee_guest::vary::{self, Cells, Draw, Place, Plan, Program, Spec, Values};
use perigee_guest::wire::checksum::{self, Asked, Prepared};
use perigee_guest::wire::{Layers, Places};
use perigee_guest::{Lcg64, Refusal, Setup, Text};

/// Longest template.
const TEMPLATE_MAX: usize = 1536;
/// Shortest frame, without frame check sequence.
pub(crate) const FRAME_MIN: usize = 60;
/// What a frame has before the packet that a port's MTU counts, at most: an Ethernet header and two tags.
const LINK_MAX: u64 = 22;
/// No frame with a length of IEEE 802.3 is as long as this.
const FRAME_MAX_8023: u64 = 2_000;
/// Values of all lists in a stream's `vary`.
pub(crate) const VALUES_MAX: usize = 128;
/// Values and weights of a stream's `sizes`.
pub(crate) const SIZES_MAX: usize = 32;
/// Headers whose lengths follow the packet's.
const LENGTHS_MAX: usize = 8;

/// A stream.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    template: [u8; TEMPLATE_MAX],
    /// Length of packets where it does not vary.
    len: u16,
    /// The template's headers, with the checksums that are computed here.
    places: Places,
    program: Program<VARY_MAX, VALUES_MAX>,
    sizes: Option<Sizes>,
    /// Whether checksums are computed here at all.
    has_sums: bool,
    /// What is known of them, where packets have one length.
    prepared: Option<Prepared>,
    /// What is asked of the way out.
    asked: Option<Asked>,
}

/// Who computes checksums.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) by: Checksums,
    /// What the port computes that packets leave by.
    pub(crate) offloads: u32,
}

/// Lengths that vary, and their bounds.
#[derive(Clone, Copy)]
struct Sizes {
    draw: Values<SIZES_MAX>,
    least: u16,
    most: u16,
    /// Lengths must be so much more than a multiple of a unit: `(unit, more)`.
    grid: (u16, u16),
}

/// The longest frame that the way out takes, if that is a port.
#[derive(Clone, Copy)]
pub(crate) struct Longest {
    mtu: Option<u16>,
    room: u32,
}

impl Longest {
    pub(crate) fn new(port: Option<&PortInfo>, setup: &Setup<'_>) -> Self {
        Self { mtu: port.map(|port| port.mtu), room: setup.room_len() }
    }

    /// Refuses frames of `len` bytes, of which none would leave.
    fn allow(self, key: &str, len: u64) -> Result<(), Refusal> {
        let by_mtu = self.mtu.map_or(u64::MAX, |mtu| u64::from(mtu) + LINK_MAX);
        let most = by_mtu.min(self.room.into());
        if len <= most {
            return Ok(());
        }
        let mut text = Text::<240>::from(key);
        text.push(": ").push_number(len).push(" bytes are more than ");
        match self.mtu.filter(|_| by_mtu == most) {
            Some(mtu) => text.push("the port's MTU of ").push_number(mtu.into()).push(" allows (").push_number(most),
            None => text.push("a room of this run takes (").push_number(most),
        };
        text.push(", with Ethernet header and tags): make them shorter, or the port's mtu larger");
        Err(text.into())
    }
}

impl Sizes {
    fn new(
        spec: &Spec<'_>,
        places: &Places,
        template: &[u8],
        longest: Longest,
        setup: &Setup<'_>,
    ) -> Result<Self, Refusal> {
        let draw = Values::new(spec, setup.instance()).map_err(in_sizes)?;
        longest.allow("sizes", draw.largest())?;
        let headers = places.iter().map(|place| place.header().end).max().unwrap_or_default();
        let can_be = |len: usize| places.possible_len(template, len) == len;
        // An SCTP packet takes every fourth length only, a frame with a length of IEEE 802.3 none beyond its range.
        let mut lens = (headers.max(FRAME_MIN)..).take(4);
        let all = lens.clone().all(can_be);
        let Some(least) = lens.find(|&len| can_be(len)).and_then(|len| u16::try_from(len).ok()) else {
            return Err(Refusal::new("sizes: the template is as long as its headers can say"));
        };
        let most = u64::try_from(places.possible_len(template, usize::from(u16::MAX))).unwrap_or(u64::MAX);
        if most < FRAME_MAX_8023 && draw.largest() > most {
            let mut text = Text::<240>::from("sizes: an IEEE 802.3 length in place of a type says at most 1500: ");
            text.push("make packets at most ").push_number(most).push(" bytes long, or give the frame a type");
            return Err(text.into());
        }
        if places.last().is_some_and(|place| place.name().starts_with("SCTP ")) && !places.reach_end() {
            return Err(Refusal::new("sizes: the template has several SCTP chunks, of which none can follow the size"));
        }
        let most = u16::try_from(setup.room_len()).unwrap_or(u16::MAX);
        Ok(Self { draw, least, most, grid: if all { (1, 0) } else { (4, least % 4) } })
    }
}

impl Stream {
    pub(crate) fn new(
        packet: &str,
        vary: &List<Spec<'_>, VARY_MAX>,
        sizes: Option<&Spec<'_>>,
        sums: Sums,
        longest: Longest,
        setup: &Setup<'_>,
    ) -> Result<Self, Refusal> {
        let mut template = [0; TEMPLATE_MAX];
        let len = read_hex(packet, &mut template)?;
        let mut layers = Layers::new(template.get(..len).unwrap_or_default()).of_template();
        let places = layers.by_ref().collect::<Places>().without_absent_checksums(&template);
        let is_malformed = layers.is_malformed();
        let find = |field: &str| Place::named(&places, field).map_err(|refusal| in_template(is_malformed, refusal));
        let program = Program::new(vary, &find, setup.instance())?;
        let frame = len.max(FRAME_MIN);
        let room = u16::try_from(setup.room_len()).unwrap_or(u16::MAX);
        let frame_len = u16::try_from(frame).unwrap_or(u16::MAX);
        if room < frame_len {
            return Err(Refusal::new("packet: longer than a room of this run"));
        }
        longest.allow("packet", frame_len.into())?;
        if program.end() as usize > frame && sizes.is_none() {
            return Err(Refusal::new("vary: an item is behind the packet's end"));
        }
        let sizes = match sizes {
            Some(spec) => Some(Sizes::new(spec, &places, &template, longest, setup)?),
            None => None,
        };
        let has_sums = sums.by != Checksums::None;
        let mut stream =
            Self { template, len: frame_len, places, program, sizes, has_sums, prepared: None, asked: None };
        stream.prepare(len, frame, sums);
        Ok(stream)
    }

    /// Makes the template of `len` bytes right, and decides what is to be done for each packet's checksums.
    fn prepare(&mut self, len: usize, frame: usize, sums: Sums) {
        let Some(bytes) = self.template.get_mut(..frame).filter(|_| self.has_sums) else { return };
        if sums.by == Checksums::Offload {
            // The zeros that make a short frame long enough add nothing to what a port sums up, unless they vary.
            let end = if (len..frame).any(|byte| self.program.writes(byte)) { frame } else { len };
            if self.sizes.is_some() {
                // Of other sizes the headers say that all bytes belong to them.
                let _ = self.places.set_len(&mut bytes[..end]);
            }
            let asked = checksum::leave_to_port(&bytes[..end], &mut self.places, sums.offloads);
            self.asked = Some(asked).filter(|asked| asked.flags != 0);
        }
        checksum::fill_places(bytes, &self.places);
        if self.sizes.is_none() {
            self.prepared = Prepared::new(bytes, &self.places, &|byte| self.program.writes(byte));
        }
    }

    /// Length of the next packet.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "within the bounds, which have 16 bits")]
    pub(crate) fn next_len(&mut self, random: &mut Lcg64) -> u16 {
        match &mut self.sizes {
            Some(sizes) => {
                let len = sizes.draw.next(random).clamp(sizes.least.into(), sizes.most.into()) as u16;
                let (unit, more) = sizes.grid;
                if unit == 1 { len } else { len - (len - more) % unit }
            }
            None => self.len,
        }
    }

    /// The length of all packets, where there is only one.
    pub(crate) fn only_len(&self) -> Option<u16> {
        if self.sizes.is_none() { Some(self.len) } else { None }
    }

    /// Whether packets differ.
    pub(crate) fn varies(&self) -> bool {
        self.sizes.is_some() || !self.program.is_empty()
    }

    /// Writes the template, and zeros behind it.
    #[inline]
    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let len = bytes.len().min(TEMPLATE_MAX);
        let (head, tail) = bytes.split_at_mut(len);
        head.copy_from_slice(self.template.get(..len).unwrap_or_default());
        tail.fill(0);
    }

    /// Writes what is new in the next packet, over the template.
    #[inline]
    pub(crate) fn vary(&mut self, bytes: &mut [u8], random: &mut Lcg64) {
        if self.sizes.is_some() {
            // No size is chosen that the headers cannot say.
            let _ = self.places.set_len(bytes);
        } else if self.program.is_empty() {
            return;
        }
        self.program.apply(bytes, random);
        match &self.prepared {
            Some(prepared) => prepared.fill(bytes),
            None if self.has_sums => checksum::fill_places(bytes, &self.places),
            None => {}
        }
    }

    /// Writes the plan of which the host makes machine code: with the template, where that is written into each packet.
    pub(crate) fn plan(&self, plan: &mut Plan<'_, '_>, writes_template: bool) -> Result<(), Refusal> {
        let template = self.template.get(..usize::from(self.len)).filter(|_| writes_template).unwrap_or_default();
        let stream = vary::Stream { len: self.len, asked: self.asked, template, ..vary::Stream::default() };
        let Some(sizes) = &self.sizes else {
            let varies = !self.program.is_empty();
            if self.has_sums && self.prepared.is_none() && varies {
                return Err(Refusal::new("a checksum goes through the whole packet"));
            }
            return plan
                .stream(&self.program, &vary::Stream { sums: self.prepared.as_ref().filter(|_| varies), ..stream });
        };
        // What stays is summed up over a packet that has all that varies, of whole words.
        let full = usize::from(self.len).max(self.program.end() as usize).next_multiple_of(2);
        let (mut bytes, mut places) = (self.template, self.places);
        let bytes = bytes.get_mut(..full).ok_or_else(|| Refusal::new("an item is written behind byte 1536"))?;
        let (mut lengths, mut used) = ([(0, 0); LENGTHS_MAX], 0);
        let found = places.lengths(bytes, &|byte| self.program.writes(byte), &mut |at, less| {
            *lengths.get_mut(used)? = (at, less);
            used += 1;
            Some(())
        });
        let lengths = lengths.get(..used).filter(|_| found.is_some() && places.set_len(bytes).is_ok());
        let lengths = lengths.ok_or_else(|| {
            Refusal::new("a header says in its own way how long packets of different sizes are, or its type varies")
        })?;
        let changes = |byte: usize| {
            let is_length = |&(at, _): &(u16, u16)| usize::from(at) == byte || usize::from(at) + 1 == byte;
            self.program.writes(byte) || lengths.iter().any(is_length)
        };
        let sums = if self.has_sums { Prepared::new(bytes, &places, &changes) } else { None };
        if self.has_sums && !sums.as_ref().is_some_and(|sums| sums.fits(sizes.least)) {
            return Err(Refusal::new("a checksum goes through the whole packet, and sizes vary"));
        }
        let drawn = Some(sizes.draw.as_len(sizes.least, sizes.most, sizes.grid));
        plan.stream(&self.program, &vary::Stream { drawn, lengths, sums: sums.as_ref(), ..stream })
    }

    /// Items that its plan has.
    pub(crate) fn count(&self) -> usize {
        vary::Kept::count(&self.program) + usize::from(self.sizes.is_some())
    }

    /// Moves what goes on from packet to packet.
    pub(crate) fn keep(&mut self, cells: &mut Cells<'_>) {
        cells.stream(&mut self.program, self.sizes.as_mut().map(|sizes| &mut sizes.draw));
    }

    /// The checksums that are asked of the way out.
    #[inline]
    pub(crate) fn asked(&self) -> Option<Asked> {
        self.asked
    }
}

/// Says why fields are missing that look as if they were there.
fn in_template(is_malformed: bool, refusal: Refusal) -> Refusal {
    if !is_malformed {
        return refusal;
    }
    Refusal::from_parts(&[refusal.text().as_str(), " (what follows is cut off, or its lengths contradict each other)"])
}

fn in_sizes(refusal: Refusal) -> Refusal {
    Refusal::from_parts(&["sizes: ", refusal.text().as_str()])
}

/// Reads pairs of hexadecimal digits; white space and colons between them do not count.
fn read_hex(text: &str, bytes: &mut [u8]) -> Result<usize, Refusal> {
    let mut digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':');
    let mut len = 0;
    while let Some(high) = digits.next() {
        let low = digits.next().and_then(digit);
        let (Some(high), Some(low)) = (digit(high), low) else {
            return Err(Refusal::new("packet: expected pairs of hexadecimal digits"));
        };
        let place = bytes.get_mut(len);
        *place.ok_or_else(|| Refusal::new("packet: longer than 1536 bytes (sizes can make packets longer)"))? =
            high << 4 | low;
        len += 1;
    }
    if len < 14 { Err(Refusal::new("packet: shorter than the 14 bytes of an Ethernet header")) } else { Ok(len) }
}

#[allow(clippy::cast_possible_truncation, reason = "a digit is below 16")]
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
