//! A page's server, and what asks it as a browser would, byte for byte.

use crate::ctl_lab::Process;
use crate::modules::Bench;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest time that anything may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A server of a page.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) address: String,
    pub(crate) token: String,
    /// The token's file.
    pub(crate) file: PathBuf,
    pub(crate) pid: u32,
    child: Option<Arc<Mutex<Attached>>>,
    log: Option<PathBuf>,
}

/// A process that the test has started; killed where the test fails.
struct Attached(Child);

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Web {
    /// That of a run, which says in its log where it is.
    pub(crate) fn of(run: &Process<'_>) -> Self {
        let said = run.said_with("the page listens at ");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).expect("its children");
        let is_page =
            |pid: &&str| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("\0web\0"));
        let pid = children.split_whitespace().find(is_page).expect("a process for the page").parse().expect("a number");
        Self::told(&said, pid, None)
    }

    /// One of its own, in front of the only run.
    pub(crate) fn attach(bench: &Bench, arguments: &[&str]) -> Self {
        let log = bench.path("web.log");
        let mut command = bench.command(&["--log", "info", "web", "--listen", "0"]);
        command.args(arguments).env("XDG_RUNTIME_DIR", bench.path("runtime")).env("NO_COLOR", "1");
        command
            .stdout(File::create(bench.path("web.out")).expect("a file"))
            .stderr(File::create(&log).expect("a file"));
        let child = command.spawn().expect("the binary starts");
        let pid = child.id();
        let attached = Arc::new(Mutex::new(Attached(child)));
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("the page listens at ") && said.ends_with('\n') {
                return Self { log: Some(log), ..Self::told(&said, pid, Some(attached)) };
            }
            assert!(begun.elapsed() < LIMIT, "it does not listen: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn told(said: &str, pid: u32, child: Option<Arc<Mutex<Attached>>>) -> Self {
        let line = said.lines().find_map(|line| line.split_once("the page listens at ")).expect("where it listens").1;
        let (address, file) = line.split_once("; its token is in ").expect("where the token is");
        let file = PathBuf::from(file.trim());
        let token = fs::read_to_string(&file).expect("the token").trim().to_owned();
        Self { address: address.to_owned(), token, file, pid, child, log: None }
    }

    /// What the process of a page of its own has said.
    pub(crate) fn said(&self) -> String {
        self.log.as_ref().map(|log| fs::read_to_string(log).unwrap_or_default()).unwrap_or_default()
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').expect("a port").1
    }

    /// Sends bytes on a connection of their own, which stays open to be read from.
    pub(crate) fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket");
        // The server may have said no and hung up before it had read all.
        let _ = stream.write_all(bytes);
        stream
    }

    /// What is answered to these bytes.
    pub(crate) fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.begin(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut part) {
            answer.extend(&part[..n]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request that ends its connection, with more headers.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        self.send(asked(method, path, &self.address, headers, body).as_bytes())
    }

    /// The beginning of an answer that may go on for ever.
    pub(crate) fn ask_start(&self, method: &str, path: &str, headers: &str) -> String {
        let mut start = [0; 12];
        let read = self.begin(asked(method, path, &self.address, headers, "").as_bytes()).read_exact(&mut start);
        read.map_or_else(|_| String::new(), |()| String::from_utf8_lossy(&start).into_owned())
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> String {
        self.ask("POST", path, headers, body)
    }

    /// What is answered to a token.
    pub(crate) fn enter_with(&self, token: &str) -> String {
        self.post("/session", "", &format!("{{\"token\": \"{token}\"}}"))
    }

    /// The header by which one is known who has the token.
    pub(crate) fn known(&self) -> String {
        let answer = self.enter_with(&self.token);
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        format!("cookie: {}\r\n", cookie.split(';').next().unwrap_or_default())
    }

    /// Looks on.
    pub(crate) fn look_on(&self, known: &str) -> Events {
        let stream = self.begin(asked("GET", "/events", &self.address, known, "").as_bytes());
        Events(BufReader::new(stream).lines())
    }

    /// The data of the next event of a kind.
    pub(crate) fn event(&self, known: &str, kind: &str) -> String {
        self.look_on(known).next(kind)
    }

    /// Ends one that was attached, which must go well.
    pub(crate) fn end(self) {
        of_others(&["-TERM", &self.pid.to_string()]);
        let child = self.child.expect("it was started by the test");
        let mut child = child.lock().expect("nobody else has it");
        let begun = Instant::now();
        loop {
            match child.0.try_wait().expect("a child") {
                Some(status) => break assert_eq!(status.code(), Some(0)),
                None => assert!(begun.elapsed() < LIMIT, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!self.file.exists(), "the token's file goes with the page");
    }
}

/// What somebody hears who looks on.
pub(crate) struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    /// The data of the next event of a kind.
    pub(crate) fn next(&mut self, kind: &str) -> String {
        let begun = Instant::now();
        while let Some(Ok(line)) = self.0.next() {
            assert!(begun.elapsed() < LIMIT, "no event {kind}");
            if line == format!("event: {kind}") {
                let data = self.0.next().and_then(Result::ok).unwrap_or_default();
                return data.strip_prefix("data: ").expect("data").to_owned();
            }
        }
        panic!("the events end without {kind}")
    }
}

/// A request's text.
pub(crate) fn asked(method: &str, path: &str, host: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The head of an answer.
pub(crate) fn head_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head)
}

/// The body of an answer.
pub(crate) fn json_of(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    // A body of unknown length comes in chunks, of which these have one.
    let start = body.find(['{', '[']).unwrap_or(0);
    let mut values = serde_json::Deserializer::from_str(&body[start..]).into_iter();
    values.next().and_then(Result::ok).unwrap_or_else(|| panic!("no JSON: {answer}"))
}

/// Sends a signal to a process that the test has started.
pub(crate) fn of_others(arguments: &[&str]) {
    assert!(Command::new("kill").args(arguments).status().expect("kill").success());
}
