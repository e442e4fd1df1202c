//! What a policer lets through.

use super::*;

/// Packets are 88 bytes of IP: 704 bits.
const CONFIG: &str = r#"{"mode": "policer", "classes": [
    {"prefix": "10.0.0.9/32", "rate": 704000, "burst": 176, "least": 264}, {"prefix": "10.0.0.0/8", "rate": 1, "burst": 88}]}"#;

#[test]
fn no_more_passes_than_the_rate_and_the_burst() {
    let sent = some(9);
    let run = |calls: &[(u64, usize)], message: &str| {
        let (mut host, mut next) = (start(CONFIG), 0);
        for (time, count) in calls {
            if *time == 20 && !message.is_empty() {
                host.message(message.as_bytes()).unwrap();
            }
            let said = broken(&mut host, *time, &sent[next..next + count]);
            if said.is_some() {
                return said;
            }
            next += count;
        }
        ended(&mut host)
    };
    assert_eq!(run(&[(1, 2), (2, 1), (9, 2)], ""), None);
    assert!(run(&[(1, 3)], "").unwrap().contains("more passes than 704000 bits a second and 176 bytes"));
    assert!(run(&[(1, 2), (2, 2)], "").unwrap().contains("more passes"));
    assert!(run(&[(1, 2)], "").unwrap().contains("176 bytes came, and 264 must"));
    // Another rate: the higher one counts until it is heard of.
    let faster = "class 10.0.0.9/32 1408000";
    assert_eq!(run(&[(19, 2), (20, 2), (21, 2)], faster), None);
    assert!(run(&[(19, 2), (20, 2), (21, 2)], "").unwrap().contains("more passes"));
    assert!(run(&[(19, 2), (20, 2), (21, 3)], faster).unwrap().contains("1408000"));
    let mut host = start(CONFIG);
    for wrong in ["class 10.0.0.1/32 5", "class 10.0.0.9/32", "class 10.0.0.9/32 fast", "rule 0 drop"] {
        assert!(host.message(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
