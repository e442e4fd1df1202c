//! How many rooms pools get that the configuration does not size.

use super::super::*;

/// A generator that sends to this port, or a chain that reads from it, or both.
fn config(device: &str, sends: usize, reads: usize) -> Config {
    let mut config = Config::generate("gen.wasm", device);
    let (generator, module) = (config.chains[0].clone(), config.modules[0].name.clone());
    config.chains.clear();
    if sends > 0 {
        config.chains.push(Chain { lcores: (0..u32::try_from(sends).unwrap()).collect(), ..generator });
    }
    if reads > 0 {
        let mut chain = Chain::new("reads", Source::Port { port: "out".to_owned(), queue: 0 });
        chain.lcores = (0..u32::try_from(reads).unwrap()).collect();
        chain.stages.push(module);
        config.chains.push(chain);
    }
    config
}

/// Drivers, with the rooms that each of their rx queues takes at the start, and the packets that each tx queue keeps, with
/// descriptors by default.
const DRIVERS: [(&str, u32, u32); 9] = [
    ("net_null0", 0, 0),
    ("net_ring0", 0, 1_024),
    ("net_pcap0,tx_pcap=x,rx_pcap=x", 0, 0),
    ("net_tap0", 1_023, 0),
    ("net_af_packet0,iface=x", 0, 0),
    ("net_af_xdp0,iface=x", 0, 0),
    ("net_memif0", 0, 0),
    ("net_memif0,zero-copy=yes,rsize=12", 4_096, 4_096),
    ("0000:01:00.0", 1_024, 1_024),
];

#[test]
fn pools_hold_what_queues_keep() {
    for (device, rx, tx) in DRIVERS {
        for (sends, reads) in [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (2, 2)] {
            for per_lcore in [1, 4] {
                let mut config = config(device, sends, reads);
                config.ports[0].tx_queues_per_lcore = per_lcore;
                let of_readers = u32::try_from(reads).unwrap() * u32::from(per_lcore) * tx;
                let queues = u32::try_from(reads.max(1)).unwrap();
                assert!(config.port_pool(0) >= queues * rx + of_readers + 2 * 64, "{device} {sends} {reads}");
                if sends > 0 {
                    assert!(config.generator_pool(0) >= u32::from(per_lcore) * tx + 2 * 64, "{device}");
                }
            }
        }
    }
}

#[test]
fn defaults_are_modest() {
    let pools = |device: &str| {
        let (send, read) = (config(device, 1, 0), config(device, 0, 1));
        (send.port_pool(0), send.generator_pool(0), read.port_pool(0), send.copies_pool())
    };
    assert_eq!(pools("net_null0"), (511, 2_047, 4_095, 2_047));
    assert_eq!(pools("net_tap0"), (2_047, 2_047, 4_095, 2_047));
    assert_eq!(pools("0000:01:00.0"), (2_047, 2_047, 4_095, 2_047));
    let own = |device: &str| config(device, 1, 0).own_pool(0);
    assert_eq!((own("net_null0"), own("net_af_xdp0,iface=x")), (None, Some(8_191)));
}

#[test]
fn queues_in_pairs_count_twice() {
    // As many rx queues as lcores send.
    assert_eq!(config("net_tap0", 4, 0).port_pool(0), 8_191);
    assert_eq!(config("net_null0", 4, 0).port_pool(0), 511);
}

#[test]
fn packets_are_followed_to_where_they_stay() {
    let mut config = config("0000:01:00.0", 0, 1);
    config.ports[0].tx_descriptors = 8_192;
    config.ports.push(Port::new("near", "net_null0"));
    config.modules[0].grants.rings.push("r".to_owned());
    config.rings.push(Ring { name: "r".to_owned(), size: 1_024, backpressure: None });
    config.chains[0].tx = vec!["near".to_owned()];
    assert_eq!(config.port_pool(0), 4_095, "what goes to a port that copies comes back at once");
    let mut behind = Chain::new("behind", Source::Ring { ring: "r".to_owned() });
    behind.tx.push("out".to_owned());
    config.chains.push(behind);
    assert_eq!(config.port_pool(0), 16_383, "behind the ring waits a card with 8,192 descriptors");
    config.modules[0].grants.rings.clear();
    assert_eq!(config.port_pool(0), 4_095);
    // A ring of DPDK's leads on like one of ours.
    config.ports[1] = Port::new("near", "net_ring0");
    config.chains[1].source = Source::Port { port: "near".to_owned(), queue: 0 };
    assert_eq!(config.port_pool(0), 16_383);
}

#[test]
fn sizes_that_are_given_stay() {
    let mut config = config("net_tap0", 1, 0);
    config.ports[0].pool = Some(3_000);
    config.chains[0].source = Source::Module { module: "gen".to_owned(), pool: Some(300) };
    assert_eq!((config.port_pool(0), config.generator_pool(0)), (3_000, 300));
}

#[test]
fn a_pool_that_a_card_would_keep_for_ever_is_refused() {
    let problem = |device: &str, pool: u32, descriptors: u16| {
        let mut config = config(device, 1, 1);
        config.ports[0].tx_descriptors = descriptors;
        config.chains[0].source = Source::Module { module: "gen".to_owned(), pool: Some(pool) };
        let problems = config.validate();
        let found = problems.iter().find(|problem| problem.path == "chain[0].source.pool").map(ToString::to_string);
        found.unwrap_or_default()
    };
    for (pool, descriptors) in [(511, 1_024), (1_023, 1_024), (2_047, 4_096)] {
        let text = problem("0000:01:00.0", pool, descriptors);
        assert!(text.contains(&format!("it must have {}", u32::from(descriptors) + 128)), "{text}");
        assert!(text.contains("tx_descriptors"), "{text}");
    }
    assert_eq!(problem("0000:01:00.0", 2_047, 1_024), "");
    // Others give a packet back when it is sent, or when it is read.
    assert_eq!(problem("net_null0", 511, 1_024), "");
    // A port's own, where its chain sends to a card.
    let mut config = config("0000:01:00.0", 0, 1);
    config.ports[0].pool = Some(1_200);
    let problems = config.validate();
    assert!(problems.iter().any(|problem| problem.path == "port[0].pool"), "{problems:?}");
}
