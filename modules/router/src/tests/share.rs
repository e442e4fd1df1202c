//! A slow instance and fast ones, between which a test carries packets and what is told.

use super::*;

/// The configuration of a fast instance: interfaces, and where the rest goes.
fn fast_config() -> String {
    let interfaces = &CONFIG[..CONFIG.find("\"neighbours\"").unwrap()];
    format!("{interfaces} \"role\": \"fast\", \"ring\": 1 }}")
}

fn fast() -> Host<Router> {
    Host::start(&fast_config()).unwrap()
}

fn slow() -> Host<Router> {
    let config = CONFIG.replacen('{', "{ \"role\": \"slow\",", 1);
    Host::start_in(Run { targets: 1, spares: 64, ..Run::default() }, &config).unwrap()
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
    let slow = CONFIG.replacen('{', "{ \"role\": \"slow\",", 1);
    for (config, run, why) in [
        (CONFIG.to_owned(), two(), "role = \"fast\", beside one"),
        (slow.clone(), two(), "one slow instance"),
        (slow, Run::default(), "grants = { tell"),
        (fast_config().replace(", \"ring\": 1", ""), two(), "hands over by a ring"),
        (fast_config().replace("\"ring\": 1", "\"ring\": 2"), two(), "hands over by a ring"),
        (
            fast_config().replacen('{', "{ \"routes\": [\"default via 10.0.1.9\"],", 1),
            two(),
            "the slow instance has them",
        ),
        (CONFIG.replacen('{', "{ \"ring\": 1,", 1), Run::default(), "only an instance of role"),
    ] {
        let error = refused(&config, run);
        assert!(error.contains(why), "{why}: {error}");
    }
    Host::<Router>::start_in(two(), &fast_config()).unwrap();
}

/// Until it has been told the tables it hands over all; then it forwards, and hands over what it cannot do.
#[test]
fn a_fast_instance_is_told_all_before_it_forwards() {
    let (mut slow, mut fast) = (slow(), fast());
    let frame = udp4(B4, 60);
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
    let (mut slow, mut one_fast, mut other) = (slow(), fast(), fast());
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
fn routes_are_told_to_all_or_changed_nowhere() {
    let (mut slow, mut one_fast, mut other) = (slow(), fast(), fast());
    carry(&mut slow, &mut [&mut one_fast, &mut other], SECOND, 5);
    let change = b"batch 1\nroute add 198.51.100.0/24 via 10.0.1.2 via 10.0.0.2\nroute del default";
    slow.message(change).unwrap();
    deliver(&mut slow, &mut [&mut one_fast, &mut other]);
    for fast in [&mut one_fast, &mut other] {
        assert_eq!(version(fast), version(&mut slow));
        let shown = fast.message(b"route? 198.51.100.7").unwrap();
        assert_eq!(shown, slow.message(b"route? 198.51.100.7").unwrap());
        assert_eq!(one(fast, &udp4([8, 8, 8, 8].into(), 60)).verdict, Verdict::ring(1));
        let refused = fast.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap_err();
        assert!(refused.contains("send changes there"), "{refused}");
    }
    let before = slow.message(b"routes?").unwrap();
    slow.set_full(true);
    let refused = slow.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap_err();
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert_eq!(slow.message(b"routes?").unwrap(), before);
    slow.set_full(false);
    slow.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap();
    // One of them has missed this: it knows by the next one, and is told all again when it has handed a packet over.
    deliver(&mut slow, &mut [&mut one_fast]);
    slow.message(b"route add 203.0.114.0/24 via 10.0.1.2").unwrap();
    deliver(&mut slow, &mut [&mut one_fast, &mut other]);
    assert_eq!((version(&mut one_fast), version(&mut other)), (version(&mut slow), BEHIND.to_owned()));
    let handed = one(&mut other, &udp4(B4, 60));
    let marked = Input::new(&handed.bytes).mark(crate::share::Why::Behind.mark());
    slow.process([marked]);
    carry(&mut slow, &mut [&mut one_fast, &mut other], 2 * SECOND, 30);
    assert_eq!(version(&mut other), version(&mut slow));
    assert_eq!(one(&mut other, &udp4([203, 0, 113, 1].into(), 60)).verdict, Verdict::tx(1));
}

/// Over a swap of either; and when the slow one has begun anew.
#[test]
fn both_go_on_after_a_swap() {
    let (mut slow_one, mut fast_one) = (slow(), fast());
    carry(&mut slow_one, &mut [&mut fast_one], SECOND, 5);
    slow_one.message(b"route add 203.0.113.0/24 via 10.0.1.2").unwrap();
    deliver(&mut slow_one, &mut [&mut fast_one]);
    let mut next_fast = fast();
    next_fast.restore(&fast_one.save().unwrap()).unwrap();
    assert_eq!(version(&mut next_fast), version(&mut fast_one));
    assert_eq!(one(&mut next_fast, &udp4(B4, 60)).verdict, Verdict::tx(1), "neighbours go over");
    let mut next_slow = slow();
    next_slow.restore(&slow_one.save().unwrap()).unwrap();
    carry(&mut next_slow, &mut [&mut fast_one], 2 * SECOND, 30);
    assert_eq!(version(&mut next_slow), version(&mut fast_one));
    // One that knows nothing of the old one's life.
    let config = CONFIG.replacen('{', "{ \"role\": \"slow\",", 1);
    let mut anew = Host::<Router>::start_in(Run { targets: 1, spares: 64, ..Run::default() }, &config).unwrap();
    anew.message(b"route add 9.9.9.0/24 via 10.0.1.2").unwrap();
    deliver(&mut anew, &mut [&mut next_fast]);
    assert_eq!(version(&mut next_fast), BEHIND);
    carry(&mut anew, &mut [&mut next_fast], 3 * SECOND, 30);
    assert_eq!(version(&mut next_fast), version(&mut anew));
    assert_eq!(next_fast.message(b"routes?").unwrap(), anew.message(b"routes?").unwrap());
}

/// Fast instances do not go on with what another configuration of the slow one has changed.
#[test]
fn other_routes_of_the_configuration_are_told() {
    let (mut slow_one, mut fast_one) = (slow(), fast());
    carry(&mut slow_one, &mut [&mut fast_one], SECOND, 5);
    let frame = udp4([172, 16, 0, 1].into(), 60);
    assert_eq!(one(&mut fast_one, &frame).verdict, Verdict::DROP);
    let config = CONFIG
        .replacen('{', "{ \"role\": \"slow\",", 1)
        .replace("172.16.0.0/12 blackhole", "172.16.0.0/12 via 10.0.1.2");
    let mut next = Host::<Router>::start_in(Run { targets: 1, spares: 64, ..Run::default() }, &config).unwrap();
    next.restore(&slow_one.save().unwrap()).unwrap();
    carry(&mut next, &mut [&mut fast_one], 2 * SECOND, 30);
    assert_eq!(version(&mut next), version(&mut fast_one));
    assert_eq!(one(&mut fast_one, &frame).verdict, Verdict::tx(1));
}

#[test]
fn what_is_not_understood_is_refused() {
    let mut fast = fast();
    for message in [&[0xfc][..], &[0xfd, 1], &[0xff; 20], &[0xfd; 40]] {
        fast.message(message).unwrap_err();
    }
    assert!(start().message(&[0xfc; 17]).unwrap_err().contains("role"));
}

/// A feed is one of the slow instance; what it leaves is withdrawn everywhere.
#[test]
fn routes_of_a_feed_come_and_go_everywhere() {
    let (mut slow, mut fast) = (slow(), fast());
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
