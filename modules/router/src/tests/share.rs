//! A slow instance and fast ones, between which a test carries packets and what is told.

use super::*;
use crate::fib::REGION;
use perigee_guest::testing::SharedMemory;

/// The configuration of a fast instance: interfaces, and where the rest goes.
fn fast_config() -> String {
    let interfaces = &CONFIG[..CONFIG.find("\"neighbours\"").unwrap()];
    format!("{interfaces} \"role\": \"fast\", \"ring\": 1 }}")
}

/// A router on several lcores: the region that its instances share.
struct Lab(SharedMemory);

impl Lab {
    fn new() -> Self {
        Self(SharedMemory::new(REGION))
    }

    fn fast(&self) -> Host<Router> {
        Host::start_in(Run { region: Some(self.0.reader()), ..Run::default() }, &fast_config()).unwrap()
    }

    fn slow(&self) -> Host<Router> {
        let config = CONFIG.replacen('{', "{ \"role\": \"slow\",", 1);
        self.slow_with(&config).unwrap()
    }

    fn slow_with(&self, config: &str) -> Result<Host<Router>, String> {
        let region = Some(self.0.writer());
        Host::start_in(Run { targets: 1, spares: 64, region, ..Run::default() }, config)
    }
}

/// The slow instance's time goes on, and all hear what it tells.
fn carry(slow: &mut Host<Router>, fast: &mut [&mut Host<Router>], from: u64, rounds: u64) {
    for round in 0..rounds {
        slow.set_time(from + round * SECOND / 1_000);
        slow.process(Vec::<Input>::new());
        deliver(slow, fast);
    }
}

fn deliver(slow: &mut Host<Router>, fast: &mut [&mut Host<Router>]) {
    for (target, message) in slow.take_told() {
        assert_eq!(target, 0);
        for host in fast.iter_mut() {
            assert_eq!(host.message(&message).unwrap(), b"");
        }
    }
}

fn version(host: &mut Host<Router>) -> String {
    String::from_utf8(host.message(b"version?").unwrap()).unwrap()
}

const BEHIND: &str = "behind: its packets go to the slow instance until it has been told the tables\n";

#[test]
fn what_cannot_work_is_refused() {
    let refused = |config: &str, run: Run| Host::<Router>::start_in(run, config).err().unwrap_or_default();
    let two = || Run { instances: 2, ..Run::default() };
    let memory = SharedMemory::new(REGION);
    let reads = || Run { region: Some(memory.reader()), ..two() };
    let slow = CONFIG.replacen('{', "{ \"role\": \"slow\",", 1);
    for (config, run, why) in [
        (CONFIG.to_owned(), two(), "role = \"fast\", beside one"),
        (slow.clone(), two(), "one slow instance"),
        (slow.clone(), Run::default(), "grants = { tell"),
        (slow, reads(), "is one of role = \"fast\""),
        (CONFIG.to_owned(), reads(), "is one of role = \"fast\""),
        (fast_config(), two(), "grants = { state_of"),
        (fast_config().replace(", \"ring\": 1", ""), reads(), "hands over by a ring"),
        (fast_config().replace("\"ring\": 1", "\"ring\": 2"), reads(), "hands over by a ring"),
        (
            fast_config().replacen('{', "{ \"routes\": [\"default via 10.0.1.9\"],", 1),
            reads(),
            "the slow instance has them",
        ),
        (CONFIG.replacen('{', "{ \"ring\": 1,", 1), Run::default(), "only an instance of role"),
    ] {
        let error = refused(&config, run);
        assert!(error.contains(why), "{why}: {error}");
    }
    Host::<Router>::start_in(reads(), &fast_config()).unwrap();
}

/// Until it has been told the tables it hands over all; then it forwards, and hands over what it cannot do.
#[test]
fn a_fast_instance_is_told_all_before_it_forwards() {
    let lab = Lab::new();
    let (mut fast, frame) = (lab.fast(), udp4(B4, 60));
    // Nor does it know routes before there are any.
    assert_eq!(version(&mut fast), BEHIND);
    let mut slow = lab.slow();
    let sent = one(&mut fast, &frame);
    assert_eq!((sent.verdict, sent.bytes == frame), (Verdict::ring(1), true));
    assert_eq!(version(&mut fast), BEHIND);
    carry(&mut slow, &mut [&mut fast], SECOND, 5);
    assert_eq!(version(&mut fast), version(&mut slow));
    assert_eq!(one(&mut fast, &frame).verdict, Verdict::tx(1));
    assert_eq!(macs(&one(&mut fast, &frame).bytes), (B_MAC, R1));
    assert_eq!(one(&mut fast, &udp6(B6, 60)).verdict, Verdict::tx(1));
    assert_eq!(one(&mut fast, &udp4([192, 168, 7, 7].into(), 60)).verdict, Verdict::tx(1));
    assert_eq!(one(&mut fast, &udp4([172, 16, 0, 1].into(), 60)).verdict, Verdict::DROP);
    for other in [
        udp4(ROUTER4, 60),
        udp4([172, 31, 0, 1].into(), 60),
        udp4([10, 0, 1, 77].into(), 60),
        udp4(B4, 1_450),
        with_ip(udp4(B4, 60), |ip| ip.set_ttl(1)),
        with_options(udp4(B4, 100), &[1, 1, 1, 1]),
        arp(Arp::REQUEST, (A_MAC, A4), (Mac([0; 6]), ROUTER4)),
    ] {
        let handed = one(&mut fast, &other);
        assert_eq!((handed.verdict, handed.bytes == other), (Verdict::ring(1), true));
        // The slow one does with it what it always did.
        let alone = one(&mut start(), &other).verdict;
        assert_eq!(one(&mut slow, &other).verdict, alone);
    }
    assert_eq!((fast.counter("to_slow"), fast.counter("to_slow_behind")), (7, 1));
}

#[test]
fn neighbours_are_told_when_they_come_change_and_go() {
    let lab = Lab::new();
    let (mut slow, mut one_fast, mut other) = (lab.slow(), lab.fast(), lab.fast());
    carry(&mut slow, &mut [&mut one_fast, &mut other], SECOND, 5);
    let host: Ipv4Addr = [10, 0, 1, 7].into();
    let frame = udp4(host, 60);
    let handed = one(&mut one_fast, &frame);
    assert_eq!(handed.verdict, Verdict::ring(1));
    slow.set_time(2 * SECOND);
    assert_eq!(one(&mut slow, &handed.bytes).verdict, held());
    let mac = Mac([2, 0, 0, 0, 0, 0xc7]);
    let answer = |mac| Input::new(&arp(Arp::REPLY, (mac, host), (R1, [10, 0, 1, 1].into()))).port(1);
    slow.process([answer(mac)]);
    carry(&mut slow, &mut [&mut one_fast, &mut other], 2 * SECOND + SECOND / 100, 2);
    for fast in [&mut one_fast, &mut other] {
        assert_eq!(macs(&one(fast, &frame).bytes), (mac, R1));
    }
    // Nobody tells the slow one that it is used: it is asked all the same, and then it is gone.
    let mut is_gone = false;
    for second in 3..70 {
        carry(&mut slow, &mut [&mut one_fast, &mut other], second * SECOND, 2);
        is_gone |= one(&mut other, &frame).verdict == Verdict::ring(1);
    }
    assert!(is_gone && slow.counter("neighbours_gone") == 1);
    assert_eq!(one(&mut one_fast, &frame).verdict, Verdict::ring(1));
}

#[test]
fn routes_are_seen_by_all_when_they_change() {
    let lab = Lab::new();
    let (mut slow, mut one_fast, mut other) = (lab.slow(), lab.fast(), lab.fast());
    carry(&mut slow, &mut [&mut one_fast, &mut other], SECOND, 5);
    let change = b"batch 1\nroute add 198.51.100.0/24 via 10.0.1.2 via 10.0.0.2\nroute del default";
    slow.message(change).unwrap();
    for fast in [&mut one_fast, &mut other] {
        assert_eq!(version(fast), version(&mut slow));
        let shown = fast.message(b"route? 198.51.100.7").unwrap();
        assert_eq!(shown, slow.message(b"route? 198.51.100.7").unwrap());
        assert_eq!(one(fast, &udp4([8, 8, 8, 8].into(), 60)).verdict, Verdict::ring(1));
        assert_eq!(fast.message(b"routes?").unwrap(), slow.message(b"routes?").unwrap());
        let refused = fast.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap_err();
        assert!(refused.contains("send changes there"), "{refused}");
    }
    // Where another instance may go on with the table, nothing changes.
    let before = slow.message(b"routes?").unwrap();
    lab.0.set_waiting(true);
    let refused = slow.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap_err();
    assert!(refused.starts_with("not now"), "{refused}");
    assert_eq!(slow.message(b"routes?").unwrap(), before);
    lab.0.set_waiting(false);
    slow.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap();
    assert_eq!(one(&mut other, &udp4([203, 0, 113, 1].into(), 60)).verdict, Verdict::tx(1));
    // Nor as long as an instance stands still: too much is left to what it may look at.
    let mut made = 0;
    while slow.message(b"batch 7 \nroute replace 203.0.113.0/24 via 10.0.0.2\nroute del 203.0.113.0/24\n").is_ok() {
        made += 1;
        assert!(made < 20_000);
        slow.message(b"batch 8\nroute add 203.0.113.0/24 via 10.0.1.2").ok();
    }
    assert!(made > 100, "{made}");
    for fast in [&mut one_fast, &mut other] {
        fast.process(Vec::<Input>::new());
    }
    slow.message(b"route replace 203.0.113.0/24 via 10.0.1.2").unwrap();
}

/// A next hop's number says another neighbour once nobody can have found it before; who has found it since knows the new one.
#[test]
fn numbers_of_next_hops_are_used_again() {
    let lab = Lab::new();
    let (mut slow, mut fast) = (lab.slow(), lab.fast());
    carry(&mut slow, &mut [&mut fast], SECOND, 5);
    let ask = |slow: &mut Host<Router>, fast: &mut Host<Router>, n: u32| {
        let hop = Ipv4Addr::from_bits(0x0a00_0003 + n % 200);
        slow.message(format!("route replace 203.0.113.0/24 via {hop}").as_bytes()).unwrap();
        let shown = String::from_utf8(fast.message(b"route? 203.0.113.1").unwrap()).unwrap();
        assert!(shown.contains(&format!("via {hop} ")), "{shown} {hop}");
        // Nobody knows these neighbours: the slow one is to ask.
        assert_eq!(one(fast, &udp4([203, 0, 113, 1].into(), 60)).verdict, Verdict::ring(1));
    };
    (0..3_000).for_each(|n| ask(&mut slow, &mut fast, n));
    // Known ones, in turn, with the same number or not.
    for n in 0..50_u32 {
        let (hop, mac) = if n % 2 == 0 { ("10.0.0.2", A_MAC) } else { ("10.0.1.2", B_MAC) };
        slow.message(format!("route replace 203.0.113.0/24 via {hop}").as_bytes()).unwrap();
        assert_eq!(macs(&one(&mut fast, &udp4([203, 0, 113, 1].into(), 60)).bytes).0, mac);
    }
}

/// Over a swap of either; and when the slow one has begun anew.
#[test]
fn both_go_on_after_a_swap() {
    let lab = Lab::new();
    let (mut slow_one, mut fast_one) = (lab.slow(), lab.fast());
    carry(&mut slow_one, &mut [&mut fast_one], SECOND, 5);
    slow_one.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap();
    let mut next_fast = lab.fast();
    next_fast.restore(&fast_one.save().unwrap()).unwrap();
    assert_eq!(version(&mut next_fast), version(&mut fast_one));
    assert_eq!(one(&mut next_fast, &udp4(B4, 60)).verdict, Verdict::tx(1), "neighbours go over");
    assert_eq!(one(&mut next_fast, &udp4([203, 0, 113, 9].into(), 60)).verdict, Verdict::tx(1));
    let shown = slow_one.message(b"routes?").unwrap();
    // A new slow one is made beside a region of its own; then that of the old one lies in its place.
    let state = slow_one.save().unwrap();
    lab.0.set_waiting(true);
    let other = CONFIG.replace("192.168.0.0/16 via 10.0.1.2", "192.168.0.0/17 via 10.0.1.2");
    let config = other.replacen('{', "{ \"role\": \"slow\",", 1);
    let beside = Lab::new();
    let mut next_slow = beside.slow_with(&config).unwrap();
    next_slow.move_region(lab.0.writer());
    next_slow.restore(&state).unwrap();
    assert_eq!(next_slow.message(b"routes?").unwrap(), shown, "nothing has changed yet");
    carry(&mut next_slow, &mut [&mut fast_one, &mut next_fast], 2 * SECOND, 30);
    assert_eq!(version(&mut next_slow), version(&mut fast_one));
    assert_eq!(next_slow.message(b"routes?").unwrap(), shown, "nor while the old one may go on");
    lab.0.set_waiting(false);
    carry(&mut next_slow, &mut [&mut fast_one, &mut next_fast], 3 * SECOND, 3);
    let now = String::from_utf8(fast_one.message(b"routes?").unwrap()).unwrap();
    assert!(now.contains("192.168.0.0/17 via") && !now.contains("192.168.0.0/16"), "{now}");
    assert!(now.contains("203.0.113.0/24 via"), "{now}");
}

#[test]
fn a_slow_one_that_begins_anew_is_another() {
    let lab = Lab::new();
    let (mut slow, mut fast) = (lab.slow(), lab.fast());
    carry(&mut slow, &mut [&mut fast], SECOND, 5);
    let anew = Lab::new();
    let config = CONFIG.replacen('{', "{ \"role\": \"slow\", ", 1);
    let mut other = anew.slow_with(&config).unwrap();
    other.message(b"route add 9.9.9.0/24 via 10.0.1.2").unwrap();
    fast.move_region(anew.0.reader());
    assert_eq!(one(&mut fast, &udp4([9, 9, 9, 9].into(), 60)).verdict, Verdict::tx(1), "it sees its routes");
    other.set_time(7 * SECOND);
    other.process(Vec::<Input>::new());
    deliver(&mut other, &mut [&mut fast]);
    assert_eq!(fast.message(b"routes?").unwrap(), other.message(b"routes?").unwrap());
}

#[test]
fn what_is_not_understood_is_refused() {
    let mut fast = Lab::new().fast();
    for message in [&[0xfd, 1][..], &[0xff; 20], &[0xfe; 3]] {
        fast.message(message).unwrap_err();
    }
    assert!(start().message(&[0xfd; 17]).unwrap_err().contains("role"));
}

/// A feed is one of the slow instance; what it leaves is withdrawn everywhere.
#[test]
fn routes_of_a_feed_come_and_go_everywhere() {
    let lab = Lab::new();
    let (mut slow, mut fast) = (lab.slow(), lab.fast());
    carry(&mut slow, &mut [&mut fast], SECOND, 5);
    let error = fast.message(b"feed bgp stale 5").unwrap_err();
    assert!(error.contains("slow"), "{error}");
    slow.message(b"feed bgp stale 5").unwrap();
    let lines: String = (0..64).map(|n| format!("route add 100.0.{n}.0/24 via 10.0.1.2\n")).collect();
    slow.message(format!("batch 1 feed bgp\n{lines}").as_bytes()).unwrap();
    deliver(&mut slow, &mut [&mut fast]);
    let to = |n: u8| udp4([100, 0, n, 1].into(), 60);
    let port = |fast: &mut Host<Router>, n| one(fast, &to(n)).verdict;
    assert_eq!((port(&mut fast, 0), port(&mut fast, 63)), (Verdict::tx(1), Verdict::tx(1)));
    carry(&mut slow, &mut [&mut fast], 7 * SECOND, 200);
    assert!(slow.message(b"feeds?").unwrap().starts_with(b"batch 0\n"));
    assert_eq!((port(&mut fast, 0), port(&mut fast, 63)), (Verdict::ring(1), Verdict::ring(1)));
    assert_eq!(version(&mut fast), version(&mut slow));
}
