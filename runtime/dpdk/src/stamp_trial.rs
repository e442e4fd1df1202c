//! Which packets a port stamps, by trying: one port sends them, another one takes them.

use crate::burst::Burst;
use crate::packet::Packet;
use crate::pool::Pool;
use crate::port::Port;
use perigee_dpdk_sys::{self as sys, flags};
use perigee_report::StampTrial;
use std::time::{Duration, Instant};

/// How often each kind of packet is tried.
const TIMES: u32 = 3;
/// How long a packet may be under way, and a stamp of what was sent in coming.
const PATIENCE: Duration = Duration::from_millis(500);
const STAMP: Duration = Duration::from_millis(10);
/// In front of a packet.
const HEADROOM: u16 = 128;
/// What the last bytes of each are.
const MARK: [u8; 8] = *b"perigee\0";

/// Multicast address of PTP over Ethernet (IEEE 1588-2008, annex F), a source of our own, and what follows.
const ETHERNET: [u8; 12] = [0x01, 0x1b, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 2];
/// A Sync message of version 2 (IEEE 1588-2008, 13.6), 44 bytes: the event that cards look for.
const SYNC: [u8; 44] = {
    let mut sync = [0; 44];
    sync[1] = 2;
    sync[3] = 44;
    sync
};

/// The kinds, each with its name.
fn kinds() -> [(&'static str, Vec<u8>); 5] {
    [
        ("PTP version 2 over Ethernet (0x88f7)", ethernet(0x88f7, &SYNC)),
        ("PTP version 2 over UDP, port 319", ethernet(0x0800, &udp(319, &SYNC))),
        ("UDP, port 320", ethernet(0x0800, &udp(320, &SYNC))),
        ("UDP, port 9", ethernet(0x0800, &udp(9, &SYNC))),
        ("Ethernet, 0x88b5", ethernet(0x88b5, &SYNC)),
    ]
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&ETHERNET[..], &kind.to_be_bytes(), payload, &MARK].concat()
}

/// An IPv4 datagram to PTP's group, with a checksum of its header and none of UDP's.
fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = |more: usize| u16::try_from(payload.len() + MARK.len() + more).unwrap_or(u16::MAX).to_be_bytes();
    let port = port.to_be_bytes();
    let mut head = [0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 192, 0, 2, 1, 224, 0, 1, 129];
    head[2..4].copy_from_slice(&len(28));
    let sum: u32 = head.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    head[10..12].copy_from_slice(&(!u16::try_from(folded).unwrap_or(0)).to_be_bytes());
    [&head[..], &port, &port, &len(8), &[0, 0], payload].concat()
}

/// Sends each kind some times. `pool` is the sender's.
pub(crate) fn stamps(sender: &Port, receiver: &Port, pool: &Pool) -> Vec<StampTrial> {
    let one = |(name, bytes): (&str, Vec<u8>)| {
        let mut trial = StampTrial { packet: name.to_owned(), ..StampTrial::default() };
        (0..TIMES).for_each(|_| once(sender, receiver, pool, &bytes, &mut trial));
        trial
    };
    kinds().into_iter().map(one).collect()
}

fn once(sender: &Port, receiver: &Port, pool: &Pool, bytes: &[u8], trial: &mut StampTrial) {
    // A stamp of an earlier packet keeps a card from taking the next one; and some give the same one again and again.
    let before = (rx_stamp(receiver), tx_stamp(sender));
    let Some(mut packet) = pool.take_one() else { return };
    packet.renew_with(HEADROOM, bytes);
    packet.set_flags(flags::TX_IEEE1588_TMST);
    let mut burst = Burst::new();
    if burst.push(packet).map_err(Packet::free).is_err() || sender.tx(0, &mut burst) == 0 {
        burst.free_all();
        return;
    }
    trial.sent += 1;
    trial.tx_stamped += u32::from(within(STAMP, || is_new(tx_stamp(sender), before.1)));
    let mut found = None;
    within(PATIENCE, || {
        let mut came = Burst::new();
        receiver.rx(0, &mut came, 32);
        for packet in came.drain() {
            let mut end = [0; MARK.len()];
            let at = usize::from(packet.len()).checked_sub(MARK.len());
            if at.is_some_and(|at| packet.read_at(at, &mut end)) && end == MARK {
                found = Some(packet.flags());
            }
            packet.free();
        }
        found.is_some()
    });
    let Some(seen) = found else { return };
    trial.came += 1;
    let in_field = receiver.timestamp.is_some_and(|timestamp| seen & timestamp.flag != 0);
    trial.rx_in_packet += u32::from(in_field);
    trial.rx_flagged += u32::from(seen & flags::RX_IEEE1588_TMST != 0);
    trial.rx_in_register += u32::from(is_new(rx_stamp(receiver), before.0));
}

/// A stamp that is there, and is another one than before.
fn is_new(stamp: Option<Stamp>, before: Option<Stamp>) -> bool {
    stamp.is_some() && stamp != before
}

/// Whether it becomes true in that time.
fn within(time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if begin.elapsed() > time {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Seconds and nanoseconds of a port's clock.
type Stamp = (i64, i64);

/// Takes the stamp of what has come last, where there is one.
fn rx_stamp(port: &Port) -> Option<Stamp> {
    let mut time = sys::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - the port exists and is started; the place for the answer is valid.
    let code = unsafe { sys::rte_eth_timesync_read_rx_timestamp(port.dpdk_id(), &raw mut time, 0) };
    (code == 0).then_some((time.tv_sec, time.tv_nsec))
}

/// Takes the stamp of what has left last.
fn tx_stamp(port: &Port) -> Option<Stamp> {
    let mut time = sys::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - as above.
    let code = unsafe { sys::rte_eth_timesync_read_tx_timestamp(port.dpdk_id(), &raw mut time) };
    (code == 0).then_some((time.tv_sec, time.tv_nsec))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_stamp_that_was_there_before_is_no_stamp() {
        assert!(is_new(Some((1, 2)), None) && is_new(Some((1, 2)), Some((1, 1))));
        assert!(!is_new(Some((1, 2)), Some((1, 2))) && !is_new(None, Some((1, 2))));
    }

    #[test]
    fn packets_are_what_their_names_say() {
        let kinds = kinds();
        for (name, bytes) in &kinds {
            assert!(bytes.len() >= 60 && bytes.ends_with(&MARK), "{name}");
        }
        assert_eq!(kinds[0].1[12..18], [0x88, 0xf7, 0, 2, 0, 44]);
        let over_udp = &kinds[1].1;
        let sum: u32 = over_udp[14..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "the header's checksum (RFC 791)");
        assert_eq!(over_udp[34..40], [1, 63, 1, 63, 0, 60]);
        assert_eq!(usize::from(u16::from_be_bytes([over_udp[16], over_udp[17]])), over_udp.len() - 14);
    }
}
