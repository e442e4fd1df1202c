//! What the signal's handler reads of the interrupted stack. Modules' code keeps frame pointers, the host's does not: a walk begins where
//! the module was left, and whoever names the addresses stops at the first that is no module's.

#![allow(unsafe_code, reason = "reads words of the thread's own stack by address")]

use crate::code;
use crate::lane::Sample;

/// Bytes of a word of the stack.
const WORD: u64 = 8;
/// Words of the stack that are searched for the way back into a module, where a hostcall was interrupted: 8 KiB.
const SEARCHED: u64 = 1024;

/// Registers of an interrupted thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) fp: u64,
}

/// The part of a thread's stack that is in use: from the stack pointer up to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    low: u64,
    top: u64,
}

impl Stack {
    /// # Safety
    /// All between the two is the calling thread's stack, and stays mapped.
    pub(crate) unsafe fn new(low: u64, top: u64) -> Self {
        Self { low, top }
    }

    /// The word at an address; `None` outside, or where none can begin.
    fn word(self, at: u64) -> Option<u64> {
        if !at.is_multiple_of(WORD) || at < self.low || at.checked_add(WORD)? > self.top {
            return None;
        }
        // SAFETY:
        // - it is aligned and lies inside the stack (checked above), whose memory is there by `new`'s contract.
        // - it is the thread's own, which stands still meanwhile; any bytes are a number.
        Some(unsafe { std::ptr::with_exposed_provenance::<u64>(usize::try_from(at).ok()?).read_volatile() })
    }

    /// Adds the return addresses of the module's frames.
    pub(crate) fn walk(self, registers: Registers, sample: &mut Sample) {
        if code::is_guest(registers.pc) {
            return self.follow(registers.fp, sample);
        }
        let Some((back, frame)) = self.way_back(registers.sp) else { return };
        if sample.push(back) {
            self.follow(frame, sample);
        }
    }

    /// Follows frame pointers, which must lead up.
    fn follow(self, mut frame: u64, sample: &mut Sample) {
        while let (Some(before), Some(back)) = (self.word(frame), self.word(frame.wrapping_add(WORD))) {
            if !code::is_guest(back) || !sample.push(back) || before <= frame {
                return;
            }
            frame = before;
        }
    }

    /// Where the host returns into a module's code: the first word that is an address of it and has a frame pointer below itself, as all
    /// that the engine compiles pushes one first.
    fn way_back(self, sp: u64) -> Option<(u64, u64)> {
        let first = sp.next_multiple_of(WORD);
        (0..SEARCHED).map(|n| first + n * WORD).find_map(|at| {
            let back = self.word(at).filter(|back| code::is_guest(*back))?;
            let frame = self.word(at.wrapping_sub(WORD)).filter(|frame| *frame > at && *frame < self.top)?;
            Some((back, frame))
        })
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::code::{Code, register, want};

    /// A stack of words that lies on the heap; its address.
    fn stack(words: &[u64]) -> (Stack, u64) {
        let low = words.as_ptr().expose_provenance() as u64;
        // SAFETY:
        // - the words outlive the test's use of them.
        (unsafe { Stack::new(low, low + 8 * words.len() as u64) }, low)
    }

    fn walked(words: &[u64], registers: impl Fn(u64) -> Registers) -> Vec<u64> {
        let (stack, low) = stack(words);
        let mut sample = Sample::new(0, 1);
        stack.walk(registers(low), &mut sample);
        sample.addresses()[1..].to_vec()
    }

    #[test]
    fn frames_of_a_module_are_followed_and_nothing_leads_out_of_the_stack() {
        const CODE: u64 = 0x7000_0000_0000;
        want();
        register(|| Code { start: CODE, ..Code::new("m", "", vec![0; 100], Vec::new()) });
        let mut words = [0; 16];
        let low = words.as_ptr().expose_provenance() as u64;
        // Two frames of the module, the second called by the host, whose frame pointer is anything.
        (words[2], words[3]) = (low + 8 * 6, CODE + 1);
        (words[6], words[7]) = (0x1234, CODE + 2);
        let in_guest = |fp: u64| move |low: u64| Registers { pc: CODE + 9, sp: low, fp: low + 8 * fp };
        assert_eq!(walked(&words, in_guest(2)), [CODE + 1, CODE + 2]);
        // In a hostcall the way back is looked for, with the host's own words before it.
        let in_host = |low: u64| Registers { pc: 5, sp: low + 1, fp: 77 };
        assert_eq!(walked(&words, in_host), [CODE + 1, CODE + 2]);
        // A frame that leads down or round, or out of the stack, ends the walk.
        words[6] = low + 8 * 2;
        assert_eq!(walked(&words, in_guest(2)), [CODE + 1, CODE + 2]);
        words[2] = u64::MAX - 7;
        assert_eq!(walked(&words, in_guest(2)), [CODE + 1]);
        for fp in [0, 15, 16, 1 << 60] {
            assert_eq!(walked(&words, in_guest(fp)), Vec::<u64>::new(), "{fp}");
        }
        assert_eq!(walked(&words, |low| Registers { pc: CODE, sp: low, fp: low + 17 }), Vec::<u64>::new());
    }
}
