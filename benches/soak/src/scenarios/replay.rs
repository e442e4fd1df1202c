//! A file that is far larger than its memory, read ahead for two lcores, as fast as it goes: every packet comes, in the order of its
//! flow, and the process does not grow.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, bail, ensure};
use perigee_abi::verdict as v;
use perigee_lab::{each, module, verdict};
use perigee_runtime::Run;
use perigee_runtime::config::Config;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "replay",
    about: "files that are far larger than their memory, read ahead for two lcores: every packet in its order, and no growth",
    unit: "GiB",
    quick: 1,
    full: 16,
    run,
};

/// Of one round.
const FILE_MIB: u64 = 1_024;
const MEMORY_MIB: u64 = 8;
/// Bytes of each packet, and how many flows they are of.
const LEN: u32 = 1_514;
const FLOWS: u32 = 64;
/// The process may grow by so much beside the memory of what is read ahead: pools, instances, threads.
const GROWTH_MIB: u64 = 128;
/// Something is wrong where a GiB takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let packets = u32::try_from((FILE_MIB << 20) / u64::from(LEN + 16))? / FLOWS * FLOWS;
    write(&folder.path().join("in.pcap"), packets).context("the file cannot be written")?;
    std::fs::write(folder.path().join("m.wat"), in_order(packets / FLOWS))?;
    let config = format!(
        "[[port]]\nname = \"in\"\ndevice = \"file:in.pcap,preload=no,memory={MEMORY_MIB}M,speed=max,loop={}\"\n\
         [[module]]\nname = \"m\"\nfile = \"m.wat\"\non_fault = \"stop\"\n\
         [[chain]]\nsource = {{ port = \"in\" }}\nlcores = [0, 1]\nstages = [\"m\"]\n",
        task.size
    );
    let (begin, before) = (Instant::now(), resident()?);
    let run = Run::start(&Config::parse(&config, "replay.toml")?, folder.path())?;
    let mut most = 0;
    while !run.is_finished() {
        ensure!(begin.elapsed() < PATIENCE * u32::try_from(task.size)?, "it does not end: {:#?}", run.snapshot());
        most = most.max(resident()?);
        std::thread::sleep(Duration::from_millis(20));
    }
    let summary = run.stop();
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(summary.accounting.balanced && summary.pools.iter().all(|pool| pool.full), "{:?}", summary.accounting);
    let failed: Vec<_> = summary.snapshot.modules.iter().filter_map(|module| module.failed.clone()).collect();
    ensure!(failed.is_empty(), "a packet was not the next one of its flow: {failed:?}");
    let replay = summary.snapshot.ports[0].replay.clone().context("the port plays files")?;
    let all = u64::from(packets) * task.size;
    ensure!(
        (replay.packets, replay.rounds, replay.changed) == (all, task.size, 0),
        "not all of {all} came: {replay:?}"
    );
    ensure!(replay.memory <= MEMORY_MIB << 20, "{replay:?}");
    let grown = most.saturating_sub(before) >> 20;
    ensure!(grown <= MEMORY_MIB + GROWTH_MIB, "the process has grown by {grown} MiB");
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (replay.bytes as f64 / seconds / 1e6).round();
    Ok(Report::new(task.size).figure("packets", all).figure("grown_mib", grown).figure("mb_per_s", rate))
}

/// UDP of so many flows in turn, each numbered behind its header.
fn write(path: &Path, packets: u32) -> Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    file.write_all(&[0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat())?;
    let ip = [0x45, 0, 0x05, 0xdc, 0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 0, 198, 18, 1, 1];
    let mut frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &ip, &[0x30, 0x39, 0, 9, 5, 0xc8, 0, 0]].concat();
    frame.resize(usize::try_from(LEN)?, 0x5a);
    for n in 0..packets {
        frame[29] = u8::try_from(n % FLOWS)?;
        frame[42..46].copy_from_slice(&(n % FLOWS).to_le_bytes());
        frame[46..50].copy_from_slice(&(n / FLOWS).to_le_bytes());
        file.write_all(&[n / 1_000_000, n % 1_000_000 * 1_000, LEN, LEN].map(u32::to_le_bytes).concat())?;
        file.write_all(&frame)?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// A module that fails unless each flow's numbers follow each other, and begin again at `numbers`.
fn in_order(numbers: u32) -> String {
    let body = format!(
        "(local.set $at (i32.add (i32.const 4096) (i32.mul (i32.const 4) (i32.load offset=42 (i32.load (local.get $d))))))
         (if (i32.ne (i32.load offset=46 (i32.load (local.get $d))) (i32.load (local.get $at))) (then (unreachable)))
         (i32.store (local.get $at) (i32.rem_u (i32.add (i32.load (local.get $at)) (i32.const 1)) (i32.const {numbers})))
         {}",
        verdict(v::DROP)
    );
    module(&each("process", &body).replace("(local $i i32)", "(local $i i32) (local $at i32)"))
}

/// Bytes of this process that are in memory.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let Some(kib) = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()) else {
        bail!("/proc/self/status does not say how much memory the process has");
    };
    Ok(kib << 10)
}
