//! A firewall's rules change.

use super::*;

const CONFIG: &str = r#"{"mode": "firewall", "from": "a", "answers": true, "stale": 3, "rules": [
    {"in": "a", "proto": "udp", "dport": [53], "action": "accept"}, {"in": "a", "proto": "udp", "dport": [69], "action": "drop"}]}"#;

#[test]
fn a_packet_passes_while_a_rule_lets_it() {
    let mut host = start(CONFIG);
    let (open, shut) = (some(9), stamped(&vec![packet(UDP, [10, 77, 1, 2], 69); 9]));
    host.message(b"rule 0 drop").unwrap();
    host.message(b"rule 1 accept").unwrap();
    // Applied with this call: what was sent before 5 ms may go either way.
    assert_eq!(broken(&mut host, 5, &[open[2].clone()]), None);
    assert_eq!(broken(&mut host, 9, &[open[3].clone(), shut[3].clone(), shut[6].clone()]), None);
    assert!(broken(&mut host, 9, &[open[6].clone()]).unwrap().contains("no rule lets it"));
    for wrong in ["rule 2 drop", "rule x drop", "rule 0 reject", "rule 0", "class 1 2"] {
        assert!(host.message(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

/// An answer to a question that was under way.
#[test]
fn an_answer_may_be_a_little_behind() {
    let mut servers = start(CONFIG);
    let asked = some(2);
    let answer = |servers: &mut Host<Observer>, time: u64, which: usize| {
        servers.set_time(time * MS);
        servers.process([asked[which].clone()]).remove(0).bytes
    };
    let mut clients = start(&CONFIG.replace(r#""from": "a""#, r#""from": "b""#));
    clients.message(b"rule 0 drop").unwrap();
    assert_eq!(broken(&mut clients, 5, &NOTHING), None);
    assert_eq!(broken(&mut clients, 9, &[answer(&mut servers, 7, 0)]), None, "its question was sent before 5 ms");
    let late = answer(&mut servers, 9, 1);
    assert!(broken(&mut clients, 10, &[late]).unwrap().contains("no rule lets it"));
}
