//! Authenticated mode, by packets that were made elsewhere: with Python's `struct` and `hmac` from the figures of RFC 8762, sections
//! 4.2.2 and 4.3.2, and RFC 8972, section 3.

use crate::StampSender;
use crate::tests::{AT, MS, begun, config, tick};
use perigee_guest::abi::pacing;
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::wire::{Ethernet, checksum};
use stamp_wire::{AUTHENTICATED_BASE as BASE, tlv};

/// `0123456789abcdef0123456789ABCDEF`.
const KEY: &str = "3031323334353637383961626364656630313233343536373839414243444546";
/// The first packet, which leaves at 1 ms.
const SENT: &str = "00000000000000000000000000000000e8fe6f80004189380f840001000000000000000000000000000000000000000000000000\
                    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000008b58b594fee9b93d\
                    44522c1f79005c11";
/// Its answer: it came at 1.03 ms, and left at 1.04.
const REFLECTED: &str = "00000000000000000000000000000000e8fe6f800044284e0001000100000000e8fe6f8000438089000000000000000000000000\
                         000000000000000000000000e8fe6f80004189380f84000000000000ff00000000000000000000000000000054973625848aed95\
                         ac09fcfd271d0342";

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn secret(more: &str) -> String {
    config(&format!(r#", "secrets": {{"stamp": "{KEY}"}}{more}"#))
}

/// A packet with its headers turned round, another payload, and its checksums right.
fn reflect(packet: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut answer = [&packet[..AT], payload].concat();
    Ethernet::swap_addresses_of(&mut answer).unwrap();
    for (at, len) in [(26, 4), (34, 2)] {
        let (from, to) = (answer[at..at + len].to_vec(), answer[at + len..at + 2 * len].to_vec());
        answer[at..at + len].copy_from_slice(&to);
        answer[at + len..at + 2 * len].copy_from_slice(&from);
    }
    let len = u16::try_from(answer.len() - 14).unwrap();
    answer[16..18].copy_from_slice(&len.to_be_bytes());
    answer[38..40].copy_from_slice(&(len - 20).to_be_bytes());
    checksum::fill(&mut answer).unwrap();
    answer
}

#[test]
fn packets_are_what_another_program_makes_of_the_figures_and_its_answers_are_read() {
    let mut host = begun(Host::<StampSender>::start(&secret(r#", "one_way": true"#)).unwrap());
    let packets = tick(&mut host, MS);
    assert_eq!((packets.len(), &packets[0][AT..]), (1, &bytes(SENT)[..]));
    assert_eq!(checksum::check(&packets[0]), Ok(()));
    host.set_time(MS + 90_000);
    let good = reflect(&packets[0], &bytes(REFLECTED));
    // One bit of it is another: it is not looked at any further.
    for bit in 0..BASE * 8 {
        let mut wrong = good.clone();
        wrong[AT + bit / 8] ^= 1 << (bit % 8);
        checksum::fill(&mut wrong).unwrap();
        assert!(host.process([wrong])[0].verdict.is_drop());
    }
    let all = (host.counter("bad_hmac"), host.counter("received"), host.counter("foreign"));
    assert_eq!(all, (BASE as u64 * 8, 0, 0));
    host.process([Input::new(&good).time(MS + 80_000)]);
    for (name, expected) in [("received", 1), ("two_way_ns", 70_000), ("forward_ns", 30_000), ("backward_ns", 40_000)] {
        assert_eq!(host.counter(name), expected, "{name}");
    }
    // Whoever is not the reflector is foreign, whatever his HMAC; so is what is too short for one.
    let mut stranger = good.clone();
    stranger[29] = 7;
    checksum::fill(&mut stranger).unwrap();
    host.process([stranger, reflect(&packets[0], &bytes(REFLECTED)[..44])]);
    assert_eq!((host.counter("foreign"), host.counter("bad_hmac")), (2, BASE as u64 * 8));
}

#[test]
fn the_real_departure_comes_back_in_padding_unless_it_is_not_believed() {
    for (flags, two_way) in [(0, 69_300), (tlv::INTEGRITY, 70_000)] {
        let run = Run { pacing: pacing::SOFTWARE, spares: 64, ..Run::default() };
        let mut host = begun(Host::<StampSender>::start_in(run, &secret(r#", "padding": 12"#)).unwrap());
        let packets = tick(&mut host, MS);
        assert_eq!(packets[0].len(), AT + BASE + 16);
        assert_eq!(packets[0][AT + BASE..AT + BASE + 4], [0x80, 1, 0, 12]);
        assert_eq!(usize::from(host.outputs()[0].desc.stamp), AT + BASE + 4);
        let padding = [&[flags, 1, 0, 12], &(MS + 700).to_be_bytes()[..], &[0; 4]].concat();
        let answer = reflect(&packets[0], &[bytes(REFLECTED), padding].concat());
        host.set_time(MS + 90_000);
        host.process([Input::new(&answer).time(MS + 80_000)]);
        assert_eq!((host.counter("two_way_ns"), host.counter("stamped")), (two_way, u64::from(flags == 0)));
    }
}

#[test]
fn keys_and_what_does_not_fit_beside_them_are_refused() {
    let cases = [
        (config(r#", "key_format": "bytes""#), "key_format"),
        (config(r#", "secrets": {"stamp": "0011"}"#), "16 to 128 bytes"),
        (config(r#", "secrets": {}"#), "stamp"),
        (secret(r#", "padding": 1313"#), "padding"),
    ];
    for (config, expected) in cases {
        let error = Host::<StampSender>::start(&config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
    assert!(Host::<StampSender>::start(&secret(r#", "padding": 1312"#)).is_ok());
}
