//! From a case to the script of its module: what was drawn at random is aimed at what there is, call by call, while the
//! model runs along.

use super::case::{Addr, Asked, Case, Entry, Fields, HEADROOM, HowMuch, Len, List, Planned, Target};
use super::host::{Expected, Host, Packet};
use super::script::{Batch, Record, Ref};
use perigee_abi::source;

/// What a case means: the frames that come in, what the module does in each call, and what must come of it.
pub(crate) struct Plan {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) expected: Expected,
}

/// A packet that an entry is aimed at: its name, where its bytes begin, and how many they are.
#[derive(Clone, Copy)]
struct Aim {
    named: Ref,
    at: u32,
    len: u16,
    source: u32,
}

impl Plan {
    pub(crate) fn new(case: &Case) -> Self {
        let frames: Vec<Vec<u8>> = case.packets.iter().enumerate().map(|(i, p)| p.frame.bytes(i)).collect();
        let mut host = Host::new(case);
        let mut batches = Vec::new();
        let mut lists = case.lists.iter();
        for (planned, frames) in case.packets.chunks(case.burst).zip(frames.chunks(case.burst)) {
            let packets: Vec<Packet> = if case.generates {
                (0..case.burst).map(|_| host.fresh()).collect()
            } else {
                frames.iter().filter_map(|frame| host.receive(frame.clone())).collect()
            };
            // Nobody is called for a batch of which no packet found a room.
            if !packets.is_empty() {
                batches.push(call(&mut host, packets, planned, lists.next()));
            }
        }
        // A generator's last call does not come; a stage's comes without packets.
        if !case.generates {
            batches.push(call(&mut host, Vec::new(), &[], lists.next()));
        }
        Self { frames, batches, expected: host.end() }
    }
}

fn call(host: &mut Host<'_>, packets: Vec<Packet>, planned: &[Planned], list: Option<&List>) -> Batch {
    host.begin(&packets);
    let entries: Vec<Record> =
        list.into_iter().flat_map(|list| &list.entries).filter_map(|e| listed(host, &packets, e)).collect();
    let whole = u32::try_from(entries.len()).unwrap();
    let written = list.and_then(|list| list.written).map_or(whole, u32::from);
    let written = if whole == 0 { 0 } else { written };
    let batch = Batch {
        packets: packets
            .iter()
            .zip(planned)
            .zip(0..)
            .map(|((p, planned), i)| in_place(host, &packets, p, planned, i))
            .collect(),
        entries,
        written,
        out_count: list.and_then(|list| list.count).unwrap_or(written),
        held: host.held_count(),
    };
    host.call(packets, &batch);
    batch
}

fn in_place(host: &Host<'_>, packets: &[Packet], packet: &Packet, planned: &Planned, i: u32) -> Record {
    let aim = Aim { named: Ref::Input(host.number(), i), at: packet.at, len: packet.len, source: 0 };
    Record { how_much: planned.how_much, source: planned.fields.junk, ..record(host, packets, &planned.fields, aim) }
}

fn listed(host: &Host<'_>, packets: &[Packet], entry: &Entry) -> Option<Record> {
    let input = |i: u16| {
        let i = usize::from(i).checked_rem(packets.len())?;
        let (number, packet) = (u32::try_from(i).unwrap(), &packets[i]);
        let named = Ref::Input(host.number(), number);
        Some(Aim { named, at: packet.at, len: packet.len, source: source::INPUT + number })
    };
    let spare = |i: u16| {
        let i = u32::from(i).checked_rem(host.spares())?;
        Some(Aim { named: Ref::Spare(i), at: HEADROOM, len: 64, source: source::SPARE + i })
    };
    let aim = match entry.target {
        Target::Input(i) => input(i),
        Target::Spare(i) => spare(i),
        Target::Held(i) => {
            let held = host.held();
            let (named, at, len) = *held.get(usize::from(i).checked_rem(held.len())?)?;
            Some(Aim { named, at, len, source: source::HELD })
        }
        Target::Seen(i) => {
            let seen = host.seen();
            let named = *seen.get(usize::from(i).checked_rem(seen.len())?)?;
            Some(Aim { named, at: HEADROOM, len: 64, source: source::HELD })
        }
        Target::Mixed(i, identity) => input(i).zip(input(identity)).map(|(i, id)| Aim { source: i.source, ..id }),
        Target::Source(i, source) => input(i).or_else(|| spare(i)).map(|aim| Aim { source, ..aim }),
    };
    let record = record(host, packets, &entry.fields, aim?);
    // The rest of the fields would not be written.
    Some(Record { how_much: HowMuch::All, ..record })
}

fn record(host: &Host<'_>, packets: &[Packet], fields: &Fields, aim: Aim) -> Record {
    let (base, addr) = match fields.addr {
        Addr::Moved(by) => (Some(aim.named), aim.at.wrapping_add_signed(by.into())),
        Addr::Room(offset) => (Some(aim.named), offset),
        Addr::Foreign(other, offset) => match usize::from(other).checked_rem(packets.len()) {
            Some(other) => (Some(Ref::Input(host.number(), u32::try_from(other).unwrap())), offset),
            None => (None, offset),
        },
        Addr::Absolute(addr) => (None, addr),
    };
    let len = match fields.len {
        Len::Grown(by) => aim.len.wrapping_add_signed(by),
        Len::Exactly(len) => len,
    };
    Record {
        how_much: HowMuch::All,
        named: aim.named,
        base,
        addr,
        len,
        verdict: fields.verdict,
        mark: fields.mark,
        wrong_slot: fields.wrong_slot,
        wrong_generation: fields.wrong_generation,
        asked: Asked { ..fields.asked },
        source: aim.source,
        junk: fields.junk,
    }
}
