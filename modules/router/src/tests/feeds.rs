//! Feeds: whose a route is, and what becomes of it when its feed is gone.

use super::*;

fn ask(host: &mut Host<Router>, message: &str) -> Result<String, String> {
    host.message(message.as_bytes()).map(|reply| String::from_utf8(reply).unwrap())
}

/// Lets time pass, with the host's ticks.
fn pass(host: &mut Host<Router>, from: u64, to: u64) {
    for second in from..=to {
        host.set_time(second * SECOND);
        host.process(Vec::<Input>::new());
    }
}

#[test]
fn a_feed_changes_what_is_its_own() {
    let mut host = start();
    let error = ask(&mut host, "batch 1 feed bgp\nroute add 20.0.0.0/8 via 10.0.1.2").unwrap_err();
    assert!(error.contains("no feed yet"), "{error}");
    assert_eq!(
        ask(&mut host, "feed bgp stale 60").unwrap(),
        "feed bgp batch 0 routes 0 heard 0 stale 60 state alive\n"
    );
    ask(&mut host, "feed ospf stale never").unwrap();
    ask(&mut host, "batch 1 feed bgp\nroute replace 20.0.0.0/8 via 10.0.1.2\nroute add 2001:db9::/32 blackhole")
        .unwrap();
    assert_eq!(ask(&mut host, "route? 20.0.0.1").unwrap(), "20.0.0.1: 20.0.0.0/8 via 10.0.1.2 dev 1 feed bgp\n");
    // A number of another's, and the operator's own, are others.
    ask(&mut host, "batch 1 feed ospf\nroute replace 21.0.0.0/8 via 10.0.1.2").unwrap();
    ask(&mut host, "batch 1\nroute replace 22.0.0.0/8 via 10.0.1.2").unwrap();
    for line in ["replace 20.0.0.0/8 blackhole", "replace 192.168.0.0/16 blackhole", "replace 22.0.0.0/8 blackhole"] {
        let error = ask(&mut host, &format!("batch 2 feed ospf\nroute {line}")).unwrap_err();
        assert!(error.contains("another feed's"), "{error}");
    }
    assert!(ask(&mut host, "batch 2 feed ospf\nroute del 20.0.0.0/8").is_err());
    let told = ask(&mut host, "feeds?").unwrap();
    let lines = ["batch 1", "feed bgp batch 1 routes 2 heard 0 stale 60 state alive"];
    assert!(told.lines().take(2).eq(lines), "{told}");
    // The operator may.
    ask(&mut host, "route replace 20.0.0.0/8 unreachable").unwrap();
    assert_eq!(ask(&mut host, "route? 20.0.0.1").unwrap(), "20.0.0.1: 20.0.0.0/8 unreachable\n");
    assert!(ask(&mut host, "feeds?").unwrap().contains("feed bgp batch 1 routes 1 "));
    // What is refused counts for nobody.
    let wrong = "batch 3 feed bgp\nroute add 23.0.0.0/8 via 10.0.1.2\nroute del 24.0.0.0/8";
    assert!(ask(&mut host, wrong).is_err());
    assert!(ask(&mut host, "feeds?").unwrap().contains("feed bgp batch 1 routes 1 "));
}

#[test]
fn routes_of_a_feed_that_is_gone_are_marked_and_withdrawn() {
    let mut host = start();
    let before = ask(&mut host, "routes?").unwrap();
    pass(&mut host, 1, 1);
    ask(&mut host, "feed bgp stale 60").unwrap();
    for batch in 0..4 {
        let lines: String = (0..64).map(|n| format!("route add 100.{batch}.{n}.0/24 via 10.0.1.2\n")).collect();
        ask(&mut host, &format!("batch {} feed bgp\n{lines}", batch + 1)).unwrap();
    }
    ask(&mut host, "batch 9 feed bgp\nroute add 2001:db9::/32 via 2001:db8:1::2\nroute add fd00::/8 blackhole")
        .unwrap();
    pass(&mut host, 2, 20);
    assert!(!ask(&mut host, "routes?").unwrap().contains("stale"));
    pass(&mut host, 21, 50);
    assert!(ask(&mut host, "route? 100.0.1.1").unwrap().contains("dev 1 feed bgp stale"));
    // One that comes back is heard of.
    ask(&mut host, "feed bgp stale 60").unwrap();
    assert!(!ask(&mut host, "route? 100.0.1.1").unwrap().contains("stale"));
    assert!(ask(&mut host, "feed bgp end").unwrap().ends_with("routes 258 heard 0 stale 60 state stale\n"));
    pass(&mut host, 51, 109);
    assert!(ask(&mut host, "route? 100.0.1.1").unwrap().contains("feed bgp stale"));
    pass(&mut host, 110, 140);
    assert_eq!(ask(&mut host, "routes?").unwrap(), before);
    assert_eq!(ask(&mut host, "feeds?").unwrap(), "batch 0\n");
}

#[test]
fn feeds_go_over_in_a_swap() {
    let mut host = start();
    ask(&mut host, "feed bgp stale 60").unwrap();
    ask(&mut host, "batch 7 feed bgp\nroute add 20.0.0.0/8 via 10.0.1.2").unwrap();
    ask(&mut host, "feed static stale never").unwrap();
    let saved = host.save().unwrap();
    let mut next = start();
    next.restore(&saved).unwrap();
    let told = ask(&mut next, "feeds?").unwrap();
    assert!(told.contains("feed bgp batch 7 routes 1 ") && told.contains("feed static batch 0 routes 0 "), "{told}");
    assert_eq!(
        ask(&mut next, "batch 7 feed bgp\nroute add 1.0.0.0/8 blackhole").unwrap(),
        "batch 7 was applied before\n"
    );
}

#[test]
fn there_are_few_feeds_with_good_names() {
    let mut host = start();
    (0..14).for_each(|n| drop(ask(&mut host, &format!("feed f{n} stale 1")).unwrap()));
    for (message, why) in [
        ("feed f14 stale 1", "14 feeds already"),
        ("feed f1 stale", "comes `stale SECONDS`"),
        ("feed f1 stale 0", "comes `stale SECONDS`"),
        ("feed f1 stale 99999999999", "comes `stale SECONDS`"),
        ("feed f99 end", "no such feed"),
        ("feed a/b stale 1", "1 to 31 letters"),
    ] {
        let error = ask(&mut host, message).unwrap_err();
        assert!(error.contains(why), "{message}: {error}");
    }
}

/// A route on a link, of a message, goes as it came.
#[test]
fn a_route_on_a_link_can_be_taken_out() {
    let mut host = start();
    ask(&mut host, "route add 20.0.0.0/8 dev 1").unwrap();
    ask(&mut host, "route del 20.0.0.0/8").unwrap();
    assert!(ask(&mut host, "route del 10.0.1.0/24").unwrap_err().contains("of an interface"));
}
