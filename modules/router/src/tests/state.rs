//! What another instance knew. Natively there is no region, so of routes only those of the configuration go over.

use super::*;

#[test]
fn neighbours_and_what_waits_go_over() {
    let mut host = start();
    host.set_time(SECOND);
    let known: Ipv4Addr = [10, 0, 1, 7].into();
    one(&mut host, &udp4(known, 60));
    let answer = |mac, sender| Input::new(&arp(Arp::REPLY, (mac, sender), (R1, [10, 0, 1, 1].into()))).port(1);
    let mac = Mac([2, 0, 0, 0, 0, 0xc7]);
    host.process([answer(mac, known)]);
    host.message(b"batch 5\nroute replace 192.168.0.0/16 via 10.0.1.2").unwrap();
    let saved = host.save().unwrap();
    let mut next = start();
    next.set_time(2 * SECOND);
    next.restore(&saved).unwrap();
    assert_eq!(macs(&one(&mut next, &udp4(known, 60)).bytes), (mac, R1));
    assert_eq!(next.message(b"batch 5\nroute del 192.168.0.0/16").unwrap(), b"batch 5 was applied before\n");
    assert_eq!(next.save().unwrap().len(), saved.len());
    // What is cut off, or goes on behind its end, is not taken.
    for cut in [0, 1, 20, saved.len() - 1] {
        assert!(start().restore(&saved[..cut]).is_err());
    }
    assert!(start().restore(&[&saved[..], &[0]].concat()).is_err());
    assert!(start().restore_from(2, &saved).is_err() && start().restore_from(4, &saved).is_err());
}

#[test]
fn questions_are_asked_again_by_the_next_instance() {
    let mut host = start();
    host.set_time(SECOND);
    one(&mut host, &udp4([10, 0, 1, 7].into(), 60));
    let saved = host.save().unwrap();
    let mut next = start();
    next.set_time(2 * SECOND);
    next.restore(&saved).unwrap();
    next.process(Vec::<Input>::new());
    assert_eq!(Arp::parse(&listed(&next)[0].0[14..]).unwrap().target(), Ipv4Addr::from([10, 0, 1, 7]));
    let told = String::from_utf8(next.message(b"neighbours?").unwrap()).unwrap();
    assert!(told.contains("1 packets wait"), "{told}");
}

#[test]
fn a_hop_that_no_interface_reaches_is_not_taken_over() {
    let mut host = start();
    host.message(b"route add 198.51.100.0/24 via 10.0.1.77").unwrap();
    let saved = host.save().unwrap();
    let other = CONFIG.replace("10.0.1.", "10.0.2.").replace("10.0.1.9", "10.0.2.9");
    let error = Host::<Router>::start(&other).unwrap().restore(&saved).unwrap_err();
    assert!(error.contains("on no interface of the new configuration"), "{error}");
}

/// What the configuration brings wins where it is another; what has become of the rest is state.
#[test]
fn another_configuration_changes_what_is_another_in_it() {
    let mut host = start();
    // The region goes over as it is; natively it is the other instance's own, which begins as this one did. So nothing changes before.
    let saved = host.save().unwrap();
    let config = CONFIG
        .replace("\"172.16.0.0/12 blackhole\"", "\"172.16.0.0/12 unreachable\"")
        .replace("\"172.31.0.0/16 unreachable\", ", "")
        .replace("via 10.0.1.9", "via 10.0.1.9 dev 1");
    let mut next = Host::<Router>::start(&config).unwrap();
    next.restore(&saved).unwrap();
    let shown = |host: &mut Host<Router>| String::from_utf8(host.message(b"routes?").unwrap()).unwrap();
    let routes = shown(&mut next);
    assert!(routes.contains("172.16.0.0/12 unreachable") && !routes.contains("172.31.0.0/16"), "{routes}");
    assert!(routes.contains("0.0.0.0/0 via 10.0.1.9") && routes.contains("192.168.0.0/16"), "{routes}");
    // With the same configuration nothing is put in again: a route that is not there stays away.
    let mut same = start();
    same.message(b"route del 192.168.0.0/16").unwrap();
    same.restore(&saved).unwrap();
    let routes = shown(&mut same);
    assert!(!routes.contains("192.168.0.0/16") && routes.contains("172.31.0.0/16"), "{routes}");
}
