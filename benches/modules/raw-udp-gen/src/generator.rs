//! The generator: statics, the exported functions, and a loop for each mode.
//!
//! What all blocks of unsafe code rest on: the host makes one call at a time, and never one from inside another, so during a
//! call nobody else touches a static; and between calls the host writes descriptors that are right.
#![allow(unsafe_code, reason = "raw pointers are what this module is for")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a packet's loads and stores rest on one and the same promise"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the bits that are wanted, of small numbers"
)]

use core::mem::{MaybeUninit, offset_of};
use core::panic::PanicInfo;
use perigee_abi::{ABI_VERSION, Batch, MAX_BATCH, PacketDesc, WINDOW_ALIGN, verdict};

const WINDOW_LEN: usize = (64 << 20) + WINDOW_ALIGN as usize;
const MAILBOX_LEN: usize = 4_096;
/// Bytes of a packet.
const LEN: usize = 60;
/// The headers for the first source, from 02:00:00:00:00:01 to 02:00:00:00:00:02, without the IPv4 checksum.
#[rustfmt::skip]
const HEADERS: [u8; 42] = [
    0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
    0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0, 1,
    0x80, 0, 0, 9, 0, 26, 0, 0,
];

#[repr(C, align(4096))]
struct Window([u8; WINDOW_LEN]);

static mut BATCH: MaybeUninit<Batch> = MaybeUninit::zeroed();
static mut WINDOW: MaybeUninit<Window> = MaybeUninit::zeroed();
static mut MAILBOX: [u8; MAILBOX_LEN] = [0; MAILBOX_LEN];
static mut STATE: MaybeUninit<State> = MaybeUninit::zeroed();

/// What is done for each packet.
#[derive(Clone, Copy)]
enum Mode {
    Template,
    TwoFields,
    TwoFieldsChecksum,
}

/// What stays from call to call. The range of sources, the length and the verdict are an operator's choice in udp-gen, so
/// here too they are values and no constants.
struct State {
    mode: Mode,
    range: Range,
    random: u64,
    /// Packets that may still be made.
    remaining: u64,
    /// Sum of the IPv4 header without source address and checksum, in the byte order of the packet.
    rest: u32,
    verdict: u32,
    len: u16,
    packet: [u8; LEN],
}

/// Random bits become a source by one `and` and one `or`: the address in the upper half, the port in bits 16 to 31, both in the
/// byte order of the packet.
#[derive(Clone, Copy)]
struct Range {
    first: u64,
    mask: u64,
}

impl Range {
    fn new(first: (u32, u16), mask: (u32, u16)) -> Self {
        let word = |(address, port): (u32, u16)| u64::from(address) << 32 | u64::from(port) << 16;
        Self { first: word(first), mask: word(mask) }
    }

    /// Writes a random address and port into the packet that begins at `at`; returns the address.
    #[inline(always)]
    fn write_source(self, at: *mut u8, random: &mut u64) -> u32 {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let source = *random & self.mask | self.first;
        let address = (source >> 32) as u32;
        // SAFETY: the room is this packet's, and longer than a packet.
        unsafe {
            at.add(26).cast::<u32>().write_unaligned(address);
            at.add(34).cast::<u16>().write_unaligned((source >> 16) as u16);
        }
        address
    }
}

#[link(wasm_import_module = "perigee")]
unsafe extern "C" {
    #[link_name = "counter"]
    safe fn name_counter(index: u32, ptr: *const u8, len: usize);
}

macro_rules! number {
    ($name:literal, $value:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn number() -> usize {
                $value
            }
        };
    };
}

number!("perigee_abi", ABI_VERSION as usize);
number!("perigee_batch", (&raw mut BATCH).expose_provenance());
number!("perigee_window", (&raw mut WINDOW).expose_provenance());
number!("perigee_window_len", WINDOW_LEN);
number!("perigee_mailbox", (&raw mut MAILBOX).expose_provenance());
number!("perigee_mailbox_len", MAILBOX_LEN);

/// Takes `template`, `two-fields` or `two-fields-checksum`.
#[unsafe(export_name = "init")]
extern "C" fn init(len: u32) -> i32 {
    // SAFETY: no other reference to the mailbox is alive.
    let mailbox = unsafe { (&raw mut MAILBOX).as_mut_unchecked() };
    let mode = match mailbox.get(..len as usize) {
        Some(b"template") => Mode::Template,
        Some(b"two-fields") => Mode::TwoFields,
        Some(b"two-fields-checksum") => Mode::TwoFieldsChecksum,
        _ => {
            let text = b"config: template, two-fields or two-fields-checksum";
            mailbox[..text.len()].copy_from_slice(text);
            return -(text.len() as i32);
        }
    };
    for (index, name) in [(0, "packets"), (1, "bytes")] {
        name_counter(index, name.as_ptr(), name.len());
    }
    // SAFETY: the host wrote the header before this call.
    let seed = unsafe { (*(&raw const BATCH).cast::<Batch>()).header.seed };
    let words = HEADERS[14..34].chunks_exact(2).map(|pair| u32::from(u16::from_ne_bytes([pair[0], pair[1]])));
    let words: u32 = words.sum();
    let mut packet = [0; LEN];
    packet[..HEADERS.len()].copy_from_slice(&HEADERS);
    packet[24..26].copy_from_slice(&finish(words).to_ne_bytes());
    // 256 addresses from 10.0.0.0 on, all ports from 32,768 on: what udp-gen has where nothing is said.
    let address = u32::from_ne_bytes([10, 0, 0, 0]);
    let mask = (u32::from_ne_bytes([0, 0, 0, 255]), 0x7fff_u16.to_be());
    let range = Range::new((address, 0x8000_u16.to_be()), mask);
    let rest = words - sum(address);
    let (random, remaining, verdict, len) = (mix(seed), u64::MAX, verdict::NEXT, LEN as u16);
    // Out of sight of the optimiser, which would find out that most of this is always the same.
    let state = core::hint::black_box((&raw mut STATE).cast::<State>());
    // SAFETY: nobody else uses the state.
    unsafe { state.write(State { mode, range, random, remaining, rest, verdict, len, packet }) };
    0
}

/// The last step of `splitmix64`, as the SDK seeds its generator.
fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[unsafe(export_name = "prefill")]
extern "C" fn prefill(count: u32) {
    // SAFETY: `init` wrote the state, and nobody changes it during the call.
    let state = unsafe { &*(&raw const STATE).cast::<State>() };
    each((count as usize).min(MAX_BATCH), |desc| {
        // SAFETY: the room is this packet's, and longer than a packet.
        unsafe { room(desc).cast::<[u8; LEN]>().write_unaligned(state.packet) };
        // SAFETY: `desc` is one of the batch's.
        unsafe { (*desc).len = state.len };
    });
}

#[unsafe(export_name = "generate")]
extern "C" fn generate(count: u32) {
    // SAFETY: `init` wrote the state, and nobody else uses it during the call.
    let state = unsafe { &mut *(&raw mut STATE).cast::<State>() };
    let rooms = (count as usize).min(MAX_BATCH).min(usize::try_from(state.remaining).unwrap_or(usize::MAX));
    let (mut random, range, rest, verdict) = (state.random, state.range, state.rest, state.verdict);
    match state.mode {
        Mode::Template => each(rooms, |desc| send(desc, verdict)),
        Mode::TwoFields => each(rooms, |desc| {
            range.write_source(room(desc), &mut random);
            send(desc, verdict);
        }),
        Mode::TwoFieldsChecksum => each(rooms, |desc| {
            // Found once: for all that the compiler knows, what is written into the packet could change where it is.
            let at = room(desc);
            let address = range.write_source(at, &mut random);
            // SAFETY: the room is this packet's, and longer than a packet.
            unsafe { at.add(24).cast::<u16>().write_unaligned(finish(rest + sum(address))) };
            send(desc, verdict);
        }),
    }
    let made = rooms as u64;
    state.random = random;
    state.remaining -= made;
    let batch = (&raw mut BATCH).cast::<Batch>();
    // SAFETY: the counters are the module's to write.
    unsafe {
        (*batch).counters[0] += made;
        (*batch).counters[1] += made * u64::from(state.len);
    }
}

/// Does something with each descriptor. By address, not by pointer, which LLVM would advance field by field.
#[inline(always)]
fn each(count: usize, mut work: impl FnMut(*mut PacketDesc)) {
    let mut at = (&raw mut BATCH).expose_provenance() + offset_of!(Batch, packets);
    let end = at + count * size_of::<PacketDesc>();
    while at != end {
        work(core::ptr::with_exposed_provenance_mut(at));
        // SAFETY: at most the end, which is inside the memory.
        at = unsafe { at.unchecked_add(size_of::<PacketDesc>()) };
    }
}

/// The first byte of a packet.
#[inline(always)]
fn room(desc: *mut PacketDesc) -> *mut u8 {
    // SAFETY: `desc` is one of the batch's.
    core::ptr::with_exposed_provenance_mut(unsafe { (*desc).addr } as usize)
}

/// Gives a packet its verdict. Its length is there: the host writes what `prefill` has left.
#[inline(always)]
fn send(desc: *mut PacketDesc, verdict: u32) {
    // SAFETY: `desc` is one of the batch's. Volatile, or LLVM makes vectors of them, which takes twice as long.
    unsafe { (&raw mut (*desc).verdict).write_volatile(verdict) };
}

#[inline(always)]
fn sum(address: u32) -> u32 {
    (address >> 16) + (address & 0xffff)
}

/// The Internet checksum of a sum.
#[inline(always)]
fn finish(sum: u32) -> u16 {
    !(sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
