//! The machine code of modules as a file for `perf inject --jit`, in the form that perf's tools/perf/Documentation/jitdump-specification.txt
//! says: so `perf annotate` shows a module's instructions.

use crate::code::Code;
use crate::profile::function_names;

const MAGIC: u32 = 0x4A69_5444;
const VERSION: u32 = 1;
/// x86-64, by elf.h.
const EM_X86_64: u32 = 62;
/// Bytes of the head of the file, and of what stands before name and code of a function.
const HEAD: u32 = 40;
const FUNCTION_HEAD: usize = 56;
/// The kinds of record that are written.
const CODE_LOAD: u32 = 0;
const CODE_CLOSE: u32 = 3;
const CLOSE_LEN: u32 = 16;

/// All code, as of the process of that number, whose file is closed at `now_ns`. Times are of CLOCK_MONOTONIC.
pub(crate) fn bytes(codes: &[Code], process: u32, now_ns: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let begun_ns = codes.first().map_or(now_ns, |code| code.loaded_ns);
    let mut put = |words: &[u32]| words.iter().for_each(|word| file.extend(word.to_ne_bytes()));
    put(&[MAGIC, VERSION, HEAD, EM_X86_64, 0, process]);
    file.extend(begun_ns.to_ne_bytes());
    file.extend(0_u64.to_ne_bytes());
    let mut index = 0_u64;
    for code in codes {
        for (function, name) in function_names(code, codes) {
            let Some(machine) = code.bytes(function) else { continue };
            let len = FUNCTION_HEAD + name.len() + 1 + machine.len();
            file.extend(CODE_LOAD.to_ne_bytes());
            file.extend(u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes());
            file.extend(code.loaded_ns.to_ne_bytes());
            file.extend(process.to_ne_bytes());
            file.extend(process.to_ne_bytes());
            let at = code.start + function.offset;
            for word in [at, at, machine.len() as u64, index] {
                file.extend(word.to_ne_bytes());
            }
            file.extend(name.as_bytes());
            file.push(0);
            file.extend(machine);
            index += 1;
        }
    }
    file.extend(CODE_CLOSE.to_ne_bytes());
    file.extend(CLOSE_LEN.to_ne_bytes());
    file.extend(now_ns.to_ne_bytes());
    file
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::code::Function;

    #[test]
    fn each_function_is_a_record_of_the_length_that_it_says() {
        let function = |offset, index| Function { offset, len: 4, index, name: Some(format!("f{index}")) };
        let functions = vec![function(0, 1), function(4, 2), function(100, 3)];
        let code = Code { start: 0x1000, ..Code::new("m", "", (0..8).collect::<Vec<u8>>(), functions) };
        let file = bytes(&[code], 77, 9);
        let word = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().expect("four bytes"));
        assert_eq!([word(0), word(8), word(20)], [MAGIC, HEAD, 77]);
        let (mut at, mut records) = (HEAD as usize, Vec::new());
        while at < file.len() {
            records.push((word(at), file[at..at + word(at + 4) as usize].to_vec()));
            at += word(at + 4) as usize;
        }
        // The third lies outside of the code, and is none.
        assert_eq!(records.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [CODE_LOAD, CODE_LOAD, CODE_CLOSE]);
        assert!(records[1].1.ends_with(b"m: f2\0\x04\x05\x06\x07"), "{:?}", records[1]);
        assert_eq!(records[1].1[24..32], 0x1004_u64.to_ne_bytes());
    }
}
