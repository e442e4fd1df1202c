//! A second observer of what a port sends, where the port is an interface of the kernel's: a packet socket (packet(7)) that sees
//! the probes leave, and the kernel's time of it.
//!
//! A filter lets the run's probes pass and nothing else. What passes the kernel puts into a ring in memory, which a thread beside
//! the data path reads without a system call. The lcore pays for it within its own call into the kernel: each packet that it sends is
//! shown to the filter, and probes are copied.
//!
//! The port's own socket could be asked for the times instead (SO_TIMESTAMPING). Then they wait in its error queue, one for
//! each packet, and while one waits there poll(2) says POLLERR, by which drivers know an interface that is down.

use crate::packet_socket::{bind, set, socket};
use crate::port_info::packet_socket_counts;
use perigee_config::device::PacketRing;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes at a frame's end that are handed on.
pub const TAIL: usize = 32;

/// On which way the kernel sees what a port sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It goes out by an interface.
    Out,
    /// It comes in by one: what is written into a tap is received by the kernel.
    In,
}

/// Where in the tail the bytes stand that all probes of a run have in common.
const TAG: u32 = 4;
/// Bytes of the ring.
const RING: u32 = 8 << 20;
/// Of linux/if_packet.h: a frame is the reader's; the version of the ring.
const TP_STATUS_USER: u32 = 1;
const TPACKET_V2: libc::c_int = 1;
/// Where a frame's header has the packet's length, the part of it that was kept, its place, and the time.
const LEN: usize = 4;
const KEPT: usize = 8;
const MAC: usize = 12;
const SECONDS: usize = 16;
const NANOSECONDS: usize = 20;

/// The socket and its ring.
#[derive(Debug)]
pub struct Observer {
    socket: Arc<Socket>,
    /// Address of the ring.
    ring: usize,
    frame: usize,
    frames: usize,
    /// The frame that is the next to be read.
    next: usize,
}

/// What counts beside the ring.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    by: String,
    missed: AtomicU64,
}

impl Socket {
    /// Who observes, and where.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Packets that passed the filter and found no place in the ring.
    pub fn missed(&self) -> u64 {
        let (_, new) = packet_socket_counts(self.descriptor.as_raw_fd());
        self.missed.fetch_add(new, Ordering::Relaxed) + new
    }
}

impl Observer {
    /// Sees what leaves by an interface, given by name and number, and has the tag: packets of up to `longest` bytes.
    pub(crate) fn open((name, interface): (&str, u32), way: Way, tag: [u8; 2], longest: u32) -> Result<Self> {
        let descriptor = socket()?;
        let fd = descriptor.as_raw_fd();
        set(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &TPACKET_V2)?;
        let needed = longest + PacketRing::BEFORE;
        // Blocks are whole pages and whole frames, so that frames lie one behind the other.
        let frame = if needed <= 2_048 { 2_048 } else { needed.next_multiple_of(4_096) };
        let frames = (RING / frame).max(64);
        let block = frame.next_multiple_of(4_096);
        let each = block / frame;
        let asked = libc::tpacket_req {
            tp_block_size: block,
            tp_block_nr: frames / each,
            tp_frame_size: frame,
            tp_frame_nr: frames / each * each,
        };
        set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &asked)?;
        // Else the time is that of the copy.
        set(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)?;
        filter(fd, way, tag)?;
        let len = (asked.tp_block_size * asked.tp_block_nr) as usize;
        // SAFETY:
        // - the kernel chooses the place, and the descriptor is a socket's that has a ring of this length.
        let ring = unsafe {
            libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0)
        };
        if ring == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let how = if way == Way::Out { "as it leaves by" } else { "as it comes in by" };
        let by = format!("the kernel, {how} {name}");
        let socket = Arc::new(Socket { descriptor, by, missed: AtomicU64::new(0) });
        let made =
            Self { socket, ring: ring as usize, frame: frame as usize, frames: asked.tp_frame_nr as usize, next: 0 };
        bind(made.socket.descriptor.as_raw_fd(), interface)?;
        Ok(made)
    }

    /// What counts beside the ring.
    pub fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.socket)
    }

    /// Hands on all that has come since the last time: the kernel's time, nanoseconds since 1970, and the end of the frame.
    pub fn drain(&mut self, mut each: impl FnMut(u64, &[u8; TAIL])) {
        // The kernel may be as fast as this.
        for _ in 0..self.frames {
            let at = self.ring + self.next * self.frame;
            // SAFETY:
            // - each frame begins with its status, aligned; the mapping lives as long as self, and the kernel alone writes there too.
            let status = unsafe { AtomicU32::from_ptr(at as *mut u32) };
            if status.load(Ordering::Acquire) & TP_STATUS_USER == 0 {
                return;
            }
            if let Some((time, tail)) = self.read(at) {
                each(time, &tail);
            }
            status.store(0, Ordering::Release);
            self.next = (self.next + 1) % self.frames;
        }
    }

    /// A frame that the kernel has filled.
    fn read(&self, at: usize) -> Option<(u64, [u8; TAIL])> {
        // SAFETY:
        // - the header lies in the frame at `at`; the kernel has handed the frame over and does not write to it meanwhile.
        let number = |place: usize| unsafe { ((at + place) as *const u32).read_volatile() };
        let (len, kept, mac) = (number(LEN) as usize, number(KEPT) as usize, (number(MAC) & 0xffff) as usize);
        let end = mac.checked_add(kept)?;
        if kept < len || kept < TAIL || end > self.frame {
            return None;
        }
        let mut tail = [0; TAIL];
        let from = at + end - TAIL;
        // SAFETY:
        // - the bytes lie in the frame, as was checked, and nobody writes there meanwhile.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, tail.as_mut_ptr(), TAIL) };
        Some((u64::from(number(SECONDS)) * 1_000_000_000 + u64::from(number(NANOSECONDS)), tail))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // SAFETY:
        // - it is the mapping that was made, with its length, and nobody else has its address.
        unsafe { libc::munmap(self.ring as *mut libc::c_void, self.frame * self.frames) };
    }
}

/// A program that takes frames with the tag near their end on this way, and no others.
fn filter(fd: i32, way: Way, tag: [u8; 2]) -> Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k };
    let kind = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    let tail = u32::try_from(TAIL).unwrap_or(0);
    let (out, in_) = if way == Way::Out { (0, 1) } else { (1, 0) };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 7, tail),
        step(libc::BPF_ALU | libc::BPF_SUB | libc::BPF_K, 0, 0, tail - TAG),
        step(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0),
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, u16::from_be_bytes(tag).into()),
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, kind),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, out, in_, u32::from(libc::PACKET_OUTGOING)),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let len = u16::try_from(program.len()).unwrap_or(0);
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &libc::sock_fprog { len, filter: program.as_mut_ptr() })
}
