//! What streams say, and the messages about those that make no sense.

use super::super::*;
use super::{GOOD, warnings};
use crate::stream::{Late, Levels, Pattern, Rate, Stream, Trace};
use std::time::Duration;

fn with(streams: &str) -> String {
    format!("{GOOD}{streams}")
}

/// A stream on the chain `load` with these lines.
fn stream(lines: &str) -> Stream {
    let text = with(&format!("[[stream]]\nname = \"s\"\nchain = \"load\"\n{lines}\n"));
    let config = Config::parse(&text, "perigee.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
    config.streams[0].clone()
}

/// What is said of a stream on the chain `load` with these lines.
fn told(lines: &str) -> String {
    let text = with(&format!("[[stream]]\nname = \"s\"\nchain = \"load\"\n{lines}\n"));
    Config::parse(&text, "perigee.toml").expect_err(lines).to_string()
}

#[test]
fn a_stream_has_defaults() {
    let rate = Rate::parse("1 Mpps").unwrap();
    assert_eq!(stream("rate = \"1 Mpps\""), Stream::new("s", "load", rate));
    let all = stream(
        "rate = \"25 %\"\npattern = \"poisson\"\nlate = \"drop\"\nlate_after = \"1us\"\nstart = \"1s\"\nduration = \"5s\"\ncount = 7\npaused = true",
    );
    assert_eq!((all.late, all.late_after, all.start), (Late::Drop, Duration::from_micros(1), Duration::from_secs(1)));
    assert_eq!((all.duration, all.count, all.paused), (Some(Duration::from_secs(5)), Some(7), true));
    assert!(all.ends() && all.pattern == Pattern::Poisson);
    assert_eq!(warnings(&with("[[stream]]\nname = \"s\"\nchain = \"load\"\nrate = \"1 pps\"\n")), [""; 0]);
}

#[test]
fn a_stream_goes_on_in_another_pattern() {
    let stream = stream("rate = \"1 kpps\"");
    let fast = Rate::parse("1 Mpps").unwrap();
    let next = stream.going_on(Pattern::Poisson, None).unwrap();
    assert_eq!((next.rate, next.pattern), (stream.rate, Pattern::Poisson));
    assert_eq!(stream.going_on(Pattern::Constant, Some(fast)).unwrap().rate, Some(fast));
    let trace = |gaps: &[u64], file: Option<&str>| {
        let gaps = gaps.iter().copied().map(Duration::from_millis).collect();
        Pattern::Trace(Trace { gaps, file: file.map(str::to_owned), repeat: true })
    };
    let in_trace = stream.going_on(trace(&[1, 2], None), None).unwrap();
    assert_eq!(in_trace.rate, None);
    for (stream, pattern, rate, why) in [
        (&stream, Pattern::Module, None, "decided when the run starts"),
        (&stream, trace(&[], Some("gaps.txt")), None, "a run reads no files"),
        (&stream, trace(&[0], None), None, "all gaps are 0 (one of them"),
        (&stream, Pattern::Pareto { shape: 0.5 }, None, "shape is 0.5 (above 1"),
        (&in_trace, Pattern::Constant, None, "it has no rate (as in"),
        (&stream, Pattern::Constant, Some(Rate::parse("0 pps").unwrap()), "rate is 0"),
    ] {
        let what = stream.going_on(pattern, rate).unwrap_err();
        assert!(what.contains(why), "{what}");
    }
}

#[test]
fn every_pattern_is_read() {
    let of = |pattern: &str| stream(&format!("rate = \"1 kpps\"\npattern = {pattern}")).pattern;
    let ms = Duration::from_millis;
    assert_eq!(of("\"constant\""), Pattern::Constant);
    assert_eq!(of("{ kind = \"module\" }"), Pattern::Module);
    assert_eq!(of("{ kind = \"bursts\", size = 4 }"), Pattern::Bursts { size: 4, gap: None });
    assert_eq!(of("{ kind = \"bursts\", size = 4, gap = \"1ms\" }"), Pattern::Bursts { size: 4, gap: Some(ms(1)) });
    let on_off = Pattern::OnOff { on: ms(10), off: ms(30), fixed: true };
    assert_eq!(of("{ kind = \"on-off\", on = \"10ms\", off = \"30ms\", fixed = true }"), on_off);
    let rates = Levels::Multiples(vec![10.0, 0.5]);
    assert_eq!(
        of("{ kind = \"mmpp\", rates = [10, 0.5], hold = [\"1ms\", \"9ms\"] }"),
        Pattern::Mmpp { rates, hold: vec![ms(1), ms(9)] }
    );
    assert_eq!(of("{ kind = \"pareto\", shape = 1.5 }"), Pattern::Pareto { shape: 1.5 });
    let trace = Trace { gaps: vec![ms(1), ms(0)], file: None, repeat: true };
    assert_eq!(of("{ kind = \"trace\", gaps = [\"1ms\", \"0s\"], repeat = true }"), Pattern::Trace(trace));
    let ramp = stream("pattern = { kind = \"ramp\", from = \"0 pps\", to = \"1 Mpps\", over = \"10s\" }").pattern;
    let (from, to) = (Rate::parse("0 pps").unwrap(), Rate::parse("1 Mpps").unwrap());
    assert_eq!(ramp, Pattern::Ramp { from, to, over: Duration::from_secs(10), repeat: false });
    let mmpp = "pattern = { kind = \"mmpp\", rates = [\"1 Mpps\", \"0 pps\"], hold = [\"1ms\", \"9ms\"] }";
    assert!(matches!(stream(mmpp).pattern, Pattern::Mmpp { rates: Levels::Rates(rates), .. } if rates.len() == 2));
}

#[test]
fn what_cannot_be_read_is_shown() {
    for (lines, said) in [
        ("rate = 1000", "\"1000\" is no rate; write packets per second as \"1 Mpps\""),
        ("pattern = \"posson\"", "\"posson\" is no pattern; it is one of constant, poisson"),
        ("pattern = 3", "a pattern is a name or a table with `kind`, not of type integer"),
        ("pattern = { size = 3 }", "a pattern's table needs a `kind`"),
        ("pattern = \"bursts\"", "pattern \"bursts\" needs `size`"),
        ("pattern = { kind = \"poisson\", size = 3 }", "pattern \"poisson\" has no key `size`"),
        ("pattern = { kind = \"bursts\", sise = 3 }", "unknown key `sise`; did you mean `size`? known keys: size, gap"),
        ("pattern = { kind = \"mmpp\", rates = [1, \"1 pps\"], hold = [] }", "rates are all numbers"),
        ("late = \"never\"", "unknown variant `never`"),
        ("probability = 1", "unknown key `probability`"),
    ] {
        let told = told(&format!("{lines}\n"));
        assert!(told.starts_with("perigee.toml:2") && told.contains(said), "{lines}: {told}");
    }
}

#[test]
fn numbers_that_make_no_sense_are_told() {
    let mmpp = |rest: &str| format!("rate = \"1 pps\"\npattern = {{ kind = \"mmpp\", {rest} }}");
    let kind = |rest: &str| format!("rate = \"1 Mpps\"\npattern = {{ kind = {rest} }}");
    let ramp = |rest: &str| format!("pattern = {{ kind = \"ramp\", over = \"1s\", {rest} }}");
    for (lines, said) in [
        (String::new(), "stream \"s\": it has no rate; as in rate = \"1 Mpps\""),
        ("rate = \"0 pps\"".into(), "stream \"s\": rate is 0: nothing would leave; `paused = true`"),
        ("rate = \"1 pps\"\ncount = 0".into(), "count is 0"),
        ("rate = \"1 pps\"\nduration = 0".into(), "duration is 0"),
        (kind("\"bursts\", size = 1"), "bursts of 1; a burst has 2 packets at least"),
        (kind("\"bursts\", size = 2, gap = \"2us\""), "gap is 2us: packets inside a burst are further apart"),
        (kind("\"on-off\", on = 0, off = 1"), "on is 0s; it must be above 0, and 1h at most"),
        (kind("\"on-off\", on = 1, off = \"2h\""), "off is 2h; it must be"),
        (kind("\"pareto\", shape = 1.0"), "shape is 1; above 1, for the mean is infinite"),
        (kind("\"pareto\", shape = nan"), "shape is NaN"),
        (mmpp("rates = [1], hold = [1]"), "1 rates and 1 times in hold; two or more of both"),
        (mmpp("rates = [1, 2], hold = [1]"), "2 rates and 1 times in hold"),
        (mmpp("rates = [0, 0], hold = [1, 1]"), "rates must be 0 or above, and not all 0"),
        (mmpp("rates = [-1, 2], hold = [1, 1]"), "rates must be 0 or above"),
        (mmpp("rates = [\"1 pps\", \"1 bit/s\"], hold = [1, 1]"), "rates of different kinds"),
        (mmpp("rates = [1, 2], hold = [1, 0]"), "hold is 0s"),
        (ramp("from = \"0 pps\", to = \"0 pps\""), "it goes from 0 to 0"),
        (ramp("from = \"1 pps\", to = \"1 bit/s\""), "it goes from 1 pps to 1 bit/s; both in pps"),
        (format!("rate = \"1 pps\"\n{}", ramp("from = \"1 pps\", to = \"2 pps\"")), "a ramp has a `rate`"),
        (kind("\"trace\""), "a trace has either `gaps` or `file`"),
        (kind("\"trace\", gaps = [0], repeat = true"), "all gaps are 0"),
        (kind("\"trace\", gaps = [7200]"), "a gap of 2h; 1h at most"),
        ("rate = \"1 bit/s\"\npattern = { kind = \"trace\", gaps = [1] }".into(), "a trace's rate is not in pps"),
    ] {
        let told = told(&lines);
        assert!(told.contains(said), "{lines}: {told}");
    }
}

#[test]
fn chains_and_order_are_checked() {
    let one = |name: &str, chain: &str, more: &str| {
        format!("[[stream]]\nname = {name:?}\nchain = {chain:?}\nrate = \"1 pps\"\n{more}\n")
    };
    let said = |streams: &[String]| Config::parse(&with(&streams.concat()), "x").unwrap_err().to_string();
    let unknown = said(&[one("s", "lod", "")]);
    assert!(unknown.contains("x:28: stream \"s\": unknown chain \"lod\"; did you mean \"load\"?"), "{unknown}");
    let two = said(&[one("s", "load", ""), one("t", "load", "")]);
    assert!(two.contains("stream \"t\": chain \"load\" is paced by stream \"s\" already; a chain has one"), "{two}");
    let same = said(&[one("s", "load", ""), one("s", "chain1", "")]);
    assert!(same.contains("duplicate stream name \"s\""), "{same}");
    let endless = said(&[one("s", "load", ""), one("t", "chain1", "after = \"s\"")]);
    assert!(endless.contains("starts after stream \"s\", which does not end; give that one a `duration`"), "{endless}");
    let itself = said(&[one("s", "load", "count = 1\nafter = \"t\""), one("t", "chain1", "count = 1\nafter = \"s\"")]);
    assert!(itself.contains("stream \"s\": it waits for itself"), "{itself}");
    let nobody = said(&[one("s", "load", "after = \"who\"")]);
    assert!(nobody.contains("unknown stream \"who\""), "{nobody}");
    assert!(
        Config::parse(&with(&[one("s", "load", "count = 1"), one("t", "chain1", "after = \"s\"")].concat()), "x")
            .is_ok()
    );
    let generator = "[[chain]]\nname = \"inside\"\nsource = { module = \"gen\" }\nstages = [\"count\"]\n";
    let inside = said(&[generator.to_owned(), one("s", "inside", "")]);
    assert!(
        inside.contains("stream \"s\": no packet of chain \"inside\" leaves by a port; name one in the chain's `tx`"),
        "{inside}"
    );
    let no_module = with(&one("t", "chain1", "pattern = \"module\"")).replace("stages = [\"count\"]\n", "");
    let no_module = Config::parse(&no_module, "x").unwrap_err().to_string();
    assert!(no_module.contains("its chain has no module that could say when packets leave"), "{no_module}");
}

#[test]
fn a_trace_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[stream]]\nname = \"s\"\nchain = \"load\"\npattern = { kind = \"trace\", file = \"gaps.txt\" }\n";
    let mut config = Config::parse(&with(text), "x").unwrap();
    let problem = |config: &Config| {
        let problems = config.validate_files(folder.path());
        problems.iter().find(|problem| problem.path.starts_with("stream")).map(ToString::to_string)
    };
    assert!(problem(&config).unwrap().contains("stream \"s\": \"gaps.txt\": No such file"));
    std::fs::write(folder.path().join("gaps.txt"), "1us\nsoon\n").unwrap();
    assert!(problem(&config).unwrap().contains("\"gaps.txt\": line 2: \"soon\" is no duration"));
    std::fs::write(folder.path().join("gaps.txt"), "# nothing\n").unwrap();
    assert!(problem(&config).unwrap().contains("it has no gap that is longer than 0"));
    std::fs::write(folder.path().join("gaps.txt"), "1us\n\n0.5 # half a second\n").unwrap();
    assert_eq!(problem(&config), None);
    config.streams[0].read_trace(folder.path()).unwrap();
    let gaps = vec![Duration::from_micros(1), Duration::from_millis(500)];
    assert_eq!(config.streams[0].pattern, Pattern::Trace(Trace { gaps, file: None, repeat: false }));
}

#[test]
fn a_change_of_streams_is_an_action() {
    let of = |rate: &str| with(&format!("[[stream]]\nname = \"s\"\nchain = \"load\"\nrate = {rate:?}\n"));
    let read = |text: &str| Config::parse(text, "x").unwrap();
    let actions = read(&of("1 Mpps")).diff(&read(&of("2 Mpps")));
    let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
    assert_eq!(actions, ["stream s: rate 1 Mpps -> 2 Mpps needs a restart"]);
}
