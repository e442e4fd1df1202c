//! What a run remembers of its packets: what it costs to put one into a history, beside a ring in C; and how long it takes to look through
//! ten million of them.

use crate::ffi::Ring;
use crate::lab::Lab;
use crate::quiet::{SLICE, Samples, Side, interleave};
use crate::report::{self, Measurement};
use anyhow::{Context, Result, ensure};
use perigee_pcap::filter::compile;
use perigee_record::{Head, Map, Memory, Shape, Writer};
use std::time::Instant;

const BURST: u32 = 64;
/// From one packet to the next, where they come from: as in a pool.
const STRIDE: u32 = 2_240;
/// Bytes of a ring: beyond what caches hold.
const RING: u64 = 64 << 20;
/// Packets that are looked through.
const MANY: u64 = 10_000_000;
/// What is looked for.
const FILTERS: [&str; 4] = ["udp port 53", "host 10.0.7.7", "tcp[tcpflags] & tcp-rst != 0", "ip6 or vlan"];

/// Measures both.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("Histories: a packet put into one, beside a ring in C"));
    for len in [60, 1_514] {
        let figures = lab.measure(|lab| put(lab, len))?;
        let [ours, twin] = figures[..] else { continue };
        let what = format!("put-{len}");
        let burst = u16::try_from(BURST)?;
        lab.add(Measurement::new((&what, "memory", burst, "history"), ours).beside(twin));
    }
    search(if quick { MANY / 10 } else { MANY })
}

fn put(lab: &Lab, len: u16) -> Result<Vec<Samples>> {
    let packets: Vec<u8> = (0..64 * STRIDE).map(|at| at.to_le_bytes()[0]).collect();
    let shape = Shape::of(RING, 1).map_err(|_| anyhow::anyhow!("the ring is too small"))?;
    let memory = Memory::new(shape).context("memory")?;
    let mut writer = memory.writer().context("a lane")?;
    let mut ring = Ring::new(usize::try_from(RING)?)?;
    let bursts = SLICE / BURST;
    let mut sides: Vec<Side<'_, ()>> = vec![
        Box::new(|()| {
            (0..bursts).for_each(|burst| record(&mut writer, &packets, burst.into(), len));
            SLICE.into()
        }),
        Box::new(|()| {
            (0..bursts).for_each(|burst| ring.record(burst.into(), &packets, STRIDE, len.into(), BURST));
            SLICE.into()
        }),
    ];
    interleave(&mut (), &mut sides, lab.floor, lab.plan)
}

/// As the recorder of a chain: each packet, and then readers are told of all.
fn record(writer: &mut Writer, packets: &[u8], ns: u64, len: u16) {
    for packet in packets.chunks_exact(STRIDE as usize).take(BURST as usize) {
        let head = Head { ns, original: len.into(), cause: 0, flags: 0 };
        writer.record(head, len, |bytes| bytes.copy_from_slice(&packet[..len.into()]));
    }
    writer.show();
}

/// Looks through so many packets of 60 bytes, by one filter after the other.
fn search(packets: u64) -> Result<()> {
    println!("\nHistories: {packets} packets of 60 bytes are looked through (seconds)");
    let shape = Shape::of(packets * 81 + (1 << 20), 1).map_err(|_| anyhow::anyhow!("too small"))?;
    let memory = Memory::new(shape).context("the memory does not come about")?;
    let mut writer = memory.writer().context("a lane")?;
    let mut wanted = [0; FILTERS.len()];
    for n in 0..packets {
        let (frame, is) = frame(n);
        for (count, is) in wanted.iter_mut().zip(is) {
            *count += u64::from(is);
        }
        writer.record(Head { ns: n, original: 60, cause: 0, flags: 0 }, 60, |bytes| bytes.copy_from_slice(&frame));
        if n % 64 == 63 {
            writer.show();
        }
    }
    writer.show();
    let map = Map::new(memory.descriptor()).context("a reader")?;
    for (text, wanted) in FILTERS.iter().zip(wanted) {
        let program = compile(text).map_err(anyhow::Error::msg)?;
        let (begun, mut reader, mut seen, mut found) = (Instant::now(), map.reader(0).context("the lane")?, 0, 0);
        while let Some(record) = reader.peek() {
            seen += 1;
            found += u64::from(program.passes(record.bytes));
            reader.pass();
        }
        let taken = begun.elapsed().as_secs_f64();
        ensure!((seen, found) == (packets, wanted), "{text}: {found} of {seen} packets, and not {wanted} of {packets}");
        println!("  {text:<30} {taken:>6.3}  {found:>9} packets found");
    }
    Ok(())
}

/// A packet, and which filters it passes: mostly UDP and TCP of IPv4, one in 16 of IPv6.
fn frame(n: u64) -> ([u8; 60], [bool; FILTERS.len()]) {
    let mut frame = [0; 60];
    let (is_six, is_tcp) = (n.is_multiple_of(16), n.is_multiple_of(3));
    let address = [10, 0, n.to_le_bytes()[1], n.to_le_bytes()[0]];
    if is_six {
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        (frame[14], frame[20]) = (0x60, 17);
        frame[54..58].copy_from_slice(&[0, 99, 0, 99]);
        return (frame, [false, false, false, true]);
    }
    frame[12..14].copy_from_slice(&[8, 0]);
    (frame[14], frame[23]) = (0x45, if is_tcp { 6 } else { 17 });
    frame[26..30].copy_from_slice(&address);
    frame[30..34].copy_from_slice(&[10, 1, 0, 1]);
    let (is_dns, is_reset) = (!is_tcp && n % 100 == 1, is_tcp && n % 200 == 3);
    frame[36..38].copy_from_slice(&if is_dns { 53_u16 } else { 9 }.to_be_bytes());
    // A TCP segment without options; of UDP that is a byte of its data.
    (frame[46], frame[47]) = (0x50, if is_reset { 4 } else { 16 });
    (frame, [is_dns, address == [10, 0, 7, 7], is_reset, false])
}
