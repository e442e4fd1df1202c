//! The control server against real processes: every verb, wrong and hostile clients, sockets that come and go.

use crate::ctl_lab::{CONFIG, Process, http, request, status_of};
use crate::modules::Bench;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn each_verb_of_ctl_asks_the_only_run() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let said = run.ctl(&["status"]);
    assert!(said.starts_with("run (running), perigee ") && said.contains("1 ports, 1 chains, 2 instances"), "{said}");
    let status = json_of(&run.ctl(&["status", "--json"]));
    assert_eq!((status["name"].as_str(), status["pid"].as_u64()), (Some("run"), Some(run.pid().into())), "{status}");

    let said = run.ctl(&["stats"]);
    assert!(["load", "net_null0", "p99.9 us", "copies"].iter().all(|word| said.contains(word)), "{said}");
    let first = json_of(&run.ctl(&["stats", "--json"]))["chains"][0]["created"].as_u64();
    std::thread::sleep(Duration::from_millis(50));
    let second = json_of(&run.ctl(&["stats", "--json"]))["chains"][0]["created"].as_u64();
    assert!(first < second, "packets do not flow: {first:?}, {second:?}");

    let said = run.ctl(&["modules"]);
    assert!(said.contains("echo") && said.contains("gen.wat") && said.matches("running").count() == 2, "{said}");
    assert_eq!(run.ctl(&["message", "echo", "what?"]), "what?\n");
    let answer = json_of(&run.ctl(&["message", "echo", "@bytes", "--json"]));
    assert_eq!(answer["answers"], json!([{ "base64": "/wD+", "text": null }]));

    assert_eq!(run.ctl(&["log-level"]), "info\n");
    assert_eq!(run.ctl(&["log-level", "perigee=debug"]), "perigee=debug\n");
    assert_eq!(run.ctl(&["log-level"]), "perigee=debug\n");
    let metrics = run.ctl(&["metrics"]);
    assert!(metrics.contains("perigee_chain_packets_total{chain=\"load\","), "{metrics}");

    assert_eq!(run.ctl(&["stop"]), "stopped\n");
    let (summary, said) = run.end();
    assert_eq!(summary["accounting"]["balanced"], true);
    assert!(said.contains("method=PUT path=\"/v1/log-level\" status=200"), "a change is in the log: {said}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let refused = |arguments: &[&str]| {
        let said = run.try_ctl(arguments);
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        said.err
    };
    assert_eq!(
        refused(&["message", "nobody", "x"]),
        "error: module \"nobody\": there is no such module; modules: gen, echo\n"
    );
    assert!(refused(&["message", "gen", "x"]).contains("exports no \"message\""));
    assert!(refused(&["log-level", "a=b=c"]).contains("filter: log filter \"a=b=c\""));
    assert!(refused(&["--socket", "other", "status"]).contains("runs that can be asked: run"));
    assert_eq!(run.ctl(&["--socket", "run", "log-level"]), "info\n");
    run.stop();
    let said = run_nothing(&bench);
    assert!(said.contains("no run of this user can be asked"), "{said}");
}

fn run_nothing(bench: &Bench) -> String {
    let said = bench.command(&["ctl", "status"]).env("XDG_RUNTIME_DIR", bench.path("runtime")).output();
    String::from_utf8_lossy(&said.expect("the binary starts").stderr).into_owned()
}

#[test]
fn status_codes_are_the_right_ones() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let socket = run.socket();
    let long = "x".repeat(2000);
    let cases = [
        (200, request("GET", "/v1/status", "")),
        (200, request("GET", "/v1/modules/echo", "")),
        (200, request("POST", "/v1/modules/echo/message", "x")),
        (400, request("GET", "/v1/status?all", "")),
        (400, request("PUT", "/v1/log-level", "{\"filter\":")),
        (400, request("PUT", "/v1/log-level", r#"{"filter": "info", "more": 1}"#)),
        (400, request("GET", "/v1/modules/%ff", "")),
        (404, request("GET", "/v2/status", "")),
        (404, request("GET", "/metrics", "")),
        (404, request("GET", "/v1/modules/nobody", "")),
        (405, request("GET", "/v1/stop", "")),
        (405, request("DELETE", "/v1/modules/echo", "")),
        (413, "POST /v1/modules/echo/message HTTP/1.1\r\nhost: p\r\ncontent-length: 99999999\r\n\r\n".to_owned()),
        (413, "POST /v1/modules/echo/swap HTTP/1.1\r\nhost: p\r\ncontent-length: 99999999\r\n\r\n".to_owned()),
        (422, request("PUT", "/v1/log-level", &format!(r#"{{"filter": "{long}"}}"#))),
        (422, request("POST", "/v1/modules/gen/message", "x")),
        (431, format!("GET /v1/status HTTP/1.1\r\nhost: p\r\nx: {}\r\n\r\n", "y".repeat(20_000))),
        (431, format!("GET /v1/status HTTP/1.1\r\nhost: p\r\n{}\r\n", "x: y\r\n".repeat(100))),
    ];
    for (code, bytes) in cases {
        let answer = http(&socket, bytes.as_bytes());
        let shown = &bytes[..bytes.len().min(100)];
        assert_eq!(status_of(&answer), code, "{shown:?} is answered by {answer:?}");
        if code >= 400 && code != 431 {
            let body = json_of(answer.split_once("\r\n\r\n").expect("a head").1);
            assert!(body["error"].is_string() && body["where"].is_string() && body["hint"].is_string(), "{body}");
        }
    }
    // A body that never says how long it is.
    let mut endless =
        b"POST /v1/modules/echo/message HTTP/1.1\r\nhost: p\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("10000\r\n{}\r\n", "z".repeat(65_536));
    (0..20).for_each(|_| endless.extend(chunk.as_bytes()));
    assert_eq!(status_of(&http(&socket, &endless)), 413);
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"\r\n\r\n\r\n", &[0xff; 5000]] {
        let answer = http(&socket, garbage);
        assert!(answer.is_empty() || status_of(&answer) == 400 || status_of(&answer) == 431, "{answer:?}");
    }
    assert_eq!(status_of(&http(&socket, request("GET", "/v1/status", "").as_bytes())), 200);
    run.stop();
}

#[test]
fn another_user_is_turned_away_even_where_files_let_him_in() {
    let bench = Bench::new();
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        eprintln!("not run: only root can become somebody else");
        return;
    }
    let run = Process::start(&bench, CONFIG, &[]);
    let socket = run.socket();
    let ask = |what: &[&str]| {
        let command = ["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-m", "5", "--unix-socket"];
        let mut ask = std::process::Command::new("setpriv");
        let said = ask.args(command).arg(&socket).args(what).output().expect("setpriv and curl");
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
    };
    let status = ["http://p/v1/status"];
    // Packets of all domains.
    let capture = ["-H", "Upgrade: perigee-capture", "-d", r#"{"at": ["load:tx"]}"#, "http://p/v1/captures"];
    assert_eq!(ask(&status), (false, String::new()), "the directory's mode keeps others out");
    let everybody = fs::Permissions::from_mode(0o777);
    for path in socket.ancestors().filter(|path| path.starts_with(bench.path(""))) {
        fs::set_permissions(path, everybody.clone()).expect("its own files");
    }
    for what in [&status[..], &capture] {
        let (_, answer) = ask(what);
        assert_eq!(json_of(&answer)["error"], "the socket belongs to another user", "{answer}");
    }
    let status = json_of(&run.ctl(&["status", "--json"]));
    assert_eq!(status["control"]["refused"], 2, "{status}");
    assert!(run.stop().1.contains("a connection of user 65534 to the control socket was refused"));
}

#[test]
fn slow_clients_lose_their_connection_and_others_are_served() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let socket = run.socket();
    let connect = || UnixStream::connect(&socket).expect("the backlog is large");
    let beginnings =
        [&b""[..], b"GET /v1/st", b"POST /v1/modules/echo/message HTTP/1.1\r\nhost: p\r\ncontent-length: 9\r\n\r\nab"];
    let slow = |n: usize| -> Vec<UnixStream> {
        let begin = |i: usize| {
            let mut stream = connect();
            // A server that turns it away may have hung up already.
            let _ = stream.write_all(beginnings[i % beginnings.len()]);
            stream
        };
        (0..n).map(begin).collect()
    };
    let mut all = slow(200);
    let asked = Instant::now();
    assert_eq!(status_of(&http(&socket, request("GET", "/v1/status", "").as_bytes())), 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    all.extend(slow(100));
    let answer = http(&socket, request("GET", "/v1/status", "").as_bytes());
    assert_eq!(status_of(&answer), 503, "{answer}");
    let begun = Instant::now();
    while status_of(&http(&socket, request("GET", "/v1/status", "").as_bytes())) != 200 {
        assert!(begun.elapsed() < Duration::from_secs(8), "the slow ones keep their places");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("a place was free again after {:.1?}", begun.elapsed());
    // The ones with half a body are told so, a little later; in the end all are closed.
    for mut stream in all {
        stream.set_read_timeout(Some(Duration::from_secs(12))).expect("a socket");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let is_closed = read.is_ok() || read.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(is_closed, "a slow client keeps its connection");
    }
    run.stop();
}

#[test]
fn a_thousand_connections_at_once_cost_no_packet() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let socket = run.socket();
    let before = json_of(&run.ctl(&["stats", "--json"]));
    let begun = Instant::now();
    let streams: Vec<_> = (0..1000).map(|_| UnixStream::connect(&socket).expect("a connection")).collect();
    let mut codes = [0_u32; 2];
    for mut stream in streams {
        let _ = stream.write_all(request("GET", "/v1/stats", "").as_bytes());
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        match status_of(&answer) {
            200 => codes[0] += 1,
            503 => codes[1] += 1,
            other => panic!("{other}: {answer:?}"),
        }
    }
    let took = begun.elapsed();
    let after = json_of(&run.ctl(&["stats", "--json"]));
    let created = |stats: &Value| stats["chains"][0]["created"].as_u64().expect("a counter");
    let rate = |packets: u64, ns: u64| packets * 1000 / ns.max(1);
    let ns = |stats: &Value| stats["elapsed_ns"].as_u64().expect("a time");
    println!(
        "1000 connections in {took:.1?}: {} served, {} told to come again; {} Mpps before, {} Mpps meanwhile; longest poll {} us",
        codes[0],
        codes[1],
        rate(created(&before), ns(&before)),
        rate(created(&after) - created(&before), ns(&after) - ns(&before)),
        after["chains"][0]["batch_time"]["max_ns"].as_u64().unwrap_or(0) / 1000,
    );
    assert!(codes[0] >= 250 && codes[0] + codes[1] == 1000, "{codes:?}");
    assert!(created(&after) > created(&before), "packets stand still");
    let (summary, _) = run.stop();
    let all = &summary["accounting"];
    assert_eq!((&all["dropped"], &all["held"], &all["sent"]), (&json!({}), &json!(0), &all["created"]), "{all}");
}

#[test]
fn a_scraper_that_does_not_read_stalls_nobody() {
    let bench = Bench::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let run = Process::start(&bench, CONFIG, &["--metrics", &port.to_string()]);
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("the metrics port");
    let mut stalled: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    for stream in &mut stalled {
        // Many requests in a row, whose answers nobody reads: they fill the socket's buffers.
        stream.set_nonblocking(true).expect("a socket");
        let _ = stream.write(request("GET", "/metrics", "").repeat(2000).as_bytes());
    }
    let before = json_of(&run.ctl(&["stats", "--json"]))["chains"][0]["created"].as_u64();
    let mut good = connect();
    good.write_all(request("GET", "/metrics", "").as_bytes()).expect("a request");
    let mut answer = String::new();
    good.read_to_string(&mut answer).expect("an answer");
    assert_eq!(status_of(&answer), 200, "{answer}");
    let other = |path: &str| {
        let mut stream = connect();
        stream.write_all(request("GET", path, "").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        status_of(&answer)
    };
    assert_eq!([other("/v1/status"), other("/v1/stop")], [404, 404], "the port is for metrics alone");
    std::thread::sleep(Duration::from_millis(50));
    let after = json_of(&run.ctl(&["stats", "--json"]))["chains"][0]["created"].as_u64();
    assert!(before < after, "packets stand still: {before:?}, {after:?}");
    run.stop();
}

#[test]
fn sockets_come_and_go_with_their_processes() {
    let bench = Bench::new();
    let first = Process::start(&bench, CONFIG, &[]);
    let second = Process::start(&bench, CONFIG, &[]);
    assert_eq!(second.socket(), bench.path(&format!("runtime/perigee/run-{}.sock", second.pid())));
    let said = first.try_ctl(&["status"]);
    assert!(said.err.contains("2 runs can be asked: run"), "{}", said.err);
    let socket = second.socket();
    second.stop();
    assert!(!socket.exists(), "a stop removes the socket");
    // Killed, a process leaves its socket. Nobody is asked there, and the next run takes the place.
    let socket = first.socket();
    first.kill();
    assert!(socket.exists() && UnixStream::connect(&socket).is_err());
    assert!(run_nothing(&bench).contains("no run of this user can be asked"));
    let third = Process::start(&bench, CONFIG, &[]);
    assert_eq!(third.socket(), socket);
    assert!(third.ctl(&["status"]).starts_with("run (running)"));
    third.stop();
}

#[test]
fn a_socket_is_where_it_was_asked_for_or_nothing_runs() {
    let bench = Bench::new();
    bench.write("run.toml", CONFIG);
    let off = Process::start(&bench, CONFIG, &["--control", "off"]);
    assert!(off.try_ctl(&["status"]).err.contains("no run of this user can be asked"));
    off.signal();
    let here = Process::start(&bench, &CONFIG.replace("[run]", "[run]\ncontrol = \"here/x.sock\""), &[]);
    assert_eq!(here.ctl(&["--socket", "here/x.sock", "log-level"]), "info\n");
    let taken = bench.perigee(&["run", "run.toml", "--control", "here/x.sock"]);
    assert!(taken.err.contains("a process answers there; name another one with --control PATH"), "{}", taken.err);
    here.signal();
    bench.write("file.sock", "text");
    let file = bench.perigee(&["run", "run.toml", "--control", "file.sock"]);
    assert!(file.err.contains("there is a file that is no socket"), "{}", file.err);
    let long = bench.perigee(&["run", "run.toml", "--control", &"x".repeat(120)]);
    assert!(long.err.contains("sockets have at most 107"), "{}", long.err);
    let address = bench.perigee(&["run", "run.toml", "--metrics", "nowhere"]);
    assert!(address.err.contains("\"nowhere\" is no address; write for example \"127.0.0.1:9095\""), "{}", address.err);
    drop(UnixListener::bind(bench.path("other.sock")).expect("a socket"));
    let gone = bench.perigee(&["ctl", "--socket", "./other.sock", "status"]);
    assert!(gone.err.contains("the process that made it has ended"), "{}", gone.err);
}

/// The next message to a supervisor that is no sign of life; `signs` counts those.
fn next(socket: &UnixDatagram, signs: &mut u32) -> String {
    let mut bytes = [0; 64];
    loop {
        let length = socket.recv(&mut bytes).expect("a message in time");
        match &bytes[..length] {
            b"WATCHDOG=1" => *signs += 1,
            other => return String::from_utf8_lossy(other).into_owned(),
        }
    }
}

#[test]
fn a_supervisor_hears_of_start_life_reload_and_end() {
    let bench = Bench::new();
    let socket = UnixDatagram::bind(bench.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let notify = bench.path("notify").display().to_string();
    let environment = [("NOTIFY_SOCKET", notify.as_str()), ("WATCHDOG_USEC", "100000")];
    let run = Process::start_with(&bench, CONFIG, &[], &environment);
    let mut signs = 0;
    assert_eq!(next(&socket, &mut signs), "READY=1");
    bench.write("run.toml", &CONFIG.replace("[run]", "[run]\nwatchdog = \"7s\""));
    run.ctl(&["apply", "run.toml"]);
    assert_eq!(next(&socket, &mut signs), "RELOADING=1");
    assert_eq!(next(&socket, &mut signs), "READY=1");
    // It is told where the run looks whether it shall end, every few milliseconds.
    let begun = Instant::now();
    while signs == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no sign of life");
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).expect("a sign of life");
        signs += u32::from(&bytes[..length] == b"WATCHDOG=1");
    }
    run.stop();
    assert_eq!(next(&socket, &mut signs), "STOPPING=1");
}

#[test]
fn a_ctl_of_another_version_is_refused_by_name() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let stop_as =
        |agent: &str| request("POST", "/v1/stop", "").replace("host: p", &format!("host: p\r\nuser-agent: {agent}"));
    let answer = http(&run.socket(), stop_as("perigee-ctl/0.0.9").as_bytes());
    assert_eq!(status_of(&answer), 409, "{answer}");
    let both = format!("it is perigee {}, and this ctl is 0.0.9", env!("CARGO_PKG_VERSION"));
    assert!(answer.contains(&both) && answer.contains(&format!("/proc/{}/exe ctl", run.pid())), "{answer}");
    assert!(run.ctl(&["status"]).starts_with("run (running)"));
    // Other clients name their version in the path.
    assert_eq!(status_of(&http(&run.socket(), stop_as("curl/8.5.0").as_bytes())), 202);
    run.end();
}
