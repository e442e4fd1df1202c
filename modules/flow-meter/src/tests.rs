//! The meter in a test host.

use super::*;
use perigee_guest::testing::{Host, Run};

/// A frame of 60 bytes or more from 10.0.0.`source` to 10.0.1.1.
fn frame(source: u8, source_port: u16, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len.max(60)];
    bytes[12..14].copy_from_slice(&[8, 0]);
    let total = u16::try_from(bytes.len() - 14).unwrap();
    (bytes[14], bytes[23]) = (0x45, 17);
    bytes[16..18].copy_from_slice(&total.to_be_bytes());
    bytes[26..34].copy_from_slice(&[10, 0, 0, source, 10, 0, 1, 1]);
    bytes[34..36].copy_from_slice(&source_port.to_be_bytes());
    bytes[36..38].copy_from_slice(&53_u16.to_be_bytes());
    bytes
}

fn back(mut frame: Vec<u8>) -> Vec<u8> {
    let (source, destination) = frame[26..34].split_at_mut(4);
    source.swap_with_slice(destination);
    let (from, to) = frame[34..38].split_at_mut(2);
    from.swap_with_slice(to);
    frame
}

fn ipv6(source: u8) -> Vec<u8> {
    let mut bytes = vec![0; 62];
    bytes[12..14].copy_from_slice(&[0x86, 0xdd]);
    (bytes[14], bytes[19], bytes[20]) = (0x60, 8, 17);
    (bytes[22], bytes[23], bytes[37]) = (0x20, 1, source);
    bytes
}

fn text(host: &mut Host<FlowMeter>, request: &str) -> String {
    String::from_utf8(host.message(request.as_bytes()).unwrap()).unwrap()
}

#[test]
fn flows_are_counted_and_the_largest_are_told() {
    let mut host = Host::<FlowMeter>::start("").unwrap();
    host.set_time(1_000);
    host.process([frame(1, 7, 100), frame(2, 7, 60), frame(1, 7, 300), vec![1; 60]]);
    host.set_time(3_000);
    let out = host.process([frame(1, 7, 100), ipv6(9)]);
    assert!(out.iter().all(|packet| packet.verdict == Verdict::NEXT));
    assert_eq!(
        text(&mut host, "top 2"),
        "[{\"flow\":\"10.0.0.1:7 > 10.0.1.1:53 protocol 17\",\"packets\":3,\"bytes\":500,\"first_ns\":1000,\
         \"last_ns\":3000},{\"flow\":\"[2001::9]:0 > [::]:0 protocol 17\",\"packets\":1,\"bytes\":62,\
         \"first_ns\":3000,\"last_ns\":3000}]"
    );
    assert_eq!(
        text(&mut host, "summary"),
        "{\"flows\":3,\"capacity\":65536,\"evicted\":0,\"crowded\":0,\
         \"sizes\":{\"count\":5,\"min\":60,\"mean\":124,\"p50\":100,\"p99\":300,\"p99_9\":300,\"max\":300},\
         \"gaps_ns\":{\"count\":2,\"min\":0,\"mean\":1001,\"p50\":0,\"p99\":2007,\"p99_9\":2007,\"max\":2007}}"
    );
    assert_eq!((host.counter("packets"), host.counter("other"), host.counter("flows")), (6, 1, 3));
    text(&mut host, "reset");
    assert_eq!(text(&mut host, "top"), "[]");
}

#[test]
fn both_ways_may_be_one_flow() {
    for (config, flows) in [("{}", 2), (r#"{"both_ways": true}"#, 1)] {
        let mut host = Host::<FlowMeter>::start(config).unwrap();
        host.process([frame(1, 7, 60), back(frame(1, 7, 60))]);
        assert_eq!(host.counter("flows"), flows);
    }
}

#[test]
fn what_is_not_used_is_forgotten() {
    let mut host = Host::<FlowMeter>::start(r#"{"idle_ms": 10, "flows": 2}"#).unwrap();
    host.process([frame(1, 7, 60), frame(2, 7, 60), frame(3, 7, 60)]);
    assert_eq!((host.counter("flows"), host.counter("flows.evicted")), (3, 1));
    host.set_time(11_000_000);
    host.tick();
    assert_eq!(host.counter("flows.expired"), 2);
    assert_eq!(text(&mut host, "top"), "[]");
    let mut host = Host::<FlowMeter>::start(r#"{"when_full": "refuse", "flows": 1}"#).unwrap();
    let out = host.process([frame(1, 7, 60), frame(2, 7, 60)]);
    assert_eq!(out[1].verdict, Verdict::NEXT);
    assert_eq!(host.counter("flows.refused"), 1);
}

#[test]
fn each_prefix_keeps_to_its_rate() {
    let config = r#"{"limits": [
        {"prefix": "10.0.0.0/24", "bps": 8000, "burst": 1514}, {"prefix": "10.0.0.2/32", "bps": 0, "burst": 1514},
        {"prefix": "2001::/16", "bps": 0, "burst": 1520}]}"#;
    let mut host = Host::<FlowMeter>::start(config).unwrap();
    let long = |len: usize| [ipv6(1), vec![0; len - 62]].concat();
    let frames = [
        frame(1, 1, 1_414),
        frame(3, 1, 100),
        frame(1, 1, 60),
        frame(2, 1, 1_514),
        frame(2, 1, 60),
        long(1_458),
        ipv6(1),
        ipv6(2),
    ];
    let passed: Vec<bool> = host.process(frames).iter().map(|packet| !packet.verdict.is_drop()).collect();
    assert_eq!(passed, [true, true, false, true, false, true, true, false]);
    assert_eq!((host.counter("limited"), host.counter("packets")), (3, 5));
    // 8000 bits a second are 60 bytes in 60 ms.
    host.set_time(59_999_999);
    assert!(host.process([frame(1, 1, 60)])[0].verdict.is_drop());
    host.set_time(60_000_000);
    assert!(!host.process([frame(1, 1, 60)])[0].verdict.is_drop());
}

#[test]
fn a_burst_that_a_packet_does_not_fit_is_refused() {
    for mtu in [1_500, 576, 9_000] {
        let mut run = Run::default();
        run.ports.iter_mut().for_each(|port| port.mtu = 68);
        run.ports[2].mtu = mtu;
        for prefix in ["198.18.0.0/15", "2001:db8::/32"] {
            let start = |burst: u16| {
                let limit = format!(r#"{{"prefix": "{prefix}", "bps": 1000000000, "burst": {burst}}}"#);
                Host::<FlowMeter>::start_in(run.clone(), &format!(r#"{{"limits": [{limit}]}}"#)).map(|_| ())
            };
            let (least, short) = (mtu + 14, mtu + 13);
            assert_eq!(start(least), Ok(()));
            let text = format!(
                "limits: \"{prefix}\": a burst of {short} bytes lets no packet of {least} bytes pass, which the ports' MTU allows: \
                 make it {least} or more"
            );
            assert_eq!(start(short), Err(text));
        }
    }
}

#[test]
fn mistakes_are_told() {
    let error = |config: &str| Host::<FlowMeter>::start(config).map(|_| ()).unwrap_err();
    let limit = |prefix: &str, burst: u64| {
        format!(
            r#"{{"limits": [{{"prefix": "{prefix}", "bps": 1, "burst": {burst}}}, {{"prefix": "::/0", "bps": 1, "burst": 1514}}]}}"#
        )
    };
    assert_eq!(
        error(&limit("10.0.0.1/8", 1514)),
        "limits: \"10.0.0.1/8\": has bits set behind the prefix's length: shorten the address or lengthen the prefix"
    );
    assert_eq!(error(&limit("ten", 1514)), "limits: \"ten\": not a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
    assert_eq!(error(&limit("10.0.0.0/8", 0)), "limits: \"10.0.0.0/8\": its burst must be 1 to 2305843009 bytes");
    assert_eq!(error(&limit("::/0", 1514)), "limits: \"::/0\": stands twice");
    let mut host = Host::<FlowMeter>::start("").unwrap();
    let mut refused = |request: &[u8]| host.message(request).unwrap_err();
    assert_eq!(refused(b"tops"), "known messages: top, top COUNT, summary, sizes, gaps, reset");
    assert_eq!(refused(&[0xff]), "known messages: top, top COUNT, summary, sizes, gaps, reset");
    assert_eq!(refused(b"top 33"), "top: how many flows? 1 to 32");
    assert_eq!(refused(b"top x"), "top: how many flows? 1 to 32");
}

#[test]
fn the_state_goes_to_the_next_instance() {
    let mut old = Host::<FlowMeter>::start("").unwrap();
    old.set_time(5_000);
    old.process([frame(1, 7, 100), frame(2, 7, 60), ipv6(9)]);
    old.set_time(6_000);
    old.process([frame(1, 7, 100)]);
    let state = old.save().unwrap();
    let mut new = Host::<FlowMeter>::start("").unwrap();
    new.set_time(6_000);
    new.process([vec![0; 60]]);
    new.restore(&state).unwrap();
    for request in ["top", "summary", "sizes", "gaps"] {
        assert_eq!(new.message(request.as_bytes()), old.message(request.as_bytes()), "{request}");
    }
    // Another run has another clock.
    let mut other = Host::<FlowMeter>::start(r#"{"idle_ms": 1}"#).unwrap();
    other.restore(&state).unwrap();
    other.set_time(2_000_000);
    other.tick();
    assert_eq!(other.counter("flows.expired"), 3);
}

/// A UDP packet from this address.
fn udp_from(source: u32) -> Vec<u8> {
    let mut bytes = frame(1, 7, 60);
    bytes[26..30].copy_from_slice(&source.to_be_bytes());
    bytes
}

const MS: u64 = 1_000_000;

#[test]
fn flows_are_forgotten_in_time_whatever_the_tick() {
    for (flows, tick_ms) in [(5_000, 1_000), (20_000, 2_000), (20_000, 60_000), (5_000, 250), (3_000, 10)] {
        for (config, lifetime) in [(r#"{"idle_ms": 500}"#, false), (r#"{"idle_ms": 0, "lifetime_ms": 500}"#, true)] {
            let mut host = Host::<FlowMeter>::start(config).unwrap();
            host.set_time(0);
            for first in (0..flows).step_by(250) {
                host.process((first..first + 250).map(udp_from));
            }
            // The first tick after the time is over takes all; with short ticks as many as a million in a second.
            let mut now = 0;
            while now < 510 {
                assert!(now >= 500 || host.counter("flows.expired") == 0);
                now += tick_ms;
                host.set_time(now * MS);
                host.tick();
            }
            while tick_ms < 250 && host.counter("flows.expired") < flows.into() && now < 600 {
                now += tick_ms;
                host.set_time(now * MS);
                host.tick();
            }
            assert_eq!(host.counter("flows.expired"), u64::from(flows), "{tick_ms} {lifetime}");
            assert_eq!(text(&mut host, "top"), "[]");
        }
    }
}

#[test]
fn a_packet_after_the_time_begins_a_new_flow_whether_there_was_a_tick_or_not() {
    for (config, made) in
        [(r#"{"idle_ms": 500}"#, 2), (r#"{"idle_ms": 0, "lifetime_ms": 900}"#, 2), (r#"{"idle_ms": 0}"#, 1)]
    {
        let mut host = Host::<FlowMeter>::start(config).unwrap();
        for now in [0, 400, 899, 1_400] {
            host.set_time(now * MS);
            host.process([udp_from(1)]);
        }
        assert_eq!((host.counter("flows"), host.counter("flows.expired")), (made, made - 1), "{config}");
        assert_eq!(host.counter("packets"), 4);
    }
}

#[test]
fn the_busiest_flow_survives_a_flood() {
    for (flows, every) in [(2, 2), (10, 3), (1_024, 2), (1_024, 500), (4_000, 100)] {
        let mut host = Host::<FlowMeter>::start(&format!(r#"{{"flows": {flows}}}"#)).unwrap();
        let packets = 5 * flows.max(1_000);
        let sources = (0..packets).map(|n| if n % every == 0 { 0 } else { n });
        for batch in sources.clone().collect::<Vec<_>>().chunks(64) {
            host.process(batch.iter().map(|&source| udp_from(source)));
        }
        let different = 1 + sources.filter(|&source| source != 0).count() as u64;
        assert_eq!(host.counter("flows"), different, "{flows} flows, one of which has every {every}th packet");
    }
}

#[test]
fn a_smaller_table_keeps_the_newest() {
    for when_full in ["evict", "refuse"] {
        let mut old = Host::<FlowMeter>::start(r#"{"flows": 1000}"#).unwrap();
        for n in 0..100 {
            old.set_time(u64::from(n) * MS);
            old.process([udp_from(0xc612_0000 + n)]);
        }
        let state = old.save().unwrap();
        let config = format!(r#"{{"flows": 10, "idle_ms": 1000, "lifetime_ms": 1500, "when_full": "{when_full}"}}"#);
        let mut new = Host::<FlowMeter>::start(&config).unwrap();
        new.set_time(99 * MS);
        new.process([udp_from(1)]);
        new.restore(&state).unwrap();
        let top = text(&mut new, "top 32");
        for n in 0..100 {
            assert_eq!(top.contains(&format!("\"198.18.0.{n}:")), n >= 90, "{when_full}: {top}");
        }
        // They age as if nothing had happened.
        for n in 90_u32..100 {
            new.set_time((u64::from(n) + 1_000 + 16) * MS);
            new.tick();
            assert_eq!(new.counter("flows.expired"), u64::from(n) - 89);
        }
    }
}

#[test]
fn a_bad_state_is_refused_whole() {
    let mut old = Host::<FlowMeter>::start("").unwrap();
    old.process([frame(1, 7, 100)]);
    let state = old.save().unwrap();
    let mut new = Host::<FlowMeter>::start("").unwrap();
    let empty = new.save().unwrap();
    for cut in 0..state.len() {
        if let Err(refusal) = new.restore(&state[..cut]) {
            assert!(refusal.contains("version 1") || refusal.contains("format V2"), "{refusal}");
            assert_eq!(new.save().unwrap(), empty);
        } else {
            // All but the one flow: a whole state too.
            assert_eq!(cut, state.len() - 70);
            text(&mut new, "reset");
        }
    }
    let mut other = state.clone();
    other[30] ^= 1;
    assert!(new.restore(&other).is_err());
    assert_eq!(new.save().unwrap(), empty);
}
