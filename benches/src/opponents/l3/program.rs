//! The L3 forwarder as a program of eBPF: it checks what the router's fast path and its twin in C check, looks up, and rewrites. It
//! returns 1 for a packet that goes on, and 0 for one that does not and is as it was.

use super::table::{GROUP, NOTHING, Tables};
use crate::functions::OWN;

/// Bytes of a packet: what IPv4 says of its length is at most that, less Ethernet's header.
const FRAME: i32 = 60;

/// Operations, on 64 bits where nothing else is said; `REGISTER` ones have a source register instead of a number.
mod op {
    pub(super) const LOAD8: u8 = 0x71;
    pub(super) const LOAD16: u8 = 0x69;
    pub(super) const LOAD32: u8 = 0x61;
    pub(super) const STORE8: u8 = 0x73;
    pub(super) const STORE16: u8 = 0x6b;
    pub(super) const STORE32: u8 = 0x63;
    pub(super) const ADD: u8 = 0x07;
    pub(super) const ADD_REGISTER: u8 = 0x0f;
    pub(super) const AND: u8 = 0x57;
    pub(super) const SHIFT_LEFT: u8 = 0x67;
    pub(super) const SHIFT_RIGHT: u8 = 0x77;
    pub(super) const XOR: u8 = 0xa7;
    pub(super) const MOVE: u8 = 0xb7;
    pub(super) const MOVE_REGISTER: u8 = 0xbf;
    /// On 32 bits: the upper half becomes 0.
    pub(super) const AND32_REGISTER: u8 = 0x5c;
    pub(super) const BIG_ENDIAN: u8 = 0xdc;
    pub(super) const ADDRESS: u8 = 0x18;
    pub(super) const IF_EQUAL: u8 = 0x15;
    pub(super) const IF_ABOVE: u8 = 0x25;
    pub(super) const IF_ABOVE_REGISTER: u8 = 0x2d;
    pub(super) const IF_OTHER: u8 = 0x55;
    pub(super) const IF_BELOW: u8 = 0xa5;
    pub(super) const EXIT: u8 = 0x95;
}
use op::*;

/// Registers: where the packet is, the length by IPv4, and others for what is needed now.
const RESULT: u8 = 0;
const ARGUMENT: u8 = 1;
const A: u8 = 2;
const LENGTH: u8 = 3;
const B: u8 = 4;
const C: u8 = 5;
const PACKET: u8 = 6;
const TO: u8 = 7;
const D: u8 = 8;
const FOUND: u8 = 9;

/// A program in the making.
struct Program {
    words: Vec<u64>,
    /// Branches to the end, where packets do not go on.
    drops: Vec<usize>,
}

impl Program {
    fn put(&mut self, code: u8, (to, from): (u8, u8), offset: i16, number: i32) {
        let [low, high] = offset.to_le_bytes();
        let [a, b, c, d] = number.to_le_bytes();
        self.words.push(u64::from_le_bytes([code, from << 4 | to, low, high, a, b, c, d]));
    }

    /// Reads something from where `from` points.
    fn load(&mut self, code: u8, to: u8, from: u8, offset: i16) {
        self.put(code, (to, from), offset, 0);
    }

    /// Writes into the packet.
    fn store(&mut self, code: u8, from: u8, offset: i16) {
        self.put(code, (PACKET, from), offset, 0);
    }

    fn number(&mut self, code: u8, to: u8, number: i32) {
        self.put(code, (to, 0), 0, number);
    }

    fn register(&mut self, code: u8, to: u8, from: u8) {
        self.put(code, (to, from), 0, 0);
    }

    /// The address of a table, which is two words.
    fn address(&mut self, to: u8, table: &[u8]) {
        let at = (table.as_ptr() as u64).to_le_bytes();
        let half = |bytes: &[u8]| bytes.try_into().map(i32::from_le_bytes).unwrap_or_default();
        self.put(ADDRESS, (to, 0), 0, half(&at[..4]));
        self.put(0, (0, 0), 0, half(&at[4..]));
    }

    fn drop_if(&mut self, code: u8, what: u8, number: i32) {
        self.drops.push(self.words.len());
        self.put(code, (what, 0), 0, number);
    }

    /// Adds the upper half of a sum to its lower one.
    fn fold(&mut self, sum: u8, spare: u8) {
        self.register(MOVE_REGISTER, spare, sum);
        self.number(SHIFT_RIGHT, spare, 16);
        self.number(AND, sum, 0xffff);
        self.register(ADD_REGISTER, sum, spare);
    }

    fn end(mut self) -> Vec<u64> {
        self.number(MOVE, RESULT, 1);
        self.number(EXIT, 0, 0);
        let target = self.words.len();
        self.number(MOVE, RESULT, 0);
        self.number(EXIT, 0, 0);
        for at in self.drops {
            let offset = u16::try_from(target - at - 1).unwrap_or(0);
            self.words[at] |= u64::from(offset) << 16;
        }
        self.words
    }
}

/// The program, as words.
pub(super) fn forwarder(tables: &Tables) -> Vec<u64> {
    let mut p = Program { words: Vec::new(), drops: Vec::new() };
    p.register(MOVE_REGISTER, PACKET, ARGUMENT);
    check_header(&mut p);
    check_addresses(&mut p);
    look_up(&mut p, tables);
    rewrite(&mut p);
    p.end()
}

/// Ethernet to this router, IPv4 without options, its length, its checksum.
fn check_header(p: &mut Program) {
    let [a, b, c, d, e, f] = OWN[0];
    p.load(LOAD16, A, PACKET, 12);
    p.drop_if(IF_OTHER, A, u16::from_le_bytes([8, 0]).into());
    p.load(LOAD8, A, PACKET, 14);
    p.drop_if(IF_OTHER, A, 0x45);
    p.load(LOAD16, LENGTH, PACKET, 16);
    p.number(BIG_ENDIAN, LENGTH, 16);
    p.drop_if(IF_BELOW, LENGTH, 20);
    p.drop_if(IF_ABOVE, LENGTH, FRAME - 14);
    p.load(LOAD32, A, PACKET, 0);
    p.drop_if(IF_OTHER, A, i32::from_le_bytes([a, b, c, d]));
    p.load(LOAD16, A, PACKET, 4);
    p.drop_if(IF_OTHER, A, u16::from_le_bytes([e, f]).into());
    p.load(LOAD32, B, PACKET, 14);
    for at in [18, 22, 26, 30] {
        p.load(LOAD32, C, PACKET, at);
        p.register(ADD_REGISTER, B, C);
    }
    p.register(MOVE_REGISTER, C, B);
    p.number(SHIFT_RIGHT, C, 32);
    // Not a move of 32 bits: rbpf 0.4.1 makes one of 64 of it.
    p.register(AND32_REGISTER, B, B);
    p.register(ADD_REGISTER, B, C);
    (0..3).for_each(|_| p.fold(B, C));
    p.drop_if(IF_OTHER, B, 0xffff);
}

/// Addresses of hosts, and hops that are left.
fn check_addresses(p: &mut Program) {
    for at in [26, 30] {
        p.load(LOAD8, A, PACKET, at);
        p.drop_if(IF_EQUAL, A, 0);
        p.drop_if(IF_EQUAL, A, 127);
        p.drop_if(IF_ABOVE, A, 223);
    }
    p.load(LOAD8, A, PACKET, 22);
    p.drop_if(IF_BELOW, A, 2);
}

/// The next hop, whose MTU is enough: D points at it.
fn look_up(p: &mut Program, tables: &Tables) {
    p.load(LOAD32, TO, PACKET, 30);
    p.number(BIG_ENDIAN, TO, 32);
    p.register(MOVE_REGISTER, D, TO);
    p.number(SHIFT_RIGHT, D, 8);
    // It is that already; DPDK takes what was swapped for a number that may be below 0, and refuses it as an offset.
    p.number(AND, D, 0xff_ffff);
    p.number(SHIFT_LEFT, D, 1);
    p.address(FOUND, &tables.first);
    p.register(ADD_REGISTER, FOUND, D);
    p.load(LOAD16, FOUND, FOUND, 0);
    let second = p.words.len();
    p.put(IF_BELOW, (FOUND, 0), 0, GROUP.into());
    p.number(AND, FOUND, (GROUP - 1).into());
    p.number(SHIFT_LEFT, FOUND, 8);
    p.number(AND, TO, 255);
    p.register(ADD_REGISTER, FOUND, TO);
    p.number(SHIFT_LEFT, FOUND, 1);
    p.address(D, &tables.second);
    p.register(ADD_REGISTER, D, FOUND);
    p.load(LOAD16, FOUND, D, 0);
    p.words[second] |= (p.words.len() as u64 - second as u64 - 1) << 16;
    p.drop_if(IF_EQUAL, FOUND, NOTHING.into());
    p.number(AND, FOUND, 255);
    p.number(SHIFT_LEFT, FOUND, 4);
    p.address(D, &tables.hops);
    p.register(ADD_REGISTER, D, FOUND);
    p.load(LOAD16, A, D, 12);
    p.drops.push(p.words.len());
    p.put(IF_ABOVE_REGISTER, (LENGTH, A), 0, 0);
}

/// Both MAC addresses, a hop less, and the checksum that goes with it (RFC 1624).
fn rewrite(p: &mut Program) {
    for at in [0, 4, 8] {
        p.load(LOAD32, A, D, at);
        p.store(STORE32, A, at);
    }
    p.load(LOAD16, A, PACKET, 24);
    p.number(XOR, A, 0xffff);
    p.number(ADD, A, 0xfffe);
    p.fold(A, B);
    p.number(XOR, A, 0xffff);
    p.store(STORE16, A, 24);
    p.load(LOAD8, A, PACKET, 22);
    p.number(ADD, A, -1);
    p.store(STORE8, A, 22);
}
