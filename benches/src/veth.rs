//! The same file into the same veth pair, by a port that plays it and by tcpreplay, in turns. What counts is what the other end has
//! received, by the kernel's own word.

use anyhow::{Context, Result, bail};
use perigee_runtime::Run;
use perigee_runtime::config::Config;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The ends: frames go into the first one.
const ENDS: [&str; 2] = ["pgbench-a", "pgbench-b"];
/// Turns of each side.
const TURNS: usize = 4;
/// After so long it is under way; and so long is counted then.
const BEGIN: Duration = Duration::from_millis(500);
const COUNTED: Duration = Duration::from_millis(1_500);

/// Compares, and prints the ratio; or why not.
pub(crate) fn compare(file: &str) -> Result<()> {
    println!(
        "\nReplay on a veth pair, beside tcpreplay --preload-pcap --topspeed: packets per second at the other end"
    );
    let Some(_pair) = Pair::new()? else { return Ok(()) };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let (by_us, by_them) = (perigee(file)?, tcpreplay(file)?);
        println!("  {turn}: perigee {by_us:>9.0}, tcpreplay {by_them:>9.0}, ratio {:.2}", by_us / by_them);
        ours.push(by_us);
        theirs.push(by_them);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!("  median: perigee {ours:.0}, tcpreplay {theirs:.0}, ratio {:.2} (1 or more: not slower)", ours / theirs);
    Ok(())
}

fn perigee(file: &str) -> Result<f64> {
    let text = format!(
        "[[port]]\nname = \"in\"\ndevice = \"file:{file},speed=max,loop=forever\"\n\
         [[port]]\nname = \"out\"\ndevice = \"net_af_packet0,iface={}\"\n\
         [[chain]]\nsource = {{ port = \"in\" }}\ntx = [\"out\"]\n",
        ENDS[0]
    );
    let config = Config::parse(&text, "benchmark").context("the benchmark's own configuration")?;
    let run = crate::lab::apart(|| Run::start(&config, Path::new(".")).context("the run does not start"))?;
    let rate = rate()?;
    let summary = run.stop();
    if !summary.accounting.balanced {
        bail!("packets are missing: {:?}", summary.accounting);
    }
    Ok(rate)
}

fn tcpreplay(file: &str) -> Result<f64> {
    let intf = format!("--intf1={}", ENDS[0]);
    let mut command = Command::new("tcpreplay");
    command.args(["--quiet", "--preload-pcap", "--topspeed", "--loop=100000000", &intf, file]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("tcpreplay does not start")?;
    let mut child = Ended(child);
    let rate = rate()?;
    if let Some(status) = child.0.try_wait()? {
        bail!("tcpreplay has ended before it was to: {status}");
    }
    Ok(rate)
}

/// A child that is ended with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Packets per second that come, once it is under way.
fn rate() -> Result<f64> {
    let received = || -> Result<f64> {
        let file = format!("/sys/class/net/{}/statistics/rx_packets", ENDS[1]);
        Ok(std::fs::read_to_string(file)?.trim().parse()?)
    };
    std::thread::sleep(BEGIN);
    let (begin, before) = (Instant::now(), received()?);
    std::thread::sleep(COUNTED);
    let (after, taken) = (received()?, begin.elapsed());
    Ok((after - before) / taken.as_secs_f64())
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

/// The pair of interfaces, until it is dropped.
struct Pair;

impl Pair {
    /// `None` where it cannot be, which is told.
    fn new() -> Result<Option<Self>> {
        let tried = Command::new("tcpreplay").arg("--version").output();
        if tried.is_err() {
            println!("  not run: tcpreplay is not there (apt-get install tcpreplay)");
            return Ok(None);
        }
        let _ = ip(&["link", "del", ENDS[0]]);
        if let Err(what) = ip(&["link", "add", ENDS[0], "type", "veth", "peer", "name", ENDS[1]]) {
            println!("  not run: a veth pair takes root ({what})");
            return Ok(None);
        }
        let pair = Self;
        for end in ENDS {
            // Without IPv6's own packets on it.
            let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
            ip(&["link", "set", end, "up"]).map_err(anyhow::Error::msg)?;
        }
        Ok(Some(pair))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = ip(&["link", "del", ENDS[0]]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
