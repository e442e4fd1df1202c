//! Packets as text: one line for each header, and hex.

use super::dissect::{Layers, Place};
use super::{Format, behind};
use core::fmt;

/// Writes one line for each header of a packet that begins with Ethernet, and one for what lies behind them.
///
/// ```
/// use perigee_guest::wire::{Ethernet, Ipv4, Stack, Udp, dump};
///
/// perigee_guest::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
/// let mut packet = [0; 60];
/// Udp4::fill(&mut packet, |p| p.udp.set_destination_port(9))?;
/// let mut text = String::new();
/// dump(&packet, &mut text).unwrap();
/// assert!(text.contains("UDP source_port=0 destination_port=9 length=26"), "{text}");
/// assert!(text.ends_with("payload 18 bytes\n"), "{text}");
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
///
/// # Errors
///
/// Those of `f`.
pub fn dump(packet: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    lines(packet, Layers::new(packet), f)
}

/// Writes one line for each place, and one for what lies behind the last.
pub(super) fn lines(packet: &[u8], places: impl Iterator<Item = Place>, f: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = 0..packet.len();
    for place in places {
        let header = packet.get(place.header()).unwrap_or(&[]);
        show(&place.info.format, header, f)?;
        let options = behind(header, place.info.format.len);
        if !options.is_empty() {
            f.write_str(" options=")?;
            options.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        f.write_char('\n')?;
        rest = place.payload();
    }
    writeln!(f, "payload {} bytes", rest.len())?;
    match packet.len() - rest.end.min(packet.len()) {
        0 => Ok(()),
        padding => writeln!(f, "padding {padding} bytes"),
    }
}

/// Writes a header in one line: its name, then all fields by name.
///
/// # Errors
///
/// Those of `f`.
pub fn show(format: &Format, header: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    f.write_str(format.name)?;
    for field in format.fields {
        write!(f, " {}=", field.name)?;
        field.show(header, f)?;
    }
    Ok(())
}

/// Writes bytes as sixteen a line with their offsets: what Wireshark's "import from hex dump" and `text2pcap` read.
///
/// # Errors
///
/// Those of `f`.
pub fn hex(packet: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    for (line, bytes) in packet.chunks(16).enumerate() {
        write!(f, "{:06x}", line * 16)?;
        bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
        f.write_char('\n')?;
    }
    Ok(())
}
