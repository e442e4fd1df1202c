//! Whether a filter could take any of many packets, of which only some numbers are known: by following its program with what is known in
//! place of a packet (abstract interpretation). Where a number is not known, both ways of a branch are followed, so the answer "no" is
//! certain, and "perhaps" may be wrong.

use super::program::{Alu, Op, Operand, PLACES, Program, Test, Width, load};
use perigee_core::frame::Frame;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// States that are followed; programs with more of them are answered with "perhaps".
const MOST_STATES: usize = 4_096;

/// A number that a program loads from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Load {
    /// How many bytes it has.
    pub width: Width,
    /// Where it begins.
    pub at: u32,
    /// It is so far behind an IPv4 header (whose length is added) that begins there.
    pub behind: Option<u32>,
}

impl Load {
    /// The number in that frame; `None` where it does not lie in it.
    #[inline]
    pub fn of(&self, frame: &(impl Frame + ?Sized)) -> Option<u32> {
        let at = match self.behind {
            None => self.at,
            Some(header) => (u32::from(frame.bytes::<1>(header)?[0] & 0xf) << 2).checked_add(self.at)?,
        };
        load(frame, self.width, at)
    }
}

/// Which numbers are asked for, of those that a load has given.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    mask: u32,
    test: Test,
    k: u32,
    is_wanted: bool,
}

impl Question {
    /// Whether the number is one.
    pub fn is_answered_by(&self, number: u32) -> bool {
        self.test.holds(number & self.mask, self.k) == self.is_wanted
    }

    /// The only number that is asked for, where there is but one.
    pub fn only(&self) -> Option<u32> {
        (self.test == Test::Equal && self.is_wanted && self.mask == u32::MAX).then_some(self.k)
    }
}

/// What is known of some packets.
pub trait Knowledge {
    /// False where no packet has the bytes that are loaded.
    fn is_there(&self, load: Load) -> bool;

    /// False where no packet has a number there that is asked for.
    fn may_have(&self, load: Load, question: &Question) -> bool;
}

/// What is known of a register or a place of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Value {
    Number(u32),
    /// Loaded from the packet, and masked.
    Loaded(Load, u32),
    /// The length of the IPv4 header that begins there.
    Header(u32),
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    at: usize,
    a: Value,
    x: Value,
    memory: [Value; PLACES],
}

/// What an instruction leads to: another one, or either of two; or it is over, and the packet may be taken.
type Next = ControlFlow<bool, (State, Option<usize>)>;

const REFUSED: Next = ControlFlow::Break(false);

impl Program {
    /// Whether the filter could take a packet of which this is known. False is certain.
    pub fn may_pass(&self, known: &impl Knowledge) -> bool {
        let begin = State { at: 0, a: Value::Number(0), x: Value::Number(0), memory: [Value::Number(0); PLACES] };
        let (mut open, mut seen) = (vec![begin], HashSet::from([begin]));
        while let Some(state) = open.pop() {
            let (next, other) = match self.0.get(state.at).map(|op| step(*op, state, known)) {
                Some(ControlFlow::Continue(next)) => next,
                Some(ControlFlow::Break(true)) => return true,
                _ => continue,
            };
            open.extend(seen.insert(next).then_some(next));
            if let Some(at) = other {
                let next = State { at, ..next };
                open.extend(seen.insert(next).then_some(next));
            }
            if seen.len() > MOST_STATES {
                return true;
            }
        }
        false
    }
}

fn step(op: Op, state: State, known: &impl Knowledge) -> Next {
    let State { a, x, .. } = state;
    let on = State { at: state.at + 1, ..state };
    match op {
        Op::Absolute(width, at) => loaded(Load { width, at, behind: None }, on, known),
        Op::Indirect(width, k) => match x {
            Value::Number(x) => match x.checked_add(k) {
                Some(at) => loaded(Load { width, at, behind: None }, on, known),
                None => REFUSED,
            },
            Value::Header(header) => loaded(Load { width, at: k, behind: Some(header) }, on, known),
            _ => one(State { a: Value::Unknown, ..on }),
        },
        Op::Alu(alu, operand) => match (alu, a, number(operand, x)) {
            (_, Value::Number(a), Some(k)) => match alu.of(a, k) {
                Some(a) => one(State { a: Value::Number(a), ..on }),
                None => REFUSED,
            },
            (Alu::And, Value::Loaded(load, mask), Some(k)) => one(State { a: Value::Loaded(load, mask & k), ..on }),
            _ => one(State { a: Value::Unknown, ..on }),
        },
        Op::Jump(to) => one(State { at: to.into(), ..on }),
        Op::Branch { test, operand, yes, no } => {
            branch(&state, test, number(operand, x), [yes, no].map(usize::from), known)
        }
        Op::Return(0) => REFUSED,
        Op::ReturnA if a == Value::Number(0) => REFUSED,
        Op::Return(_) | Op::ReturnA => ControlFlow::Break(true),
        _ => one(moved(op, on)),
    }
}

fn one(state: State) -> Next {
    ControlFlow::Continue((state, None))
}

/// What an instruction that only moves numbers leaves in registers and memory.
fn moved(op: Op, mut state: State) -> State {
    let State { a, x, .. } = state;
    let place = |place: u8| state.memory.get(usize::from(place)).copied().unwrap_or(Value::Unknown);
    match op {
        Op::Immediate(k) => state.a = Value::Number(k),
        Op::XImmediate(k) => state.x = Value::Number(k),
        Op::XHeader(at) => state.x = Value::Header(at),
        Op::Mem(from) => state.a = place(from),
        Op::XMem(from) => state.x = place(from),
        Op::Store(to) => state.memory.get_mut(usize::from(to)).into_iter().for_each(|place| *place = a),
        Op::XStore(to) => state.memory.get_mut(usize::from(to)).into_iter().for_each(|place| *place = x),
        Op::ToX => state.x = a,
        Op::ToA => state.a = x,
        Op::XLen => state.x = Value::Unknown,
        // Lengths of packets, and negated numbers, which nobody compares with.
        _ => state.a = Value::Unknown,
    }
    state
}

fn number(operand: Operand, x: Value) -> Option<u32> {
    match (operand, x) {
        (Operand::K(k), _) | (Operand::X, Value::Number(k)) => Some(k),
        _ => None,
    }
}

/// A load that lies in no packet refuses them all.
fn loaded(load: Load, on: State, known: &impl Knowledge) -> Next {
    if known.is_there(load) { one(State { a: Value::Loaded(load, u32::MAX), ..on }) } else { REFUSED }
}

fn branch(state: &State, test: Test, k: Option<u32>, [yes, no]: [usize; 2], known: &impl Knowledge) -> Next {
    let may = |is_wanted: bool| match (state.a, k) {
        (Value::Number(a), Some(k)) => test.holds(a, k) == is_wanted,
        (Value::Loaded(load, mask), Some(k)) => known.may_have(load, &Question { mask, test, k, is_wanted }),
        _ => true,
    };
    match (may(true), may(false)) {
        (true, true) => ControlFlow::Continue((State { at: yes, ..*state }, Some(no))),
        (true, false) => one(State { at: yes, ..*state }),
        (false, true) => one(State { at: no, ..*state }),
        (false, false) => REFUSED,
    }
}
