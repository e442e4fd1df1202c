//! Values into packets, and what is known of the bytes that were written.
//!
//! Words are kept as they lie in memory. So the sum of a checksum can be made of them: it comes out right in either order of
//! bytes, as long as it is the same in all words.

use super::code::{Code, at};
use perigee_abi::fields::Item;
use wasm_encoder::{BlockType, ValType};

/// The words that were written into the packet, as far as no later word lies over them.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Local with the packet's address.
    pub(super) addr: u32,
    pub(super) words: Vec<Word>,
    /// Locals with lengths as they lie in memory, by what is subtracted from the packet's.
    lengths: Vec<(u64, u32)>,
}

/// A word of the packet in a local of 64 bits, as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) first: u64,
    pub(super) width: u64,
    pub(super) local: u32,
}

impl Written {
    pub(super) fn new(addr: u32) -> Self {
        Self { addr, words: Vec::new(), lengths: Vec::new() }
    }

    /// Writes an item's value, which is `largest` at most, where the packet has its place: surely where `len` is nothing.
    pub(super) fn write_item(&mut self, code: &mut Code, spec: &Item, value: u32, largest: u64, len: Option<u32>) {
        let Some(len) = len else {
            self.write(code, spec, value, largest);
            return;
        };
        let end = spec.first + spec.width;
        code.emit().local_get(len).i64_const(end.cast_signed()).i64_ge_u().if_(BlockType::Empty);
        self.write(code, spec, value, largest);
        code.emit().end();
    }

    /// A local with the length `len` less so much as 16 bits lie in memory, the upper bits being 0.
    pub(super) fn length(&mut self, code: &mut Code, len: u32, less: u64) -> u32 {
        if let Some((_, local)) = self.lengths.iter().find(|(of, _)| *of == less) {
            return *local;
        }
        code.emit().local_get(len).i64_const(less.cast_signed()).i64_sub();
        let value = code.set_new();
        swap(code, value, 2);
        let local = code.set_new();
        self.lengths.push((less, local));
        local
    }

    /// Forgets what lies behind the first `len` bytes: not every packet has it.
    pub(super) fn keep(&mut self, len: u64) {
        self.words.retain(|word| word.first + word.width <= len);
    }

    fn write(&mut self, code: &mut Code, spec: &Item, value: u32, largest: u64) {
        if spec.width == 9 {
            self.write_nine(code, spec, value);
            return;
        }
        let whole = u64::MAX >> (64 - 8 * spec.width);
        let mask = spec.mask << spec.below & whole;
        if mask == 0 {
            return;
        }
        if mask == whole && spec.width == 2 && largest <= whole {
            self.write_two(code, spec.first, value);
            return;
        }
        code.emit().local_get(value);
        if spec.below != 0 {
            code.emit().i64_const(spec.below.cast_signed()).i64_shl();
        }
        if mask != whole {
            code.emit().i64_const(mask.cast_signed()).i64_and();
        }
        let shifted = code.set_new();
        swap(code, shifted, spec.width);
        if mask != whole {
            code.emit().local_get(self.addr);
            load(code, spec.first, spec.width);
            code.emit().i64_const(swapped(!mask & whole, spec.width).cast_signed()).i64_and().i64_or();
        }
        let local = code.set_new();
        self.store(code, Word { first: spec.first, width: spec.width, local });
    }

    /// A value that is two bytes long: what the store cuts off need not be taken away before.
    fn write_two(&mut self, code: &mut Code, first: u64, value: u32) {
        code.emit().local_get(value).i64_const(8).i64_shl().local_get(value).i64_const(8).i64_shr_u().i64_or();
        let turned = code.set_new();
        self.store(code, Word { first, width: 2, local: turned });
        // In a sum it is added as two bytes; where there is none, nothing becomes of this.
        code.emit().local_get(turned).i64_const(0xffff).i64_and();
        let local = code.set_new();
        self.words.pop();
        self.words.push(Word { first, width: 2, local });
    }

    /// Stores a word, and remembers it.
    pub(super) fn store(&mut self, code: &mut Code, word: Word) {
        code.emit().local_get(self.addr).local_get(word.local);
        match word.width {
            1 => code.emit().i64_store8(at(word.first)),
            2 => code.emit().i64_store16(at(word.first)),
            4 => code.emit().i64_store32(at(word.first)),
            _ => code.emit().i64_store(at(word.first)),
        };
        self.forget(word.first, word.width);
        self.words.push(word);
    }

    fn forget(&mut self, first: u64, width: u64) {
        self.words.retain(|word| word.first + word.width <= first || first + width <= word.first);
    }

    /// A place that nine bytes have a part of: byte by byte.
    fn write_nine(&mut self, code: &mut Code, spec: &Item, value: u32) {
        code.emit().local_get(value).i64_const(spec.mask.cast_signed()).i64_and();
        let value = code.set_new();
        let mask = u128::from(spec.mask) << spec.below;
        for byte in 0..9 {
            let of_it = u64::try_from(mask >> (8 * byte) & 0xff).unwrap_or_default();
            let place = spec.first + 8 - byte;
            code.emit().local_get(self.addr).local_get(self.addr);
            load(code, place, 1);
            code.constant(!of_it & 0xff);
            code.emit().i64_and().local_get(value);
            match byte {
                0 => code.emit().i64_const(spec.below.cast_signed()).i64_shl(),
                byte => code.emit().i64_const((8 * byte - spec.below).cast_signed()).i64_shr_u(),
            };
            code.constant(of_it);
            code.emit().i64_and().i64_or().i64_store8(at(place));
        }
        self.forget(spec.first, 9);
    }
}

/// Replaces the address on the stack by the word so far behind it.
pub(super) fn load(code: &mut Code, offset: u64, width: u64) {
    match width {
        1 => code.emit().i64_load8_u(at(offset)),
        2 => code.emit().i64_load16_u(at(offset)),
        4 => code.emit().i64_load32_u(at(offset)),
        _ => code.emit().i64_load(at(offset)),
    };
}

/// A number's lower bytes turned round.
pub(super) fn swapped(number: u64, width: u64) -> u64 {
    number.swap_bytes() >> (64 - 8 * width)
}

/// Pushes the lower bytes of a local, turned round; the bits above them are 0.
fn swap(code: &mut Code, value: u32, width: u64) {
    match width {
        1 => {
            code.emit().local_get(value).i64_const(0xff).i64_and();
        }
        2 => {
            code.emit().local_get(value).i64_const(8).i64_shr_u().i64_const(0xff).i64_and();
            code.emit().local_get(value).i64_const(0xff).i64_and().i64_const(8).i64_shl().i64_or();
        }
        4 => swap_32(code, value),
        _ => swap_64(code, value),
    }
}

/// As LLVM writes it, which Cranelift knows for one instruction.
fn swap_32(code: &mut Code, value: u32) {
    let narrow = code.local(ValType::I32);
    code.emit().local_get(value).i32_wrap_i64().local_set(narrow);
    code.emit().local_get(narrow).i32_const(24).i32_shl();
    code.emit().local_get(narrow).i32_const(0xff00).i32_and().i32_const(8).i32_shl().i32_or();
    code.emit().local_get(narrow).i32_const(8).i32_shr_u().i32_const(0xff00).i32_and();
    code.emit().local_get(narrow).i32_const(24).i32_shr_u().i32_or().i32_or().i64_extend_i32_u();
}

/// As [`swap_32`].
pub(super) fn swap_64(code: &mut Code, value: u32) {
    let up = |code: &mut Code, mask: i64, bits: i64| {
        code.emit().local_get(value).i64_const(mask).i64_and().i64_const(bits).i64_shl();
    };
    let down = |code: &mut Code, bits: i64, mask: i64| {
        code.emit().local_get(value).i64_const(bits).i64_shr_u().i64_const(mask).i64_and();
    };
    code.emit().local_get(value).i64_const(56).i64_shl();
    up(code, 0xff00, 40);
    code.emit().i64_or();
    up(code, 0xff_0000, 24);
    up(code, 0xff00_0000, 8);
    code.emit().i64_or().i64_or();
    down(code, 8, 0xff00_0000);
    down(code, 24, 0xff_0000);
    code.emit().i64_or();
    down(code, 40, 0xff00);
    code.emit().local_get(value).i64_const(56).i64_shr_u().i64_or().i64_or().i64_or();
}
