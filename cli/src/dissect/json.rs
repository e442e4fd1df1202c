//! One JSON object a packet. Numbers that others would round are texts.

use super::line::Line;
use super::packet::Packet;
use perigee_guest::wire::{Field, Place, Show};

/// Whole numbers below 2 to this come out of a JSON reader as they went in, also where it reads them as floating-point numbers.
const EXACT_BITS: usize = 53;

/// Writes a packet. All texts are ours, and have nothing in them that JSON escapes.
pub(super) fn write(packet: &Packet<'_>, line: &mut Line) {
    line.text("{\"number\":");
    line.number(packet.number);
    line.text(",\"time_ns\":");
    match packet.time {
        // Of nanoseconds since 1970 a floating-point number has the last two digits wrong.
        Some(time) => {
            line.text("\"");
            line.number(time);
            line.text("\"");
        }
        None => line.text("null"),
    }
    line.text(",\"length\":");
    line.number(packet.length);
    line.text(",\"captured\":");
    line.number(packet.captured);
    line.text(",\"headers\":[");
    let (mut payload, mut is_malformed, mut is_too_deep) = (0..packet.bytes.len(), false, false);
    if let Some(mut layers) = packet.layers() {
        for (number, place) in layers.by_ref().enumerate() {
            line.text(if number == 0 { "" } else { "," });
            header(packet, &place, line);
        }
        (payload, is_malformed, is_too_deep) = (layers.rest(), layers.is_malformed(), layers.is_too_deep());
    }
    line.text("],\"link\":");
    line.number(packet.link);
    line.text(",\"payload\":");
    line.number(payload.len());
    line.text(",\"padding\":");
    line.number(packet.bytes.len() - payload.end.min(packet.bytes.len()));
    for (name, is_so) in [(",\"malformed\":", is_malformed), (",\"more_headers\":", is_too_deep)] {
        line.text(name);
        line.text(if is_so { "true" } else { "false" });
    }
    line.text("}\n");
}

fn header(packet: &Packet<'_>, place: &Place, line: &mut Line) {
    let (format, bytes) = (&place.info.format, packet.bytes.get(place.header()).unwrap_or_default());
    line.text("{\"name\":\"");
    line.text(format.name);
    line.text("\",\"at\":");
    // From the beginning of what was captured.
    line.number(packet.captured - packet.bytes.len() + place.start);
    line.text(",\"length\":");
    line.number(bytes.len());
    line.text(",\"fields\":{");
    for (number, field) in format.fields.iter().enumerate() {
        line.text(if number == 0 { "\"" } else { ",\"" });
        line.text(field.name);
        line.text("\":");
        value(field, bytes, line);
    }
    line.text("}");
    if let Some(options) = bytes.get(format.len..).filter(|options| !options.is_empty()) {
        line.text(",\"options\":\"");
        line.hex(options, "");
        line.text("\"");
    }
    line.text("}");
}

/// A number where it is one and JSON keeps it, else a text.
fn value(field: &Field, header: &[u8], line: &mut Line) {
    let is_number = matches!(field.show, Show::Decimal | Show::Signed) && field.bits <= EXACT_BITS;
    let quote = if is_number { "" } else { "\"" };
    line.text(quote);
    line.value(field, header);
    line.text(quote);
}
