//! One line a packet: number, time, length, and of each header its name, its addresses or ports, and what tells most.

use super::line::Line;
use super::packet::Packet;
use perigee_guest::wire::{Field, Format, Info};
use perigee_pcap::file::ethernet;
use std::ops::Range;

/// Fields that stand on both sides of a `>`, whatever the header.
const ENDS: [(&str, &str); 3] = [("source", "destination"), ("source_port", "destination_port"), ("sender", "target")];

/// Fields that are shown with their names, whatever the header.
const TELLING: [&str; 15] = [
    "vid",
    "label",
    "vni",
    "vsid",
    "teid",
    "spi",
    "session",
    "kind",
    "code",
    "operation",
    "identifier",
    "sequence",
    "fragment_offset",
    "tsn",
    "group",
];

/// A header's part of a line, as a list of what to write: made once for each header.
struct Brief(Vec<Piece>);

enum Piece {
    Text(String),
    Value(Field),
    /// A letter where the bit is set.
    Flag(Field, &'static str),
}

/// The parts of all headers that were met.
#[derive(Default)]
pub(super) struct Briefs {
    infos: Vec<&'static Info>,
    briefs: Vec<Brief>,
}

impl Briefs {
    fn of(&mut self, info: &'static Info) -> &Brief {
        let known = self.infos.iter().position(|known| std::ptr::eq(*known, info));
        let number = known.unwrap_or_else(|| {
            self.infos.push(info);
            self.briefs.push(Brief::of(&info.format));
            self.infos.len() - 1
        });
        &self.briefs[number]
    }
}

impl Brief {
    fn of(format: &Format) -> Self {
        let field = |name: &str| format.fields.iter().find(|field| field.name == name).copied();
        let mut brief = Self(Vec::new());
        brief.text(format.name);
        for (from, to) in ENDS.into_iter().filter_map(|(from, to)| field(from).zip(field(to))) {
            brief.text(" ");
            brief.0.push(Piece::Value(from));
            brief.text(" > ");
            brief.0.push(Piece::Value(to));
        }
        if format.name == "TCP" {
            brief.text(" ");
            let flags = [("syn", "S"), ("fin", "F"), ("rst", "R"), ("psh", "P"), ("ack", "A"), ("urg", "U")];
            let flags = flags.into_iter().chain([("ece", "E"), ("cwr", "C")]);
            brief.0.extend(flags.filter_map(|(name, letter)| Some(Piece::Flag(field(name)?, letter))));
        }
        // A whole packet is a fragment that begins at 0.
        let telling = TELLING.into_iter().filter(|name| *name != "fragment_offset" || format.name != "IPv4");
        for (name, field) in telling.filter_map(|name| Some((name, field(name)?))) {
            brief.text(&format!(" {name}="));
            brief.0.push(Piece::Value(field));
        }
        brief
    }

    /// A text, as one piece with one before it: fewer are written faster.
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }

    fn write(&self, header: &[u8], line: &mut Line) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line.text(text),
                Piece::Value(field) => line.value(field, header),
                Piece::Flag(field, letter) => {
                    if header.get(field.bit / 8).is_some_and(|byte| byte << (field.bit % 8) & 0x80 != 0) {
                        line.text(letter);
                    }
                }
            }
        }
    }
}

/// Number, time and length, with which every form for people begins.
pub(super) fn head(packet: &Packet<'_>, line: &mut Line) {
    line.number(packet.number);
    line.text(" ");
    match packet.time {
        Some(time) => line.seconds(time),
        None => line.text("-"),
    }
    line.text(" ");
    line.number(packet.length);
    if usize::try_from(packet.length) != Ok(packet.captured) {
        line.text(" (");
        line.number(packet.captured);
        line.text(" captured)");
    }
}

/// Writes a packet.
pub(super) fn write(briefs: &mut Briefs, packet: &Packet<'_>, line: &mut Line) {
    head(packet, line);
    let Some(mut layers) = packet.layers() else { return unknown(packet, line) };
    let mut between = ": ";
    for place in layers.by_ref() {
        line.text(between);
        between = ", ";
        briefs.of(place.info).write(packet.bytes.get(place.header()).unwrap_or_default(), line);
    }
    rest(layers.rest(), packet.bytes.len(), line);
    if layers.is_malformed() {
        line.text(", malformed");
    }
    if layers.is_too_deep() {
        line.text(", more headers");
    }
    line.text("\n");
}

/// A packet of a link that has no header here.
pub(super) fn unknown(packet: &Packet<'_>, line: &mut Line) {
    line.text(": ");
    line.text(&ethernet::name(packet.link));
    line.text("\n");
}

/// What lies behind the headers, and behind what they say that the packet has.
fn rest(payload: Range<usize>, len: usize, line: &mut Line) {
    for (bytes, what) in [(payload.len(), " bytes"), (len - payload.end.min(len), " bytes of padding")] {
        if bytes > 0 {
            line.text(", ");
            line.number(bytes);
            line.text(what);
        }
    }
}
