//! The messages about texts that can be read and mean nothing that could run.

use super::super::*;
use super::{GOOD, refused, refused_with, warnings};

#[test]
fn unknown_names_point_at_the_line() {
    refused_with(
        "tx = [\"a\"]",
        "tx = [\"x\"]",
        &["perigee.toml:21: chain \"load\": unknown port \"x\"; known ports: a, b"],
    );
    refused_with(
        "module = \"gen\"",
        "module = \"gem\"",
        &["perigee.toml:20: chain \"load\": unknown module \"gem\"; did you mean \"gen\"? known modules: gen, count"],
    );
    refused_with(
        "stages = [\"count\"]",
        "stages = [\"count\", \"cuont\"]",
        &[
            "perigee.toml:25: chain \"chain1\": unknown module \"cuont\"; did you mean \"count\"? known modules: gen, count",
        ],
    );
    refused_with(
        "source = { port = \"b\" }",
        "source = { ring = \"r\" }",
        &["perigee.toml:24: chain \"chain1\": unknown ring \"r\"; no ring is declared: add a [[ring]]"],
    );
    refused_with(
        "source = { port = \"b\" }",
        "source = { port = \"c\", queue = 3 }",
        &["perigee.toml:24: chain \"chain1\": unknown port \"c\"; known ports: a, b"],
    );
}

#[test]
fn all_problems_come_at_once_in_the_files_order() {
    let text = GOOD.replace("tx = [\"a\"]", "tx = [\"x\"]").replace("name = \"b\"", "name = \"b\"\nmtu = 60");
    refused(
        &text,
        &[
            "perigee.toml:8: port \"b\": mtu is 60; it must be 68 to 16000",
            "perigee.toml:22: chain \"load\": unknown port \"x\"; known ports: a, b",
        ],
    );
}

#[test]
fn evidence_goes_to_a_directory() {
    refused(
        &format!("[run]\nevidence = \"\"\n{GOOD}"),
        &["perigee.toml:2: evidence is an empty text; it is the directory for crash bundles; leave it out for none"],
    );
}

#[test]
fn names_differ() {
    refused_with(
        "name = \"b\"",
        "name = \"a\"",
        &[
            "perigee.toml:7: duplicate port name \"a\"; port number 0 has that name already",
            "perigee.toml:24: chain \"chain1\": unknown port \"b\"; known ports: a, a",
        ],
    );
    refused_with(
        "name = \"load\"",
        "name = \"chain1\"",
        &["perigee.toml:23: duplicate chain name \"chain1\"; chain number 0 has that name already"],
    );
    refused_with(
        "name = \"a\"",
        "name = \"\"",
        &[
            "perigee.toml:3: port number 0 has an empty name; chains and statistics need one",
            "perigee.toml:21: chain \"load\": unknown port \"a\"; known ports: , b",
        ],
    );
}

#[test]
fn run_is_in_range() {
    refused(
        &format!("[run]\nburst = 257\ntick = \"0s\"\nduration = \"0s\"\neal_memory = \"1K\"\n{GOOD}"),
        &[
            "perigee.toml:2: burst is 257; it must be 1 to 256",
            "perigee.toml:3: tick is 0s; it must be 1us to 10s",
            "perigee.toml:4: duration is 0; leave it away to run until a signal comes",
            "perigee.toml:5: eal_memory is 1024 bytes; it must be 16M to 1T",
        ],
    );
    refused_with("[[port]]", "[run]\nburst = 0\n[[port]]", &["perigee.toml:3: burst is 0; it must be 1 to 256"]);
}

#[test]
fn ports_are_in_range() {
    refused_with(
        "device = \"net_null0\"",
        "device = \"net_null0\"\nmtu = 16001\nrx_descriptors = 0\ntx_queues_per_lcore = 17\npool = 100\nrx_queues = 0",
        &[
            "perigee.toml:5: port \"a\": mtu is 16001; it must be 68 to 16000",
            "perigee.toml:6: port \"a\": rx_descriptors is 0; a queue needs descriptors; 1024 is usual",
            "perigee.toml:7: port \"a\": tx_queues_per_lcore is 17; it must be 1 to 16",
            "perigee.toml:8: port \"a\": a pool of 100 rooms; it must have 128 to 16777216",
            "perigee.toml:9: port \"a\": rx_queues is 0; a port has at least 1",
        ],
    );
    refused_with(
        "device = \"net_null0\"",
        "device = \"0000:01:00.0\"\npool = 1023",
        &["perigee.toml:5: port \"a\": a pool of 1023 rooms; it must have 1152 to 16777216"],
    );
    let many: String = (2..40).map(|n| format!("[[port]]\nname = \"p{n}\"\ndevice = \"net_null{n}\"\n")).collect();
    refused(&format!("{GOOD}{many}"), &["perigee.toml:116: 40 ports are declared; a run has at most 32"]);
}

#[test]
fn devices_are_named_once_and_right() {
    refused_with(
        "device = \"net_null1\"",
        "device = \"net_null0,size=64\"",
        &[
            "perigee.toml:8: port \"b\": device \"net_null0\" is port \"a\" already; two virtual devices of one driver differ in the number at the end of their names",
        ],
    );
    refused_with(
        "device = \"net_null1\"",
        "device = \"eth0\"",
        &[
            "perigee.toml:8: port \"b\": device \"eth0\" is neither a virtual device nor a PCI address; virtual devices are called like \"net_null0\", PCI addresses look like \"0000:01:00.0\"",
        ],
    );
    refused_with(
        "device = \"net_null1\"",
        "device = \"\"",
        &[
            "perigee.toml:8: port \"b\": device is empty; give a virtual device like \"net_null0\" or a PCI address like \"0000:01:00.0\"",
        ],
    );
    for (device, pci) in
        [("0000:01:00.0", true), ("01:00.0,arg=1", true), ("net_tap0,mac=02:00:00:00:00:01", false), ("eth0", false)]
    {
        assert_eq!(is_pci_address(device), pci, "{device}");
    }
}

#[test]
fn modules_are_in_range() {
    refused_with(
        "file = \"gen.wasm\"",
        "file = \"\"\nconfig = { x = [nan] }\n[module.grants]\nmemory = \"5G\"\ndeadline = \"0s\"\nhold = 1\nhold_age = \"0s\"",
        &[
            "perigee.toml:12: module \"gen\": file is empty; give the path of a .wasm or .wat file",
            "perigee.toml:13: module \"gen\": config has a number that is infinite or none; the module gets its config as JSON, which has no such number",
            "perigee.toml:15: module \"gen\": memory is 5368709120 bytes; it must be 64K to 4G",
            "perigee.toml:16: module \"gen\": deadline is 0; no call could end in time; 10ms is usual",
            "perigee.toml:18: module \"gen\": hold_age is 0; every held packet would be freed at once",
        ],
    );
    refused_with(
        "file = \"gen.wasm\"",
        "file = \"gen.wasm\"\nconfig = 7",
        &[
            "perigee.toml:13:10: a module's config is a table or a string, not of type integer",
            "  13 | config = 7",
            "     |          ^",
        ],
    );
}

#[test]
fn grants_name_what_is_there_and_are_in_range() {
    let grants = "tx = [\"a\", \"c\"]\nrings = [\"r\"]\ntx_queues = [15, 16]\npackets_per_second = 0\n\
                  bits_per_second = 9000000000000000\nstack = \"2M\"\ntable = 4000000000\ncounters = 65";
    refused_with(
        "file = \"gen.wasm\"",
        &format!("file = \"gen.wasm\"\n[module.grants]\n{grants}"),
        &[
            "perigee.toml:14: module \"gen\": unknown port \"c\"; known ports: a, b",
            "perigee.toml:15: module \"gen\": unknown ring \"r\"; no ring is declared: add a [[ring]]",
            "perigee.toml:16: module \"gen\": tx queue 16 is granted; an lcore owns at most 16 on a port: they count from 0 to 15",
            "perigee.toml:17: module \"gen\": packets_per_second is 0; it must be 1 to 8796093022208; a module without tx, rings and a chain's end sends nothing",
            "perigee.toml:18: module \"gen\": bits_per_second is 9000000000000000; it must be 1 to 8796093022208; a module without tx, rings and a chain's end sends nothing",
            "perigee.toml:19: module \"gen\": stack is 2097152 bytes; it must be 16K to 1M; 512K is usual",
            "perigee.toml:20: module \"gen\": table is 4000000000; it must be 0 to 1048576",
            "perigee.toml:21: module \"gen\": counters is 65; a module has at most 64",
        ],
    );
    assert_eq!(
        warnings(&GOOD.replace(
            "file = \"gen.wasm\"",
            "file = \"gen.wasm\"\ngrants = { hostcalls = [\"log\", \"counter\"], log_lines = 0 }"
        )),
        [
            "perigee.toml:13: warning: module \"gen\": the hostcall \"log\" is granted, and log_lines is 0; nothing of it would be seen: take one of them away"
        ]
    );
    refused_with(
        "file = \"gen.wasm\"",
        "file = \"gen.wasm\"\ngrants = { source_mac = [\"2:0\"] }",
        &[
            "perigee.toml:13:25: \"2:0\" is no MAC address: six bytes in hexadecimal, as 02:00:00:00:00:01",
            "  13 | grants = { source_mac = [\"2:0\"] }",
            "     |                         ^^^^^^^",
        ],
    );
}

#[test]
fn modules_of_one_domain_have_the_same_source_addresses() {
    let limited = GOOD.replace("file = \"gen.wasm\"", "file = \"g\"\ngrants = { source_ip = [\"10.0.0.0/8\"] }");
    refused(
        &limited,
        &[
            "perigee.toml:15: module \"count\": its source addresses are not those of module \"gen\" in the same domain; modules of one domain can write each other's packets: grant both the same source_mac and source_ip, or give one a `domain` of its own",
        ],
    );
    let apart = limited.replace("file = \"count.wat\"", "file = \"count.wat\"\ndomain = \"other\"");
    let config = Config::parse(&apart, "x").unwrap();
    assert_eq!(config.domains(), ["own", "other"]);
    assert_eq!((config.port_domain(0), config.port_domain(1)), (Some(0), Some(1)));
    assert_eq!((config.instances("gen"), config.instances("count"), config.instances("x")), (1, 1, 0));
    let second = "[[chain]]\nsource = { port = \"b\", queue = 1 }\nstages = [\"gen\", \"count\"]\nlcores = [0, 1]\n";
    let config = Config::parse(&format!("{apart}{second}"), "x").unwrap();
    assert_eq!(config.port_domain(1), None, "of two domains, so in the rooms of none");
    assert_eq!((config.instances("gen"), config.instances("count")), (3, 3));
    refused_with(
        "file = \"gen.wasm\"",
        "file = \"g\"\ndomain = \"\"",
        &[
            "perigee.toml:13: module \"gen\": domain is empty; give it a name, or leave the key away: modules without it share one",
        ],
    );
}

#[test]
fn held_packets_leave_rooms_for_others() {
    refused_with(
        "file = \"count.wat\"",
        "file = \"count.wat\"\ngrants = { hold = 4095 }",
        &[
            "perigee.toml:26: chain \"chain1\": its modules may hold 4095 packets, and the pool of port \"b\" has 4095; none would be left for new packets: lower `hold`, or give the pool more rooms",
        ],
    );
    let text = GOOD.replace("file = \"count.wat\"", "file = \"count.wat\"\ngrants = { hold = 200 }");
    refused(
        &text.replace("{ module = \"gen\" }", "{ module = \"gen\", pool = 200 }\nstages = [\"count\"]"),
        &[
            "perigee.toml:22: chain \"load\": its modules may hold 200 packets, and the pool of its generator has 200; none would be left for new packets: lower `hold`, or give the pool more rooms",
        ],
    );
}

#[test]
fn rings_are_powers_of_two_with_one_reader() {
    let with = |ring: &str, rest: &str| format!("{GOOD}{ring}\n{rest}");
    let ring = "[[ring]]\nname = \"r\"\nsize = 1000";
    let reader = "[[chain]]\nsource = { ring = \"r\" }\n";
    refused(
        &with(ring, reader),
        &["perigee.toml:28: ring \"r\": size is 1000; it must be a power of two from 2 to 1048576; 1024 is the next"],
    );
    refused(
        &with("[[ring]]\nname = \"r\"", &reader.repeat(2)),
        &[
            "perigee.toml:31: chain \"chain3\": ring \"r\" is read by chain \"chain2\" already; a ring has one reader: declare a ring for each",
        ],
    );
    refused(
        &with("[[ring]]\nname = \"r\"", "[[chain]]\nlcores = [0, 1]\nsource = { ring = \"r\" }\n"),
        &[
            "perigee.toml:29: chain \"chain2\": 2 lcores would read ring \"r\"; a ring has one reader: declare a ring for each",
        ],
    );
}

#[test]
fn a_queue_has_one_reader() {
    let second = "[[chain]]\nname = \"again\"\nsource = { port = \"b\" }\n";
    refused(
        &format!("{GOOD}{second}"),
        &[
            "perigee.toml:28: chain \"again\": rx queue 0 of port \"b\" is read by chain \"chain1\" already; a queue has one reader: give one of them another `queue`",
        ],
    );
    let wide = "[[chain]]\nname = \"wide\"\nlcores = [0, 1, 2]\nsource = { port = \"a\", queue = 1 }\n";
    let one = "[[chain]]\nname = \"one\"\nsource = { port = \"a\", queue = 2 }\n";
    refused(
        &format!("{GOOD}{wide}{one}"),
        &[
            "perigee.toml:32: chain \"one\": rx queue 2 of port \"a\" is read by chain \"wide\" already; a queue has one reader: give one of them another `queue`",
        ],
    );
    let config = Config::parse(&format!("{GOOD}{wide}"), "x").unwrap();
    assert_eq!(config.rx_queues(0), 4);
    assert_eq!(config.port_pool(0), 4_095);
}

#[test]
fn queues_are_there() {
    let text = GOOD.replace("device = \"net_null1\"", "device = \"net_null1\"\nrx_queues = 2");
    refused(
        &text.replace("source = { port = \"b\" }", "source = { port = \"b\", queue = 1 }\nlcores = [0, 1]"),
        &[
            "perigee.toml:25: chain \"chain1\": reads rx queue 2 of port \"b\", which has 2; queues count from 0: give the port `rx_queues = 3`",
        ],
    );
}

#[test]
fn there_is_a_chain() {
    refused("", &["perigee.toml: no chain is declared: nothing would run; add a [[chain]] with a source"]);
}

#[test]
fn what_is_unused_is_a_warning() {
    let more = "[[port]]\nname = \"c\"\ndevice = \"net_null2\"\n[[module]]\nname = \"m\"\nfile = \"m\"\n[[ring]]\nname = \"r\"\n";
    assert_eq!(
        warnings(&format!("{GOOD}{more}")),
        [
            "perigee.toml:26: warning: port \"c\" is not used; no chain reads from it or sends to it",
            "perigee.toml:29: warning: module \"m\" is not used; no chain has it as source or stage",
            "perigee.toml:32: warning: ring \"r\" is read by no chain; what modules put into it stays there until the end",
        ]
    );
    assert_eq!(
        warnings(&GOOD.replace("tx = [\"a\"]", "")),
        [
            "perigee.toml:2: warning: port \"a\" is not used; no chain reads from it or sends to it",
            "perigee.toml:18: warning: chain \"load\": nothing that it makes can leave; name a port in `tx`",
        ]
    );
    assert_eq!(
        warnings(&GOOD.replace("device = \"net_null1\"", "device = \"net_null1\"\nrx_queues = 3")),
        [
            "perigee.toml:9: warning: port \"b\": no chain reads rx queue 1; packets that the port's RSS puts there are lost",
        ]
    );
}

#[test]
fn what_a_simulation_names_is_there() {
    let sim = "[sim.costs.lod]\nbatch = \"1us\"\n[[sim.event]]\nat = \"1ms\"\nlink = { port = \"c\", down = \"1ms\" }\n[[sim.event]]\nat = \"1ms\"\n\
               trap = { module = \"cuont\" }\n[[sim.event]]\nat = \"1ms\"\npool = { lasts = \"1ms\" }\n[sim]\nturn = 0\nfuel_per_us = 0\n";
    let config = Config::read(&format!("{GOOD}{sim}"), "x").unwrap();
    let found: Vec<String> = config.validate().iter().map(ToString::to_string).collect();
    for said in [
        "unknown chain \"lod\"; did you mean \"load\"?",
        "unknown port \"c\"",
        "unknown module \"cuont\"; did you mean \"count\"?",
        "pool is that of one port or one chain",
        "turn is 0",
        "fuel_per_us is 0",
    ] {
        assert!(found.iter().any(|found| found.contains(said)), "{said}: {found:#?}");
    }
}

#[test]
fn what_is_drawn_together_is_drawn_from_the_same() {
    let event = |at: &str, more: &str| {
        format!("[[sim.event]]\nat = {at:?}\ntogether = \"t\"\n{more}jump = {{ by = \"1ms\" }}\n")
    };
    let said = |events: &[String]| {
        let config = Config::read(&format!("{GOOD}{}", events.concat()), "x").unwrap();
        let errors = config.validate().into_iter().filter(|problem| problem.severity == Severity::Error);
        errors.map(|problem| problem.what).collect::<Vec<_>>()
    };
    let first = event("1s..5s", "");
    assert_eq!(said(&[first.clone(), event("1100ms..5100ms", "")]), [""; 0]);
    for other in [event("1s..4s", ""), event("1s..5s", "chance = \"50%\"\n")] {
        let said = said(&[first.clone(), other]);
        assert!(
            said.len() == 1 && said[0].starts_with("sim.event number 1: it is drawn together with number 0"),
            "{said:?}"
        );
    }
}

#[test]
fn a_wire_carries_packets_to_the_chain_at_its_other_end() {
    let text = GOOD.replace("net_null0", "wire:w,end=a,rate=1G,delay=1ms").replace("net_null1", "wire:w,end=b");
    let config = Config::read(&text, "x").unwrap();
    assert_eq!((config.wire_peer(0), config.wire_peer(1), config.groups()), (Some(1), Some(0), vec![0, 0]));
    // 1,488 of the shortest frames in a millisecond, and both rings.
    assert_eq!(config.under_way(0), 1_488 + 2_048);
    assert_eq!(config.cable(1), config.cable(0), "an end that says nothing sends as the other one does");
    assert!(config.generator_pool(0) > 1_488 + 2_048);
}
