//! Packets that are too long for their next link.

use super::{Call, Slow, Trouble};
use crate::counts::Count;
use crate::fast::{self, IP, Way};
use perigee_guest::wire::{Header as _, Ipv4};
use perigee_guest::{Packet, Verdict};

/// Bytes of the longest header.
const HEADER_MAX: usize = 60;
/// Most fragments that a packet is cut into.
const FRAGMENTS: usize = 32;

impl Slow {
    /// Cuts a packet that may be cut; tells the sender of another how long it may be.
    pub(super) fn too_big(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, way: Way, mtu: u16) {
        let may_cut = Ipv4::parse(&packet.bytes()[IP..]).is_ok_and(|ip| !ip.dont_fragment());
        if !may_cut {
            return self.refuse(call, packet, Trouble::TooBig(mtu), Count::TooBig);
        }
        fast::take_hop(packet.bytes_mut());
        let Some(macs) = call.tables.macs(&way, call.now) else { return self.wait(call, packet, way) };
        fast::write_macs(packet.bytes_mut(), macs);
        send(packet.bytes(), mtu, way.place.port, call);
        packet.drop();
    }
}

pub(super) fn is_longer_than(frame: &[u8], mtu: u16) -> bool {
    Ipv4::parse(frame.get(IP..).unwrap_or_default()).is_ok_and(|ip| ip.total_length() > mtu)
}

/// Sends a frame in parts, each in a room of its own: all of them, or none.
pub(super) fn send(frame: &[u8], mtu: u16, port: u16, call: &mut Call<'_, '_>) {
    let Ok(ip) = Ipv4::parse(frame.get(IP..).unwrap_or_default()) else { return Count::Malformed.add(1) };
    let mut later = [0; HEADER_MAX];
    let header = ip.header_len();
    let later_len = copied_header(&frame[IP..IP + header], &mut later);
    let room = |header: usize| usize::from(mtu).saturating_sub(header) / 8 * 8;
    let count = 1 + ip.payload.len().saturating_sub(room(header)).div_ceil(room(later_len).max(8));
    let mut spares = [const { None }; FRAGMENTS];
    let Some(places) = spares.get_mut(..count).filter(|_| room(header) > 0 && call.outputs.remaining() >= count) else {
        return Count::NoSpare.add(1);
    };
    for place in places.iter_mut() {
        *place = call.outputs.spare();
        call.spent += 1;
    }
    if places.iter().any(Option::is_none) {
        return Count::NoSpare.add(1);
    }
    let (mut rest, mut offset) = (ip.payload, ip.fragment_offset());
    for spare in places {
        let Some(mut spare) = spare.take() else { continue };
        let own = if rest.len() == ip.payload.len() { &frame[IP..IP + header] } else { &later[..later_len] };
        let (part, behind) = rest.split_at(rest.len().min(room(own.len())));
        let more = !behind.is_empty() || ip.more_fragments();
        let len = (IP + own.len() + part.len()).max(60);
        let Some(bytes) = u16::try_from(len).ok().and_then(|len| spare.bytes_mut(len)) else { continue };
        bytes.fill(0);
        bytes[..IP].copy_from_slice(&frame[..IP]);
        bytes[IP..][..own.len()].copy_from_slice(own);
        bytes[IP + own.len()..][..part.len()].copy_from_slice(part);
        write_header(&mut bytes[IP..], own.len(), part.len(), offset, more);
        call.outputs.send(spare, Verdict::tx(port));
        Count::Fragments.add(1);
        offset += u16::try_from(part.len() / 8).unwrap_or(0);
        rest = behind;
    }
    Count::Fragmented.add(1);
}

/// The header of the later fragments: only options whose upper bit is set are copied into each (RFC 791, section 3.1).
fn copied_header(header: &[u8], later: &mut [u8; HEADER_MAX]) -> usize {
    let (fixed, options) = header.split_at(Ipv4::LEN);
    later[..Ipv4::LEN].copy_from_slice(fixed);
    let (mut at, mut len) = (0, Ipv4::LEN);
    while let Some(kind) = options.get(at).copied().filter(|kind| *kind != 0) {
        let option = match kind {
            1 => 1,
            _ => usize::from(options.get(at + 1).copied().unwrap_or(0)).max(2),
        };
        let Some(bytes) = options.get(at..at + option) else { break };
        if kind & 0x80 != 0 {
            later[len..len + option].copy_from_slice(bytes);
            len += option;
        }
        at += option;
    }
    // What is left of the last word is the end of the options.
    len.next_multiple_of(4)
}

fn write_header(bytes: &mut [u8], header: usize, payload: usize, offset: u16, more: bool) {
    // Its length is not right yet, so it is not parsed as a packet.
    let Ok((ip, _)) = Ipv4::split_mut(bytes) else { return };
    ip.set_header_words(u8::try_from(header / 4).unwrap_or(5));
    ip.set_total_length(u16::try_from(header + payload).unwrap_or(u16::MAX));
    ip.set_fragment_offset(offset);
    ip.set_more_fragments(more);
    if let Ok(ip) = Ipv4::parse_mut(bytes) {
        ip.header.fill_checksum(ip.variable);
    }
}
