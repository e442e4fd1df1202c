//! What is tried: packets that come in, and what a module writes over their descriptors and into its output list.
//! Plausible and hostile values mixed, each drawn on its own.

use perigee_abi::{source, tx_flags, verdict as v};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Length of a room at an MTU of 1500: header fields `headroom` and `room_len` together.
pub(crate) const ROOM: u32 = 2_240;
/// Bytes in front of a fresh packet.
pub(crate) const HEADROOM: u32 = 128;
/// Longest frame that a port with an MTU of 1500 takes: Ethernet header and two tags beside it.
pub(crate) const LONGEST: u16 = 1_522;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The module generates packets; otherwise they come from a capture.
    pub(crate) generates: bool,
    /// A second stage follows, which writes what it was told of a packet into the packet.
    pub(crate) second_stage: bool,
    /// The port takes tags off.
    pub(crate) strip: bool,
    /// What the module is granted.
    pub(crate) grants: Granted,
    /// Packets in a batch.
    pub(crate) burst: usize,
    /// Packets that the module may hold.
    pub(crate) hold: u32,
    /// Spare rooms that it asks for.
    pub(crate) spares: u32,
    /// The packets, and what is written over their descriptors.
    pub(crate) packets: Vec<Planned>,
    /// The output lists of the first batches, and of the last call.
    pub(crate) lists: Vec<List>,
}

/// Grants of the module under test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    /// The ports 0 and 1.
    pub(crate) ports: [bool; 2],
    /// The second tx queue.
    pub(crate) queue: bool,
    /// The ring.
    pub(crate) ring: bool,
    /// Spare rooms and copies.
    pub(crate) create: bool,
}

/// One packet of the input.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) frame: Frame,
    pub(crate) how_much: HowMuch,
    pub(crate) fields: Fields,
}

/// What a frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of no protocol, of this length.
    Plain(u16),
    Ipv4Udp,
    Ipv4Tcp,
    Ipv6Udp,
}

/// A frame, with or without a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) tag: Option<u16>,
}

/// How much of a descriptor the module writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HowMuch {
    All,
    Verdict,
    /// Verdict, address, length and mark.
    FirstHalf,
    Nothing,
}

/// Where an address points.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addr {
    /// This far from where the packet's bytes begin.
    Moved(i16),
    /// This far from the start of the packet's room.
    Room(u32),
    /// Into the room of another packet of the batch.
    Foreign(u16, u32),
    /// To this address of the module's memory.
    Absolute(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Len {
    /// As it is, and this much more.
    Grown(i16),
    Exactly(u16),
}

/// What is asked of the way out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) flags: u32,
    pub(crate) queue: u16,
    pub(crate) vlan: u16,
    pub(crate) l2_len: u8,
    pub(crate) l3_len: u8,
}

/// The fields of a descriptor that mean the same in place and in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) addr: Addr,
    pub(crate) len: Len,
    pub(crate) verdict: u32,
    pub(crate) mark: u32,
    pub(crate) asked: Asked,
    /// Added to the slot and to the generation. In place nobody looks at them.
    pub(crate) wrong_slot: u32,
    pub(crate) wrong_generation: u32,
    /// What goes into all fields that are the host's to write.
    pub(crate) junk: u32,
}

/// Which packet an entry of the list speaks of. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Input(u16),
    Spare(u16),
    /// One of those that the module holds.
    Held(u16),
    /// One that it saw before, held or not.
    Seen(u16),
    /// Names one input by the identity of another.
    Mixed(u16, u16),
    /// An input's identity, with this for its source.
    Source(u16, u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) target: Target,
    pub(crate) fields: Fields,
}

/// The output list of one batch.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) entries: Vec<Entry>,
    /// How many entries are written in all: the above again and again.
    pub(crate) written: Option<u16>,
    /// What the module says how many it wrote.
    pub(crate) count: Option<u32>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let shape = (any::<bool>(), any::<bool>(), 1_usize..=20, 0_u32..=6, 0_u32..=4);
    let uniform = prop_oneof![
        2 => Just(None),
        1 => (verdict(), any::<bool>()).prop_map(Some),
    ];
    let generates = prop_oneof![4 => Just(false), 1 => Just(true)];
    (generates, grants(), shape, vec(planned(), 1..60), vec(list(), 0..6), uniform).prop_map(
        |(generates, grants, (second_stage, strip, burst, hold, spares), mut packets, mut lists, uniform)| {
            // Batches of which all packets go the same way take a way of their own through the host.
            if let Some((verdict, without_lists)) = uniform {
                for packet in &mut packets {
                    packet.how_much = HowMuch::Verdict;
                    packet.fields.verdict = verdict;
                }
                if without_lists {
                    lists.clear();
                }
            }
            // What a module may not use it is not offered; that it may name it all the same, the lists see to.
            let spares = if grants.create { spares } else { 0 };
            Case { generates, second_stage, strip, grants, burst, hold, spares, packets, lists }
        },
    )
}

fn grants() -> impl Strategy<Value = Granted> {
    let mostly = || prop_oneof![4 => Just(true), 1 => Just(false)];
    ([mostly(), mostly()], mostly(), mostly(), mostly()).prop_map(|(ports, queue, ring, create)| Granted {
        ports,
        queue,
        ring,
        create,
    })
}

fn planned() -> impl Strategy<Value = Planned> {
    let how_much = prop_oneof![
        6 => Just(HowMuch::All),
        2 => Just(HowMuch::Verdict),
        2 => Just(HowMuch::FirstHalf),
        1 => Just(HowMuch::Nothing),
    ];
    (frame(), how_much, fields()).prop_map(|(frame, how_much, fields)| Planned { frame, how_much, fields })
}

fn frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![
        4 => (14_u16..200).prop_map(Kind::Plain),
        1 => (1_u16..20).prop_map(Kind::Plain),
        1 => (1_500_u16..=1_530).prop_map(Kind::Plain),
        1 => (2_105_u16..=2_118).prop_map(Kind::Plain),
        2 => Just(Kind::Ipv4Udp),
        2 => Just(Kind::Ipv4Tcp),
        2 => Just(Kind::Ipv6Udp),
    ];
    let tag = prop_oneof![3 => Just(None), 1 => any::<u16>().prop_map(Some)];
    (kind, tag).prop_map(|(kind, tag)| Frame { kind, tag })
}

fn fields() -> impl Strategy<Value = Fields> {
    // What names no packet at all is as good in one number as in another; 35 units of 64 bytes are a room.
    let slot = prop_oneof![12 => Just(0), 1 => 1_u32..35, 1 => select(vec![1 << 31, u32::MAX])];
    let generation = prop_oneof![12 => Just(0), 1 => select(vec![1 << 31, 1 << 30])];
    // One of the port's queues is asked for in one way, so that it happens often enough.
    let queue = any::<u16>().prop_map(|queue| (v::tx(1), Asked { flags: tx_flags::QUEUE, queue, ..Asked::default() }));
    let what = prop_oneof![12 => (verdict(), asked()), 1 => queue];
    (addr(), len(), what, any::<u32>(), slot, generation, any::<u32>()).prop_map(
        |(addr, len, (verdict, asked), mark, wrong_slot, wrong_generation, junk)| Fields {
            addr,
            len,
            verdict,
            mark,
            asked,
            wrong_slot,
            wrong_generation,
            junk,
        },
    )
}

fn addr() -> impl Strategy<Value = Addr> {
    prop_oneof![
        16 => Just(Addr::Moved(0)),
        4 => (-128_i16..=20).prop_map(Addr::Moved),
        1 => (-140_i16..=-120).prop_map(Addr::Moved),
        1 => any::<i16>().prop_map(Addr::Moved),
        2 => (0..=ROOM).prop_map(Addr::Room),
        1 => (ROOM - 80..=ROOM).prop_map(Addr::Room),
        1 => select(vec![0, 1, u32::MAX, 1 << 31, 1 << 16, ROOM << 1]).prop_map(Addr::Room),
        1 => (any::<u16>(), 0..ROOM).prop_map(|(other, offset)| Addr::Foreign(other, offset)),
        1 => select(vec![0, 64, 65_536, 131_072, u32::MAX, u32::MAX - 13]).prop_map(Addr::Absolute),
    ]
}

fn len() -> impl Strategy<Value = Len> {
    prop_oneof![
        10 => Just(Len::Grown(0)),
        4 => (-30_i16..=30).prop_map(Len::Grown),
        1 => select(vec![0, 1, 13, 14, LONGEST - 1, LONGEST, LONGEST + 1]).prop_map(Len::Exactly),
        1 => (2_100_u16..=2_241).prop_map(Len::Exactly),
        1 => any::<u16>().prop_map(Len::Exactly),
    ]
}

fn verdict() -> impl Strategy<Value = u32> {
    let with_argument = |kind: u32| any::<u16>().prop_map(move |argument| kind | u32::from(argument) << 16);
    prop_oneof![
        8 => Just(v::NEXT),
        5 => Just(v::tx(1)),
        2 => Just(v::tx(0)),
        1 => select(vec![v::tx(2), v::tx(7), v::tx(31), v::tx(32), v::tx(255), v::tx(0xffff)]),
        2 => Just(v::ring(0)),
        1 => select(vec![v::ring(1), v::ring(0xffff)]),
        4 => Just(v::HOLD),
        6 => Just(v::LISTED),
        1 => Just(v::DROP),
        1 => select(vec![v::DROP, v::NEXT, v::HOLD, v::LISTED]).prop_flat_map(with_argument),
        1 => select(vec![6, 77, 0x0100, 0x0101, 0x8002, 0xff01, 0xffff, 0x1_ffff]),
        1 => any::<u32>(),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let checksums = select(vec![
        (tx_flags::IPV4 | tx_flags::IP_CHECKSUM, 20),
        (tx_flags::IPV4 | tx_flags::UDP_CHECKSUM, 20),
        (tx_flags::IPV4 | tx_flags::TCP_CHECKSUM | tx_flags::IP_CHECKSUM, 20),
        (tx_flags::IPV4 | tx_flags::UDP_CHECKSUM | tx_flags::IP_CHECKSUM, 20),
        (tx_flags::IPV6 | tx_flags::UDP_CHECKSUM, 40),
    ]);
    let l2_len =
        prop_oneof![6 => Just(14), 1 => Just(18), 1 => select(vec![0, 100, 127, 128, 142, 255]), 1 => any::<u8>()];
    let l3_len = prop_oneof![6 => Just(None), 1 => select(vec![0, 19, 21, 24, 60, 255]).prop_map(Some)];
    let more = prop_oneof![
        4 => Just(0),
        2 => Just(tx_flags::VLAN_INSERT),
        1 => Just(tx_flags::QUEUE),
        1 => select(vec![tx_flags::TIME, tx_flags::GAP]),
        1 => 0..=tx_flags::ALL,
        1 => any::<u32>(),
    ];
    let sums = (checksums, l2_len, l3_len, more.clone(), 0_u16..4, any::<u16>());
    let sums = sums.prop_map(|((flags, right), l2_len, l3_len, more, queue, vlan)| Asked {
        flags: flags | more,
        queue,
        vlan,
        l2_len,
        l3_len: l3_len.unwrap_or(right),
    });
    let other = (more, any::<u8>(), any::<u8>(), any::<u16>(), any::<u16>());
    let other = other.prop_map(|(flags, l2_len, l3_len, queue, vlan)| Asked { flags, queue, vlan, l2_len, l3_len });
    prop_oneof![4 => Just(Asked::default()), 2 => sums, 1 => other]
}

fn list() -> impl Strategy<Value = List> {
    let written = prop_oneof![9 => Just(None), 1 => (0_u16..=256).prop_map(Some)];
    let count = prop_oneof![
        12 => Just(None),
        1 => (0_u32..=257).prop_map(Some),
        1 => select(vec![u32::MAX, 1 << 31]).prop_map(Some),
    ];
    let any_list = (vec(entry(), 0..10), written, count);
    let any_list = any_list.prop_map(|(entries, written, count)| List { entries, written, count });
    // One packet copied as often as the list allows, and passed on: more than a batch holds.
    let flood = (any::<u32>(), 254_u16..=256).prop_map(|(mark, written)| {
        let (addr, len, asked) = (Addr::Moved(0), Len::Grown(0), Asked::default());
        let fields =
            Fields { addr, len, verdict: v::NEXT, mark, asked, wrong_slot: 0, wrong_generation: 0, junk: mark };
        List { entries: vec![Entry { target: Target::Input(0), fields }], written: Some(written), count: None }
    });
    prop_oneof![16 => any_list, 1 => flood]
}

fn entry() -> impl Strategy<Value = Entry> {
    let any_source = prop_oneof![
        select(vec![source::INPUT + 256, source::INPUT + 0xffff, source::SPARE, source::SPARE + 64, source::HELD + 1]),
        select(vec![source::HELD, 0x3_0000, u32::MAX, 1 << 31]),
        any::<u32>(),
    ];
    let target = prop_oneof![
        8 => (0_u16..20).prop_map(Target::Input),
        3 => (0_u16..4).prop_map(Target::Spare),
        4 => any::<u16>().prop_map(Target::Held),
        1 => any::<u16>().prop_map(Target::Seen),
        1 => (0_u16..20, 0_u16..20).prop_map(|(a, b)| Target::Mixed(a, b)),
        1 => (0_u16..20, any_source).prop_map(|(input, source)| Target::Source(input, source)),
    ];
    (target, fields()).prop_map(|(target, fields)| Entry { target, fields })
}

impl Frame {
    /// Its bytes as they are on the wire; `number` makes them different from all others.
    pub(crate) fn bytes(self, number: usize) -> Vec<u8> {
        let number = u32::try_from(number).unwrap().to_be_bytes();
        let protocol = if self.kind == Kind::Ipv4Tcp { 6 } else { 17 };
        // The payload is of odd length, so that sums have to think of it.
        let l4 = match self.kind {
            Kind::Ipv4Tcp => {
                [&[0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 9, 9, 0, 0, 7][..], &number].concat()
            }
            _ => [&[0x12, 0x34, 0, 53, 0, 13, 9, 9, 7][..], &number].concat(),
        };
        let l4_len = u8::try_from(l4.len()).unwrap();
        let (ether_type, l3) = match self.kind {
            Kind::Plain(_) => ([0x88, 0xb5], number.to_vec()),
            Kind::Ipv6Udp => {
                ([0x86, 0xdd], [&[0x60, 0, 0, 0, 0, l4_len, 17, 64][..], &[0x20; 16], &[0x21; 16]].concat())
            }
            _ => (
                [8, 0],
                [&[0x45, 0, 0, 20 + l4_len, 0, 1, 0, 0, 64, protocol, 9, 9][..], &[10, 0, 0, 1, 10, 0, 0, 2]].concat(),
            ),
        };
        let tag = self.tag.map_or_else(Vec::new, |tci| [[0x81, 0], tci.to_be_bytes()].concat());
        let mut bytes = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &tag[..], &ether_type, &l3].concat();
        match self.kind {
            Kind::Plain(len) => bytes.resize(len.into(), 0x5a),
            // Padding that is not zero must not get into any sum.
            _ => bytes.extend([&l4[..], &[0xee; 7]].concat()),
        }
        bytes
    }
}
