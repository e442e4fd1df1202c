//! What the operator asks and tells.

use super::*;

fn ask(host: &mut Host<Router>, message: &str) -> Result<String, String> {
    host.message(message.as_bytes()).map(|reply| String::from_utf8(reply).unwrap())
}

#[test]
fn routes_come_and_go() {
    let mut host = start();
    assert_eq!(ask(&mut host, "route add 198.51.100.0/24 via 10.0.1.2").unwrap(), "1 changes\n");
    assert_eq!(ask(&mut host, "route? 198.51.100.7").unwrap(), "198.51.100.7: 198.51.100.0/24 via 10.0.1.2 dev 1\n");
    assert_eq!(one(&mut host, &udp4([198, 51, 100, 7].into(), 40)).verdict, Verdict::tx(1));
    ask(&mut host, "route replace 198.51.100.0/24 via 10.0.0.2 via 10.0.1.2").unwrap();
    let both = "198.51.100.7: 198.51.100.0/24 via 10.0.0.2 dev 0 via 10.0.1.2 dev 1\n";
    assert_eq!(ask(&mut host, "route? 198.51.100.7").unwrap(), both);
    ask(&mut host, "route del 198.51.100.0/24").unwrap();
    assert_eq!(ask(&mut host, "route? 198.51.100.7").unwrap(), "198.51.100.7: 0.0.0.0/0 via 10.0.1.9 dev 1\n");
    assert_eq!(ask(&mut host, "route? 2001:db9::").unwrap(), "2001:db9::: no route\n");
    ask(&mut host, "route add 2001:db9::/32 via fe80::7 dev 1").unwrap();
    assert_eq!(ask(&mut host, "route? 2001:db9::").unwrap(), "2001:db9::: 2001:db9::/32 via fe80::7 dev 1\n");
    assert_eq!(host.counter("route_changes"), 4);
}

#[test]
fn a_batch_is_applied_as_a_whole_or_not_at_all() {
    let mut host = start();
    let before = ask(&mut host, "routes?").unwrap();
    let batch = "batch 7\nroute add 198.51.100.0/24 via 10.0.1.33\nroute replace 192.168.0.0/16 blackhole\n\
                 route del 172.16.0.0/12\nroute add 198.51.100.0/24 unreachable";
    let error = ask(&mut host, batch).unwrap_err();
    assert!(error.contains("there is such a route"), "{error}");
    assert_eq!(ask(&mut host, "routes?").unwrap(), before);
    let good = batch.rsplit_once('\n').unwrap().0;
    assert_eq!(ask(&mut host, good).unwrap(), "batch 7: 3 changes\n");
    // Whoever did not see the answer may send it again.
    assert_eq!(ask(&mut host, good).unwrap(), "batch 7 was applied before\n");
    let after = ask(&mut host, "routes?").unwrap();
    assert!(after.contains("192.168.0.0/16 blackhole") && !after.contains("172.16.0.0/12"), "{after}");
    let many: String = (0..65).map(|n| format!("route add 198.52.{n}.0/24 blackhole\n")).collect();
    assert!(ask(&mut host, &format!("batch 8\n{many}")).unwrap_err().contains("more than 64"));
    assert_eq!(ask(&mut host, "routes?").unwrap(), after);
}

/// Next hops are numbered, and a number is free again when no route leads there.
#[test]
fn next_hops_do_not_run_out() {
    let mut host = start();
    for n in 0..5_000_u32 {
        let (hop, other) = (n % 200 + 10, n % 7 + 3);
        let via = if n % 2 == 0 { String::new() } else { format!("via 10.0.0.{other}") };
        ask(&mut host, &format!("route replace 198.51.100.0/24 via 10.0.1.{hop} {via}")).unwrap();
        let wrong =
            format!("batch {}\nroute add 203.0.113.0/24 via 10.0.1.{hop} via 10.0.1.251\nroute del 9.9.9.0/24", n + 1);
        assert!(ask(&mut host, &wrong).is_err());
    }
}

#[test]
fn long_answers_come_in_pages() {
    let mut host = start();
    for batch in 0..20 {
        let lines: String = (0..50).map(|n| format!("route add 100.{batch}.{n}.0/24 via 10.0.1.2\n")).collect();
        ask(&mut host, &format!("batch {}\n{lines}", batch + 1)).unwrap();
    }
    let (mut shown, mut question) = (Vec::new(), String::from("routes?"));
    loop {
        let page = ask(&mut host, &question).unwrap();
        shown.extend(page.lines().filter(|line| line.starts_with("100.")).map(String::from));
        match page.lines().last().and_then(|line| line.strip_prefix("more: ")) {
            Some(next) => question = next.into(),
            None => break,
        }
    }
    let expected = (0..20).flat_map(|batch| (0..50).map(move |n| format!("100.{batch}.{n}.0/24 via 10.0.1.2 dev 1")));
    assert!(shown.iter().cloned().eq(expected), "{} shown", shown.len());
    let neighbours = ask(&mut host, "neighbours?").unwrap();
    assert!(neighbours.contains("10.0.1.2 dev 1 lladdr 02:00:00:00:00:b1 permanent"), "{neighbours}");
    assert!(ask(&mut host, "interfaces?").unwrap().contains("1 mac 02:00:00:00:00:11 mtu 1400 10.0.1.1/24"));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let mut host = start();
    for (message, why) in [
        ("route add 198.51.100.1/24 via 10.0.1.2", "bits set behind"),
        ("route add 198.51.100.0/24 via 10.7.0.1", "on no interface"),
        ("route add 198.51.100.0/24 via 10.0.1.1", "of the router itself"),
        ("route add 198.51.100.0/24 via 2001:db8:1::2", "other family"),
        ("route add 2001:db9::/32 via fe80::1", "needs its link"),
        ("route add 198.51.100.0/24 dev 7", "number of a port"),
        ("route add 198.51.100.0/24", "behind the prefix comes"),
        ("route add 198.51.100.0/24 via 10.0.1.2 metric 5", "one word too many"),
        ("route add 224.0.0.0/8 blackhole", "are not routed"),
        ("route del 10.0.1.0/24", "of an interface"),
        ("route replace 10.0.1.1/32 blackhole", "of an interface"),
        ("route del 198.51.100.0/24", "no such route"),
        ("route add 192.168.0.0/16 blackhole", "there is such a route"),
        ("batch x\nroute del 192.168.0.0/16", "comes a number"),
        ("route? nowhere", "comes an address"),
        ("rules?", "known messages"),
    ] {
        let error = ask(&mut host, message).unwrap_err();
        assert!(error.contains(why), "{message}: {error}");
    }
}
