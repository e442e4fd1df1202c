//! What a run was made of: read together at its beginning, when files can still be looked at, and finished at its end.

use crate::parts::{Parts, PlacedStream};
use perigee_config::{Config, allowed_cpus};
use perigee_core::clock::Clock;
use perigee_core::tsc;
use perigee_datapath::port::Port;
use perigee_evidence::wasmtime_version;
use perigee_machine as machine;
use perigee_report::{ClockQuality, MANIFEST_FORMAT, Machine, Manifest, ModuleFacts, PortFacts};

/// The machine, before the jail hides it.
pub(crate) fn machine() -> Machine {
    Machine { cpu: machine::cpu_name(), cpus: allowed_cpus().len(), kernel: machine::kernel_release() }
}

/// All of it.
pub(crate) fn of(parts: &Parts, machine: Machine, config: &Config) -> Manifest {
    let module = |module: &perigee_config::Module| {
        let loaded = parts.maker.loaded(&module.name).ok();
        ModuleFacts {
            name: module.name.clone(),
            file: module.file.clone(),
            origin: loaded.as_ref().map(|loaded| loaded.module.describe().origin.clone()).unwrap_or_default(),
            secrets: loaded.map(|loaded| loaded.secrets.digests()).unwrap_or_default(),
        }
    };
    let ports = parts.ports.iter().map(|port| port_facts(&**port));
    Manifest {
        format: MANIFEST_FORMAT,
        perigee: env!("CARGO_PKG_VERSION").to_owned(),
        abi: perigee_abi::ABI_VERSION,
        wasmtime: wasmtime_version().to_owned(),
        dpdk: perigee_dpdk::version(),
        machine,
        started_unix_ns: parts.clock.start_unix_ns(),
        seed: config.run.seed,
        clock: ClockQuality { tsc_hz: parts.clock.hz(), ..ClockQuality::default() },
        modules: config.modules.iter().map(module).collect(),
        ports: ports.collect(),
        streams: parts.streams.iter().map(PlacedStream::facts).collect(),
        config: None,
        command: Vec::new(),
    }
}

/// A port.
pub(crate) fn port_facts(port: &dyn Port) -> PortFacts {
    let stats = port.stats();
    let speed_mbps = port.info(false).speed_mbps;
    PortFacts { name: stats.name, device: stats.device, driver: stats.driver, speed_mbps }
}

/// How good the clock was, now that it has run for a while.
#[allow(clippy::cast_precision_loss, reason = "parts of a millionth of a rate")]
pub(crate) fn clock_quality(clock: &Clock) -> ClockQuality {
    let (told, found) = (clock.hz(), tsc::hz());
    let off_ppm = (found as f64 - told as f64) / told as f64 * 1e6;
    ClockQuality { tsc_hz: told, off_ppm: -off_ppm, unsure_ppm: tsc::unsure_ppm() }
}
