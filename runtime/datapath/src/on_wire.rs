//! Frames as they were on the wire, to be looked at by rules and filters: byte by byte, for modules of other lcores may write
//! into a packet meanwhile.

use perigee_core::frame::Frame;
use perigee_dpdk::packet::Packet;
use perigee_dpdk_sys::flags;

/// Where a tag stands in a frame: behind both addresses.
const TAG: u32 = 12;
const TAG_LEN: u32 = 4;
/// The type of a tag that was taken off. What it was is not known any more: neither cards nor the kernel tell.
const TPID: u16 = 0x8100;

/// A packet as it was on the wire.
#[derive(Debug)]
pub struct OnWire<'a> {
    packet: &'a Packet,
    /// Its tag, where that is not among its bytes.
    tag: Option<[u8; 4]>,
}

impl<'a> OnWire<'a> {
    /// A packet whose tag is not among its bytes where it has this flag.
    #[inline]
    pub fn new(packet: &'a Packet, flag: u64) -> Self {
        let tag = (packet.flags() & flag != 0).then(|| {
            let ([a, b], [c, d]) = (TPID.to_be_bytes(), packet.vlan().to_be_bytes());
            [a, b, c, d]
        });
        Self { packet, tag }
    }

    /// A packet that a port has just given.
    #[inline]
    pub fn received(packet: &'a Packet) -> Self {
        Self::new(packet, flags::RX_VLAN_STRIPPED)
    }
}

impl OnWire<'_> {
    /// Copies its first bytes, as many as there are places.
    #[inline]
    pub(crate) fn copy_to(&self, to: &mut [u8]) {
        let Some(tag) = self.tag else { return self.packet.copy_to(0, to) };
        let (addresses, rest) = to.split_at_mut(to.len().min(TAG as usize));
        let (place, rest) = rest.split_at_mut(rest.len().min(TAG_LEN as usize));
        self.packet.copy_to(0, addresses);
        place.copy_from_slice(&tag[..place.len()]);
        self.packet.copy_to(TAG, rest);
    }
}

impl Frame for OnWire<'_> {
    #[inline]
    fn len(&self) -> u32 {
        self.packet.total_len() + if self.tag.is_some() { TAG_LEN } else { 0 }
    }

    #[inline]
    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let Some(tag) = self.tag else { return self.packet.bytes(at) };
        let end = at.checked_add(u32::try_from(N).ok()?)?;
        if end <= TAG {
            return self.packet.bytes(at);
        }
        if at >= TAG + TAG_LEN {
            return self.packet.bytes(at - TAG_LEN);
        }
        let mut bytes = [0; N];
        for (place, at) in bytes.iter_mut().zip(at..) {
            *place = match at.checked_sub(TAG) {
                None => self.packet.bytes::<1>(at)?[0],
                Some(inside @ 0..TAG_LEN) => tag[inside as usize],
                Some(_) => self.packet.bytes::<1>(at - TAG_LEN)?[0],
            };
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_dpdk::packet::Lone;

    #[test]
    fn a_tag_that_was_taken_off_is_seen_where_it_was() {
        let frame: Vec<u8> = (0..32).collect();
        let mut lone = Lone::new(&frame);
        let packet = lone.packet();
        packet.set_flags(flags::RX_VLAN_STRIPPED);
        packet.set_vlan(0x602a);
        let on_wire = OnWire::received(packet);
        let mut tagged = frame.clone();
        tagged.splice(12..12, [0x81, 0, 0x60, 0x2a]);
        assert_eq!(on_wire.len(), 36);
        for at in 0..40 {
            assert_eq!(on_wire.bytes::<1>(at), tagged[..].bytes::<1>(at), "{at}");
            assert_eq!(on_wire.u16(at), tagged[..].u16(at), "{at}");
            assert_eq!(on_wire.u32(at), tagged[..].u32(at), "{at}");
        }
        assert_eq!((on_wire.u32(u32::MAX), on_wire.u32(u32::MAX - 3)), (None, None));
        for len in 0..=36 {
            let mut copied = vec![0; len];
            on_wire.copy_to(&mut copied);
            assert_eq!(copied, tagged[..len]);
        }
        packet.set_flags(0);
        assert_eq!(OnWire::received(packet).bytes::<4>(12), Some([12, 13, 14, 15]));
    }
}
