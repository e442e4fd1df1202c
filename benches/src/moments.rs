//! What is not by packet: how long a run takes to start and to end, a module from its file to its first packet, the pause of a swap, what an
//! instance takes of memory, an answer of the control socket while packets flow. By processes of their own, as users start them.

use crate::lab::Lab;
use crate::process::{Ended, ctl};
use crate::report::Moment;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How often each is done.
const STARTS: usize = 15;
const SWAPS: usize = 60;
const REQUESTS: usize = 300;
/// Stages of the chain beside which one with a single stage shows what each takes.
const STAGES: usize = 16;

/// Where `./x` writes how long a build took that had all before it.
const FIRST_BUILD: &str = "target/first-build.json";
/// Minutes that it may take, on so many CPUs.
const BUILD: (f64, u64) = (6.0, 2);

/// Measures all of them.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    let few = |n: usize| if quick { n / 5 } else { n };
    println!("\nMoments: what is not by packet");
    let bed = Bed::new(lab)?;
    let mut found = starts(&bed, few(STARTS))?;
    found.extend(swaps(&bed, few(SWAPS))?);
    found.push(memory(&bed, few(5).max(1))?);
    found.push(answers(&bed, few(REQUESTS))?);
    match first_build(&lab.root.join(FIRST_BUILD)) {
        Some(moment) => found.push(moment),
        None => println!("there is no row for a first build: ./x writes {FIRST_BUILD} when it makes one"),
    }
    found.iter().for_each(|moment| println!("{}", moment.line()));
    lab.moments.extend(found);
    Ok(())
}

/// What `./x` wrote when it built all for the first time.
fn first_build(file: &Path) -> Option<Moment> {
    let told: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    let moment = Moment::new("first build of all", "min", vec![told["seconds"].as_f64()? / 60.0]);
    let (minutes, cpus) = BUILD;
    Some(if told["cpus"] == cpus { moment.aim(minutes) } else { moment })
}

/// From the start of the process until its lcores work, and from the wish to stop until it has ended.
fn starts(bed: &Bed, times: usize) -> Result<Vec<Moment>> {
    let (mut start, mut end) = (Vec::new(), Vec::new());
    // The first one may compile.
    bed.run(&bed.chain(&[]))?.end()?;
    for _ in 0..times {
        let run = bed.run(&bed.chain(&[]))?;
        start.push(run.started_ms);
        end.push(run.end()?);
    }
    Ok(vec![
        Moment::new("start of a run, net_null", "ms", start).aim(150.0),
        Moment::new("end of a run, with its summary", "ms", end),
    ])
}

/// A module takes another one's place under load: with its code in the cache, and without.
fn swaps(bed: &Bed, times: usize) -> Result<Vec<Moment>> {
    let run = bed.run(&bed.chain(&["counter"]))?;
    let file = bed.modules.join("counter.wasm");
    let (mut cached, mut cold, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
    run.swap(&file)?;
    for n in 0..times {
        let report = run.swap(&file)?;
        cached.push(first_packet_ms(&report)?);
        pauses.push(number(&report, "max_pause_ns")? / 1e3);
        if n % 6 == 0 {
            // A custom section makes another module of it, which nobody has compiled.
            let other = run.folder.path().join("other.wasm");
            let id = format!("bench {n} {}", run.child.0.id());
            let section = [&[0, u8::try_from(id.len() + 1)?, u8::try_from(id.len())?][..], id.as_bytes()].concat();
            fs::write(&other, [fs::read(&file)?, section].concat())?;
            cold.push(first_packet_ms(&run.swap(&other)?)?);
        }
    }
    run.end()?;
    Ok(vec![
        Moment::new("module to its first packet, compiled before", "ms", cached).aim(5.0),
        Moment::new("module to its first packet, compiled for it", "ms", cold),
        Moment::new("pause of a swap, one lcore under load", "us", pauses).aim_of_worst(50.0),
    ])
}

/// Read, checked, compiled or taken from the cache, tried, its instances made, and switched to.
fn first_packet_ms(report: &Value) -> Result<f64> {
    ["load_ns", "canary_ns", "prepare_ns", "switch_ns"].iter().map(|name| Ok(number(report, name)? / 1e6)).sum()
}

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name].as_f64().with_context(|| format!("{name} in {value}"))
}

/// What one more instance takes, beside the window, which all of a domain share.
fn memory(bed: &Bed, times: usize) -> Result<Moment> {
    let mut kib = Vec::new();
    for _ in 0..times {
        let [one, many] = [1, STAGES].map(|stages| -> Result<f64> {
            let run = bed.run(&bed.chain(&vec!["counter"; stages]))?;
            let resident = run.anonymous_kib()?;
            run.end()?;
            Ok(resident)
        });
        kib.push((many? - one?) / (STAGES - 1) as f64);
    }
    Ok(Moment::new("memory of an instance (counter), beside its window", "KiB", kib).aim(1_024.0))
}

/// The control socket's answer to who asks for all figures, on a connection of its own.
fn answers(bed: &Bed, times: usize) -> Result<Moment> {
    let run = bed.run(&bed.chain(&["counter"]))?;
    let mut us = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        let mut stream = UnixStream::connect(run.folder.path().join("socket"))?;
        stream.write_all(b"GET /v1/stats HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        us.push(begin.elapsed().as_secs_f64() * 1e6);
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    run.end()?;
    Ok(Moment::new("answer of the control socket under load: all figures", "us", us))
}

/// Where it all takes place.
struct Bed {
    perigee: PathBuf,
    modules: PathBuf,
    cpu: u32,
}

impl Bed {
    fn new(lab: &Lab) -> Result<Self> {
        let root = lab.root.canonicalize()?;
        let perigee = root.join("target/release/perigee");
        ensure!(perigee.is_file(), "target/release/perigee is not there: ./x bench builds it");
        Ok(Self { perigee, modules: root.join("target/modules"), cpu: lab.cpu })
    }

    /// A generator in front of these modules, on one lcore.
    fn chain(&self, stages: &[&str]) -> String {
        let module = |name: &str| {
            format!(
                "[[module]]\nname = \"{name}\"\nfile = {:?}\ndomain = \"bench\"\n",
                self.modules.join(format!("{name}.wasm"))
            )
        };
        let modules = if stages.is_empty() { module("udp-gen") } else { module("udp-gen") + &module(stages[0]) };
        format!(
            "[[port]]\nname = \"out\"\ndevice = \"net_null0\"\n{modules}[[chain]]\nname = \"load\"\nlcores = [{}]\n\
             source = {{ module = \"udp-gen\" }}\nstages = {stages:?}\ntx = [\"out\"]\n",
            self.cpu
        )
    }

    /// Starts a run, and waits until its lcores work.
    fn run(&self, config: &str) -> Result<Run<'_>> {
        let folder = tempfile::tempdir().context("a folder")?;
        fs::write(folder.path().join("run.toml"), config)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let begin = Instant::now();
        // The shell gives it a descriptor of that number, in a millisecond that counts with it.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" run run.toml --quiet --control ./socket --ready-fd 3 3>&1 >log"])
            .arg(&self.perigee);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = Ended(command.spawn().context("the run does not start")?);
        let mut line = String::new();
        child.0.stdout.take().context("its line")?.read_to_string(&mut line)?;
        let started_ms = begin.elapsed().as_secs_f64() * 1e3;
        let said = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        ensure!(line == "ready\n", "the run does not start: {}", said());
        Ok(Run { bed: self, folder, child, started_ms })
    }
}

struct Run<'b> {
    bed: &'b Bed,
    folder: tempfile::TempDir,
    child: Ended,
    started_ms: f64,
}

impl Run<'_> {
    fn ctl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        ctl(&self.bed.perigee, self.folder.path(), arguments)
    }

    fn swap(&self, file: &Path) -> Result<Value> {
        let file = file.to_str().context("a path in UTF-8")?;
        Ok(serde_json::from_slice(&self.ctl(&["swap", "counter", file, "--json"])?)?)
    }

    fn anonymous_kib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("RssAnon")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Stops it; in how many milliseconds.
    fn end(mut self) -> Result<f64> {
        let begin = Instant::now();
        let pid = self.child.0.id().to_string();
        ensure!(Command::new("kill").args(["-INT", &pid]).status()?.success(), "kill -INT {pid}");
        let status = self.child.0.wait()?;
        ensure!(status.success(), "the run has failed: {status}");
        Ok(begin.elapsed().as_secs_f64() * 1e3)
    }
}
