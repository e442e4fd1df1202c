//! A packet's bytes one by one, over all of its segments. Nothing is borrowed: other lcores may write there meanwhile.

use super::packet::Packet;
use perigee_core::frame::Frame;
use perigee_dpdk_sys::Mbuf;

impl Packet {
    /// `N` bytes at `at` of all its bytes; `None` where they do not all lie in it.
    #[inline]
    pub fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        if u64::from(at) + N as u64 > u64::from(self.len()) {
            return if self.segments() == 1 { None } else { self.bytes_beyond(at) };
        }
        let from = self.room().wrapping_add(self.data_off().into()).wrapping_add(at as usize) as *const [u8; N];
        // SAFETY:
        // - `at + N <= data_len`, checked above, and the first `data_len` bytes behind `data_off` lie in the live mbuf's room.
        // - the bytes are copied before anything is made of them; an array of bytes needs no alignment.
        Some(unsafe { from.read() })
    }

    /// `N` bytes of the first segment, the first of them `BACK` before its end; `None` where it is shorter than that.
    #[inline]
    pub fn end<const BACK: usize, const N: usize>(&self) -> Option<[u8; N]> {
        const { assert!(N <= BACK) };
        let at = usize::from(self.len()).checked_sub(BACK)?;
        let from = self.room().wrapping_add(self.data_off().into()).wrapping_add(at) as *const [u8; N];
        // SAFETY:
        // - the bytes are among the first segment's last `BACK`, of which there are as many, in the live mbuf's room.
        // - they are copied before anything is made of them; an array of bytes needs no alignment.
        Some(unsafe { from.read() })
    }

    /// The last `N` words of 8 bytes of the first segment, as they lie in memory; `None` where it is shorter.
    #[inline]
    pub fn end_words<const N: usize>(&self) -> Option<[u64; N]> {
        let from = self.end_at::<N>()? as *const [u64; N];
        // SAFETY:
        // - `end_at` has checked that the bytes lie in the live mbuf's room.
        // - they are copied before anything is made of them, and need not be aligned.
        Some(unsafe { from.read_unaligned() })
    }

    /// Changes the last words; false, and nothing is changed, where the first segment is shorter. By words, because bytes that are put
    /// together in a buffer and copied from there as a whole are waited for: a processor forwards no two stores to one load.
    #[inline]
    pub fn change_end<const N: usize>(&mut self, change: impl FnOnce([u64; N]) -> [u64; N]) -> bool {
        let (Some(words), Some(at)) = (self.end_words(), self.end_at::<N>()) else { return false };
        for (i, word) in change(words).into_iter().enumerate() {
            // SAFETY:
            // - `i < N`, so the word is one of those that `end_at` has checked to lie in the live mbuf's room, which is ours to write.
            unsafe { (at as *mut u64).wrapping_add(i).write_unaligned(word) };
        }
        true
    }

    /// Where the last `N` words of the first segment begin, if it has so many.
    #[inline]
    fn end_at<const N: usize>(&self) -> Option<usize> {
        let at = usize::from(self.len()).checked_sub(N * size_of::<u64>())?;
        Some(self.room().wrapping_add(self.data_off().into()).wrapping_add(at))
    }

    /// As [`Self::bytes`], where they do not all lie in the first segment.
    #[cold]
    fn bytes_beyond<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        if u64::from(at) + N as u64 > u64::from(self.total_len()) {
            return None;
        }
        let mut bytes = [0; N];
        for (place, at) in bytes.iter_mut().zip(at..) {
            *place = self.byte(at)?;
        }
        Some(bytes)
    }

    /// Copies as many bytes as there are places from `at` on, over all segments; places behind the packet's end stay as they are.
    #[inline]
    pub fn copy_to(&self, at: u32, to: &mut [u8]) {
        let end = u64::from(at) + to.len() as u64;
        if end > u64::from(self.len()) {
            return self.copy_beyond(at, to);
        }
        let from = self.room().wrapping_add(self.data_off().into()).wrapping_add(at as usize) as *const u8;
        // SAFETY:
        // - `at + to.len() <= data_len`, checked above, and the first `data_len` bytes behind `data_off` lie in the live mbuf's room.
        // - the places are the caller's, and in no room: they never overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
    }

    /// As [`Self::copy_to`], where the bytes do not all lie in the first segment.
    #[cold]
    fn copy_beyond(&self, at: u32, to: &mut [u8]) {
        for (place, at) in to.iter_mut().zip(at..) {
            *place = self.byte(at).unwrap_or(*place);
        }
    }

    fn byte(&self, mut at: u32) -> Option<u8> {
        let mut segment: *const Mbuf = self.as_raw();
        for _ in 0..self.segments() {
            // SAFETY:
            // - the chain has as many segments as its first one says, and all of them are live and ours.
            let mbuf = unsafe { segment.as_ref() }?;
            if at < mbuf.data_len.into() {
                let from = mbuf.buf_addr.wrapping_add(mbuf.data_off.into()).wrapping_add(at as usize);
                // SAFETY:
                // - `at < data_len`, so the byte lies in the segment's room.
                return Some(unsafe { from.read() });
            }
            at -= u32::from(mbuf.data_len);
            segment = mbuf.next;
        }
        None
    }
}

/// A packet as it lies in its room.
impl Frame for Packet {
    #[inline]
    fn len(&self) -> u32 {
        self.total_len()
    }

    #[inline]
    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        Packet::bytes(self, at)
    }
}

#[cfg(test)]
mod test {
    use crate::packet::Lone;

    #[test]
    fn bytes_are_found_in_all_segments_and_nowhere_else() {
        let (mut first, mut second) = (Lone::new(&[0, 1, 2, 3, 4]), Lone::new(&[5, 6, 7]));
        assert_eq!((first.packet().bytes(1), first.packet().bytes::<4>(2)), (Some([1, 2, 3, 4]), None));
        first.append(&mut second);
        let packet = first.packet();
        for at in 0..12_u8 {
            let inside = |len: u8| (at + len <= 8).then_some(at);
            assert_eq!(packet.bytes(at.into()), inside(1).map(|at| [at]));
            assert_eq!(packet.bytes(at.into()), inside(2).map(|at| [at, at + 1]));
            assert_eq!(packet.bytes(at.into()), inside(4).map(|at| [at, at + 1, at + 2, at + 3]));
        }
        for at in 0..8_u8 {
            let mut copied = vec![0xff; 9 - usize::from(at)];
            packet.copy_to(at.into(), &mut copied);
            let there: Vec<u8> = (at..8).chain([0xff]).collect();
            assert_eq!(copied, there);
        }
        assert_eq!((packet.bytes::<4>(u32::MAX), packet.bytes::<1>(u32::MAX)), (None, None));
    }

    #[test]
    fn the_end_is_that_of_the_first_segment() {
        let mut lone = Lone::new(&[0, 1, 2, 3, 4]);
        let packet = lone.packet();
        assert_eq!((packet.end::<5, 2>(), packet.end::<4, 4>()), (Some([0, 1]), Some([1, 2, 3, 4])));
        assert_eq!((packet.end::<6, 2>(), packet.change_end(|[word]| [word + 1])), (None, false));
        let mut lone = Lone::new(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let packet = lone.packet();
        assert!(packet.change_end(|[word]| [word.swap_bytes()]));
        assert_eq!(packet.end::<9, 9>(), Some([0, 8, 7, 6, 5, 4, 3, 2, 1]));
    }
}
