//! Messages change rates, and what is known outlives a swap.

use super::*;

const CLASSES: &str = r#"
    {"name": "a", "prefixes": ["10.0.0.0/30"], "cir": "8k", "cbs": 2000, "ebs": 1000},
    {"name": "b", "prefixes": ["10.0.0.4/30", "fd00::/16"], "per": "flow", "cir": "8k", "cbs": 2000, "pir": "16k", "pbs": 4000},
    {"name": "c", "prefixes": ["10.0.0.8/30"], "shape": "1M", "queue": 20}"#;

#[test]
fn a_message_changes_rates_and_gives_nobody_a_burst() {
    let mut host = host(CLASSES);
    assert_eq!(pass(&mut host, vec![packet(1, 0, 500); 9]), 6);
    host.message(b"class a cir=80k cbs=4000").unwrap();
    assert_eq!(pass(&mut host, vec![packet(1, 0, 500); 9]), 0);
    host.set_time(S / 10);
    assert_eq!(pass(&mut host, vec![packet(1, 0, 500); 9]), 2);
    let told = classes(&mut host);
    assert_eq!((&told[0]["cir"], &told[0]["cbs"], &told[0]["ebs"]), (&80_000.into(), &4_000.into(), &1_000.into()));
    assert_eq!((&told[0]["green"]["packets"], &told[0]["red"]["bytes"]), (&6.into(), &9_500.into()));
    // Flows that are known change too.
    assert_eq!(pass(&mut host, vec![packet(5, 0, 500); 9]), 8);
    host.message(b"class b cir=16k pir=160k").unwrap();
    host.set_time(S / 5);
    assert_eq!(pass(&mut host, vec![packet(5, 0, 500); 9]), 4);
}

#[test]
fn a_class_that_waits_goes_on_at_another_rate() {
    let mut host = host(CLASSES);
    pass(&mut host, vec![packet(9, 0, 1_000); 6]);
    host.message(b"class c shape=8M").unwrap();
    let times = (1..20).flat_map(|ms| {
        host.set_time(ms * MS);
        vec![ms; pass(&mut host, [])]
    });
    assert_eq!(times.collect::<Vec<_>>(), [8, 9, 10, 11, 12]);
}

#[test]
fn messages_that_cannot_be_are_refused_and_change_nothing() {
    let mut host = host(CLASSES);
    let before = classes(&mut host);
    for (message, expected) in [
        ("", "known messages"),
        ("classes? x", "known messages"),
        ("class", "known messages"),
        ("class x cir=1", "no class has the name \"x\""),
        ("class a cir", "write it as cir=2M"),
        ("class a cir=fast", "not a number"),
        ("class a rate=1", "known are cir"),
        ("class a cir=9k pir=10k", "neither adds to it nor takes away"),
        ("class c shape=0", "neither adds to it nor takes away"),
        ("class a cir=9k cbs=100 ebs=100", "never pass"),
        ("class b pir=1k", "pir is not below cir"),
        ("class c queue=70000", "queue is at most"),
    ] {
        let said = host.message(message.as_bytes()).unwrap_err();
        assert!(said.contains(expected), "{message}: {said}");
    }
    assert_eq!(classes(&mut host), before);
}

/// What a new instance does is what the old one would have done.
#[test]
fn a_swap_changes_nothing() {
    let (mut old, mut twin) = (host(CLASSES), host(CLASSES));
    let frames = || -> Vec<_> {
        let each = [packet(1, 0, 500), packet(5, 0, 700), flow(5, 7, 0, 900), packet6(0, 400)];
        each.into_iter().flat_map(|frame| vec![frame; 3]).collect()
    };
    for host in [&mut old, &mut twin] {
        host.message(b"class a cir=16k").unwrap();
        host.set_time(S / 2);
        pass(host, frames());
    }
    let state = old.save().unwrap();
    let mut new = host(CLASSES);
    new.set_time(S / 2);
    new.process(NOTHING);
    new.restore(&state).unwrap();
    assert_eq!(classes(&mut new), classes(&mut twin));
    for time in 1..30 {
        new.set_time(S / 2 + time * 100 * MS);
        twin.set_time(S / 2 + time * 100 * MS);
        assert_eq!(pass(&mut new, frames()), pass(&mut twin, frames()), "{time}");
    }
    assert_eq!(classes(&mut new), classes(&mut twin));
}

#[test]
fn rates_of_another_configuration_count() {
    let mut old = host(CLASSES);
    old.message(b"class a cir=16k").unwrap();
    let state = old.save().unwrap();
    let mut new = host(&CLASSES.replacen("8k", "24k", 1).replace(r#""name": "b""#, r#""name": "d""#));
    new.restore(&state).unwrap();
    assert_eq!(classes(&mut new)[0]["cir"], 24_000);
}

#[test]
fn a_state_that_is_cut_is_refused() {
    let mut old = host(CLASSES);
    pass(&mut old, vec![packet(5, 0, 500); 3]);
    let state = old.save().unwrap();
    let flow = 64;
    let mut new = host(CLASSES);
    for cut in 0..state.len() {
        let is_whole = cut == state.len() - flow;
        assert_eq!(new.restore(&state[..cut]).is_ok(), is_whole, "{cut} of {}", state.len());
    }
}
