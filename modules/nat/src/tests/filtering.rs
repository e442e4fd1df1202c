//! Who may send to a mapping (RFC 4787, section 5; RFC 5382, section 4.3).

use super::*;

/// Which of three get in after a packet to 192.0.2.1:80: the same endpoint, another port, another address.
fn admitted(filtering: &str, is_tcp: bool) -> [bool; 3] {
    let mut host = start(&format!(r#""filtering": "{filtering}""#));
    let make = |from: &str, to: &str, flags: &str| if is_tcp { super::tcp(from, to, flags) } else { udp(from, to) };
    let own = outside(&mut host, &make("10.0.0.1:5000", "192.0.2.1:80", "S"));
    ["192.0.2.1:80", "192.0.2.1:81", "203.0.113.1:80"].map(|from| {
        let told = send(&mut host, &make(from, &own, "S"));
        assert!(told == "drop" || told.ends_with("> 10.0.0.1:5000"));
        told != "drop"
    })
}

#[test]
fn each_filter_lets_in_what_it_says() {
    for is_tcp in [false, true] {
        assert_eq!(admitted("endpoint-independent", is_tcp), [true, true, true]);
        assert_eq!(admitted("address-dependent", is_tcp), [true, true, false]);
        assert_eq!(admitted("address-and-port-dependent", is_tcp), [true, false, false]);
    }
}

#[test]
fn a_permit_ends_with_the_last_connection_to_its_address() {
    let mut host = start(r#""filtering": "address-dependent", "timers": {"tcp_transitory": 10}"#);
    let own = outside(&mut host, &super::tcp("10.0.0.1:5000", "192.0.2.1:80", "S"));
    host.set_time(9 * SECOND);
    outside(&mut host, &super::tcp("10.0.0.1:5000", "203.0.113.1:80", "S"));
    host.set_time(15 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(send(&mut host, &super::tcp("192.0.2.1:99", &own, "S")), "drop");
    assert_ne!(send(&mut host, &super::tcp("203.0.113.1:99", &own, "S")), "drop");
    host.set_time(60 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert!(summary(&mut host).contains(r#""sessions":0,"#), "permits have gone, too");
}

pub(super) fn summary(host: &mut Host<Nat>) -> String {
    String::from_utf8(host.message(b"summary").unwrap()).unwrap()
}
