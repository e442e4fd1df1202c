//! DPDK's testpmd on virtual ports of its own, in a process of its own, in turns with the same work here: packets of a window of time,
//! by testpmd's statistics, and by the loop's. Nothing says whether the core was quiet then: both figures are of busy ones.

use super::{BURST, CASES};
use crate::ffi::{self, Twin};
use crate::lab::{Lab, Setup, apart};
use crate::machine::Machine;
use crate::quiet::Figures;
use crate::report::{self, Measurement};
use anyhow::{Context, Result, bail, ensure};
use perigee_core::clock::cycles as now;
use perigee_runtime::bench::Loop;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = "dpdk-testpmd";
/// Packets that circle in a ring port: what `start tx_first 8` makes.
const IN_RING: u32 = 8 * BURST as u32;

/// Windows for which it is waited until it has sent something.
const WINDOWS: u32 = 25;

/// What it does, on which port, and what of ours does the same.
struct Mode {
    name: &'static str,
    driver: &'static str,
    ours: Option<Work>,
}

/// A work of ours: as it is called in results.
type Work = (&'static str, Module);

/// What does it.
#[derive(Clone, Copy)]
enum Module {
    /// A generator: the case of this name.
    Case,
    /// A module that gets packets from the port and sends them back, and its configuration.
    Back(&'static str, &'static str),
}

const MAC_SWAP: Work = ("mac-swap", Module::Back("reflector", ""));
const CSUM: Work = ("csum", Module::Back("testpmd-modes", "{ mode = \"csum\" }"));
const FIVE_TUPLE: Work = ("5tswap", Module::Back("testpmd-modes", "{ mode = \"5tswap\" }"));

const MODES: [Mode; 9] = [
    Mode { name: "io", driver: "net_null", ours: None },
    Mode { name: "macswap", driver: "net_null", ours: Some(MAC_SWAP) },
    Mode { name: "txonly", driver: "net_null", ours: Some(("template", Module::Case)) },
    Mode { name: "5tswap", driver: "net_null", ours: Some(FIVE_TUPLE) },
    Mode { name: "csum", driver: "net_null", ours: Some(CSUM) },
    Mode { name: "io", driver: "net_ring", ours: None },
    Mode { name: "macswap", driver: "net_ring", ours: Some(MAC_SWAP) },
    Mode { name: "5tswap", driver: "net_ring", ours: Some(FIVE_TUPLE) },
    Mode { name: "csum", driver: "net_ring", ours: Some(CSUM) },
];

/// With huge pages, on net_ring, that many cycles above testpmd are allowed: both then are at what the ring itself takes.
const NEAR_THE_RING: f64 = 4.0;

impl Mode {
    /// At most so many cycles more than testpmd.
    fn more(&self, huge_pages: bool) -> f64 {
        if huge_pages && self.driver == "net_ring" { NEAR_THE_RING } else { 0.0 }
    }
}

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("DPDK's testpmd, in turns: cycles per packet of windows of time (busy or not)"));
    if Command::new(PROGRAM).arg("--version").output().is_err() {
        println!("{PROGRAM} is not here, so its rows are missing (apt-get install dpdk-dev)");
        return Ok(());
    }
    let huge_pages = Machine::look().huge_pages;
    let (turns, window) = if quick { (1, Duration::from_millis(100)) } else { (5, Duration::from_millis(400)) };
    for mode in &MODES {
        let (ours, theirs) = apart(|| compare(lab, mode, huge_pages, (turns, window)))?;
        let (work, variant) = (mode.ours.map_or("-", |(work, _)| work), format!("testpmd {}", mode.name));
        let theirs = Figures::of_windows(theirs);
        if let Some(ours) = ours {
            let row =
                Measurement::new((work, mode.driver, BURST, &format!("module : {variant}")), Figures::of_windows(ours));
            lab.add(row.beside(theirs).twin_in("testpmd").aim(1.0, mode.more(huge_pages)));
        } else {
            lab.add(Measurement::new((work, mode.driver, BURST, &variant), theirs));
        }
    }
    Ok(())
}

/// In turns: ours, theirs. Ours only where there is such a work.
fn compare(
    lab: &mut Lab,
    mode: &Mode,
    huge_pages: bool,
    (turns, window): (u32, Duration),
) -> Result<(Option<Vec<f64>>, Vec<f64>)> {
    let mut testpmd = Testpmd::start(lab.cpu, mode, huge_pages)?;
    let mut ours = mode.ours.map(|work| Ours::start(lab, work, mode.driver)).transpose()?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        if let Some(ours) = &mut ours {
            own.push(ours.window(window));
        }
        others.push(testpmd.window(window)?);
    }
    testpmd.end()?;
    let own = ours.map(|ours| ours.finish(lab).map(|()| own)).transpose()?;
    Ok((own, others))
}

/// The same work here.
struct Ours {
    on: Loop,
    twin: Twin,
    circles: bool,
}

impl Ours {
    fn start(lab: &mut Lab, (work, module): Work, driver: &str) -> Result<Self> {
        let setup = match module {
            Module::Case => CASES.iter().find(|case| case.name == work).context("no such work")?.setup(lab),
            Module::Back(module, config) => {
                let device = lab.new_device(driver);
                Setup::new(lab, BURST, "1ms").port(&device).module(module, config).receive(&device, &[module])
            }
        };
        let (mut on, mut twin) = (setup.start(&lab.root)?, Twin::new(ffi::Work::MacSwap, BURST, 0));
        let circles = driver == "net_ring";
        if circles {
            twin.fill(&mut on, IN_RING)?;
        }
        Ok(Self { on, twin, circles })
    }

    fn window(&mut self, window: Duration) -> f64 {
        let (start, from, mut packets) = (Instant::now(), now(), 0);
        while start.elapsed() < window {
            packets += (0..64).map(|_| self.on.poll(0)).sum::<usize>();
        }
        (now() - from) as f64 / packets.max(1) as f64
    }

    fn finish(mut self, lab: &mut Lab) -> Result<()> {
        let left = if self.circles { self.twin.drain(&mut self.on) } else { 0 };
        ensure!(!self.circles || left == u64::from(IN_RING), "{left} of {IN_RING} packets are still in the ring port");
        lab.finish(self.on)
    }
}

/// A testpmd that takes commands.
struct Testpmd {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    begin: &'static str,
}

impl Testpmd {
    fn start(cpu: u32, mode: &Mode, huge_pages: bool) -> Result<Self> {
        let allowed = perigee_runtime::config::allowed_cpus();
        let other = *allowed.iter().find(|other| **other != cpu).unwrap_or(&cpu);
        ensure!(other != cpu, "testpmd needs a CPU beside the measured one");
        // What it prints goes to a pipe line by line, and not when there is much of it.
        let (mut command, device) = (Command::new("taskset"), format!("{}0", mode.driver));
        command.args(["-c", &format!("{other},{cpu}"), "stdbuf", "-oL", PROGRAM, "-m", "256", "--no-pci"]);
        // As Perigee itself: huge pages where there are some.
        command.args(if huge_pages { &["--in-memory"][..] } else { &["--no-huge", "--no-shconf"] });
        command.args(["--no-telemetry", "-l", &format!("{other},{cpu}"), "--main-lcore", &other.to_string()]);
        command.args(["--log-level=error", "--vdev", &device, "--", "-i", "--nb-cores=1", "--burst=64"]);
        command.args(["--total-num-mbufs=4096", "--txpkts=60", &format!("--forward-mode={}", mode.name)]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (input, output) = (child.stdin.take().context("no stdin")?, child.stdout.take().context("no stdout")?);
        // What was on its way at the last stop is thrown away at a start: packets circle anew each time.
        let begin = if mode.driver == "net_ring" { "start tx_first 8" } else { "start" };
        let mut testpmd = Self { child, input, output, begin };
        testpmd.until_prompt().with_context(|| format!("testpmd, mode {}", mode.name))?;
        if mode.name == "csum" {
            for command in ["port stop 0", "csum set ip sw 0", "csum set udp sw 0", "port start 0"] {
                testpmd.say(command)?;
            }
        }
        Ok(testpmd)
    }

    /// Cycles per packet of a window.
    fn window(&mut self, window: Duration) -> Result<f64> {
        self.say(self.begin)?;
        thread::sleep(window / 8);
        let (from, before) = (now(), self.sent()?);
        let (mut to, mut after) = (from, before);
        // On a machine that is busy its lcore may have had no time at all.
        for _ in 0..WINDOWS {
            thread::sleep(window);
            (to, after) = (now(), self.sent()?);
            if after > before {
                break;
            }
        }
        let ended = self.say("stop")?;
        ensure!(after > before, "testpmd sent nothing:\n{ended}");
        ensure!(balanced(&ended), "testpmd lost packets:\n{ended}");
        Ok((to - from) as f64 / (after - before) as f64)
    }

    /// Packets that its port has sent so far.
    fn sent(&mut self) -> Result<u64> {
        let text = self.say("show port stats 0")?;
        number(&text, "TX-packets:").with_context(|| format!("testpmd's statistics:\n{text}"))
    }

    fn say(&mut self, command: &str) -> Result<String> {
        writeln!(self.input, "{command}")?;
        self.input.flush()?;
        self.until_prompt()
    }

    /// What it prints until it waits for a command.
    fn until_prompt(&mut self) -> Result<String> {
        let (mut text, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            let n = self.output.read(&mut bytes)?;
            if n == 0 {
                bail!("it ended:\n{}", String::from_utf8_lossy(&text));
            }
            text.extend_from_slice(&bytes[..n]);
            if text.ends_with(b"testpmd> ") {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }

    fn end(mut self) -> Result<()> {
        writeln!(self.input, "quit")?;
        let _ = self.until_prompt();
        let status = self.child.wait()?;
        ensure!(status.success(), "testpmd ended with {status}");
        Ok(())
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number behind a word.
fn number(text: &str, word: &str) -> Option<u64> {
    let rest = &text[text.find(word)? + word.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

/// Of what `stop` tells: what came was sent or dropped.
fn balanced(text: &str) -> bool {
    let (Some(rx), Some(tx), Some(dropped)) =
        (number(text, "RX-packets:"), number(text, "TX-packets:"), number(text, "TX-dropped:"))
    else {
        return false;
    };
    rx == 0 || rx <= tx + dropped
}

#[cfg(test)]
mod test {
    use super::*;

    const STOP: &str = "  ---- Forward statistics for port 0 ----\n  RX-packets: 640  RX-dropped: 0  RX-total: 640\n  \
                        TX-packets: 640  TX-dropped: 0  TX-total: 640\n";

    #[test]
    fn what_testpmd_prints_is_read() {
        assert_eq!((number(STOP, "TX-packets:"), number(STOP, "TX-errors:")), (Some(640), None));
        assert!(balanced(STOP) && !balanced(&STOP.replacen("TX-packets: 640", "TX-packets: 639", 1)));
    }
}
