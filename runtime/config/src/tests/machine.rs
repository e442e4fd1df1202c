//! What depends on the machine: CPUs and files; and configurations that are built in code.

use super::super::*;
use super::{GOOD, refused_with};
use std::fs;

#[test]
fn lcores_are_there() {
    let check = |lcores: &str, cpus: &[u32], expected: &[&str]| {
        let config =
            Config::parse(&GOOD.replace("name = \"load\"", &format!("name = \"load\"\nlcores = {lcores}")), "x")
                .unwrap();
        let found: Vec<String> = config.validate_cpus(cpus).iter().map(Problem::to_string).collect();
        assert_eq!(found, expected);
    };
    check("[0, 1]", &[0, 1], &[]);
    check("[0, 5]", &[0, 1], &["chain \"load\": there is no lcore 5; this process may use 2 CPUs (0-1)"]);
    check("[0, 1, 2]", &[0, 1], &["chain \"load\": wants 3 lcores; this process may use 2 CPUs (0-1)"]);
    check("[1]", &[0], &["chain \"load\": there is no lcore 1; this process may use 1 CPU (0)"]);
    check("[9]", &[], &[]);
    refused_with(
        "name = \"load\"",
        "name = \"load\"\nlcores = [0, 0]",
        &[
            "perigee.toml:20: chain \"load\": lcore 0 is named twice; each of a chain's workers has its own lcore; other chains may share it",
        ],
    );
}

#[test]
fn chains_spread_over_the_cpus() {
    let place = |lcores: [&[u32]; 4], cpus: &[u32]| {
        let mut config = Config::forward("m", "net_null0", "net_null1");
        config.chains = lcores.map(|lcores| Chain { lcores: lcores.to_vec(), ..config.chains[0].clone() }).to_vec();
        config.placement(cpus).iter().map(|placed| (placed.chain, placed.lcore)).collect::<Vec<_>>()
    };
    assert_eq!(place([&[], &[], &[], &[]], &[0, 1]), [(0, 0), (1, 1), (2, 0), (3, 1)]);
    assert_eq!(place([&[], &[0], &[], &[]], &[0, 1, 2]), [(0, 1), (1, 0), (2, 2), (3, 0)]);
    assert_eq!(place([&[4, 2], &[], &[], &[]], &[2, 3, 4]), [(0, 4), (0, 2), (1, 3), (2, 2), (3, 3)]);
    assert_eq!(place([&[], &[], &[], &[]], &[]), [(0, 0), (1, 0), (2, 0), (3, 0)]);
}

#[test]
fn workers_read_following_queues() {
    let mut config = Config::forward("m", "net_null0", "net_null1");
    config.chains[0].lcores = vec![1, 0];
    config.chains[0].source = Source::Port { port: "a".to_owned(), queue: 3 };
    let queues: Vec<_> = config.placement(&[0, 1]).iter().map(|placed| (placed.worker, placed.queue)).collect();
    assert_eq!(queues, [(0, Some(3)), (1, Some(4)), (0, Some(0))]);
}

#[test]
fn cpu_lists_are_the_kernels() {
    assert_eq!(placement::parse_cpu_list("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
    assert_eq!(placement::write_cpu_list(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    let allowed = allowed_cpus();
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let online = placement::parse_cpu_list(online.trim());
    assert!(!allowed.is_empty() && allowed.iter().all(|cpu| online.contains(cpu)), "{allowed:?} of {online:?}");
}

#[test]
fn files_are_there() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("gen.wasm"), "").unwrap();
    fs::create_dir(directory.path().join("count.wat")).unwrap();
    let text = GOOD.replace("net_null0", "net_pcap0,rx_pcap=/no/such.pcap");
    let config = Config::parse(&text, "x").unwrap();
    let found: Vec<String> = config.validate_files(directory.path()).iter().map(Problem::to_string).collect();
    let at = directory.path().display();
    assert_eq!(found, [
        format!("module \"count\": file \"count.wat\" is not a file; looked for {at}/count.wat"),
        "port \"a\": capture \"/no/such.pcap\" does not exist; DPDK takes such a path from the working directory, not from the configuration's".to_owned(),
    ]);
    let config = Config::generate("no.wasm", "net_null0");
    let found = config.validate_files(directory.path());
    assert_eq!(
        found[0].to_string(),
        format!("module \"no\": file \"no.wasm\" does not exist; looked for {at}/no.wasm")
    );
}

#[test]
fn short_forms_are_valid() {
    for config in [Config::generate("m", "net_null0"), Config::forward("m", "net_null0", "net_null1")] {
        assert_eq!(config.validate(), []);
    }
    let problems = Config::forward("m", "net_null0", "net_null0").validate();
    assert!(problems[0].to_string().starts_with("port \"b\": device \"net_null0\" is port \"a\" already"));
}
