//! The batch area of one instance as the host reads and writes it: by value, never by reference.
#![allow(unsafe_code, reason = "reads and writes memory that a guest can write too, when it runs")]

use perigee_abi::{Batch, Header, MAX_BATCH, MAX_COUNTERS, MAX_OUTPUTS, MAX_PORTS, MAX_SPARES, PacketDesc, PortInfo};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// The batch area. The memory rules, which hold because the guest runs only inside a call on this thread:
/// no reference to the area exists; every value is read once, by copy; the copy is checked, not the original.
#[derive(Debug)]
pub(crate) struct Area(NonNull<Batch>);

// SAFETY:
// - the area lies in a memory that its instance owns, and moves with the instance from thread to thread.
unsafe impl Send for Area {}

/// One descriptor in the area.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desc<'a>(*mut PacketDesc, PhantomData<&'a mut Area>);

/// The first half of a descriptor as the host writes it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Published {
    pub(crate) addr: u32,
    pub(crate) len: u16,
    pub(crate) port: u16,
    pub(crate) mark: u32,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) rx_flags: u32,
    pub(crate) tx_flags: u32,
}

/// What the host reads back of each descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collected {
    pub(crate) addr: u32,
    pub(crate) len: u16,
    pub(crate) verdict: u32,
    pub(crate) mark: u32,
    pub(crate) tx_flags: u32,
}

impl Area {
    /// The area at `at`.
    ///
    /// # Safety
    /// `at` is aligned to 64, the whole area lies in the linear memory, the memory never moves, and it outlives the area.
    pub(crate) unsafe fn new(at: NonNull<u8>) -> Self {
        Self(at.cast())
    }

    fn header(&self) -> *mut Header {
        // SAFETY:
        // - the area is valid, so a pointer to its field is.
        unsafe { &raw mut (*self.0.as_ptr()).header }
    }

    /// Changes the header; for set-up, and for what changes seldom.
    pub(crate) fn update_header(&mut self, change: impl FnOnce(&mut Header)) {
        let at = self.header();
        // SAFETY:
        // - the header is valid, and any bits are a value of it.
        let mut header = unsafe { at.read() };
        change(&mut header);
        // SAFETY:
        // - as above.
        unsafe { at.write(header) };
    }

    /// Writes what differs from batch to batch.
    #[inline]
    pub(crate) fn begin(&mut self, count: u32, flags: u32, time_ns: u64, sequence: u64, held: u32) {
        let at = self.header();
        // SAFETY:
        // - the header is valid; field by field, as the rest of it stays.
        unsafe { (&raw mut (*at).count).write(count) };
        // SAFETY:
        // - as above.
        unsafe { (&raw mut (*at).flags).write(flags) };
        // SAFETY:
        // - as above.
        unsafe { (&raw mut (*at).time_ns).write(time_ns) };
        // SAFETY:
        // - as above.
        unsafe { (&raw mut (*at).sequence).write(sequence) };
        // SAFETY:
        // - as above.
        unsafe { (&raw mut (*at).out_count).write(0) };
        // SAFETY:
        // - as above.
        unsafe { (&raw mut (*at).held).write(held) };
    }

    /// How many outputs the module says it listed; at most [`MAX_OUTPUTS`] exist.
    #[inline]
    pub(crate) fn out_count(&self) -> usize {
        // SAFETY:
        // - the header is valid.
        let count = unsafe { (&raw const (*self.header()).out_count).read() };
        (count as usize).min(MAX_OUTPUTS)
    }

    /// The first `n` packets' descriptors.
    #[inline]
    pub(crate) fn packets(&mut self, n: usize) -> impl Iterator<Item = Desc<'_>> {
        // SAFETY:
        // - the area is valid, so a pointer to its field is.
        let first = unsafe { (&raw mut (*self.0.as_ptr()).packets).cast::<PacketDesc>() };
        // SAFETY:
        // - the index stays below MAX_BATCH, the length of the array.
        (0..n.min(MAX_BATCH)).map(move |i| Desc(unsafe { first.add(i) }, PhantomData))
    }

    /// Descriptor of spare room `i`.
    pub(crate) fn spare(&mut self, i: usize) -> Desc<'_> {
        assert!(i < MAX_SPARES, "spare {i}");
        // SAFETY:
        // - the area is valid, so a pointer to its field is.
        let first = unsafe { (&raw mut (*self.0.as_ptr()).spares).cast::<PacketDesc>() };
        // SAFETY:
        // - i < MAX_SPARES, the length of the array.
        Desc(unsafe { first.add(i) }, PhantomData)
    }

    /// Entry `i` of the output list, read once.
    pub(crate) fn output(&self, i: usize) -> PacketDesc {
        assert!(i < MAX_OUTPUTS, "output {i}");
        // SAFETY:
        // - the area is valid, so a pointer to its field is.
        let first = unsafe { (&raw const (*self.0.as_ptr()).outputs).cast::<PacketDesc>() };
        // SAFETY:
        // - i < MAX_OUTPUTS, the length of the array; any bits are a descriptor.
        unsafe { first.add(i).read() }
    }

    /// Writes what a module may know of port `i`.
    pub(crate) fn set_port(&mut self, i: usize, info: PortInfo) {
        assert!(i < MAX_PORTS, "port {i}");
        // SAFETY:
        // - the area is valid, so a pointer to its field is.
        let first = unsafe { (&raw mut (*self.0.as_ptr()).ports).cast::<PortInfo>() };
        // SAFETY:
        // - i < MAX_PORTS, the length of the array.
        unsafe { first.add(i).write(info) };
    }

    /// The module's counters, read once.
    pub(crate) fn counters(&self) -> [u64; MAX_COUNTERS] {
        // SAFETY:
        // - the area is valid, and any bits are numbers.
        unsafe { (&raw const (*self.0.as_ptr()).counters).read() }
    }
}

impl Desc<'_> {
    /// Writes the first half; the verdict becomes Drop.
    #[inline]
    pub(crate) fn publish(self, p: Published) {
        let words = [
            u64::from(p.addr) | u64::from(p.len) << 32 | u64::from(p.port) << 48,
            u64::from(perigee_abi::verdict::DROP) | u64::from(p.mark) << 32,
            u64::from(p.slot) | u64::from(p.generation) << 32,
            u64::from(p.rx_flags) | u64::from(p.tx_flags) << 32,
        ];
        // SAFETY:
        // - the descriptor is valid and aligned to 64; its first 32 bytes have just this layout (asserted in abi).
        unsafe { self.0.cast::<[u64; 4]>().write(words) };
    }

    /// Writes the metadata of the second half.
    ///
    /// `lengths` is DPDK's bit field: l2_len in 7 bits, l3_len in the next 9.
    pub(crate) fn publish_meta(self, hash: u32, queue: u16, vlan: u16, time: u64, lengths: u64) {
        let lengths = lengths & 0x7f | (lengths >> 7 & 0xff) << 8;
        let words = [u64::from(hash) | u64::from(queue) << 32 | u64::from(vlan) << 48, lengths, time, 0];
        // SAFETY:
        // - the descriptor is valid, and its second half lies 32 bytes behind its start.
        let half = unsafe { self.0.cast::<u64>().add(4) };
        // SAFETY:
        // - 32 bytes from there belong to the descriptor.
        unsafe { half.cast::<[u64; 4]>().write(words) };
    }

    /// Reads back what each packet needs.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "takes words apart")]
    pub(crate) fn collect(self) -> Collected {
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
    pub(crate) fn read(self) -> PacketDesc {
        // SAFETY:
        // - the descriptor is valid, and any bits are a value of it.
        unsafe { self.0.read() }
    }
}

/// The mailbox of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mailbox {
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
    pub(crate) unsafe fn new(at: NonNull<u8>, len: usize) -> Self {
        Self { at, len }
    }

    /// Bytes that fit.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes in; false where they do not fit.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.len {
            return false;
        }
        // SAFETY:
        // - bytes.len() <= len was checked; host memory and guest memory do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.as_ptr(), bytes.len()) };
        true
    }

    /// Copies the first `n` bytes out, or all where there are fewer.
    pub(crate) fn read(&self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n.min(self.len)];
        // SAFETY:
        // - bytes.len() <= len; host memory and guest memory do not overlap.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }
}
