//! A generator that draws eight random numbers for each packet, as the heavy script of MoonGen's paper does: addresses, ports, and
//! four words of the payload. Each has a call of the generator of random numbers to itself. Checksums are left alone, as the twins do.
#![no_std]

use perigee_guest::{Lcg64, Module, Refusal, Rooms, Setup, Verdict};

perigee_guest::module!(EightDraws: generate, prefill; mailbox = 4 * KIB);

/// Length of a packet.
const LEN: u16 = 60;
/// Source port 32768 and more, destination port 9, 34 bytes in Ethernet: as udp-gen's with its defaults.
const TEMPLATE: [u8; 42] = [
    2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0, 0, 0x80,
    0, 0, 9, 0, 26, 0, 0,
];

/// The generator.
pub struct EightDraws {
    random: Lcg64,
}

impl Module for EightDraws {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self { random: Lcg64::new(setup.seed()) })
    }

    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        let Some(rooms) = rooms.sized::<60>(LEN) else { return };
        for mut room in rooms {
            let head = room.head_mut();
            *head = [0; 60];
            head[..TEMPLATE.len()].copy_from_slice(&TEMPLATE);
        }
    }

    #[inline(always)]
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        let Some(rooms) = rooms.sized::<60>(LEN) else { return };
        let mut random = self.random;
        for mut room in rooms {
            let head = room.head_mut();
            let mut draw = || random.next_u64().to_le_bytes();
            head[29] = draw()[7];
            head[33] = draw()[7];
            head[34..36].copy_from_slice(&draw()[6..]);
            head[36..38].copy_from_slice(&draw()[6..]);
            head[42..46].copy_from_slice(&draw()[4..]);
            head[46..50].copy_from_slice(&draw()[4..]);
            head[50..54].copy_from_slice(&draw()[4..]);
            head[54..58].copy_from_slice(&draw()[4..]);
            room.finish(Verdict::NEXT);
        }
        self.random = random;
    }
}
