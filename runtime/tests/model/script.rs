//! What the module does: it reads a script out of its own memory, batch by batch, and writes what stands there.

use super::case::{Asked, HowMuch, ROOM};
use perigee_lab::{OUT_COUNT, OUTPUTS, PACKETS, SPARES};
use std::fmt::Write as _;

/// Where the script lies: behind the window.
const SCRIPT: u32 = 69_468_160;
/// Identities that the module remembers, for each batch: of its packets, then of its outputs.
const SEEN: u32 = 71_303_168;
const SEEN_OUTPUTS: u32 = 2_048;
const SEEN_BATCH: u32 = 4_096;
const HEADER: u32 = 32;
const RECORD: u32 = 72;

/// Whose slot and generation the module uses, or whose room an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ref {
    /// Packet of a batch.
    Input(u32, u32),
    /// Entry of a batch's output list.
    Output(u32, u32),
    /// Spare room.
    Spare(u32),
}

/// One descriptor to write.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) how_much: HowMuch,
    pub(crate) named: Ref,
    /// The room that the address counts from; `None`: from 0.
    pub(crate) base: Option<Ref>,
    pub(crate) addr: u32,
    pub(crate) len: u16,
    pub(crate) verdict: u32,
    pub(crate) mark: u32,
    pub(crate) wrong_slot: u32,
    pub(crate) wrong_generation: u32,
    pub(crate) asked: Asked,
    pub(crate) source: u32,
    pub(crate) junk: u32,
}

/// What the module does in one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Descriptors in place, from the first on.
    pub(crate) packets: Vec<Record>,
    /// Entries of the output list, again and again until `written` are written.
    pub(crate) entries: Vec<Record>,
    pub(crate) written: u32,
    pub(crate) out_count: u32,
    /// Packets that the module holds at its beginning, as the host must tell it.
    pub(crate) held: u32,
}

impl Ref {
    /// Address of slot and generation.
    fn address(self) -> u32 {
        match self {
            Self::Input(batch, i) => SEEN + batch * SEEN_BATCH + 8 * i,
            Self::Output(batch, i) => SEEN + batch * SEEN_BATCH + SEEN_OUTPUTS + 8 * i,
            Self::Spare(i) => SPARES + 64 * i + 16,
        }
    }
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        let pair = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        let how_much = match self.how_much {
            HowMuch::All => 0,
            HowMuch::Verdict => 1,
            HowMuch::FirstHalf => 2,
            HowMuch::Nothing => 3,
        };
        let asked = &self.asked;
        let lengths = u32::from(asked.l2_len) | u32::from(asked.l3_len) << 8 | self.junk << 16;
        let words = [
            self.named.address(),
            self.base.unwrap_or(self.named).address(),
            u32::from(self.base.is_some()),
            self.addr,
            u32::from(self.len) | self.junk << 16,
            self.verdict,
            self.mark,
            self.wrong_slot,
            self.wrong_generation,
            self.junk,
            asked.flags,
            self.junk,
            pair(asked.queue, asked.vlan),
            lengths,
            self.source,
            how_much,
            self.junk,
            self.junk,
        ];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// The script as the text of a data segment.
fn data(batches: &[Batch]) -> String {
    let mut bytes = Vec::new();
    let count = |records: &[Record]| u32::try_from(records.len()).unwrap();
    for batch in batches {
        let header =
            [count(&batch.packets), count(&batch.entries), batch.written, batch.out_count, batch.held, 0, 0, 0];
        bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(batch.packets.iter().chain(&batch.entries).flat_map(Record::bytes));
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

/// The byte that the module fills the room with in front of packet `i`, behind it, and a spare room.
pub(crate) fn fills(i: u32) -> [u8; 3] {
    let i = u8::try_from(i % 64).unwrap();
    [0x40 + i, 0x80 + i, 0xc0 + i]
}

/// What the module writes over the whole of a fresh room.
pub(crate) fn stamped(batch: u32, i: u32, byte: u8) -> Vec<u8> {
    let mut room = vec![byte; ROOM as usize];
    for line in room.chunks_mut(64) {
        line[..4].copy_from_slice(&(batch << 16 | i).to_le_bytes());
    }
    room
}

/// The module as items for [`perigee_lab::module`]. Of its counters, `batches` says how many calls of the script it has
/// made, `odd` how often the host told it something else than the model, and `room` how long a room is by the header.
pub(crate) fn module(callback: &str, spares: u32, batches: &[Batch]) -> String {
    let (script, count, play) = (data(batches), batches.len(), play());
    let prepare = if callback == "generate" { STAMP } else { FILL };
    format!(
        r#"(global (export "perigee_spares") i32 (i32.const {spares}))
  (data (i32.const {SCRIPT}) "{script}")
  (data (i32.const 1024) "batchesoddroom")
  (global $at (mut i32) (i32.const {SCRIPT}))
  (global $batch (mut i32) (i32.const 0))
  (global $seen (mut i32) (i32.const {SEEN}))
  (func $count (param $i i32) (param $more i32)
    (local.set $i (i32.add (i32.const 66688) (i32.shl (local.get $i) (i32.const 3))))
    (i32.store (local.get $i) (i32.add (i32.load (local.get $i)) (local.get $more))))
  (func (export "init") (param i32) (result i32)
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 7))
    (call $counter (i32.const 1) (i32.const 1031) (i32.const 3))
    (call $counter (i32.const 2) (i32.const 1034) (i32.const 4))
    (call $count (i32.const 2) (i32.add (i32.load (i32.const 65624)) (i32.load (i32.const 65632))))
    (i32.const 0))
  (func $expect (param $a i32) (param $b i32)
    (call $count (i32.const 1) (i32.ne (local.get $a) (local.get $b))))
  (func $room (param $pair i32) (result i32)
    (i32.add (i32.load (i32.const 65584)) (i32.shl (i32.load (local.get $pair)) (i32.const 6))))
  (func $stamp (param $room i32) (param $byte i32) (param $i i32) (local $end i32)
    (memory.fill (local.get $room) (local.get $byte) (i32.const {ROOM}))
    (local.set $end (i32.add (local.get $room) (i32.const {ROOM})))
    (loop
      (i32.store (local.get $room) (i32.or (i32.shl (global.get $batch) (i32.const 16)) (local.get $i)))
      (local.set $room (i32.add (local.get $room) (i32.const 64)))
      (br_if 0 (i32.lt_u (local.get $room) (local.get $end)))))
  {WRITE}
  {prepare}
  {LOOK}
  (func (export "{callback}") (param $n i32)
    ;; A call without packets is one of the script only when it is the last.
    (if (i32.and (i32.eqz (local.get $n)) (i32.eqz (i32.and (i32.load (i32.const 65540)) (i32.const 4)))) (then (return)))
    (if (i32.ge_u (global.get $batch) (i32.const {count})) (then (return)))
    (call $look (local.get $n))
    (call $play (local.get $n))
    (global.set $batch (i32.add (global.get $batch) (i32.const 1)))
    (global.set $seen (i32.add (global.get $seen) (i32.const {SEEN_BATCH})))
    (call $count (i32.const 0) (i32.const 1)))
  {play}"#
    )
}

/// Writes descriptors in place, then the output list, from where the script has come to.
fn play() -> String {
    format!(
        r#"(func $play (param $n i32) (local $i i32) (local $r i32) (local $d i32) (local $s i32) (local $end i32)
    (memory.fill (i32.const {OUTPUTS}) (i32.const 0) (i32.const 16384))
    (local.set $r (i32.add (global.get $at) (i32.const {HEADER})))
    (local.set $d (i32.const {PACKETS}))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (i32.load (global.get $at))))
      (if (i32.lt_u (local.get $i) (local.get $n)) (then (call $write (local.get $d) (local.get $r))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $r (i32.add (local.get $r) (i32.const {RECORD})))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0)))
    (local.set $end (i32.add (local.get $r) (i32.mul (i32.load offset=4 (global.get $at)) (i32.const {RECORD}))))
    (local.set $n (local.get $r))
    (local.set $d (i32.const {OUTPUTS}))
    (local.set $s (i32.add (global.get $seen) (i32.const {SEEN_OUTPUTS})))
    (local.set $i (i32.const 0))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (i32.load offset=8 (global.get $at))))
      (call $write (local.get $d) (local.get $r))
      (i32.store (local.get $s) (i32.load (i32.load (local.get $r))))
      (i32.store offset=4 (local.get $s) (i32.load (i32.const 65552)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $s (i32.add (local.get $s) (i32.const 8)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (local.set $r (i32.add (local.get $r) (i32.const {RECORD})))
      (if (i32.eq (local.get $r) (local.get $end)) (then (local.set $r (local.get $n))))
      (br 0)))
    (i32.store (i32.const {OUT_COUNT}) (i32.load offset=12 (global.get $at)))
    (global.set $at (local.get $end)))"#
    )
}

/// Writes record `$r` into descriptor `$d`.
const WRITE: &str = r#"(func $write (param $d i32) (param $r i32) (local $addr i32)
    (if (i32.eq (i32.load offset=60 (local.get $r)) (i32.const 3)) (then (return)))
    (i32.store offset=8 (local.get $d) (i32.load offset=20 (local.get $r)))
    (if (i32.eq (i32.load offset=60 (local.get $r)) (i32.const 1)) (then (return)))
    (local.set $addr (i32.load offset=12 (local.get $r)))
    (if (i32.load offset=8 (local.get $r)) (then
      (local.set $addr (i32.add (local.get $addr) (call $room (i32.load offset=4 (local.get $r)))))))
    (i32.store (local.get $d) (local.get $addr))
    (i32.store16 offset=4 (local.get $d) (i32.load offset=16 (local.get $r)))
    (i32.store offset=12 (local.get $d) (i32.load offset=24 (local.get $r)))
    (if (i32.eq (i32.load offset=60 (local.get $r)) (i32.const 2)) (then (return)))
    (i32.store16 offset=6 (local.get $d) (i32.load16_u offset=18 (local.get $r)))
    (i32.store offset=16 (local.get $d)
      (i32.add (i32.load (i32.load (local.get $r))) (i32.load offset=28 (local.get $r))))
    (i32.store offset=20 (local.get $d)
      (i32.add (i32.load offset=4 (i32.load (local.get $r))) (i32.load offset=32 (local.get $r))))
    (i64.store offset=24 (local.get $d) (i64.load offset=36 (local.get $r)))
    (i64.store offset=32 (local.get $d) (i64.load offset=44 (local.get $r)))
    (i64.store offset=40 (local.get $d) (i64.load offset=52 (local.get $r)))
    (i64.store offset=48 (local.get $d) (i64.load offset=64 (local.get $r)))
    (i64.store offset=56 (local.get $d) (i64.load offset=64 (local.get $r))))"#;

/// Fills the room around packet `$i`, so that what a longer packet takes in is known.
const FILL: &str = r#"(func $prepare (param $d i32) (param $i i32) (local $room i32) (local $end i32)
    (local.set $room (call $room (i32.add (local.get $d) (i32.const 16))))
    (local.set $end (i32.add (i32.load (local.get $d)) (i32.load16_u offset=4 (local.get $d))))
    (memory.fill (local.get $room) (i32.add (i32.const 0x40) (i32.and (local.get $i) (i32.const 63)))
      (i32.sub (i32.load (local.get $d)) (local.get $room)))
    (memory.fill (local.get $end) (i32.add (i32.const 0x80) (i32.and (local.get $i) (i32.const 63)))
      (i32.sub (i32.add (local.get $room) (i32.add (i32.load (i32.const 65624)) (i32.load (i32.const 65632)))) (local.get $end))))"#;

/// Writes the whole room of packet `$i` that is to be generated.
const STAMP: &str = r#"(func $prepare (param $d i32) (param $i i32)
    (call $stamp (call $room (i32.add (local.get $d) (i32.const 16)))
      (i32.add (i32.const 0x40) (i32.and (local.get $i) (i32.const 63))) (local.get $i)))"#;

/// Remembers identities, checks what the host wrote, and prepares all rooms.
const LOOK: &str = r#"(func $look (param $n i32) (local $i i32) (local $d i32)
    (call $expect (i32.load (i32.const 65536)) (local.get $n))
    (call $expect (i32.load (i32.const 65560)) (i32.const 0))
    (call $expect (i32.load (i32.const 65564)) (i32.load offset=16 (global.get $at)))
    (local.set $d (i32.const 67200))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (local.get $n)))
      (i64.store (i32.add (global.get $seen) (i32.shl (local.get $i) (i32.const 3))) (i64.load offset=16 (local.get $d)))
      (call $expect (i32.load offset=8 (local.get $d)) (i32.const 0))
      (call $expect (i32.load offset=20 (local.get $d)) (i32.load (i32.const 65552)))
      (call $prepare (local.get $d) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0)))
    (local.set $i (i32.const 0))
    (local.set $d (i32.const 83584))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (i32.load (i32.const 65568))))
      (call $expect (i32.load (local.get $d))
        (i32.add (call $room (i32.add (local.get $d) (i32.const 16))) (i32.const 128)))
      (call $stamp (call $room (i32.add (local.get $d) (i32.const 16)))
        (i32.add (i32.const 0xc0) (i32.and (local.get $i) (i32.const 63))) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0))))"#;

/// The second stage: writes mark, port and requests, as it was told them, over the first 14 bytes of each packet.
pub(crate) const SHOW: &str = r#"(i32.store offset=8 (local.get $d) (i32.const 1))
      (i32.store (i32.load (local.get $d)) (i32.load offset=12 (local.get $d)))
      (i32.store16 offset=4 (i32.load (local.get $d)) (i32.load16_u offset=6 (local.get $d)))
      (i32.store offset=6 (i32.load (local.get $d)) (i32.load offset=28 (local.get $d)))
      (i32.store offset=10 (i32.load (local.get $d)) (i32.const 0))
      (if (i32.and (i32.load offset=28 (local.get $d)) (i32.const 0x20)) (then
        (i32.store16 offset=10 (i32.load (local.get $d)) (i32.load16_u offset=38 (local.get $d)))))
      (if (i32.and (i32.load offset=28 (local.get $d)) (i32.const 7)) (then
        (i32.store16 offset=12 (i32.load (local.get $d)) (i32.load16_u offset=40 (local.get $d)))))"#;
