//! The batch area of one instance as the host reads and writes it: by value, never by reference.
#![allow(unsafe_code, reason = "reads and writes memory that a guest can write too, when it runs")]

use perigee_abi::{Batch, Header, MAX_BATCH, MAX_COUNTERS, MAX_OUTPUTS, MAX_PORTS, MAX_SPARES, PacketDesc, PortInfo};
use perigee_core::lanes::Lanes;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

/// The batch area. The memory rules, which hold because the guest runs only inside a call on this thread:
/// no reference to the area exists; every value is read once, by copy; the copy is checked, not the original.
#[derive(Debug)]
pub struct Area(NonNull<Batch>);

// SAFETY:
// - the area lies in a memory that its instance owns, and moves with the instance from thread to thread.
unsafe impl Send for Area {}

/// One descriptor in the area.
#[derive(Clone, Copy, Debug)]
pub struct Desc<'a>(*mut PacketDesc, PhantomData<&'a mut Area>);

/// The first half of a descriptor as the host writes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Published {
    /// Guest address of its first byte.
    pub addr: u32,
    /// Bytes of the frame.
    pub len: u16,
    /// Port that it came in by.
    pub port: u16,
    /// Its mark.
    pub mark: u32,
    /// Its room, in units of 64 bytes of the window.
    pub slot: u32,
    /// Which use of the room it is.
    pub generation: u32,
    /// The ABI's rx flags.
    pub rx_flags: u32,
    /// The ABI's tx flags.
    pub tx_flags: u32,
}

/// The first 16 bytes of a descriptor: address, length and port, verdict, mark.
pub type Front = Lanes;
/// The next 16 bytes: slot, generation, rx flags, tx flags.
pub type Back = Lanes;

/// What the host reads back of each descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Collected {
    /// Guest address of its first byte.
    pub addr: u32,
    /// Bytes of the frame.
    pub len: u16,
    /// What shall become of it.
    pub verdict: u32,
    /// Its mark.
    pub mark: u32,
    /// The ABI's tx flags.
    pub tx_flags: u32,
}

impl Area {
    /// The area at `at`.
    ///
    /// # Safety
    /// `at` is aligned to 64, the whole area lies in the linear memory, the memory never moves, and it outlives the area.
    pub unsafe fn new(at: NonNull<u8>) -> Self {
        Self(at.cast())
    }

    /// Where it lies in the host.
    pub fn address(&self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// Where the field at `offset` of the area lies, or entry `i` of an array there.
    fn place<T>(&self, offset: usize, i: usize) -> *mut T {
        debug_assert!(offset + (i + 1) * size_of::<T>() <= size_of::<Batch>());
        self.0.as_ptr().wrapping_byte_add(offset).cast::<T>().wrapping_add(i)
    }

    /// Changes the header; for set-up, and for what changes seldom.
    #[inline]
    pub fn update_header(&mut self, change: impl FnOnce(&mut Header)) {
        let at = self.place::<Header>(offset_of!(Batch, header), 0);
        // SAFETY:
        // - the header lies in the area, and any bits are a value of it.
        let mut header = unsafe { at.read() };
        change(&mut header);
        // SAFETY:
        // - as above.
        unsafe { at.write(header) };
    }

    /// Writes what differs from batch to batch: the header's first half.
    #[inline]
    pub fn begin(&mut self, count: u32, flags: u32, time_ns: u64, sequence: u64, held: u32) {
        // count and flags, time, sequence, out_count (0) and held: abi asserts the offsets.
        let half = [u64::from(count) | u64::from(flags) << 32, time_ns, sequence, u64::from(held) << 32];
        let at = self.place::<[u64; 4]>(offset_of!(Batch, header), 0);
        // SAFETY:
        // - the first 32 bytes of the header lie in the area, which is aligned to 64.
        unsafe { at.write(half) };
    }

    /// How many outputs the module says it listed; at most [`MAX_OUTPUTS`] exist.
    #[inline]
    pub fn out_count(&self) -> usize {
        let at = self.place::<u32>(offset_of!(Batch, header) + offset_of!(Header, out_count), 0);
        // SAFETY:
        // - the field lies in the area.
        let count = unsafe { at.read() };
        (count as usize).min(MAX_OUTPUTS)
    }

    /// The generator says that it makes no more packets.
    #[inline]
    pub fn is_finished(&self) -> bool {
        let at = self.place::<u32>(offset_of!(Batch, header) + offset_of!(Header, finished), 0);
        // SAFETY:
        // - the field lies in the area.
        unsafe { at.read() != 0 }
    }

    /// The first `n` packets' descriptors.
    #[inline]
    pub fn packets(&mut self, n: usize) -> impl Iterator<Item = Desc<'_>> {
        let first = self.place::<PacketDesc>(offset_of!(Batch, packets), 0);
        (0..n.min(MAX_BATCH)).map(move |i| Desc(first.wrapping_add(i), PhantomData))
    }

    /// The verdict that the module gave to all of the first packets, where it changed nothing else that the host reads back.
    /// Then there is nothing to check: what was published is still so, and only the verdict is the module's.
    #[inline]
    pub fn common_verdict(&mut self, published: &[Front]) -> Option<u32> {
        let mut first = None;
        let (mut differ, mut asked) = (Lanes::default(), 0);
        for (desc, before) in self.packets(published.len()).zip(published) {
            let change = desc.front().xor(*before);
            differ = differ.or(change.xor(*first.get_or_insert(change)));
            asked |= desc.tx_flags();
        }
        let [addr, len_port, verdict, mark] = first?.get();
        let others = differ.get().into_iter().fold(addr | len_port | mark | asked, |all, lane| all | lane);
        // Drop, as it was published, is 0: so the change is the verdict.
        (others == 0 && self.out_count() == 0).then_some(verdict)
    }

    /// Descriptor of spare room `i`.
    #[inline]
    pub fn spare(&mut self, i: usize) -> Desc<'_> {
        assert!(i < MAX_SPARES, "spare {i}");
        Desc(self.place(offset_of!(Batch, spares), i), PhantomData)
    }

    /// Entry `i` of the output list, read once.
    #[inline]
    pub fn output(&self, i: usize) -> PacketDesc {
        assert!(i < MAX_OUTPUTS, "output {i}");
        let at = self.place::<PacketDesc>(offset_of!(Batch, outputs), i);
        // SAFETY:
        // - i < MAX_OUTPUTS, the length of the array; any bits are a descriptor.
        unsafe { at.read() }
    }

    /// Writes what a module may know of port `i`.
    pub fn set_port(&mut self, i: usize, info: PortInfo) {
        assert!(i < MAX_PORTS, "port {i}");
        let at = self.place::<PortInfo>(offset_of!(Batch, ports), i);
        // SAFETY:
        // - i < MAX_PORTS, the length of the array.
        unsafe { at.write(info) };
    }

    /// The module's counters, read once.
    pub fn counters(&self) -> [u64; MAX_COUNTERS] {
        let at = self.place::<[u64; MAX_COUNTERS]>(offset_of!(Batch, counters), 0);
        // SAFETY:
        // - the array lies in the area, and any bits are numbers.
        unsafe { at.read() }
    }
}

impl Desc<'_> {
    /// Writes the first half; the verdict becomes Drop.
    #[inline]
    pub fn publish(self, p: Published) {
        let len_port = u32::from(p.len) | u32::from(p.port) << 16;
        let front = Lanes::new([p.addr, len_port, perigee_abi::verdict::DROP, p.mark]);
        self.write(front, Lanes::new([p.slot, p.generation, p.rx_flags, p.tx_flags]));
    }

    /// Writes the first half.
    #[inline]
    pub fn write(self, front: Front, back: Back) {
        // SAFETY:
        // - the descriptor is valid and aligned to 64; its first 32 bytes have just this layout (asserted in abi).
        unsafe { self.0.cast::<[Lanes; 2]>().write([front, back]) };
    }

    /// Writes the flags again, once more is known than when the first half was written.
    #[inline]
    pub fn write_flags(self, rx_flags: u32, tx_flags: u32) {
        let at = self.0.cast::<u64>().wrapping_add(3);
        // SAFETY:
        // - `rx_flags` and `tx_flags` lie 24 bytes behind the start of a valid descriptor (asserted in abi).
        unsafe { at.write(u64::from(rx_flags) | u64::from(tx_flags) << 32) };
    }

    /// Reads the first 16 bytes: to be compared, not used.
    #[inline]
    fn front(&self) -> Front {
        // SAFETY:
        // - the descriptor is valid and aligned to 64.
        unsafe { self.0.cast::<Front>().read() }
    }

    #[inline]
    fn tx_flags(&self) -> u32 {
        let at = self.0.cast::<u32>().wrapping_add(offset_of!(PacketDesc, tx_flags) / 4);
        // SAFETY:
        // - the field lies in a valid descriptor.
        unsafe { at.read() }
    }

    /// Writes the metadata of the second half.
    ///
    /// `lengths` is DPDK's bit field: l2_len in 7 bits, l3_len in the next 9.
    #[inline]
    pub fn publish_meta(self, hash: u32, queue: u16, vlan: u16, time: u64, lengths: u64) {
        let lengths = lengths & 0x7f | (lengths >> 7 & 0xff) << 8;
        let words = [u64::from(hash) | u64::from(queue) << 32 | u64::from(vlan) << 48, lengths, time, 0];
        let half = self.0.cast::<[u64; 4]>().wrapping_add(1);
        // SAFETY:
        // - the second half of a valid descriptor, 32 bytes behind its start.
        unsafe { half.write(words) };
    }

    /// Reads back what each packet needs.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "takes words apart")]
    pub fn collect(self) -> Collected {
        // SAFETY:
        // - the descriptor is valid and aligned to 64.
        let [a, b, _, d] = unsafe { self.0.cast::<[u64; 4]>().read() };
        Collected {
            addr: a as u32,
            len: (a >> 32) as u16,
            verdict: b as u32,
            mark: (b >> 32) as u32,
            tx_flags: (d >> 32) as u32,
        }
    }

    /// Reads all of it.
    #[inline]
    pub fn read(self) -> PacketDesc {
        // SAFETY:
        // - the descriptor is valid, and any bits are a value of it.
        unsafe { self.0.read() }
    }
}

/// The mailbox of one instance.
#[derive(Clone, Copy, Debug)]
pub struct Mailbox {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY:
// - as for the area.
unsafe impl Send for Mailbox {}

impl Mailbox {
    /// The mailbox of `len` bytes at `at`.
    ///
    /// # Safety
    /// As for [`Area::new`], for `len` bytes of any alignment.
    pub unsafe fn new(at: NonNull<u8>, len: usize) -> Self {
        Self { at, len }
    }

    /// Bytes that fit.
    pub fn len(&self) -> usize {
        self.len
    }

    /// It has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes in; false where they do not fit.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.len {
            return false;
        }
        // SAFETY:
        // - bytes.len() <= len was checked; host memory and guest memory do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.as_ptr(), bytes.len()) };
        true
    }

    /// Fills it with zeros.
    pub fn wipe(&mut self) {
        // SAFETY:
        // - all of it is the mailbox of an instance that lives, and which does not run.
        unsafe { ptr::write_bytes(self.at.as_ptr(), 0, self.len) };
    }

    /// Copies the first `n` bytes out, or all where there are fewer.
    pub fn read(&self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n.min(self.len)];
        // SAFETY:
        // - bytes.len() <= len; host memory and guest memory do not overlap.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }
}
