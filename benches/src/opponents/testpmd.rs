//! DPDK's testpmd on virtual ports of its own, in a process of its own, in turns with the same work here: packets of a window of time,
//! by testpmd's statistics, and by the loop's. Nothing says whether the core was quiet then: both figures are of busy ones.

use super::{BURST, CASES};
use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup, apart};
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
    ours: Option<&'static str>,
    /// At most so many cycles more than testpmd.
    more: f64,
}

const MODES: [Mode; 8] = [
    Mode { name: "io", driver: "net_null", ours: None, more: 0.0 },
    Mode { name: "macswap", driver: "net_null", ours: Some("mac-swap"), more: 0.0 },
    Mode { name: "txonly", driver: "net_null", ours: Some("template"), more: 0.0 },
    Mode { name: "5tswap", driver: "net_null", ours: None, more: 0.0 },
    Mode { name: "csum", driver: "net_null", ours: None, more: 0.0 },
    Mode { name: "io", driver: "net_ring", ours: None, more: 0.0 },
    Mode { name: "macswap", driver: "net_ring", ours: Some("mac-swap"), more: 0.0 },
    Mode { name: "5tswap", driver: "net_ring", ours: None, more: 0.0 },
];

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("DPDK's testpmd, in turns: cycles per packet of windows of time (busy or not)"));
    if Command::new(PROGRAM).arg("--version").output().is_err() {
        println!("{PROGRAM} is not here, so its rows are missing (apt-get install dpdk-dev)");
        return Ok(());
    }
    let (turns, window) = if quick { (1, Duration::from_millis(100)) } else { (5, Duration::from_millis(400)) };
    for mode in &MODES {
        let (ours, theirs) = apart(|| compare(lab, mode, turns, window))?;
        let (work, variant) = (mode.ours.unwrap_or("-"), format!("testpmd {}", mode.name));
        let theirs = Figures::of_windows(theirs);
        if let Some(ours) = ours {
            let row =
                Measurement::new((work, mode.driver, BURST, &format!("module : {variant}")), Figures::of_windows(ours));
            lab.add(row.beside(theirs).twin_in("testpmd").aim(1.0, mode.more));
        } else {
            lab.add(Measurement::new((work, mode.driver, BURST, &variant), theirs));
        }
    }
    Ok(())
}

/// In turns: ours, theirs. Ours only where there is such a work.
fn compare(lab: &mut Lab, mode: &Mode, turns: u32, window: Duration) -> Result<(Option<Vec<f64>>, Vec<f64>)> {
    let mut testpmd = Testpmd::start(lab.cpu, mode)?;
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
    fn start(lab: &mut Lab, work: &str, driver: &str) -> Result<Self> {
        let case = CASES.iter().find(|case| case.name == work).context("no such work")?;
        let circles = driver == "net_ring";
        let setup = if circles {
            let device = lab.new_device(driver);
            Setup::new(lab, BURST, "1ms").port(&device).module("reflector", "").receive(&device, &["reflector"])
        } else {
            case.setup(lab)
        };
        let (mut on, mut twin) = (setup.start(&lab.root)?, Twin::new(Work::MacSwap, BURST, 0));
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
    fn start(cpu: u32, mode: &Mode) -> Result<Self> {
        let allowed = perigee_runtime::config::allowed_cpus();
        let other = *allowed.iter().find(|other| **other != cpu).unwrap_or(&cpu);
        ensure!(other != cpu, "testpmd needs a CPU beside the measured one");
        // What it prints goes to a pipe line by line, and not when there is much of it.
        let (mut command, device) = (Command::new("taskset"), format!("{}0", mode.driver));
        command.args([
            "-c",
            &format!("{other},{cpu}"),
            "stdbuf",
            "-oL",
            PROGRAM,
            "--no-huge",
            "-m",
            "256",
            "--no-pci",
            "--no-shconf",
        ]);
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
