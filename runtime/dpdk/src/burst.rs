//! A burst: storage for a fixed number of packets.

use crate::packet::Packet;
use crate::pool::Pool;
use perigee_abi::MAX_BATCH;
use perigee_dpdk_sys as sys;

/// Up to [`MAX_BATCH`] packets, in storage that the caller owns.
#[derive(Debug)]
pub struct Burst {
    packets: [Option<Packet>; MAX_BATCH],
    len: usize,
}

impl Burst {
    /// An empty one.
    pub fn new() -> Box<Self> {
        Box::new(Self { packets: [const { None }; MAX_BATCH], len: 0 })
    }

    /// Packets in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is none in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Room for how many more.
    #[inline]
    pub fn free(&self) -> usize {
        MAX_BATCH - self.len
    }

    /// The packets in it, in order.
    #[inline]
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Packet> {
        let (ptr, len) = (self.packets.as_mut_ptr().cast::<Packet>(), self.len);
        // SAFETY:
        // - Option<Packet> has the layout of Packet (a non-null pointer), and the first `len` are Some.
        // - the slice borrows self, as its elements do.
        unsafe { std::slice::from_raw_parts_mut(ptr, len) }.iter_mut()
    }

    /// Appends a packet; gives it back where the burst is full.
    #[inline]
    pub fn push(&mut self, packet: Packet) -> Result<(), Packet> {
        match self.packets.get_mut(self.len) {
            Some(place) => {
                *place = Some(packet);
                self.len += 1;
                Ok(())
            }
            None => Err(packet),
        }
    }

    /// Lets `fill` write up to `max` packets behind the ones that are there; it returns how many it wrote.
    #[inline]
    pub fn extend_raw(&mut self, max: usize, fill: impl FnOnce(*mut *mut sys::rte_mbuf, u16) -> usize) -> usize {
        let max = max.min(self.free());
        let at = self.packets.as_mut_ptr().cast::<*mut sys::rte_mbuf>();
        // SAFETY:
        // - len <= MAX_BATCH, so the place lies inside the array or at its end.
        let at = unsafe { at.add(self.len) };
        let n = fill(at, u16::try_from(max).unwrap_or(u16::MAX)).min(max);
        self.len += n;
        n
    }

    /// Lets `take` have the packets from `from` on as DPDK wants them; it returns how many of them it took from the
    /// front, and these are gone. What is left stays in order.
    #[inline]
    pub fn drain_raw(&mut self, take: impl FnOnce(*mut *mut sys::rte_mbuf, u16) -> usize) -> usize {
        let len = u16::try_from(self.len).unwrap_or(u16::MAX);
        let taken = take(self.packets.as_mut_ptr().cast(), len).min(self.len);
        let left = self.len - taken;
        if left != 0 && taken != 0 {
            for i in 0..left {
                self.packets[i] = self.packets[i + taken].take();
            }
        }
        // The places behind `len` are never read before they are written again.
        self.len = left;
        taken
    }

    /// Hands packets on from the front, until one comes back; that one and those behind it stay, in order. Returns how many went.
    pub fn take_front(&mut self, mut take: impl FnMut(Packet) -> Result<(), Packet>) -> usize {
        let (len, mut taken, mut full) = (self.len, 0, false);
        self.change(|packet| {
            if full {
                return Some(packet);
            }
            match take(packet) {
                Ok(()) => {
                    taken += 1;
                    None
                }
                Err(packet) => {
                    full = true;
                    Some(packet)
                }
            }
        });
        debug_assert!(self.len + taken == len);
        taken
    }

    /// Takes all packets out, one by one, in order.
    #[inline]
    pub fn drain(&mut self) -> impl Iterator<Item = Packet> {
        let len = std::mem::take(&mut self.len);
        self.packets[..len].iter_mut().filter_map(Option::take)
    }

    /// Puts in each packet's place what `change` makes of it, in order; nothing, where it is gone.
    #[inline]
    pub fn change(&mut self, mut change: impl FnMut(Packet) -> Option<Packet>) {
        let len = std::mem::take(&mut self.len);
        for i in 0..len {
            if let Some(packet) = self.packets[i].take().and_then(&mut change) {
                self.packets[self.len] = Some(packet);
                self.len += 1;
            }
        }
    }

    /// Packet `i`, where it is there and was not taken.
    #[inline]
    pub fn get_mut(&mut self, i: usize) -> Option<&mut Packet> {
        self.packets[..self.len].get_mut(i)?.as_mut()
    }

    /// Takes packet `i` out and leaves a hole, which only `drain` and `take_at` cope with.
    #[inline]
    pub fn take_at(&mut self, i: usize) -> Option<Packet> {
        self.packets[..self.len].get_mut(i)?.take()
    }

    /// Forgets the holes that `take_at` left: all packets must have been taken.
    #[inline]
    pub fn clear_taken(&mut self) {
        debug_assert!(self.packets[..self.len].iter().all(Option::is_none));
        self.len = 0;
    }

    /// Takes packet `i` out and closes the gap.
    #[inline]
    pub fn remove(&mut self, i: usize) -> Option<Packet> {
        let packet = self.take_at(i)?;
        self.packets[i..self.len].rotate_left(1);
        self.len -= 1;
        Some(packet)
    }

    /// Moves the first packet to the end of another burst, where that has room.
    #[inline]
    pub fn move_first(&mut self, to: &mut Self) {
        if to.free() != 0
            && let Some(first) = self.remove(0)
            && let Err(first) = to.push(first)
        {
            first.free();
        }
    }

    /// Puts the packets of another burst before its own, as far as there is room for all. Nothing is in the other one then.
    pub fn put_before(self: &mut Box<Self>, first: &mut Box<Self>) {
        while !self.is_empty() && first.free() != 0 {
            self.move_first(first);
        }
        std::mem::swap(self, first);
    }

    /// Puts copies of all packets, in rooms of the pool, in their places: all bytes, and what is known of each. False, and nothing changed,
    /// where the pool has too few rooms, or one that does not hold its packet. `aside` is empty before and after.
    #[inline]
    pub fn move_to(self: &mut Box<Self>, pool: &Pool, aside: &mut Box<Self>) -> bool {
        debug_assert!(aside.is_empty());
        let n = self.len;
        if pool.take(aside, n) != n {
            return false;
        }
        let (to, from) = (aside.packets.as_mut_ptr().cast(), self.packets.as_ptr().cast());
        // SAFETY:
        // - both have n live mbufs, which are different ones; the shim checks all lengths.
        let copied = unsafe { sys::perigee_copy_bulk(to, from, u32::try_from(n).unwrap_or(0)) };
        let all = copied as usize == n;
        if all {
            std::mem::swap(self, aside);
        }
        aside.free_all();
        all
    }

    /// Frees all packets into their pools; returns how many they were.
    #[inline]
    pub fn free_all(&mut self) -> usize {
        self.drain_raw(|mbufs, n| {
            if n != 0 {
                // SAFETY:
                // - the first n are live mbufs that this burst owned until now.
                unsafe { sys::rte_pktmbuf_free_bulk(mbufs, n.into()) };
            }
            usize::from(n)
        })
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.free_all();
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::packet::Lone;

    fn burst(lones: &mut [Lone]) -> Box<Burst> {
        let mut burst = Burst::new();
        lones.iter_mut().for_each(|lone| assert!(burst.push(lone.handle()).is_ok()));
        burst
    }

    #[test]
    fn what_stood_aside_is_first_again() {
        for (first, behind) in [(0, 0), (0, 3), (1, 0), (1, 2), (5, MAX_BATCH - 5), (MAX_BATCH - 1, 1), (MAX_BATCH, 0)]
        {
            let mut lones: Vec<Lone> = (0..first + behind).map(|n| Lone::new(&[u8::try_from(n).unwrap()])).collect();
            let (aside, rest) = lones.split_at_mut(first);
            let (mut aside, mut rest) = (burst(aside), burst(rest));
            rest.put_before(&mut aside);
            let order: Vec<_> =
                rest.iter_mut().map(|packet| packet.bytes::<1>(0).map(|[byte]| usize::from(byte))).collect();
            assert_eq!(order, (0..first + behind).map(Some).collect::<Vec<_>>());
            assert!(aside.is_empty() && rest.len() == first + behind);
            // They are of no pool.
            while rest.remove(0).is_some() {}
        }
    }
}
