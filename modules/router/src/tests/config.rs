//! Configurations that make no sense.

use super::*;

#[track_caller]
fn refused(change: (&str, &str), why: &str) {
    assert!(CONFIG.contains(change.0));
    let error = Host::<Router>::start(&CONFIG.replacen(change.0, change.1, 1)).map(|_| ()).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[test]
fn one_clear_error_for_each() {
    refused(("10.0.1.1/24", "10.0.0.9/25"), "prefixes that overlap");
    refused(("10.0.1.1/24", "10.0.1.0/24"), "not that of one host");
    refused(("10.0.1.1/24", "10.0.1.1"), "is not an address with a length");
    refused(("10.0.1.1/24", "fe80::5/64"), "makes itself");
    refused((r#""port": 1"#, r#""port": 9"#), "there is no port 9");
    refused((r#""port": 1"#, r#""port": 0"#), "the same port");
    refused(("1400", "9000"), "longer mtu than its port");
    refused(("1400", "1279"), "below 1280");
    refused(("192.168.0.0/16", "192.168.0.1/16"), "bits set behind");
    refused(("via 10.0.1.2", "via 10.9.1.2"), "on no interface");
    refused(("192.168.0.0/16", "10.0.1.0/24"), "on a link already");
    refused(("192.168.0.0/16", "172.16.0.0/12"), "already");
    refused(("lladdr 02:00:00:00:00:a1", "lladdr 01:00:00:00:00:a1"), "not one station");
    refused(("lladdr", "mac"), "a neighbour is");
    refused((r#""routes""#, r#""neighbour": {"max": 8, "unresolved": 5}, "routes""#), "to half of it");
    refused((r#""routes""#, r#""rutes""#), "unknown key");
    assert!(Host::<Router>::start(r#"{"interfaces": []}"#).map(|_| ()).unwrap_err().contains("at least one"));
}

#[test]
fn a_port_that_may_not_be_sent_to_is_no_interface() {
    let mut run = Run::default();
    run.ports[1].may_tx = 0;
    let error = Host::<Router>::start_in(run, CONFIG).map(|_| ()).unwrap_err();
    assert!(error.contains("grants.tx"), "{error}");
}
