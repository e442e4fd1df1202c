//! One line a header, with all of its fields.

use super::brief::{head, unknown};
use super::line::Line;
use super::packet::Packet;
use perigee_guest::wire::show;

/// Writes a packet: a line of its own, then a line for each header, and one for what lies behind them.
pub(super) fn write(packet: &Packet<'_>, line: &mut Line) {
    head(packet, line);
    let Some(mut layers) = packet.layers() else { return unknown(packet, line) };
    line.text("\n");
    for place in layers.by_ref() {
        let header = packet.bytes.get(place.header()).unwrap_or_default();
        line.text("  ");
        // Memory takes all that is written.
        let _ = show(&place.info.format, header, line);
        if let Some(options) = header.get(place.info.format.len..).filter(|options| !options.is_empty()) {
            line.text(" options=");
            line.hex(options, "");
        }
        line.text("\n");
    }
    let (payload, len) = (layers.rest(), packet.bytes.len());
    let what = match (layers.is_malformed(), layers.is_too_deep()) {
        (true, _) => "malformed",
        (_, true) => "more headers",
        _ => "payload",
    };
    for (bytes, what) in [(payload.len(), what), (len - payload.end.min(len), "padding")] {
        if bytes > 0 {
            line.text("  ");
            line.text(what);
            line.text(" ");
            line.number(bytes);
            line.text(" bytes\n");
        }
    }
}
