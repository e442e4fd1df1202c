//! What all measurements share: how a loop is configured, started, measured beside others, and accounted for.

use crate::quiet::{self, Figures, Floor, Plan, Samples, Side};
use crate::report::{self, Measurement, Moment};
use anyhow::{Context, Result, ensure};
use perigee_runtime::bench::{Loop, Target};
use perigee_runtime::config::Config;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

/// Stack of a measuring thread: a guest's and plenty for the host.
const STACK: usize = 8 << 20;
/// Rooms of a generator's pool, and of a port's. As much as the caches of the core hold anyway: hot, like the twin's.
const POOL: u32 = 2_047;

/// The laboratory.
pub(crate) struct Lab {
    pub(crate) root: PathBuf,
    pub(crate) cpu: u32,
    pub(crate) floor: Floor,
    pub(crate) plan: Plan,
    pub(crate) tsc_hz: u64,
    pub(crate) results: Vec<Measurement>,
    pub(crate) moments: Vec<Moment>,
    pub(crate) devices: u32,
    /// What EAL may use of ordinary memory: said by the first loop for all of them.
    pub(crate) eal_memory: &'static str,
    /// What is measured now, as results call it.
    pub(crate) part: &'static str,
}

/// A configuration, piece by piece: the text that a user would write.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    text: String,
    /// Names of the ports and rings so far: modules that come later are granted them.
    ports: Vec<String>,
    rings: Vec<String>,
    lcore: u32,
    /// Rooms of the ports and generators that come later.
    pool: u32,
    /// What modules that come later may have of memory.
    memory: &'static str,
    target: Target,
}

impl Setup {
    /// Says `burst` and `tick`.
    pub(crate) fn new(lab: &Lab, burst: u16, tick: &str) -> Self {
        let memory = lab.eal_memory;
        let text =
            format!("[run]\nburst = {burst}\ntick = \"{tick}\"\nwatchdog = \"30s\"\neal_memory = \"{memory}\"\n");
        let (ports, rings, memory) = (Vec::new(), Vec::new(), "256M");
        Self { text, ports, rings, lcore: lab.cpu, pool: POOL, memory, target: Target::Host }
    }

    /// Its modules are compiled to the same code on all machines of a kind.
    pub(crate) fn for_all_machines(self) -> Self {
        Self { target: Target::Common, ..self }
    }

    /// On another CPU.
    pub(crate) fn on(self, cpu: u32) -> Self {
        Self { lcore: cpu, ..self }
    }

    /// With so many rooms for what comes later.
    pub(crate) fn pool(self, rooms: u32) -> Self {
        Self { pool: rooms, ..self }
    }

    /// With so much memory for modules that come later, in place of what they have where nothing is said.
    pub(crate) fn memory(self, memory: &'static str) -> Self {
        Self { memory, ..self }
    }

    /// A port, called like its device. Its number is its place.
    pub(crate) fn port(self, device: &str) -> Self {
        self.port_with(device, "")
    }

    /// As [`Self::port`], with arguments for the driver, such as `,size=1500`.
    pub(crate) fn port_with(mut self, device: &str, arguments: &str) -> Self {
        let pool = self.pool;
        let _ = write!(self.text, "[[port]]\nname = \"{device}\"\ndevice = \"{device}{arguments}\"\npool = {pool}\n");
        self.ports.push(device.to_owned());
        self
    }

    /// A ring.
    pub(crate) fn ring(mut self, name: &str) -> Self {
        let _ = write!(self.text, "[[ring]]\nname = \"{name}\"\n");
        self.rings.push(name.to_owned());
        self
    }

    /// A module of the project.
    pub(crate) fn module(self, name: &str, config: &str) -> Self {
        let file = format!("target/modules/{}.wasm", name.split(':').next().unwrap_or(name));
        self.file(name, &file, config)
    }

    /// A module of the benchmark, in text.
    pub(crate) fn own_module(self, name: &str) -> Self {
        let file = format!("benches/modules/{name}.wat");
        self.file(name, &file, "")
    }

    /// A module of the benchmark, in text, called `name`, in a trust domain, with more grants than the usual ones.
    pub(crate) fn granted(mut self, name: &str, module: &str, domain: &str, grants: &str) -> Self {
        let _ = write!(self.text, "[[module]]\nname = \"{name}\"\nfile = \"benches/modules/{module}.wat\"\n");
        let _ = writeln!(self.text, "domain = \"{domain}\"\ngrants = {{ deadline = \"10s\", {grants} }}");
        self
    }

    fn file(mut self, name: &str, file: &str, config: &str) -> Self {
        let _ = write!(self.text, "[[module]]\nname = \"{name}\"\nfile = \"{file}\"\n");
        let (ports, rings, memory) = (&self.ports, &self.rings, self.memory);
        let _ = writeln!(
            self.text,
            "grants = {{ memory = \"{memory}\", tx = {ports:?}, rings = {rings:?}, deadline = \"10s\", hostcalls = [\"log\", \"counter\"] }}"
        );
        if !config.is_empty() {
            let _ = writeln!(self.text, "config = {config}");
        }
        self
    }

    /// A chain that starts with a generator.
    pub(crate) fn generate(self, module: &str, stages: &[&str], tx: &str) -> Self {
        self.chain(&format!("module = \"{module}\", pool = {POOL}"), stages, tx)
    }

    /// Paces a chain, by the keys of a stream.
    pub(crate) fn stream(mut self, chain: &str, keys: &str) -> Self {
        let _ = writeln!(self.text, "[[stream]]\nname = \"{chain}\"\nchain = \"{chain}\"\nlate_after = \"1h\"\n{keys}");
        self
    }

    /// A chain that starts with a port.
    pub(crate) fn receive(self, port: &str, stages: &[&str]) -> Self {
        self.chain(&format!("port = \"{port}\""), stages, port)
    }

    /// A chain that hands a port's packets to another one.
    pub(crate) fn forward(self, port: &str, tx: &str) -> Self {
        self.chain(&format!("port = \"{port}\""), &[], tx)
    }

    /// Two ports that lead to themselves, a module between them, and a chain without one that is never polled: so that both
    /// ports have queues for both directions, for who makes the packets and who counts them. `config` are a module's lines.
    pub(crate) fn between(self, ports: [&str; 2], module: &str, config: &str) -> Self {
        let mut on = self.port(ports[0]).port(ports[1]);
        let granted = &on.ports;
        let _ = writeln!(
            on.text,
            "[[module]]\nname = \"{module}\"\nfile = \"target/modules/{module}.wasm\"\n\
             grants = {{ tx = {granted:?}, create = true, hold = 256, hold_age = \"5s\", deadline = \"10s\", \
             control_deadline = \"10s\", hostcalls = [\"log\", \"counter\", \"time\"] }}\n[module.config]\n{config}"
        );
        let lcore = on.lcore;
        let _ = writeln!(on.text, "[[chain]]\nlcores = [{lcore}]\nsource = {{ port = \"{}\" }}", ports[0]);
        let _ = writeln!(on.text, "stages = [\"{module}\"]\ntx = [\"{}\", \"{}\"]", ports[1], ports[0]);
        on.forward(ports[1], ports[1])
    }

    /// A chain that plays a file into another port.
    pub(crate) fn play(mut self, name: &str, device: &str, tx: &str) -> Self {
        let _ = write!(self.text, "[[port]]\nname = \"{name}\"\ndevice = \"{device}\"\npool = {POOL}\n");
        self.chain(&format!("port = \"{name}\""), &[], tx)
    }

    /// A chain that starts with a ring and hands its packets to a port.
    pub(crate) fn behind_ring(self, ring: &str, tx: &str) -> Self {
        self.chain(&format!("ring = \"{ring}\""), &[], tx)
    }

    fn chain(mut self, source: &str, stages: &[&str], tx: &str) -> Self {
        let _ = writeln!(self.text, "[[chain]]\nlcores = [{}]\nsource = {{ {source} }}", self.lcore);
        let _ = writeln!(self.text, "stages = {stages:?}\ntx = [\"{tx}\"]");
        self
    }

    /// Starts it on the calling thread.
    pub(crate) fn start(&self, root: &Path) -> Result<Loop> {
        let config = Config::parse(&self.text, "benchmark").context("the benchmark's own configuration")?;
        Loop::start(&config, root, self.target).context("the benchmark's loop does not start")
    }
}

impl Lab {
    /// A name for a virtual device, another one each time: DPDK keeps the rings of a net_ring that was closed, and complains
    /// when it finds them again.
    pub(crate) fn new_device(&mut self, driver: &str) -> String {
        self.devices += 1;
        format!("{driver}{}", self.devices)
    }

    /// Measures something in as many starts as planned, each on a thread of its own.
    pub(crate) fn measure(&mut self, one: impl Fn(&mut Self) -> Result<Vec<Samples>> + Sync) -> Result<Vec<Figures>> {
        let mut starts = Vec::new();
        for _ in 0..self.plan.starts {
            starts.push(apart(|| one(self))?);
        }
        Ok(quiet::figures(starts))
    }

    /// Lets sides take turns on one loop.
    pub(crate) fn compare(&self, on: &mut Loop, mut sides: Vec<Side<'_, Loop>>) -> Result<Vec<Samples>> {
        quiet::interleave(on, &mut sides, self.floor, self.plan)
    }

    /// Keeps a result and shows it.
    pub(crate) fn add(&mut self, measurement: Measurement) {
        let measurement = Measurement { part: self.part, ..measurement };
        println!("{}", report::line(&measurement));
        self.results.push(measurement);
    }

    /// Ends a loop: each packet is accounted for, and each pool has its packets back.
    pub(crate) fn finish(&mut self, on: Loop) -> Result<()> {
        self.tsc_hz = on.tsc_hz();
        settle(on)
    }
}

/// As [`Lab::finish`].
pub(crate) fn settle(on: Loop) -> Result<()> {
    let (accounting, pools) = on.finish();
    ensure!(accounting.balanced && accounting.held == 0, "packets are missing: {accounting:?}");
    let lacking: Vec<_> = pools.iter().filter(|pool| !pool.full).collect();
    ensure!(lacking.is_empty(), "packets did not come back: {lacking:?}");
    Ok(())
}

/// Does something on a thread of its own. A loop pins its thread, and what is started from there later inherits that: the
/// ticker of the next loop would share the measured core.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("bench".to_owned()).stack_size(STACK).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
