//! Runs of the binary under test.

use super::{Job, Lab, Namespace, Summary, cpus, ipv4, ipv6};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where `cargo xtask build-modules` puts the modules.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/modules");
/// What it says when its ports and lcores work.
const RUNNING: &str = "running";
/// Longest time that a run may take to stop after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A running `perigee run`. Where it is dropped because a test fails, it tells what it has seen.
pub(crate) struct Perigee {
    /// `None` once it was waited for.
    job: Option<Job>,
    json: PathBuf,
}

impl Lab {
    /// A `[[module]]` entry for one of the shipped modules, under its own name, with `config` as its configuration; it may
    /// send to the ports `tx`.
    pub(crate) fn module(&self, name: &str, config: &str, tx: &[&str]) -> String {
        let file = self.reachable(&Path::new(MODULES).join(format!("{name}.wasm")));
        format!(
            "[[module]]\nname = \"{name}\"\nfile = \"{}\"\nconfig = {config}\n\
             grants = {{ tx = {tx:?}, hostcalls = [\"log\", \"counter\"] }}\n",
            file.display()
        )
    }
}

/// The configuration of a `responder` on the port "a", given by its `[[port]]` entry: it has the addresses of number 1 in
/// the lab's networks.
pub(crate) fn responder(lab: &Lab, port: &str) -> String {
    let module = lab.module("responder", &format!("{{ addresses = [\"{}\", \"{}\"] }}", ipv4(1), ipv6(1)), &["a"]);
    let lcore = cpus()[0];
    format!(
        "{port}{module}[[chain]]\nname = \"answers\"\nlcores = [{lcore}]\nsource = {{ port = \"a\" }}\n\
         stages = [\"responder\"]\ntx = [\"a\"]\n"
    )
}

/// The configuration of a forwarder between the ports "a" and "b", given by their `[[port]]` entries and the module's:
/// chain "there" goes from a to b, chain "back" from b to a, on these lcores.
pub(crate) fn forwarder(ports: &str, module: &str, stage: &str, lcores: [usize; 2]) -> String {
    let chain = |name: &str, from: &str, to: &str, lcore: usize| {
        format!(
            "[[chain]]\nname = \"{name}\"\nlcores = [{lcore}]\nsource = {{ port = \"{from}\" }}\n\
             stages = [\"{stage}\"]\ntx = [\"{to}\"]\n"
        )
    };
    format!("{ports}{module}{}{}", chain("there", "a", "b", lcores[0]), chain("back", "b", "a", lcores[1]))
}

impl Perigee {
    /// Starts `perigee run` in that namespace with that configuration. `name` tells the runs of a test apart.
    pub(crate) fn start(host: &Namespace<'_>, name: &str, config: &str) -> Self {
        let lab = host.lab();
        let file = lab.write(&format!("{name}.toml"), config.as_bytes());
        let json = lab.path(&format!("{name}.json"));
        let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
        let mut command = host.command(&binary.to_string_lossy());
        command.args(["--log", "info", "run"]).arg(file).arg("--json").arg(&json);
        Self { job: Some(host.start_command(command)), json }
    }

    /// Waits until its ports and lcores work.
    pub(crate) fn wait_until_running(&mut self) {
        self.job().wait_for_output(RUNNING);
    }

    /// Sends it a signal ("INT", "TERM"), waits until it has ended, and checks its summary.
    pub(crate) fn stop(mut self, signal: &str) -> Summary {
        self.job().signal(signal);
        self.finish(STOP_LIMIT)
    }

    /// Waits until it ends by itself, and checks its summary.
    pub(crate) fn finish(mut self, limit: Duration) -> Summary {
        let finished = self.job.take().expect("a run is waited for once").wait(limit);
        let written = format!("{}{}", finished.out, finished.err);
        assert_eq!(finished.status.code(), Some(0), "perigee's exit code; it wrote:\n{written}");
        let text = std::fs::read_to_string(&self.json);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}; perigee wrote:\n{written}", self.json.display()));
        Summary::checked(&text)
    }

    fn job(&mut self) -> &mut Job {
        self.job.as_mut().expect("a run that was not waited for yet")
    }
}

impl Drop for Perigee {
    fn drop(&mut self) {
        let Some(mut job) = self.job.take() else { return };
        // The summary is of interest only where something went wrong, and somebody is there to write it.
        if !std::thread::panicking() || !job.is_running() {
            return;
        }
        job.signal("INT");
        let deadline = Instant::now() + STOP_LIMIT;
        while job.is_running() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        eprintln!("a test failed while perigee was running; it wrote:\n{}", job.output_so_far());
        eprintln!("its summary:\n{}", std::fs::read_to_string(&self.json).unwrap_or_default());
    }
}
