//! The native twins in Rust: the loops that a Rust programmer writes over bindings of DPDK, on the same port and pool. Bursts are taken,
//! sent and allocated by a call of C each, for these functions of DPDK are inline; what is done with packets is Rust.
#![allow(unsafe_code, reason = "calls C and writes packets by address, with the pools and ports that a `Loop` lends")]

use crate::ffi::Work;
use perigee_dpdk_sys as sys;
use perigee_runtime::bench::Loop;
use std::ptr;

/// The largest burst.
const MOST: usize = 256;
/// Length of a packet, and what of it the works write.
const LEN: u16 = 60;
const ADDRESS: [u8; 4] = [10, 0, 0, 0];
const PORT: u16 = 32_768;

unsafe extern "C" {
    fn twin_alloc(pool: *mut sys::rte_mempool, mbufs: *mut *mut sys::rte_mbuf, n: u32) -> i32;
}

/// A loop in Rust.
#[derive(Debug)]
pub(crate) struct RustTwin {
    work: Work,
    burst: u16,
    port: usize,
    random: u64,
}

/// The start of a packet.
type Head = [u8; LEN as usize];

impl RustTwin {
    /// One on a port of the run, with what udp-gen has by default.
    pub(crate) fn new(work: Work, burst: u16, port: usize) -> Self {
        assert!(usize::from(burst) <= MOST, "a burst of the benchmark is not larger");
        Self { work, burst, port, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// The whole loop, with the pool of a chain. Returns the packets.
    pub(crate) fn run(&mut self, on: &mut Loop, chain: usize, bursts: u32) -> u64 {
        let (pool, port, burst) = (on.mempool(chain).cast(), on.dpdk_port(self.port), self.burst);
        let mut random = self.random;
        // One loop for each work, as of programs of their own.
        let packets = match self.work {
            Work::MacSwap => forward(port, burst, bursts, |head| head[..12].rotate_left(6)),
            Work::Template => generate(pool, port, (burst, bursts), |_, _| {}),
            Work::TwoFields => generate(pool, port, (burst, bursts), |head, _| two_fields(head, &mut random)),
            Work::TwoFieldsSum => generate(pool, port, (burst, bursts), |head, base| {
                two_fields(head, &mut random);
                let sum = checksum(head, base);
                head[24..26].copy_from_slice(&sum);
            }),
            Work::Eight => generate(pool, port, (burst, bursts), |head, _| eight(head, &mut random)),
            _ => 0,
        };
        self.random = random;
        packets
    }
}

fn draw(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random
}

/// Random source address and port, by the generator and the masks that udp-gen uses.
#[inline(always)]
fn two_fields(head: &mut Head, random: &mut u64) {
    let bytes = draw(random).to_le_bytes();
    head[26..30].copy_from_slice(&[ADDRESS[0], ADDRESS[1], ADDRESS[2], bytes[7]]);
    head[34..36].copy_from_slice(&[bytes[2] | PORT.to_be_bytes()[0], bytes[3]]);
}

/// Eight draws for each packet: addresses, ports, four words of the payload.
#[inline(always)]
fn eight(head: &mut Head, random: &mut u64) {
    head[29] = draw(random).to_be_bytes()[0];
    head[33] = draw(random).to_be_bytes()[0];
    for at in [34, 36] {
        head[at..at + 2].copy_from_slice(&draw(random).to_be_bytes()[..2]);
    }
    for at in [42, 46, 50, 54] {
        head[at..at + 4].copy_from_slice(&draw(random).to_le_bytes()[4..]);
    }
}

/// Sum of the words of an IPv4 header without checksum and source.
fn base(head: &Head) -> u32 {
    let word = |at: usize| u32::from(u16::from_be_bytes([head[at], head[at + 1]]));
    [14, 16, 18, 20, 22, 30, 32].into_iter().map(word).sum()
}

/// Checksum of the header, whose sum without the source is known.
#[inline(always)]
fn checksum(head: &Head, base: u32) -> [u8; 2] {
    let word = |at: usize| u32::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let sum = base + word(26) + word(28);
    let sum = (sum & 0xffff) + (sum >> 16);
    let [.., high, low] = (!(sum + (sum >> 16))).to_be_bytes();
    [high, low]
}

/// Packets out of the pool and into the port. `work` gets each one, and what [`base`] says of the first.
#[inline(always)]
fn generate(
    pool: *mut sys::rte_mempool,
    port: u16,
    (burst, bursts): (u16, u32),
    mut work: impl FnMut(&mut Head, u32),
) -> u64 {
    let (mut mbufs, mut packets) = ([ptr::null_mut(); MOST], 0);
    for _ in 0..bursts {
        // SAFETY:
        // - the pool is the loop's, which lives and does nothing meanwhile; there are places for a burst.
        if unsafe { twin_alloc(pool, mbufs.as_mut_ptr(), burst.into()) } != 0 {
            continue;
        }
        let base = mbufs.first().map_or(0, |first| base(head(*first)));
        for mbuf in &mbufs[..usize::from(burst)] {
            set_len(*mbuf);
            work(head(*mbuf), base);
        }
        send(port, &mut mbufs, burst);
        packets += u64::from(burst);
    }
    packets
}

/// Packets of the port, back to it.
#[inline(always)]
fn forward(port: u16, burst: u16, bursts: u32, work: impl Fn(&mut Head)) -> u64 {
    let (mut mbufs, mut packets) = ([ptr::null_mut(); MOST], 0);
    for _ in 0..bursts {
        // SAFETY:
        // - the port is the loop's, which lives and does nothing meanwhile; there are places for a burst.
        let n = unsafe { sys::perigee_rx_burst(port, 0, mbufs.as_mut_ptr(), burst) };
        mbufs[..usize::from(n)].iter().for_each(|mbuf| work(head(*mbuf)));
        send(port, &mut mbufs, n);
        packets += u64::from(n);
    }
    packets
}

fn send(port: u16, mbufs: &mut [*mut sys::rte_mbuf; MOST], n: u16) {
    // SAFETY:
    // - as for `forward`; n packets stand in front, and belong to the caller.
    let sent = unsafe { sys::perigee_tx_burst(port, 0, mbufs.as_mut_ptr(), n) };
    if sent < n {
        let rest = &mut mbufs[usize::from(sent)..usize::from(n)];
        // SAFETY:
        // - the port has not taken these.
        unsafe { sys::rte_pktmbuf_free_bulk(rest.as_mut_ptr(), u32::from(n - sent)) };
    }
}

#[inline(always)]
fn set_len(mbuf: *mut sys::rte_mbuf) {
    // SAFETY:
    // - of the burst that was just allocated, and nobody else's; `Mbuf` is its layout.
    let mbuf = unsafe { &mut *mbuf.cast::<sys::Mbuf>() };
    (mbuf.data_len, mbuf.pkt_len) = (LEN, LEN.into());
}

/// The packet's first bytes.
#[inline(always)]
fn head<'a>(mbuf: *mut sys::rte_mbuf) -> &'a mut Head {
    // SAFETY:
    // - of the burst that was just taken or allocated, and nobody else's; `Mbuf` is its layout.
    let mbuf = unsafe { &*mbuf.cast::<sys::Mbuf>() };
    // SAFETY:
    // - data begin inside of the room.
    let data = unsafe { mbuf.buf_addr.add(mbuf.data_off.into()) };
    // SAFETY:
    // - rooms hold more than 60 bytes behind the headroom, and the packet is nobody else's until it is sent.
    unsafe { &mut *data.cast::<Head>() }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_whole_header() {
        let mut packet: Head = [0; LEN as usize];
        packet[14..34].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0, 0]);
        let (base, mut random) = (base(&packet), 7);
        for _ in 0..1_000 {
            two_fields(&mut packet, &mut random);
            let sum = checksum(&packet, base);
            packet[24..26].copy_from_slice(&sum);
            let words = packet[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
            let sum: u32 = words.sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
            assert!(packet[26..29] == ADDRESS[..3] && packet[34] >= 0x80);
        }
    }
}
