//! rbpf behind three functions of C: the benchmark loads them where they were built.
#![allow(clippy::missing_safety_doc, reason = "each has its conditions in its SAFETY comments; nobody links this")]

use rbpf::EbpfVmRaw;
use std::{ptr, slice};

/// A program as machine code.
pub struct Program {
    machine: EbpfVmRaw<'static>,
}

/// Makes machine code of `len` bytes of instructions, which are copied and stay. Null where rbpf refuses them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rbpf_new(program: *const u8, len: usize) -> *mut Program {
    // SAFETY:
    // - the caller says how many bytes there are.
    let bytes = unsafe { slice::from_raw_parts(program, len) }.to_vec().leak();
    let Ok(mut machine) = EbpfVmRaw::new(Some(bytes)) else { return ptr::null_mut() };
    if machine.jit_compile().is_err() {
        return ptr::null_mut();
    }
    Box::into_raw(Box::new(Program { machine }))
}

/// Runs it on `n` packets, of which it touches `len` bytes at most.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rbpf_each(program: *const Program, packets: *const *mut u8, n: usize, len: usize) {
    // SAFETY:
    // - made by `rbpf_new`, and not freed.
    let program = unsafe { &*program };
    // SAFETY:
    // - the caller says how many packets there are.
    for packet in unsafe { slice::from_raw_parts(packets, n) } {
        // SAFETY:
        // - the caller says how long each of them is, and nobody else looks at it.
        let bytes = unsafe { slice::from_raw_parts_mut(*packet, len) };
        // SAFETY:
        // - the program touches no more than that.
        let _ = unsafe { program.machine.execute_program_jit(bytes) };
    }
}

/// Frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rbpf_free(program: *mut Program) {
    // SAFETY:
    // - made by `rbpf_new`, and freed once.
    drop(unsafe { Box::from_raw(program) });
}
