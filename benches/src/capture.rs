//! What a captured packet costs the data path: the same chains, a generator and a port that forgets, where nobody looks and where its
//! packets are recorded.

use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::shared::Shared;
use crate::works::polls;
use anyhow::{Context, Result};
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// How a chain is called in results, the length of its packets, how much of them is recorded (0: nobody looks), and which.
const CASES: [(&str, u16, u16, Option<&str>); 7] = [
    ("60:alone", 60, 0, None),
    ("60:captured", 60, 65_000, None),
    ("60:filtered", 60, 65_000, Some("udp and dst port 9")),
    ("60:refused", 60, 65_000, Some("tcp")),
    ("1514:alone", 1_514, 0, None),
    ("1514:snaplen", 1_514, 64, None),
    ("1514:captured", 1_514, 65_000, None),
];

/// Measures the chains, and the copy of as many bytes by itself.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Capturing: a generator whose packets are recorded"));
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    let config = |len: u16| format!("{{ vary = \"none\", checksum = \"none\", size = {len}, dst_port = 9 }}");
    let mut setup = Setup::new(lab, BURST, "1ms").port("net_null0");
    for len in [60, 1_514] {
        setup = setup.module(&format!("udp-gen:{len}"), &config(len));
    }
    for (_, len, _, _) in CASES {
        setup = setup.generate(&format!("udp-gen:{len}"), &[], "net_null0");
    }
    let mut on = setup.start(&lab.root)?;
    for (chain, (name, _, snaplen, filter)) in CASES.into_iter().enumerate().filter(|(_, case)| case.2 != 0) {
        on.record(chain, filter, snaplen).with_context(|| name.to_owned())?;
    }
    let times = SLICE / u32::from(BURST);
    let mut sides: Vec<Side<'_, Loop>> = Vec::new();
    for chain in 0..CASES.len() {
        sides.push(Box::new(move |on| polls(on, chain, times)));
    }
    for len in [60, 1_514] {
        let mut copies = Copies::new(len)?;
        sides.push(Box::new(move |_| copies.run(times * u32::from(BURST))));
    }
    let samples = lab.compare(&mut on, sides)?;
    lab.finish(on)?;
    Ok(samples)
}

/// Copies packets of one length, from as many places as a generator's pool has rooms, into a buffer as large as a record's memory: what no way of
/// recording can do without.
struct Copies {
    from: Vec<u8>,
    to: Shared,
    len: usize,
    next: usize,
    at: usize,
}

/// Rooms of a pool, and bytes from one to the next.
const ROOMS: usize = 2_047;
const ROOM: usize = 2_240;

impl Copies {
    fn new(len: usize) -> Result<Self> {
        Ok(Self { from: vec![7; ROOMS * ROOM], to: Shared::new(16 << 20)?, len, next: 0, at: 0 })
    }

    fn run(&mut self, packets: u32) -> u64 {
        for _ in 0..packets {
            let from = self.next * ROOM;
            self.next = (self.next + 1) % ROOMS;
            if self.at + self.len > self.to.len() {
                self.at = 0;
            }
            let to = &mut self.to[self.at..self.at + self.len];
            to.copy_from_slice(std::hint::black_box(&self.from[from..from + self.len]));
            std::hint::black_box(to);
            self.at += self.len.next_multiple_of(8);
        }
        packets.into()
    }
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    for (figure, (variant, ..)) in figures.iter().zip(CASES) {
        lab.add(Measurement::new(what(variant), *figure));
    }
    for (figure, variant) in figures[CASES.len()..].iter().zip(["60:copy", "1514:copy"]) {
        lab.add(Measurement::new(what(variant), *figure));
    }
    let quiet = figures.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    let prices = [
        ("price:60", 1, 0),
        ("price:60 filtered", 2, 0),
        ("price:60 refused", 3, 0),
        ("price:1514 snaplen 64", 5, 4),
        ("price:1514", 6, 4),
    ];
    for (name, with, without) in prices {
        lab.add(Measurement::derived(what(name), figures[with].cycles - figures[without].cycles, quiet));
    }
}
