//! A host program of one's own: a configuration built in code, a run, its counters, its summary. See README.md.

use perigee_runtime::config::Hostcall;
use perigee_runtime::config::{Chain, Config, Module, Port, Source};
use perigee_runtime::{Run, Snapshot};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Where the modules are: `./x build-modules` puts them into target/modules.
    let modules = std::env::args().nth(1).unwrap_or_else(|| "target/modules".to_owned());

    // Everything that is wrong is told here at once; `Run::start` would refuse it as well.
    let config = configuration();
    for problem in config.problems(Path::new(&modules)) {
        eprintln!("{}: {problem}", problem.path);
    }

    let run = Run::start(&config, Path::new(&modules))?;
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(250));
        show(&run.snapshot());
    }

    // Drains the chains, closes the ports and counts what came back to the pools.
    let summary = run.stop();
    let all = &summary.accounting;
    let dropped: u64 = all.dropped.values().sum();
    println!(
        "received {} + created {} = sent {} + dropped {dropped} + held {}",
        all.received, all.created, all.sent, all.held
    );

    let failed = summary.snapshot.modules.iter().any(|module| module.failed.is_some());
    let pools_full = summary.pools.iter().all(|pool| pool.full);
    Ok(if all.balanced && pools_full && !failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A generator that sends into a ring of DPDK's, and a module that takes the packets out again and passes them to a port
/// that forgets them.
fn configuration() -> Config {
    let mut load = Chain::new("load", Source::Module { module: "udp-gen".to_owned(), pool: None });
    load.tx.push("wire".to_owned());
    let mut count = Chain::new("count", Source::Port { port: "wire".to_owned(), queue: 0 });
    count.stages.push("counter".to_owned());
    count.tx.push("sink".to_owned());
    Config {
        ports: vec![Port::new("wire", "net_ring0"), Port::new("sink", "net_null0")],
        modules: vec![counting("udp-gen"), counting("counter")],
        chains: vec![load, count],
        ..Config::default()
    }
}

/// A module that may have counters and write log lines, beside dropping packets and passing them on.
fn counting(name: &str) -> Module {
    let mut module = Module::new(name, &format!("{name}.wasm"));
    module.grants.hostcalls = vec![Hostcall::Counter, Hostcall::Log];
    module
}

/// A line for each chain, and one for each module with what it counted.
fn show(now: &Snapshot) {
    let milliseconds = now.elapsed_ns / 1_000_000;
    for chain in &now.chains {
        let cycles = chain.cycles_per_packet.unwrap_or(0.0);
        println!(
            "{milliseconds:5} ms  {:5} on lcore {}: sent {}, dropped {}, {cycles:.1} cycles per packet",
            chain.name,
            chain.lcore,
            chain.sent,
            chain.dropped_total()
        );
    }
    for module in &now.modules {
        let counted: Vec<_> = module.counters.iter().filter(|(_, value)| **value != 0).collect();
        println!("{milliseconds:5} ms  {} counts {counted:?}", module.name);
    }
}
