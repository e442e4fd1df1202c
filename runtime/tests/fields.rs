//! What a generator varies, as machine code beside the interpreter: the same packets, byte for byte. The module is needed:
//! ./x build-modules.

use perigee_runtime::Limits;
use perigee_runtime::trial::{Failure, Seen, Setting, Subject, Trial};
use program::{Random, TEMPLATES, config};
use std::path::Path;

mod program;

/// Programs that are tried in each run of this test; `PERIGEE_FIELDS` says another number.
const PROGRAMS: u64 = 1_200;

/// Packets of some bursts, or why there are none; and whether they were made by machine code.
fn packets(subject: &Subject, setting: &Setting, bursts: &[usize]) -> Result<(Vec<Seen>, bool), Failure> {
    let mut trial = Trial::start(subject, setting)?;
    trial.prefill()?;
    let mut made = Vec::new();
    for burst in bursts {
        let outcome = trial.generate(*burst)?;
        assert!(outcome.trespasses.is_empty(), "{:?}", outcome.trespasses);
        made.extend(outcome.packets);
    }
    Ok((made, trial.has_compiled_fields()))
}

fn subject() -> Subject {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules/stream-gen.wasm");
    Subject::load(&file, Limits::default()).expect("./x build-modules makes it")
}

/// The same configuration with the key that turns compiling off.
fn interpreted(config: &str) -> String {
    config.replacen('{', r#"{"compile": false, "#, 1)
}

#[test]
fn random_programs_make_the_packets_of_the_interpreter() {
    let programs = std::env::var("PERIGEE_FIELDS").ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    let subject = subject();
    let (mut compiled, mut refused, mut made) = (0, 0, 0);
    for program in 0..programs {
        let mut random = Random(program);
        let config = config(&mut random);
        let instances = 1 + u32::try_from(random.below(4)).unwrap();
        let instance = u32::try_from(random.below(instances.into())).unwrap();
        let bursts: Vec<usize> = (0..4).map(|_| 1 + random.index(64)).collect();
        let setting = |config: &str| Setting {
            config: config.as_bytes().to_vec(),
            seed: program,
            instance,
            instances,
            rooms: 64,
            ..Setting::default()
        };
        let by_code = packets(&subject, &setting(&config), &bursts);
        let by_hand = packets(&subject, &setting(&interpreted(&config)), &bursts);
        match (by_code, by_hand) {
            (Ok((code, is_compiled)), Ok((hand, false))) => {
                compiled += u64::from(is_compiled);
                made += code.len();
                let differs = code.iter().zip(&hand).position(|(code, hand)| code != hand);
                assert_eq!((code.len(), differs), (hand.len(), None), "program {program}: {config}");
            }
            (Err(code), Err(hand)) => {
                assert_eq!(code, hand, "program {program}: {config}");
                refused += 1;
            }
            (code, hand) => panic!("program {program}: {config}: {:?}, {:?}", code.err(), hand.err()),
        }
    }
    println!("{programs} programs: {compiled} compiled, {refused} refused, {made} packets");
    assert!(compiled * 10 >= programs * 7, "only {compiled} of {programs} programs were compiled");
}

/// A sum of 0 is written as 0xffff by UDP, and as it is by all others: of all values of a word one makes it 0.
#[test]
fn all_sums_that_a_word_can_make_are_those_of_the_interpreter() {
    let subject = subject();
    for (packet, field) in [(TEMPLATES[0].0, "udp.source_port"), (TEMPLATES[2].0, "tcp.source_port")] {
        let config = format!(r#"{{"packet": "{packet}", "vary": [{{"field": "{field}"}}]}}"#);
        let all = |config: String, is_compiled| {
            let setting = Setting { config: config.into(), rooms: 256, ..Setting::default() };
            let (made, was_compiled) = packets(&subject, &setting, &[256; 256]).expect(packet);
            assert_eq!((made.len(), was_compiled), (65_536, is_compiled));
            made
        };
        let (code, hand) = (all(config.clone(), true), all(interpreted(&config), false));
        assert_eq!(code.iter().zip(&hand).position(|(code, hand)| code != hand), None, "{field}");
    }
}

/// Lengths from the shortest packet to one that has all of the template and more: each checksum of a packet that is cut off.
#[test]
fn packets_of_all_lengths_are_those_of_the_interpreter() {
    let subject = subject();
    // Of several chunks of SCTP none can follow the size.
    for (packet, len) in TEMPLATES.into_iter().filter(|(_, len)| *len != 86) {
        let rest = r#""vary": [{"offset": 26, "bits": 32, "draw": "random"}, {"offset": 70, "bits": 24}]"#;
        let config = format!(r#"{{"packet": "{packet}", {rest}, "sizes": {{"from": 60, "to": 200}}}}"#);
        let all = |config: String| {
            let setting = Setting { config: config.into(), rooms: 256, ..Setting::default() };
            packets(&subject, &setting, &[141; 3]).expect(packet)
        };
        let ((code, is_compiled), (hand, _)) = (all(config.clone()), all(interpreted(&config)));
        assert_eq!(code.iter().zip(&hand).position(|(code, hand)| code != hand), None, "{packet}");
        let lens: std::collections::BTreeSet<usize> = code.iter().map(|packet| packet.bytes.len()).collect();
        assert!(lens.len() >= 34 && is_compiled == (len != SCTP_LEN), "{packet}: {lens:?} {is_compiled}");
    }
}

/// Length of the template with SCTP.
const SCTP_LEN: u64 = 66;

#[test]
fn what_is_compiled_and_what_is_not() {
    let subject = subject();
    let (udp, sctp) = (TEMPLATES[0].0, TEMPLATES[6].0);
    for (packet, is_compiled, rest) in [
        (udp, true, r#""vary": [{"field": "ipv4.ttl", "draw": "zipf", "from": 1, "to": 64}]"#),
        (udp, true, r#""vary": [{"field": "ipv4.ttl", "draw": "normal", "from": 1, "to": 64}]"#),
        (udp, true, r#""vary": [{"field": "ipv4.source", "clients": {"from": "10.0.0.1", "to": "10.0.0.9"}}]"#),
        (udp, true, r#""vary": [{"field": "ipv4.source"}], "sizes": {"imix": "simple"}"#),
        (udp, true, r#""sizes": {"imix": "simple"}"#),
        (udp, true, r#""vary": [{"field": "ipv4.source"}], "fill": "always""#),
        (udp, true, r#""vary": [{"field": "ipv4.source"}], "gaps": {"packets_per_second": 1000}"#),
        (sctp, true, r#""vary": [{"field": "ipv4.source"}, {"field": "sctp.tag"}]"#),
        (sctp, false, r#""vary": [{"field": "sctp.tag"}], "sizes": {"from": 60, "to": 90}"#),
        // The last byte of an odd number varies.
        (TEMPLATES[9].0, false, r#""vary": [{"offset": 102}]"#),
        (udp, false, r#""vary": []"#),
    ] {
        let setting = Setting { config: format!(r#"{{"packet": "{packet}", {rest}}}"#).into(), ..Setting::default() };
        let (made, was_compiled) = packets(&subject, &setting, &[8]).expect(rest);
        assert_eq!((made.len(), was_compiled), (8, is_compiled), "{rest}");
    }
}
