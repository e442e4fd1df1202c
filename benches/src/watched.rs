//! What it costs a run to be watched: by the view on a terminal, by ten who follow the page, by a scrape each second. One run is watched and
//! left alone in turns; and how late its slowest polls are is compared with a load on the other CPUs that is none of ours.

use crate::lab::Lab;
use crate::lock::Lock;
use crate::pieces::BURST;
use crate::process::{Ended, ctl};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Those who follow the page.
const CLIENTS: usize = 10;
/// How often each side has its turn, how long one is, and what passes before it counts.
const TURNS: usize = 12;
const TURN: Duration = Duration::from_secs(2);
const SETTLE: Duration = Duration::from_millis(500);

/// Measures, and prints both.
pub(crate) fn measure(lab: &Lab, quick: bool) -> Result<()> {
    println!("\nWatched: a generator's chain beside the view, {CLIENTS} clients of the page and a scrape each second");
    let cpus = perigee_runtime::config::allowed_cpus();
    let others: Vec<String> = cpus.iter().filter(|cpu| **cpu != lab.cpu).map(u32::to_string).collect();
    if others.is_empty() || Command::new("taskset").arg("--version").output().is_err() {
        println!("  not measured: it takes two CPUs, and taskset");
        return Ok(());
    }
    let bed = Bed {
        perigee: lab.root.join("target/release/perigee"),
        root: lab.root.clone(),
        cpu: lab.cpu,
        others: others.join(","),
    };
    cycles(&bed, if quick { 2 } else { TURNS })?;
    slowest(&bed, if quick { 1 } else { 3 })
}

/// Cycles by packet, alone and watched, in turns of one run.
fn cycles(bed: &Bed, turns: usize) -> Result<()> {
    let run = Run::start(bed)?;
    let mut sides = [Vec::new(), Vec::new()];
    let mut seen = Seen::default();
    for _ in 0..turns {
        for (side, watched) in sides.iter_mut().zip([false, true]) {
            let watchers = watched.then(|| Watchers::begin(bed, &run)).transpose()?;
            thread::sleep(SETTLE);
            let (asked, before) = (run.requests()?, run.counts()?);
            thread::sleep(TURN);
            let (after, asked_then) = (run.counts()?, run.requests()?);
            side.push((after.0 - before.0) / (after.1 - before.1));
            if watched {
                seen.add(asked_then - asked, after.1 - before.1);
            }
            watchers.map(Watchers::end).transpose()?;
        }
    }
    run.end()?;
    let ratios: Vec<f64> = sides[0].iter().zip(&sides[1]).map(|(alone, watched)| watched / alone).collect();
    let [alone, watched] = sides.map(|mut side| median(&mut side));
    let mut sorted = ratios.clone();
    let ratio = median(&mut sorted);
    println!("  cycles by packet, {turns} turns of {} s: alone {alone:.2}, watched {watched:.2}", TURN.as_secs());
    println!(
        "  watched by alone: median {ratio:.4}, from {:.4} to {:.4} (aim: 1.01)",
        sorted[0],
        sorted[sorted.len() - 1]
    );
    seen.tell(bed, turns)
}

/// What those who watched asked for, and the packets meanwhile.
#[derive(Default)]
struct Seen {
    requests: u64,
    packets: f64,
}

impl Seen {
    /// Of one turn. Some requests are this bench's own, which makes it look worse than it is.
    fn add(&mut self, requests: u64, packets: f64) {
        self.requests += requests;
        self.packets += packets;
    }

    /// Instructions of an lcore for its answers beside those that it spends on packets at the least: by the exact counts of both.
    fn tell(&self, bed: &Bed, turns: usize) -> Result<()> {
        let lock = Lock::read(&bed.root)?;
        let report = lock.instructions("watched: report")?;
        let pieces = ["nothing: crossing", "template: publish", "template: call", "template: collect"];
        let burst: u64 = pieces.iter().map(|piece| lock.instructions(piece)).sum::<Result<_>>()?;
        let spent = self.packets / f64::from(BURST) * burst as f64;
        println!(
            "  instructions: {report} an answer, {:.1} answers a second: {:.4} % of those for packets (aim: 0.5 %)",
            self.requests as f64 / (turns as f64 * TURN.as_secs_f64()),
            self.requests as f64 * report as f64 / spent * 100.0
        );
        Ok(())
    }
}

/// The slowest polls: alone, watched, and with a load on the other CPUs.
fn slowest(bed: &Bed, turns: usize) -> Result<()> {
    println!("  the slowest thousandth of polls takes longer than (ns), in {turns} turns of {} s", TURN.as_secs());
    let mut sides = [("alone", Vec::new()), ("watched", Vec::new()), ("a foreign load on the other CPUs", Vec::new())];
    for _ in 0..turns {
        for (what, figures) in &mut sides {
            let run = Run::start(bed)?;
            let watchers = (*what == "watched").then(|| Watchers::begin(bed, &run)).transpose()?;
            let load = what.starts_with('a') && what.len() > 5;
            let load = load.then(|| bed.beside("sh", &["-c", "while :; do :; done"])).transpose()?;
            thread::sleep(TURN);
            figures.push(run.p999()?);
            watchers.map(Watchers::end).transpose()?;
            drop(load);
            run.end()?;
        }
    }
    for (what, mut figures) in sides {
        let middle = median(&mut figures);
        println!("    {what:<34} {middle:>9.0}  ({:.0} to {:.0})", figures[0], figures[figures.len() - 1]);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where it all takes place.
struct Bed {
    perigee: PathBuf,
    root: PathBuf,
    /// The lcore's CPU, and those of everybody else.
    cpu: u32,
    others: String,
}

impl Bed {
    /// Starts a program on the other CPUs.
    fn beside(&self, program: &str, arguments: &[&str]) -> Result<Ended> {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.others, program]).args(arguments).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.map(Ended).with_context(|| format!("{program} does not start"))
    }
}

/// A run with a page, on one lcore.
struct Run {
    perigee: PathBuf,
    folder: tempfile::TempDir,
    child: Ended,
    /// Where its page listens, and what its clients are known by.
    page: String,
    cookie: String,
}

impl Run {
    fn start(bed: &Bed) -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder")?;
        let module = bed.root.canonicalize()?.join("target/modules/udp-gen.wasm");
        let text = format!(
            "[run]\nweb = \"127.0.0.1:0\"\n[[port]]\nname = \"out\"\ndevice = \"net_null0\"\n[[module]]\nname = \"gen\"\nfile = {module:?}\n\
             [[chain]]\nname = \"load\"\nlcores = [{}]\nsource = {{ module = \"gen\" }}\ntx = [\"out\"]\n",
            bed.cpu
        );
        fs::write(folder.path().join("run.toml"), text)?;
        let log = folder.path().join("log");
        let mut command =
            Command::new(bed.perigee.canonicalize().context("target/release/perigee: ./x bench builds it")?);
        command.args(["--log", "info", "run", "run.toml", "--quiet", "--control", "socket"]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let child = Ended(command.spawn().context("the run does not start")?);
        let said = until(|| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            (said.contains("; its token is in ") && said.contains("running")).then_some(said)
        });
        let said =
            said.with_context(|| format!("the run does not begin: {}", fs::read_to_string(&log).unwrap_or_default()))?;
        let line = said.lines().find_map(|line| line.split_once("the page listens at ")).context("its page")?.1;
        let (page, file) = line.split_once("; its token is in ").context("its token")?;
        let token = fs::read_to_string(file.trim())?;
        let body = format!("{{\"token\": \"{}\"}}", token.trim());
        let answer = ask(page, "POST", "/session", &body)?;
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).context("a cookie")?;
        let cookie = format!("cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
        Ok(Self { perigee: bed.perigee.canonicalize()?, page: page.to_owned(), cookie, folder, child })
    }

    fn ctl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        ctl(&self.perigee, self.folder.path(), arguments)
    }

    /// Requests that the run has answered.
    fn requests(&self) -> Result<u64> {
        let status: Value = serde_json::from_slice(&self.ctl(&["status", "--json"])?)?;
        status["control"]["requests"].as_u64().with_context(|| format!("requests in {status}"))
    }

    fn chain(&self) -> Result<Value> {
        let stats: Value = serde_json::from_slice(&self.ctl(&["stats", "--json"])?)?;
        Ok(stats["chains"][0].clone())
    }

    /// Cycles of polls that brought packets, and these packets.
    fn counts(&self) -> Result<(f64, f64)> {
        let chain = self.chain()?;
        Ok((chain["cycles_busy"].as_f64().context("cycles")?, chain["created"].as_f64().context("packets")?))
    }

    fn p999(&self) -> Result<f64> {
        self.chain()?["batch_time"]["p999_ns"].as_f64().context("times")
    }

    fn end(mut self) -> Result<()> {
        self.ctl(&["stop"])?;
        let status = self.child.0.wait()?;
        ensure!(status.success(), "the run has failed: {status}");
        Ok(())
    }
}

/// The view, those who follow the page, and who scrapes.
struct Watchers {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<u64>>>,
    view: Ended,
}

impl Watchers {
    fn begin(bed: &Bed, run: &Run) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let socket = run.folder.path().join("socket");
        // A terminal that nobody sees.
        let view = format!("TERM=xterm exec {} top --socket {}", run.perigee.display(), socket.display());
        let view = bed.beside("script", &["-qfec", &view, "/dev/null"])?;
        let mut threads = Vec::new();
        for _ in 0..CLIENTS {
            let (page, cookie, over) = (run.page.clone(), run.cookie.clone(), Arc::clone(&over));
            threads.push(thread::spawn(move || follow(&page, &cookie, &over)));
        }
        let (own, over_too) = (socket, Arc::clone(&over));
        threads.push(thread::spawn(move || scrape(&own, &over_too)));
        Ok(Self { over, threads, view })
    }

    /// All of them have seen something, or it was no measurement.
    fn end(mut self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            let seen = thread.join().map_err(|_| anyhow::anyhow!("a client has failed"))??;
            ensure!(seen > 0, "a client has seen nothing");
        }
        ensure!(self.view.0.try_wait()?.is_none(), "the view has ended");
        Ok(())
    }
}

fn follow(page: &str, cookie: &str, over: &AtomicBool) -> Result<u64> {
    let mut stream = TcpStream::connect(page)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    write!(stream, "GET /events HTTP/1.1\r\nhost: {page}\r\n{cookie}\r\n")?;
    let (mut seen, mut bytes) = (0, vec![0; 64 << 10]);
    while !over.load(Ordering::Relaxed) {
        if let Ok(read @ 1..) = stream.read(&mut bytes) {
            seen += read as u64;
        }
    }
    Ok(seen)
}

fn scrape(socket: &Path, over: &AtomicBool) -> Result<u64> {
    let mut seen = 0;
    while !over.load(Ordering::Relaxed) {
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        stream.write_all(b"GET /v1/metrics HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n")?;
        seen += stream.read_to_end(&mut Vec::new())? as u64;
        // Until the next second, or the end.
        for _ in 0..10 {
            if over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(seen)
}

fn ask(page: &str, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(page)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {page}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..400 {
        let found = look();
        if found.is_some() {
            return found;
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}
