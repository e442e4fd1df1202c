//! Packet sockets (packet(7)) in the place of those that net_af_packet opens.
//!
//! The driver puts its sockets into a fanout group, also where there is one alone, and there the kernel puts IPv4 fragments
//! together and lets a busy queue's flows run over to others. A socket cannot leave such a group. So each is replaced, before
//! anything was received: ours takes over its descriptor, and the ring of ours its place in memory. The driver goes on as if
//! nothing had happened, with a ring that packets too long for it never enter: they are dropped and counted instead of cut.

use super::port_info::packet_socket_counts;
use perigee_config::device::PacketRing;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Of linux/if_packet.h.
const TPACKET_V2: libc::c_int = 1;
const FANOUT_UNIQUE: libc::c_int = 0x2000;
/// Status of a frame of the tx ring that waits for the kernel.
const SEND_REQUEST: u32 = 1;
/// Where a frame's header says how long the packet is.
const LENGTH: usize = 4;

/// Counts what is longer than a driver takes, by a socket that sees nothing else.
#[derive(Debug)]
pub(crate) struct TooLong {
    socket: OwnedFd,
    counted: AtomicU64,
}

impl TooLong {
    /// Keeps packets of more than `longest` bytes from these sockets, and counts them.
    pub(super) fn instead_of(sockets: &[RawFd], interface: u32, longest: u32) -> Result<Self> {
        let socket = socket()?;
        let fd = socket.as_raw_fd();
        // What it sees it need not keep: the kernel counts what does not fit, too.
        set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &0)?;
        filter(fd, longest, (1, 0))?;
        bind(fd, interface)?;
        sockets.iter().try_for_each(|socket| filter(*socket, longest, (0, u32::MAX)))?;
        Ok(Self { socket, counted: AtomicU64::new(0) })
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        let (seen, _) = packet_socket_counts(self.socket.as_raw_fd());
        self.counted.fetch_add(seen, Ordering::Relaxed) + seen
    }
}

/// The sockets of a port, one for each queue.
#[derive(Debug)]
pub(crate) struct PacketSockets {
    queues: Vec<Queue>,
    ring: PacketRing,
    too_long: TooLong,
}

/// The driver has the descriptor and the memory: both live as long as the device does.
#[derive(Debug)]
struct Queue {
    descriptor: RawFd,
    /// Address of its tx ring.
    tx: usize,
}

impl PacketSockets {
    /// Takes the place of a driver's sockets, which are those of its queues in their order.
    pub(super) fn replace(drivers: &[RawFd], interface: u32, ring: PacketRing) -> Result<Self> {
        let new = drivers.iter().map(|_| open(&ring)).collect::<Result<Vec<_>>>()?;
        let descriptors: Vec<RawFd> = new.iter().map(AsRawFd::as_raw_fd).collect();
        // Before they are bound: no packet that is too long gets in.
        let too_long = TooLong::instead_of(&descriptors, interface, ring.longest())?;
        let queues =
            drivers.iter().zip(&new).map(|(driver, new)| take_over(*driver, new)).collect::<Result<Vec<_>>>()?;
        queues.iter().try_for_each(|queue| bind(queue.descriptor, interface))?;
        if queues.len() > 1 {
            spread(&queues)?;
        }
        Ok(Self { queues, ring, too_long })
    }

    /// Another interface can be used: a socket in a fanout group, as one of several is, stays where it is.
    pub(super) fn can_move(&self) -> bool {
        self.queues.len() == 1
    }

    /// Uses another interface from now on.
    pub(super) fn bind(&self, interface: u32, promiscuous: bool) -> Result<()> {
        if !self.can_move() {
            return Err(Error::other("several queues stay with the interface that they were made on"));
        }
        for queue in &self.queues {
            bind(queue.descriptor, interface)?;
            if promiscuous {
                watch_all(queue.descriptor, interface)?;
            }
        }
        self.forget_errors();
        bind(self.too_long.socket.as_raw_fd(), interface)
    }

    /// An interface that was down leaves an error behind, which the next packets would be dropped for.
    pub(super) fn forget_errors(&self) {
        for queue in &self.queues {
            let mut error = 0_i32;
            let mut len = 4;
            // SAFETY:
            // - the place for the answer has the length that is stated.
            unsafe {
                libc::getsockopt(
                    queue.descriptor,
                    libc::SOL_SOCKET,
                    libc::SO_ERROR,
                    (&raw mut error).cast(),
                    &raw mut len,
                )
            };
        }
    }

    /// The longest packet that comes in.
    pub(super) fn longest(&self) -> u32 {
        self.ring.longest()
    }

    /// Packets that were too long to come in.
    pub(super) fn too_long(&self) -> u64 {
        self.too_long.count()
    }

    /// Takes back what waits in the tx ring of a queue, for the driver has counted it as lost: else it would go out when the
    /// interface comes up again. The kernel drops frames of such a length. Only the lcore that sends there calls this.
    #[cold]
    pub(super) fn take_back(&self, queue: u16) {
        let Some(queue) = self.queues.get(usize::from(queue)) else { return };
        for frame in 0..self.ring.frames as usize {
            let at = (queue.tx + frame * self.ring.frame as usize) as *mut u32;
            // SAFETY:
            // - the frame lies in the mapping, which the driver keeps while the port lives; it begins with its status.
            if unsafe { at.read_volatile() } == SEND_REQUEST {
                // SAFETY:
                // - as above; a frame has more bytes than its header, and the kernel reads it when it is asked to send.
                unsafe { at.wrapping_byte_add(LENGTH).write_volatile(u32::MAX) };
            }
        }
    }
}

/// A socket with rings in both directions, on no interface yet.
fn open(ring: &PacketRing) -> Result<OwnedFd> {
    let socket = socket()?;
    let fd = socket.as_raw_fd();
    set(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &TPACKET_V2)?;
    // The kernel goes past a frame that it cannot send.
    set(fd, libc::SOL_PACKET, libc::PACKET_LOSS, &1)?;
    set(fd, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &i32::from(ring.bypass))?;
    let blocks = ring.frames / (ring.block / ring.frame);
    let asked = libc::tpacket_req {
        tp_block_size: ring.block,
        tp_block_nr: blocks,
        tp_frame_size: ring.frame,
        tp_frame_nr: ring.frames,
    };
    set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &asked)?;
    set(fd, libc::SOL_PACKET, libc::PACKET_TX_RING, &asked)?;
    Ok(socket)
}

/// Puts the ring of a socket where that of the driver's is mapped, and the socket where the driver's was.
fn take_over(driver: RawFd, new: &OwnedFd) -> Result<Queue> {
    let (begin, len) = mapping(driver)?;
    let at = begin as *mut libc::c_void;
    // Else the old ring would count against what a user may lock, together with the new one.
    // SAFETY:
    // - the range is a mapping of this process's.
    unsafe { libc::munlock(at, len) };
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_LOCKED | libc::MAP_FIXED);
    // SAFETY:
    // - the range is the mapping of the driver's ring, of the same length, in which nobody has read or written yet.
    let mapped = unsafe { libc::mmap(at, len, access, kind, new.as_raw_fd(), 0) };
    if mapped != at {
        return Err(Error::last_os_error());
    }
    // SAFETY:
    // - both are open; the driver's socket is closed, which nothing uses any more.
    if unsafe { libc::dup3(new.as_raw_fd(), driver, libc::O_CLOEXEC) } < 0 {
        return Err(Error::last_os_error());
    }
    Ok(Queue { descriptor: driver, tx: begin + len / 2 })
}

/// Where the ring of a socket is mapped.
fn mapping(descriptor: RawFd) -> Result<(usize, usize)> {
    let name = std::fs::read_link(format!("/proc/self/fd/{descriptor}"))?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.ends_with(&*name.to_string_lossy()));
    let range = line.and_then(|line| line.split(' ').next()?.split_once('-'));
    let address = |text: &str| usize::from_str_radix(text, 16).ok();
    let range = range.and_then(|(from, to)| Some((address(from)?, address(to)?)));
    let (from, to) = range.ok_or_else(|| Error::other("the ring of net_af_packet is not mapped"))?;
    Ok((from, to - from))
}

/// Spreads flows over sockets: each keeps its own, also when it is busy, and fragments come as they are.
fn spread(queues: &[Queue]) -> Result<()> {
    let hash = libc::c_int::try_from(libc::PACKET_FANOUT_HASH).unwrap_or(0);
    let mut group = (hash | FANOUT_UNIQUE) << 16;
    for queue in queues {
        set(queue.descriptor, libc::SOL_PACKET, libc::PACKET_FANOUT, &group)?;
        let mut len = 4;
        // SAFETY:
        // - the place for the answer has the length that is stated.
        let code = unsafe {
            libc::getsockopt(
                queue.descriptor,
                libc::SOL_PACKET,
                libc::PACKET_FANOUT,
                (&raw mut group).cast(),
                &raw mut len,
            )
        };
        if code < 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// A packet socket that receives nothing until it is bound.
pub(super) fn socket() -> Result<OwnedFd> {
    // SAFETY:
    // - it takes numbers, and gives a descriptor or -1.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY:
    // - the kernel has just given it to us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(super) fn bind(fd: RawFd, interface: u32) -> Result<()> {
    // SAFETY:
    // - an address is plain numbers, for which all zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(0);
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be();
    address.sll_ifindex = interface.cast_signed();
    let len = u32::try_from(size_of_val(&address)).unwrap_or(0);
    // SAFETY:
    // - the address is that many bytes long, and is only read.
    let code = unsafe { libc::bind(fd, (&raw const address).cast(), len) };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Takes packets for any address, as long as the socket lives. Unlike the interface's flag it needs no rights.
fn watch_all(fd: RawFd, interface: u32) -> Result<()> {
    let wanted = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or(0),
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &wanted)
}

/// A filter by length: how many bytes of a packet are taken that is longer, and how many of another. The kernel compares
/// the length with Ethernet's header and without a tag that it has taken off.
fn filter(fd: RawFd, longest: u32, (longer, others): (u32, u32)) -> Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 0, 1, longest),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, longer),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, others),
    ];
    let len = u16::try_from(program.len()).unwrap_or(0);
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &libc::sock_fprog { len, filter: program.as_mut_ptr() })
}

pub(super) fn set<T>(fd: RawFd, level: i32, option: i32, value: &T) -> Result<()> {
    let len = u32::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY:
    // - the value is that many bytes long, and is only read.
    let code = unsafe { libc::setsockopt(fd, level, option, std::ptr::from_ref(value).cast(), len) };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
