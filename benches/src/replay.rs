//! What it costs to play a file: from memory, and read ahead from the disk, beside a generator on the same port; and on a veth pair
//! beside tcpreplay.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::veth;
use crate::works::{generator_config, polls};
use anyhow::{Context, Result};
use perigee_runtime::bench::Loop;
use std::hint::black_box;
use std::path::Path;

const BURST: u16 = 64;
/// Packets of the file that the caches hold, and of the one that they do not.
const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;
/// Bytes of each, as a generator's.
const LEN: u16 = 60;
/// How a chain is called in results, and what it costs above the generator; its file, and what stands behind the path.
const CASES: [(&str, &str, u32, &str); 4] = [
    ("play:memory", "price:memory", FEW, "speed=max"),
    ("play:memory large", "price:memory large", MANY, "speed=max"),
    ("play:memory timed", "price:memory timed", MANY, "speed=1000000"),
    ("play:disk", "price:disk", MANY, "speed=max,preload=no"),
];

/// Measures the chains, and what they cost above the generator.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    let folder = Folder::new()?;
    println!("{}", report::head("Replay: files that are played, beside a generator (cycles per packet)"));
    let figures = lab.measure(|lab| all(lab, &folder))?;
    tell(lab, &figures);
    veth::compare(&folder.file(FEW))
}

fn all(lab: &mut Lab, folder: &Folder) -> Result<Vec<Samples>> {
    let mut setup = Setup::new(lab, BURST, "1ms")
        .port("net_null0")
        .module("udp-gen", generator_config(Work::Template))
        .generate("udp-gen", &[], "net_null0");
    for (number, (.., packets, how)) in CASES.iter().enumerate() {
        let device = format!("file:{},{how},loop=forever", folder.file(*packets));
        setup = setup.play(&format!("file{number}"), &device, "net_null0");
    }
    let mut on = setup.start(&lab.root)?;
    let (mut twin, mut copy) = (Twin::new(Work::Template, BURST, 0), Copy::new());
    let times = SLICE / u32::from(BURST);
    let mut sides: Vec<Side<'_, Loop>> = vec![Box::new(|on| twin.run(on, 0, times)), Box::new(|_| copy.run())];
    for chain in 0..=CASES.len() {
        sides.push(Box::new(move |on| packets_of(on, chain, times)));
    }
    let samples = lab.compare(&mut on, sides)?;
    lab.finish(on)?;
    Ok(samples)
}

/// Polls until a slice's packets have come: a file that the disk is late with gives polls without a packet, which cost time as well.
fn packets_of(on: &mut Loop, chain: usize, times: u32) -> u64 {
    let mut packets = 0;
    while packets < u64::from(SLICE) {
        packets += polls(on, chain, times);
    }
    packets
}

/// What memory alone takes: the bytes of as many packets as the large file has, one behind the other, copied into places that the caches
/// hold.
struct Copy {
    bytes: Vec<u8>,
    places: Vec<[u8; LEN as usize]>,
    next: usize,
}

impl Copy {
    fn new() -> Self {
        let bytes = (0..MANY as usize * usize::from(LEN)).map(|i| i.to_le_bytes()[0]).collect();
        Self { bytes, places: vec![[0; LEN as usize]; BURST.into()], next: 0 }
    }

    /// A slice's packets.
    fn run(&mut self) -> u64 {
        let (frames, burst) = (self.bytes.as_chunks::<{ LEN as usize }>().0, self.places.len());
        for _ in 0..SLICE / u32::from(BURST) {
            if self.next + burst > frames.len() {
                self.next = 0;
            }
            self.places.copy_from_slice(&frames[self.next..][..burst]);
            black_box(&mut self.places);
            self.next += burst;
        }
        SLICE.into()
    }
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    let (twin, copy, generator, chains) = (figures[0], figures[1], figures[2], &figures[3..]);
    lab.add(Measurement::new(what("copy large"), copy).beside(twin));
    lab.add(Measurement::new(what("generator"), generator).beside(twin));
    for (figure, (variant, ..)) in chains.iter().zip(CASES) {
        lab.add(Measurement::new(what(variant), *figure).beside(twin));
    }
    for (figure, (_, price, ..)) in chains.iter().zip(CASES) {
        let quiet = figure.quiet_slices.min(generator.quiet_slices);
        lab.add(Measurement::derived(what(price), figure.cycles - generator.cycles, quiet));
    }
}

/// The files, until it is dropped.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Result<Self> {
        let folder = Self(tempfile::tempdir().context("there is no folder for the files")?);
        for packets in [FEW, MANY] {
            write(Path::new(&folder.file(packets)), packets).context("the files cannot be written")?;
        }
        Ok(folder)
    }

    fn file(&self, packets: u32) -> String {
        self.0.path().join(format!("{packets}.pcap")).to_string_lossy().into_owned()
    }
}

/// UDP to a port where nobody listens, a microsecond apart.
fn write(path: &Path, packets: u32) -> std::io::Result<()> {
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
    let ip = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2];
    let mut frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &ip, &[0x30, 0x39, 0, 9, 0, 26, 0, 0]].concat();
    frame.resize(LEN.into(), 0);
    for n in 0..packets {
        let record = [n / 1_000_000, n % 1_000_000 * 1_000, LEN.into(), LEN.into()];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        bytes.extend(&frame);
    }
    std::fs::write(path, bytes)
}
