//! The SDK through the eyes of a module: one for each thing that a batch can do.

use super::*;
use crate::{Buffer, Counter, Held, Outputs, Refusal, Setup, Verdict};
use std::string::ToString as _;
use std::vec;

/// What the module under test does with its packets.
type Process = fn(&mut Probe, &mut crate::Batch<'_>);

/// A module whose `process` is told by its configuration: a place in a list.
#[derive(Default)]
struct Probe {
    process: Option<Process>,
    held: Vec<Held>,
    note: u8,
}

const PROCESSES: [Process; 7] = [hold, give_back, copy, create, grow, facts, touch_held];

impl Module for Probe {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config = core::str::from_utf8(setup.config()).unwrap();
        let index: usize = config.parse().map_err(|_| Refusal::new("not a number"))?;
        setup.counter(Counter::at(3), "calls");
        Ok(Self { process: PROCESSES.get(index).copied(), ..Self::default() })
    }

    fn process(&mut self, batch: &mut crate::Batch<'_>) {
        Counter::at(3).add(1);
        self.process.unwrap()(self, batch);
    }

    fn tick(&mut self, batch: &mut crate::Batch<'_>) {
        give_back(self, batch);
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        if request == b"no" {
            return Err(Refusal::new(""));
        }
        reply.push(b"you said ")?;
        reply.push(request)?;
        Ok(())
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        Ok(state.push(&[self.note])?)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        let [note] = state else { return Err(Refusal::new("the state has one byte")) };
        self.note = *note;
        Ok(())
    }
}

fn hold(probe: &mut Probe, batch: &mut crate::Batch<'_>) {
    for packet in batch {
        probe.held.push(packet.hold());
    }
}

fn give_back(probe: &mut Probe, batch: &mut crate::Batch<'_>) {
    let mut outputs = batch.outputs();
    while let Some(held) = probe.held.pop() {
        // Through its numbers, as a swap would.
        let held = Held::from_words(held.to_words());
        outputs.give_back(held, Verdict::tx(2)).unwrap();
    }
}

fn touch_held(probe: &mut Probe, batch: &mut crate::Batch<'_>) {
    if !batch.is_empty() {
        return hold(probe, batch);
    }
    for held in &probe.held {
        batch.held_bytes(held).unwrap()[0] = 7;
    }
    give_back(probe, batch);
}

fn copy(_: &mut Probe, batch: &mut crate::Batch<'_>) {
    let (packets, mut outputs) = batch.split();
    for packet in packets {
        let listed = packet.list();
        for port in 0..3 {
            assert!(outputs.put(&listed, Verdict::tx(port)));
        }
    }
}

fn create(_: &mut Probe, batch: &mut crate::Batch<'_>) {
    let (packets, mut outputs) = batch.split();
    for packet in packets {
        reply(&mut outputs, packet.bytes()[0]);
        packet.next();
    }
}

fn reply(outputs: &mut Outputs<'_>, byte: u8) {
    let mut spare = outputs.spare().unwrap();
    assert!(spare.bytes_mut(1921).is_none());
    spare.bytes_mut(60).unwrap().fill(byte);
    spare.set_mark(9);
    assert!(outputs.send(spare, Verdict::ring(1)));
}

fn grow(_: &mut Probe, batch: &mut crate::Batch<'_>) {
    for mut packet in batch {
        assert_eq!(packet.headroom(), 128);
        assert!(packet.prepend(129).is_none());
        packet.prepend(4).unwrap()[..4].fill(0xaa);
        assert!(packet.trim(1));
        assert!(!packet.trim(2000));
        let end = packet.len();
        assert_eq!(packet.capacity(), 1923);
        assert!(!packet.set_len(1924));
        assert!(packet.set_len(end + 1));
        packet.bytes_mut()[usize::from(end)] = 0xbb;
        packet.ask_checksums(perigee_abi::tx_flags::IPV4, 14, 20);
        packet.insert_vlan(5);
        packet.next();
    }
}

fn facts(_: &mut Probe, batch: &mut crate::Batch<'_>) {
    assert_eq!((batch.len(), batch.sequence(), batch.time_ns()), (2, 1, 77));
    assert_eq!(batch.unix_ns(), 1_700_000_000_000_000_077);
    assert_eq!(batch.ports().len(), 4);
    let mut packets = batch.packets();
    let mut known = packets.next().unwrap();
    assert_eq!((known.port(), known.mark(), known.hash(), known.vlan()), (3, 8, Some(99), Some(0x123)));
    assert_eq!(known.rx_time(), None);
    known.set_mark(10);
    known.remove_vlan();
    known.tx_back();
    let unknown = packets.next().unwrap();
    assert_eq!((unknown.hash(), unknown.vlan(), unknown.rx_queue()), (None, None, None));
    assert_eq!(packets.len(), 0);
}

fn start(process: Process) -> Host<Probe> {
    let index = PROCESSES.iter().position(|known| core::ptr::fn_addr_eq(*known, process)).unwrap();
    Host::start(&index.to_string()).unwrap()
}

#[test]
fn a_refusal_is_told() {
    assert_eq!(Host::<Probe>::start("x").map(|_| ()), Err("not a number".to_string()));
}

#[test]
fn held_packets_come_back_with_their_bytes() {
    let mut host = start(hold);
    let held = host.process([Input::new(&[1; 60]).mark(5), Input::new(&[2; 61])]);
    assert_eq!((held.len(), host.held()), (2, 2));
    host.process([vec![3; 60]]);
    host.tick();
    assert_eq!(host.held(), 0);
    let bytes: Vec<_> = host.outputs().iter().map(|o| (o.bytes[0], o.bytes.len(), o.verdict, o.desc.mark)).collect();
    assert_eq!(bytes, [(3, 60, Verdict::tx(2), 0), (2, 61, Verdict::tx(2), 0), (1, 60, Verdict::tx(2), 5)]);
}

#[test]
fn the_bytes_of_held_packets_can_be_changed() {
    let mut host = start(touch_held);
    host.process([vec![1; 60]]);
    // A call with no packets: what a module without `tick` gets.
    host.process(Vec::<Input>::new());
    assert_eq!(host.outputs()[0].bytes[..2], [7, 1]);
}

#[test]
fn a_packet_goes_to_several_ports() {
    let mut host = start(copy);
    host.process([vec![1; 60], vec![2; 70]]);
    let sent: Vec<_> = host.outputs().iter().map(|o| (o.bytes[0], o.verdict, o.desc.source)).collect();
    let copies = |byte, source| (0..3).map(move |port| (byte, Verdict::tx(port), source));
    let expected: Vec<_> = copies(1, 0).chain(copies(2, 1)).collect();
    assert_eq!(sent, expected);
}

#[test]
fn packets_are_made_of_spare_rooms() {
    let mut host = start(create);
    let passed = host.process([vec![4; 60], vec![5; 60]]);
    assert!(passed.iter().all(|o| o.verdict == Verdict::NEXT));
    let made: Vec<_> = host.outputs().iter().map(|o| (o.bytes[0], o.bytes.len(), o.desc.source, o.desc.mark)).collect();
    assert_eq!(made, [(4, 60, 0x1_0000, 9), (5, 60, 0x1_0001, 9)]);
}

#[test]
fn packets_grow_and_shrink_inside_their_rooms() {
    let mut host = start(grow);
    let out = &host.process([vec![1, 2, 3]])[0];
    assert_eq!(out.bytes, [0xaa, 0xaa, 0xaa, 1, 2, 3, 0xbb]);
    assert_eq!((out.desc.vlan, out.desc.l2_len, out.desc.l3_len), (5, 14, 20));
    assert_eq!(out.desc.tx_flags, perigee_abi::tx_flags::IPV4 | perigee_abi::tx_flags::VLAN_INSERT);
}

#[test]
fn facts_are_those_of_the_batch() {
    let mut host = start(facts);
    host.set_time(77);
    let known = Input::new(&[0; 60]).port(3).mark(8).hash(99).vlan(0x123);
    let out = host.process([known, Input::new(&[0; 60])]);
    assert_eq!((out[0].verdict, out[0].desc.mark, out[0].desc.tx_flags), (Verdict::tx(3), 10, 0));
    // A packet without a verdict is dropped.
    assert!(out[1].verdict.is_drop());
    assert_eq!(host.counter("calls"), 1);
}

#[test]
fn messages_and_state_pass_through_the_mailbox() {
    let mut host = start(hold);
    assert_eq!(host.message(b"hello").unwrap(), b"you said hello");
    // An empty text would look like a success.
    assert_eq!(host.message(b"no"), Err("refused".to_string()));
    host.restore(&[42]).unwrap();
    assert_eq!(host.save().unwrap(), [42]);
    assert!(host.restore(&[]).is_err());
}
