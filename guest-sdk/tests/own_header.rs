//! A header of one's own, the stack that carries it, and dissecting that knows it: the example of docs/headers.md.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

// ANCHOR: example
use perigee_guest::stack;
use perigee_guest::wire::{Ethernet, Format, Header, Info, Ipv4, Layers, Next, Stack, Udp, dump, header};

/// Measures a link: each packet has a number and a time, and may carry an IP packet behind options.
#[header(name = "probe", source = "our own", udp_port = 5005)]
pub struct Probe {
    /// 1.
    #[bits(4)]
    #[initial = 1]
    version: u8,
    /// Length of the options in words of four bytes.
    #[bits(4)]
    option_words: u8,
    /// What follows: an EtherType.
    #[hex]
    ether_type: u16,
    /// Fills the word up.
    reserved: u8,
    /// Number of the packet.
    number: u32,
    /// When it left, in nanoseconds.
    time: u64,
}

impl Header for Probe {
    fn is_valid(&self) -> bool {
        self.version() == 1
    }

    fn header_len(&self) -> usize {
        Self::LEN + 4 * usize::from(self.option_words())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::EtherType(self.ether_type())
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ether_types.first() {
            self.set_ether_type(number);
        }
    }
}

stack! { struct Probed { eth: Ethernet, ip: Ipv4, udp: Udp, probe: Probe, inner: Ipv4 } }

const OURS: &[&Info] = &[&Probe::INFO];

#[test]
fn a_header_of_ones_own_is_like_any_other() {
    let mut packet = [0; 100];
    Probed::fill(&mut packet, |p| {
        p.probe.set_number(7);
        p.inner.set_protocol(253);
    })
    .unwrap();
    let names: Vec<_> = Layers::new(&packet).knowing(OURS).map(|place| place.name()).collect();
    assert_eq!(names, ["Ethernet", "IPv4", "UDP", "probe", "IPv4"]);
    let (headers, payload) = Probed::parse(&packet).unwrap();
    assert_eq!((headers.udp.destination_port(), headers.probe.number(), payload.len()), (5005, 7, 22));
    // As data: for a generator that is told by name what to vary.
    assert_eq!(Probe::NUMBER.after(42).get(&packet), Some(7));
    let mut text = String::new();
    Probed::dump(&packet, &mut text).unwrap();
    assert!(text.contains("probe version=1 option_words=0 ether_type=0x0800 reserved=0 number=7 time=0\n"), "{text}");
    // Who is not told of it sees UDP's payload.
    let mut text = String::new();
    dump(&packet, &mut text).unwrap();
    assert!(text.ends_with("payload 58 bytes\n"), "{text}");
}
// ANCHOR_END: example
