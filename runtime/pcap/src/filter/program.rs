//! Programs of the classic BPF (McCanne and Jacobson, "The BSD Packet Filter", 1993): checked once, then run on frames. What
//! each instruction means is what libpcap's own interpreter makes of it, with which the tests compare.
//!
//! A checked program ends: all jumps go forward, and its last instruction returns. A load that does not lie in the frame
//! refuses it.

use perigee_core::frame::Frame;

/// An instruction as libpcap makes it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// What it does.
    pub code: u16,
    /// How many instructions are passed over where a test holds.
    pub jt: u8,
    /// And where it does not.
    pub jf: u8,
    /// Its number.
    pub k: u32,
}

/// A program that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(pub(super) Box<[Op]>);

/// Most instructions, as in the kernel (BPF_MAXINSNS).
const MOST: usize = 4_096;
/// Places of the scratch memory (BPF_MEMWORDS).
pub(super) const PLACES: usize = 16;

/// How many bytes are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// Four.
    Word,
    /// Two.
    Half,
    /// One.
    Byte,
}

/// What is calculated with A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Or,
    And,
    Xor,
    Shl,
    Shr,
}

/// How A is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    AtLeast,
    AnyBit,
}

/// A number, or X.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    K(u32),
    X,
}

/// One instruction. Targets of jumps lie in the program, behind the jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Absolute(Width, u32),
    Indirect(Width, u32),
    Immediate(u32),
    Len,
    Mem(u8),
    XImmediate(u32),
    XLen,
    XMem(u8),
    /// X becomes the length of the IPv4 header whose first byte is there.
    XHeader(u32),
    Store(u8),
    XStore(u8),
    Alu(Alu, Operand),
    Negate,
    Jump(u16),
    Branch {
        test: Test,
        operand: Operand,
        yes: u16,
        no: u16,
    },
    Return(u32),
    ReturnA,
    ToX,
    ToA,
}

impl Program {
    /// Checks a program. The text says what is wrong with it.
    pub fn new(raw: &[Raw]) -> Result<Self, String> {
        if raw.len() > MOST {
            return Err(format!("it takes {} instructions, and {MOST} is the most", raw.len()));
        }
        let ops = raw.iter().enumerate().map(|(at, one)| op(*one, at, raw.len())).collect::<Result<Vec<_>, _>>()?;
        match ops.last() {
            Some(Op::Return(_) | Op::ReturnA) => Ok(Self(ops.into())),
            _ => Err("its last instruction does not return".to_owned()),
        }
    }

    /// How many instructions it has.
    pub fn instructions(&self) -> usize {
        self.0.len()
    }

    /// Whether the frame passes.
    #[inline(always)]
    pub fn passes(&self, frame: &(impl Frame + ?Sized)) -> bool {
        self.value(frame).is_some_and(|value| value != 0)
    }

    /// What the program returns; `None` where a load does not lie in the frame, or a number is divided by 0.
    #[inline(always)]
    fn value(&self, frame: &(impl Frame + ?Sized)) -> Option<u32> {
        let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; PLACES]);
        let mut at = 0_usize;
        loop {
            let op = *self.0.get(at)?;
            at += 1;
            match op {
                Op::Absolute(width, k) => a = load(frame, width, k)?,
                Op::Indirect(width, k) => a = load(frame, width, x.checked_add(k)?)?,
                Op::Immediate(k) => a = k,
                Op::Len => a = frame.len(),
                Op::Mem(place) => a = *memory.get(usize::from(place))?,
                Op::XImmediate(k) => x = k,
                Op::XLen => x = frame.len(),
                Op::XMem(place) => x = *memory.get(usize::from(place))?,
                Op::XHeader(k) => x = u32::from(frame.bytes::<1>(k)?[0] & 0xf) << 2,
                Op::Store(place) => *memory.get_mut(usize::from(place))? = a,
                Op::XStore(place) => *memory.get_mut(usize::from(place))? = x,
                Op::Alu(alu, operand) => a = alu.of(a, operand.with(x))?,
                Op::Negate => a = a.wrapping_neg(),
                Op::Jump(to) => at = to.into(),
                Op::Branch { test, operand, yes, no } => {
                    at = if test.holds(a, operand.with(x)) { yes } else { no }.into();
                }
                Op::Return(k) => return Some(k),
                Op::ReturnA => return Some(a),
                Op::ToX => x = a,
                Op::ToA => a = x,
            }
        }
    }
}

#[inline]
pub(super) fn load(frame: &(impl Frame + ?Sized), width: Width, at: u32) -> Option<u32> {
    match width {
        Width::Word => frame.u32(at),
        Width::Half => frame.u16(at).map(u32::from),
        Width::Byte => frame.bytes::<1>(at).map(|[byte]| byte.into()),
    }
}

impl Operand {
    #[inline]
    fn with(self, x: u32) -> u32 {
        match self {
            Self::K(k) => k,
            Self::X => x,
        }
    }
}

impl Alu {
    /// Shifts by more bits than there are leave nothing.
    #[inline]
    pub(super) fn of(self, a: u32, b: u32) -> Option<u32> {
        match self {
            Self::Add => Some(a.wrapping_add(b)),
            Self::Sub => Some(a.wrapping_sub(b)),
            Self::Mul => Some(a.wrapping_mul(b)),
            Self::Div => a.checked_div(b),
            Self::Mod => a.checked_rem(b),
            Self::Or => Some(a | b),
            Self::And => Some(a & b),
            Self::Xor => Some(a ^ b),
            Self::Shl => Some(a.checked_shl(b).unwrap_or(0)),
            Self::Shr => Some(a.checked_shr(b).unwrap_or(0)),
        }
    }
}

impl Test {
    #[inline]
    pub(super) fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::AtLeast => a >= b,
            Self::AnyBit => a & b != 0,
        }
    }
}

/// Fields of an instruction's code (pcap/bpf.h).
mod code {
    pub(super) const CLASS: u16 = 0x07;
    pub(super) const LD: u16 = 0x00;
    pub(super) const LDX: u16 = 0x01;
    pub(super) const ST: u16 = 0x02;
    pub(super) const STX: u16 = 0x03;
    pub(super) const ALU: u16 = 0x04;
    pub(super) const JMP: u16 = 0x05;
    pub(super) const RET: u16 = 0x06;
    /// Size and mode of a load.
    pub(super) const IMM: u16 = 0x00;
    pub(super) const ABS: u16 = 0x20;
    pub(super) const IND: u16 = 0x40;
    pub(super) const MEM: u16 = 0x60;
    pub(super) const LEN: u16 = 0x80;
    pub(super) const MSH: u16 = 0xa0;
    pub(super) const H: u16 = 0x08;
    pub(super) const B: u16 = 0x10;
    /// Of calculations, jumps and returns: X in the place of the number.
    pub(super) const X: u16 = 0x08;
    pub(super) const A: u16 = 0x10;
    pub(super) const NEG: u16 = 0x80;
    pub(super) const JA: u16 = 0x00;
    pub(super) const TXA: u16 = 0x80;
}

/// Instruction number `at` of `len`.
fn op(raw: Raw, at: usize, len: usize) -> Result<Op, String> {
    let rest = raw.code & !code::CLASS;
    let unknown = || format!("its instruction {at} has the code {:#x}, which is unknown", raw.code);
    let place = || {
        let place = u8::try_from(raw.k).ok().filter(|place| usize::from(*place) < PLACES);
        place.ok_or_else(|| format!("its instruction {at} names place {} of a memory of {PLACES}", raw.k))
    };
    match raw.code & code::CLASS {
        code::LD => match rest & 0xe0 {
            code::ABS => Ok(Op::Absolute(width(rest).ok_or_else(unknown)?, raw.k)),
            code::IND => Ok(Op::Indirect(width(rest).ok_or_else(unknown)?, raw.k)),
            code::IMM if rest == code::IMM => Ok(Op::Immediate(raw.k)),
            code::MEM if rest == code::MEM => place().map(Op::Mem),
            code::LEN if rest == code::LEN => Ok(Op::Len),
            _ => Err(unknown()),
        },
        code::LDX if rest == code::IMM => Ok(Op::XImmediate(raw.k)),
        code::LDX if rest == code::MEM => place().map(Op::XMem),
        code::LDX if rest == code::LEN => Ok(Op::XLen),
        code::LDX if rest == code::MSH | code::B => Ok(Op::XHeader(raw.k)),
        code::ST if rest == 0 => place().map(Op::Store),
        code::STX if rest == 0 => place().map(Op::XStore),
        code::ALU if rest == code::NEG => Ok(Op::Negate),
        code::ALU => {
            let alu = alu(rest & 0xf0).ok_or_else(unknown)?;
            Ok(Op::Alu(alu, operand(raw)))
        }
        code::JMP => jump(raw, at, len, rest).unwrap_or_else(|| Err(unknown())),
        code::RET if rest == 0 => Ok(Op::Return(raw.k)),
        code::RET if rest == code::A => Ok(Op::ReturnA),
        code::RET => Err(unknown()),
        _ if rest == 0 => Ok(Op::ToX),
        _ if rest == code::TXA => Ok(Op::ToA),
        _ => Err(unknown()),
    }
}

fn operand(raw: Raw) -> Operand {
    if raw.code & code::X != 0 { Operand::X } else { Operand::K(raw.k) }
}

fn width(rest: u16) -> Option<Width> {
    match rest & 0x18 {
        0 => Some(Width::Word),
        code::H => Some(Width::Half),
        code::B => Some(Width::Byte),
        _ => None,
    }
}

fn alu(operation: u16) -> Option<Alu> {
    Some(match operation {
        0x00 => Alu::Add,
        0x10 => Alu::Sub,
        0x20 => Alu::Mul,
        0x30 => Alu::Div,
        0x40 => Alu::Or,
        0x50 => Alu::And,
        0x60 => Alu::Shl,
        0x70 => Alu::Shr,
        0x90 => Alu::Mod,
        0xa0 => Alu::Xor,
        _ => return None,
    })
}

/// A jump forward, within the program; `None` where there is no such jump.
fn jump(raw: Raw, at: usize, len: usize, rest: u16) -> Option<Result<Op, String>> {
    // Distances are counted from the next instruction. One that goes back is a large number.
    let target = |distance: u32| {
        let to = usize::try_from(distance).ok().and_then(|distance| distance.checked_add(at + 1));
        let to = to.filter(|to| *to < len).and_then(|to| u16::try_from(to).ok());
        to.ok_or_else(|| {
            "it needs a loop, as `protochain` does, and a filter must come to its end: name the headers one by one"
                .to_owned()
        })
    };
    if rest == code::JA {
        return Some(target(raw.k).map(Op::Jump));
    }
    let test = match rest & 0xf0 {
        0x10 => Test::Equal,
        0x20 => Test::Greater,
        0x30 => Test::AtLeast,
        0x40 => Test::AnyBit,
        _ => return None,
    };
    let branch =
        || Ok(Op::Branch { test, operand: operand(raw), yes: target(raw.jt.into())?, no: target(raw.jf.into())? });
    Some(branch())
}

#[cfg(test)]
mod test {
    use super::*;

    const ACCEPT: Raw = Raw { code: code::RET, jt: 0, jf: 0, k: 1 };

    fn raw(code: u16, k: u32) -> Raw {
        Raw { code, k, ..Raw::default() }
    }

    #[test]
    fn programs_that_need_not_end_are_refused() {
        let back = raw(code::JMP, u32::MAX - 1);
        for program in [vec![], vec![raw(code::LD, 0)], vec![back, ACCEPT], vec![raw(code::JMP, 1), ACCEPT]] {
            assert!(Program::new(&program).is_err(), "{program:?}");
        }
        let branch = Raw { code: code::JMP | 0x10, jt: 0, jf: 1, k: 0 };
        assert!(Program::new(&[branch, ACCEPT]).is_err());
        assert!(Program::new(&[branch, ACCEPT, ACCEPT]).is_ok());
        assert!(Program::new(&vec![ACCEPT; MOST + 1]).unwrap_err().contains("4097 instructions"));
    }

    #[test]
    fn unknown_codes_and_places_are_refused() {
        for code in 0..=u16::MAX {
            // What is taken is run: it must end, whatever it is.
            for k in [0, 15, 16, u32::MAX] {
                if let Ok(program) = Program::new(&[raw(code, k), ACCEPT]) {
                    program.passes(&[0_u8; 4][..]);
                }
            }
        }
        assert!(Program::new(&[raw(code::ST, 16), ACCEPT]).is_err());
        assert!(Program::new(&[raw(0xffff, 0), ACCEPT]).is_err());
    }

    #[test]
    fn loads_beyond_the_frame_and_divisions_by_zero_refuse_it() {
        let frame = &[1_u8, 2, 3, 4][..];
        let returns = |ops: &[Raw]| Program::new(ops).unwrap().value(frame);
        let ret_a = raw(code::RET | code::A, 0);
        assert_eq!(returns(&[raw(code::LD | code::ABS, 0), ret_a]), Some(0x0102_0304));
        assert_eq!(returns(&[raw(code::LD | code::ABS, 1), ret_a]), None);
        assert_eq!(returns(&[raw(code::LD | code::ABS, u32::MAX), ret_a]), None);
        assert_eq!(
            returns(&[raw(code::LDX | code::IMM, 2), raw(code::LD | code::IND | code::H, 0), ret_a]),
            Some(0x0304)
        );
        assert_eq!(returns(&[raw(code::LDX | code::IMM, 2), raw(code::LD | code::IND, u32::MAX), ret_a]), None);
        assert_eq!(returns(&[raw(code::ALU | 0x30 | code::X, 0), ret_a]), None);
        assert_eq!(returns(&[raw(code::LD, 1), raw(code::ALU | 0x60, 32), ret_a]), Some(0));
        assert_eq!(returns(&[raw(code::LDX | code::MSH | code::B, 3), raw(code::LD | code::LEN, 0), ret_a]), Some(4));
    }
}
