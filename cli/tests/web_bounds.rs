//! What clients of the page may cost, and what becomes of those that are hostile.

use crate::ctl_lab::{CONFIG, Process, status_of};
use crate::modules::Bench;
use crate::web_lab::Web;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The usual run, with a page that may change it.
fn with_page() -> String {
    CONFIG.replacen("[run]", "[run]\nweb = \"127.0.0.1:0\"\nweb_control = true", 1)
}

#[test]
fn connections_streams_and_bodies_are_bounded() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(), &[]);
    let web = Web::of(&run);
    let known = web.known();
    let ours = format!("{known}x-perigee: 1\r\n");
    let large = "x".repeat((64 << 10) + 1);
    assert_eq!(status_of(&web.post("/session", "", &large)), 413);
    assert_eq!(status_of(&web.post("/api/v1/streams/a", &ours, &large)), 413);
    // Those who look on: sixteen, and no more.
    let head = format!("GET /events HTTP/1.1\r\nhost: {}\r\n{known}\r\n", web.address);
    let streams: Vec<_> = (0..16).map(|_| web.begin(head.as_bytes())).collect();
    for mut stream in &streams {
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
    }
    assert_eq!(status_of(&web.ask("GET", "/events", &known, "")), 503);
    drop(streams);
    let begun = Instant::now();
    while status_of(&web.ask_start("GET", "/events", &known)) != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "their places stay taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Connections: 64 at a time. Those that say nothing are closed after a while.
    let idle: Vec<_> = (0..64).map(|_| TcpStream::connect(&web.address).unwrap()).collect();
    let begun = Instant::now();
    while status_of(&web.ask("GET", "/", "", "")) != 503 {
        assert!(begun.elapsed() < Duration::from_secs(4), "there is no bound");
    }
    while status_of(&web.ask("GET", "/", "", "")) != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "who says nothing keeps others out for good");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(idle);
    run.stop();
}

#[test]
fn whatever_is_sent_the_server_goes_on() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(), &[]);
    let web = Web::of(&run);
    let known = web.known();
    let cases = malformed(&web, &known);
    for bytes in cases.iter().cloned().chain(mutated(&cases)) {
        let answer = web.send(&bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let code = status_of(&answer);
        // Closed without a word, or answered: and never "failed inside".
        assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{shown:?}: {answer}");
        assert!(code != 500, "{shown:?}: {answer}");
        assert!(!answer.contains("root:"), "{shown:?}: {answer}");
    }
    assert_eq!(status_of(&web.ask("GET", "/api/v1/stats", &known, "")), 200, "the server serves on");
    let (summary, said) = run.stop();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(summary["accounting"]["balanced"], true);
}

/// Requests that are none, or that nobody should send.
fn malformed(web: &Web, known: &str) -> Vec<Vec<u8>> {
    let host = format!("host: {}\r\n", web.address);
    let head = "x".repeat(20_000);
    let cases = [
        String::new(),
        "\r\n\r\n".to_owned(),
        "GET".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /{head} HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}x: {head}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{}\r\n", "a: b\r\n".repeat(80)),
        format!("GET /%00%ff/../../etc/passwd HTTP/1.1\r\n{host}\r\n"),
        format!("GET /api/%2e%2e/v1/stop HTTP/1.1\r\n{host}{known}\r\n"),
        format!("GET http://evil.example/ HTTP/1.1\r\n{host}\r\n"),
        format!("CONNECT evil.example:80 HTTP/1.1\r\n{host}\r\n"),
        format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"),
        format!("TRACE / HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}upgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
        format!("POST /session HTTP/1.1\r\n{host}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}"),
        format!("POST /session HTTP/1.1\r\n{host}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
        format!("POST /session HTTP/1.1\r\n{host}content-length: 99999999999999999999\r\n\r\n"),
        format!("POST /session HTTP/1.1\r\n{host}content-length: 30\r\n\r\n{{\"token\": {{\"a\": []}}}}         "),
        format!("POST /api/v1/streams/%ff%00 HTTP/1.1\r\n{host}{known}x-perigee: 1\r\ncontent-length: 2\r\n\r\n{{}}"),
        format!(
            "POST /api/v1/modules/a%0d%0ab/swap HTTP/1.1\r\n{host}{known}x-perigee: 1\r\ncontent-length: 2\r\n\r\n{{}}"
        ),
    ];
    cases.into_iter().map(String::into_bytes).collect()
}

/// The same with bytes that are turned over, left out and put in, by a generator of its own: always the same ones.
fn mutated(cases: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let seeds: Vec<Vec<u8>> = cases.iter().filter(|case| case.len() < 2_000).cloned().collect();
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let mut mutated = || {
        let mut bytes = seeds[next(seeds.len())].clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), u8::try_from(next(256)).unwrap()),
            }
        }
        bytes
    };
    (0..400).map(|_| mutated()).collect()
}

#[test]
fn who_does_not_read_is_cut_off_and_nobody_waits_for_him() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("runtime")).unwrap();
    // Something that answers as a run with very many series would: what the kernel holds for a client is soon full.
    let socket = bench.path("large.sock");
    large_answers(&socket);
    let web = Web::attach(&bench, &["--every", "300ms", "--socket", &socket.to_string_lossy()]);
    let known = web.known();
    let head = format!("GET /events HTTP/1.1\r\nhost: {}\r\n{known}\r\n", web.address);
    let (slow, mut quick) = (web.begin(head.as_bytes()), web.look_on(&known));
    let begun = Instant::now();
    while !web.said().contains("a browser that does not read is cut off") {
        let one = Instant::now();
        assert!(quick.next("stats").len() > 1 << 20);
        assert!(one.elapsed() < Duration::from_secs(5), "one that reads waits for one that does not");
        assert!(begun.elapsed() < Duration::from_secs(30), "one that does not read is waited for");
    }
    drop(slow);
    web.end();
}

/// A control socket with large answers.
fn large_answers(socket: &Path) {
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let begun = Instant::now();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut part = [0; 1024];
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(n @ 1..) => head.extend(&part[..n]),
                    _ => break,
                }
            }
            let elapsed = begun.elapsed().as_nanos();
            let body = format!("{{\"elapsed_ns\": {elapsed}, \"pid\": 1, \"more\": \"{}\"}}", "x".repeat(2 << 20));
            let length = body.len();
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes());
        }
    });
}
