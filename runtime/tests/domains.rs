//! Trust domains: what lies in the rooms of one is never seen in another, and packets cross between them by copies.

use perigee_abi::verdict as v;
use perigee_lab::canaries::scan;
use perigee_lab::{Bench, each, module, packets, verdict};
use std::time::Duration;

/// No room of another domain is ever seen. PERIGEE_ROOMS says of how many rooms.
#[test]
fn a_module_never_sees_the_rooms_of_another_domain() {
    let rooms = std::env::var("PERIGEE_ROOMS").ok().and_then(|rooms| rooms.parse().ok()).unwrap_or(1_000_000);
    let (found, seen) = scan("other", rooms);
    println!("{seen} rooms seen, canaries of the other domain: {found:?}");
    assert_eq!(found, [0; 3]);
}

#[test]
fn modules_of_one_domain_see_all_of_its_rooms() {
    let (found, _) = scan("own", 1);
    assert!(found.iter().all(|n| *n > 10_000), "{found:?}");
}

#[test]
fn what_is_known_of_a_packet_crosses_with_it() {
    let mark = format!("{} (i32.store offset=12 (local.get $d) (i32.const 77))", verdict(v::NEXT));
    // The mark, the port, and the length as the second module sees them.
    let show = format!(
        "{} (i32.store offset=20 (i32.load (local.get $d)) (i32.load offset=12 (local.get $d)))
         (i32.store16 offset=24 (i32.load (local.get $d)) (i32.load16_u offset=6 (local.get $d)))
         (i32.store16 offset=26 (i32.load (local.get $d)) (i32.load16_u offset=4 (local.get $d)))",
        verdict(v::NEXT)
    );
    let input: Vec<Vec<u8>> = [60, 61, 1_000, 1_514].iter().flat_map(|len| packets(10, *len)).collect();
    for (there, copied) in [("own", 0), ("other", 40)] {
        let bench = Bench::new();
        bench.module("mark.wat", &module(&each("process", &mark))).module("show.wat", &module(&each("process", &show)));
        bench.input(&input);
        let outcome = bench.run(&bench.config(&format!(
            "[[module]]\nname = \"mark\"\nfile = \"mark.wat\"\n[[module]]\nname = \"show\"\nfile = \"show.wat\"\ndomain = \
             \"{there}\"\n[[chain]]\nsource = {{ port = \"in\" }}\nstages = [\"mark\", \"show\"]\ntx = [\"out\"]\n"
        )));
        let expected = input.iter().map(|packet| {
            let len = u16::try_from(packet.len()).unwrap().to_le_bytes();
            let mut packet = packet.clone();
            packet[20..28].copy_from_slice(&[77, 0, 0, 0, 0, 0, len[0], len[1]]);
            packet
        });
        assert_eq!(outcome.out, expected.collect::<Vec<_>>());
        assert_eq!(outcome.summary.snapshot.chains[0].copied_in, copied);
    }
}

#[test]
fn a_port_that_two_domains_read_gives_each_its_copies() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    let reader = |queue: u16, module: &str| {
        format!(
            "[[module]]\nname = \"{module}\"\nfile = \"m.wat\"\ndomain = \"{module}\"\n[[chain]]\nlcores = [0]\nsource = {{ \
             port = \"p\", queue = {queue} }}\nstages = [\"{module}\"]\n"
        )
    };
    let port = "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
    let run = bench.start(&format!("{port}{}{}", reader(0, "first"), reader(1, "second"))).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let outcome = bench.finish(run);
    for chain in &outcome.summary.snapshot.chains {
        assert!(
            chain.received > 0 && chain.copied_in + chain.dropped.get("no_room").unwrap_or(&0) == chain.received,
            "{chain:?}"
        );
    }
}

#[test]
fn without_a_room_to_copy_into_a_packet_is_dropped_by_name() {
    // The second module holds as many packets as its domain has rooms for copies.
    let bench = Bench::new();
    bench.module("a.wat", &module(&each("process", &verdict(v::NEXT))));
    bench.module("b.wat", &module(&each("process", &verdict(v::HOLD)))).input(&packets(3_000, 60));
    let outcome = bench.run(&bench.config(
        "[[module]]\nname = \"a\"\nfile = \"a.wat\"\n[[module]]\nname = \"b\"\nfile = \"b.wat\"\ndomain = \"b\"\ngrants = { \
         hold = 4000, hold_age = \"1h\" }\n[[chain]]\nsource = { port = \"in\" }\nstages = [\"a\", \"b\"]\ntx = [\"out\"]\n",
    ));
    assert_eq!((outcome.dropped("no_room"), outcome.dropped("stop")), (3_000 - 2_047, 2_047));
}
