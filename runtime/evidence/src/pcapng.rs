//! The failed batch as a capture file that Wireshark reads: nanosecond stamps, and what host and module said of each packet as
//! its comment.

use super::case::{Case, PacketCase};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The file's bytes.
pub(super) fn pcapng(case: &Case) -> Result<Vec<u8>, String> {
    write(case).map_err(|e| format!("batch.pcapng: {e}"))
}

fn write(case: &Case) -> Result<Vec<u8>, pcap_file::PcapError> {
    const NANOSECONDS: u8 = 9;
    let mut writer = PcapNgWriter::new(Vec::new())?;
    let mut interfaces = BTreeMap::new();
    for port in case.packets.iter().map(|packet| packet.published.port) {
        let next = u32::try_from(interfaces.len()).unwrap_or(0);
        if interfaces.contains_key(&port) {
            continue;
        }
        interfaces.insert(port, next);
        let name = if port == u16::MAX { "made by the module".to_owned() } else { format!("port {port}") };
        let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
        block.options.push(InterfaceDescriptionOption::IfName(name.into()));
        block.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        writer.write_pcapng_block(block)?;
    }
    for (i, packet) in case.packets.iter().enumerate() {
        let mut data = published_bytes(case, i, packet).unwrap_or(Cow::Borrowed(packet.bytes.as_slice()));
        if !case.secrets.is_empty() {
            case.secrets.hide(data.to_mut());
        }
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: interfaces.get(&packet.published.port).copied().unwrap_or(0),
            timestamp: Duration::from_nanos(case.started.start_unix_ns.saturating_add(case.at_ns)),
            original_len: packet.published.len.into(),
            options: vec![EnhancedPacketOption::Comment(comment(case, i, packet).into())],
            data,
        })?;
    }
    Ok(writer.into_inner())
}

/// The bytes before the call, which only a recording has.
fn published_bytes<'a>(case: &'a Case, i: usize, packet: &PacketCase) -> Option<Cow<'a, [u8]>> {
    let rooms = case.as_published.as_ref()?;
    let (room, _) = *rooms.places.get(i).filter(|place| **place == packet.room)?;
    let begin: usize = rooms.places.iter().take(i).map(|(_, len)| *len as usize).sum();
    let offset = packet.published.addr.checked_sub(case.image.window.0.checked_add(room)?)? as usize;
    let from = begin.checked_add(offset)?;
    rooms.bytes.get(from..from.checked_add(packet.published.len.into())?).map(Cow::Borrowed)
}

fn comment(case: &Case, i: usize, packet: &PacketCase) -> String {
    let (p, left) = (&packet.published, &packet.left);
    let bytes = if case.as_published.is_some() { "as published" } else { "as the module left them" };
    format!(
        "packet {i} of {}, bytes {bytes}; slot {}, generation {}, mark {:#x}; left by the module with verdict {} ({:#x}), \
         address {:#x} (was {:#x}), length {} (was {})",
        case.packets.len(),
        p.slot,
        p.generation,
        p.mark,
        super::texts::verdict(left.verdict),
        left.verdict,
        left.addr,
        p.addr,
        left.len,
        p.len
    )
}
