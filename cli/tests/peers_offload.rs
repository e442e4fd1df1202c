//! Requests for checksums whose lengths are wrong, on a port that computes them itself: none reaches the driver, and those
//! that are right leave with the right sums.

use crate::lab::frames::Frame;
use crate::lab::{Kind, Lab, Mode, Perigee, Wire, cpus, forwarder};
use std::time::Duration;

/// Bits of `tx_flags`, by docs/abi.md.
mod tx_flags {
    pub(crate) const IP_CHECKSUM: u32 = 1 << 0;
    pub(crate) const UDP_CHECKSUM: u32 = 1 << 1;
    pub(crate) const TCP_CHECKSUM: u32 = 1 << 2;
    pub(crate) const IPV4: u32 = 1 << 3;
    pub(crate) const IPV6: u32 = 1 << 4;
}

/// Asks for what stands in each frame's destination address: flags in bytes 1 and 2, layer lengths in 3 and 4.
const ASKS: &str = r#"(module
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_mailbox") i32 (i32.const 131072))
  (global (export "perigee_mailbox_len") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func (export "process") (param $n i32) (local $d i32) (local $p i32)
    (local.set $d (i32.const 67200))
    (block (loop
      (br_if 1 (i32.eqz (local.get $n)))
      (local.set $p (i32.load (local.get $d)))
      (i32.store offset=8 (local.get $d) (i32.const 1))
      (i32.store offset=28 (local.get $d) (i32.load16_u offset=1 (local.get $p)))
      (i32.store16 offset=40 (local.get $d) (i32.load16_u offset=3 (local.get $p)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0)))))"#;

#[derive(Clone, Copy, Debug)]
struct Case {
    flags: u32,
    l2: u8,
    l3: u8,
    /// Bytes of the frame, and what its IP header says follows behind itself.
    len: usize,
    l4: usize,
}

impl Case {
    fn is_v4(self) -> bool {
        self.flags & tx_flags::IPV4 != 0
    }

    /// UDP's number, header and where its checksum is; TCP's; or none.
    fn protocol(self) -> Option<(u8, usize, usize)> {
        match (self.flags & tx_flags::UDP_CHECKSUM != 0, self.flags & tx_flags::TCP_CHECKSUM != 0) {
            (true, _) => Some((17, 8, 6)),
            (_, true) => Some((6, 20, 16)),
            _ => None,
        }
    }

    /// A frame without padding, whose IP header is right for `l3` bytes of it.
    fn frame(self, number: u8) -> Frame {
        let mut frame = vec![0; 14];
        frame[0] = 2;
        frame[1..3].copy_from_slice(&u16::try_from(self.flags).expect("it is small").to_le_bytes());
        frame[3..6].copy_from_slice(&[self.l2, self.l3, number]);
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
        let protocol = self.protocol().map_or(253, |(number, _, _)| number);
        let l4 = u16::try_from(self.l4).expect("it is small");
        if self.is_v4() {
            frame[12..14].copy_from_slice(&[8, 0]);
            frame.extend([0x40 | (self.l3 / 4).min(15), 0]);
            frame.extend((l4 + u16::from(self.l3)).to_be_bytes());
            frame.extend([0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        } else {
            frame[12..14].copy_from_slice(&[0x86, 0xdd]);
            frame.extend([0x60, 0, 0, 0]);
            frame.extend((l4 + u16::from(self.l3).saturating_sub(40)).to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].repeat(2));
        }
        frame.resize(self.len, 0x5a);
        frame
    }

    /// By its lengths, as the ABI's page says it.
    fn may_go(self) -> bool {
        let (l2, l3) = (usize::from(self.l2), usize::from(self.l3));
        let header = self.protocol().map_or(0, |(_, header, _)| header);
        let room = l2 == 14 && l3 >= if self.is_v4() { 20 } else { 40 } && l2 + l3 + header <= self.len;
        let says = self.protocol().is_none() || self.l4 >= header && l2 + l3 + self.l4 <= self.len;
        room && says && l3 <= 60 && l3 % 4 == 0
    }
}

fn cases() -> Vec<Case> {
    let (v4, v6) = (tx_flags::IPV4, tx_flags::IPV6);
    let kinds = [
        (v4 | tx_flags::IP_CHECKSUM, 20),
        (v4 | tx_flags::UDP_CHECKSUM, 20),
        (v4 | tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM, 24),
        (v4 | tx_flags::IP_CHECKSUM | tx_flags::TCP_CHECKSUM, 20),
        (v6 | tx_flags::UDP_CHECKSUM, 40),
        (v6 | tx_flags::TCP_CHECKSUM, 40),
    ];
    let mut cases = Vec::new();
    for (flags, l3) in kinds {
        let ip = 14 + usize::from(l3);
        // From frames that end in the IP header to frames with padding behind it all.
        for len in [40, 54, ip + 7, ip + 8, ip + 19, ip + 20, ip + 29] {
            for (l2, l3) in [(14, l3), (14, l3 - 4), (0, l3), (127, l3), (14, 255)] {
                let l4 = len.saturating_sub(14 + usize::from(l3));
                cases.extend([l4, l4.saturating_sub(5)].map(|l4| Case { flags, l2, l3, len, l4 }));
            }
        }
    }
    cases
}

/// The ones' complement sum over all 16-bit words (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let folded = words.fold(0, |sum, word| (sum + word) % 0xffff);
    u16::try_from(if folded == 0 { 0xffff } else { folded }).expect("it is small")
}

fn is_right(case: Case, frame: &[u8]) -> bool {
    let l3 = usize::from(case.l3);
    let header = case.flags & tx_flags::IP_CHECKSUM == 0 || sum(&frame[14..14 + l3]) == 0xffff;
    let Some((number, _, _)) = case.protocol() else { return header };
    let addresses = if case.is_v4() { &frame[26..34] } else { &frame[22..54] };
    let mut pseudo = addresses.to_vec();
    pseudo.extend([0, number]);
    pseudo.extend(u16::try_from(case.l4).expect("it is small").to_be_bytes());
    pseudo.extend(&frame[14 + l3..14 + l3 + case.l4]);
    header && sum(&pseudo) == 0xffff
}

#[test]
fn a_port_that_computes_checksums_is_asked_for_none_beyond_the_packet() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    let left = Wire::new(&host, Kind::AfPacket, 0, 1_500);
    let right = Wire::new(&host, Kind::Tap, 1, 1_500);
    let file = lab.write("asks.wat", ASKS.as_bytes());
    let module =
        format!("[[module]]\nname = \"asks\"\nfile = \"{}\"\ngrants = {{ tx = [\"a\", \"b\"] }}\n", file.display());
    let ports = left.port("a", "") + &right.port("b", "");
    let mut perigee = Perigee::start(&host, "asks", &forwarder(&ports, &module, "asks", [cpus()[0]; 2]));
    left.connect_silently(&mut perigee);
    right.connect_silently(&mut perigee);
    let cases = cases();
    let sent: Vec<Frame> =
        (0..).zip(&cases).map(|(i, case)| case.frame(u8::try_from(i % 256).expect("it is small"))).collect();
    let good: Vec<(&Case, &Frame)> = cases.iter().zip(&sent).filter(|(case, _)| case.may_go()).collect();
    let capture = right.peer().capture(&right.peer_device(), "ether src 02:00:00:00:00:02", good.len());
    left.peer().replay(&left.peer_device(), &sent, 2_000);
    let arrived = capture.frames(Duration::from_secs(10));
    for ((case, sent), arrived) in good.iter().zip(&arrived) {
        assert_eq!(sent[..14], arrived[..14], "{case:?}");
        assert_eq!(sent.len(), arrived.len(), "{case:?}");
        assert!(is_right(**case, arrived), "{case:?}: {arrived:02x?}");
    }
    assert_eq!(arrived.len(), good.len());
    let summary = perigee.stop("INT");
    let refused = u64::try_from(cases.len() - good.len()).expect("it is small");
    assert!(refused > 100 && good.len() > 40, "{refused} {}", good.len());
    assert_eq!(summary.dropped_by("bad_offload"), refused);
}
