//! A `perigee run` in a process of its own, and what asks it.

use super::modules::{Bench, Said};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A generator that waits where it must, and a stage that echoes messages: full load, and not a packet may be lost.
pub(crate) const CONFIG: &str = r#"
[run]
[[port]]
name = "out"
device = "net_null0,no-rx=1"
pool = 255
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "echo"
file = "echo.wat"
[[chain]]
name = "load"
source = { module = "gen" }
stages = ["echo"]
tx = ["out"]
"#;

/// Longest time that a process may take to start or to end.
const LIMIT: Duration = Duration::from_secs(30);

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A running process; killed where a test fails before its end.
pub(crate) struct Process<'bench> {
    bench: &'bench Bench,
    child: Option<Child>,
    /// What it has written, and where its summary will be.
    log: PathBuf,
    json: String,
}

impl<'bench> Process<'bench> {
    /// Starts it with that configuration, which is called `run`, and waits until it runs.
    pub(crate) fn start(bench: &'bench Bench, config: &str, arguments: &[&str]) -> Self {
        Self::start_with(bench, config, arguments, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(bench: &'bench Bench, config: &str, arguments: &[&str], more: &[(&str, &str)]) -> Self {
        let good = bench.read("good.wat");
        bench.write("gen.wat", &good.replace("\"process\"", "\"generate\""));
        let message = r#"(global (export "perigee_mailbox") i32 (i32.const 0x10000))
  (global (export "perigee_mailbox_len") i32 (i32.const 0x1000))
  (func (export "message") (param i32) (result i32) (local.get 0))
  (func (export "process")"#;
        bench.write("echo.wat", &good.replace("(func (export \"process\")", message));
        fs::write(bench.path("bytes"), [0xff, 0x00, 0xfe]).expect("a file");
        bench.write("run.toml", config);
        fs::create_dir_all(bench.path("runtime")).expect("a directory");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (log, json) = (bench.path(&format!("{number}.log")), format!("{number}.json"));
        let mut command = bench.command(&["--log", "info", "run", "run.toml", "--quiet", "--json", &json]);
        command.args(arguments).envs(more.iter().copied());
        command.env("XDG_RUNTIME_DIR", bench.path("runtime")).env("NO_COLOR", "1");
        command
            .stdout(File::create(&log).expect("a file"))
            .stderr(File::options().append(true).open(&log).expect("it"));
        let child = command.spawn().expect("the binary starts");
        let mut process = Self { bench, child: Some(child), log, json };
        let begun = Instant::now();
        while !process.said().contains(": running") {
            let ended = process.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none() && begun.elapsed() < LIMIT, "it does not run: {}", process.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        process
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// All that it has said, once that is among it.
    pub(crate) fn said_with(&self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let said = self.said();
            if said.contains(words) && said.ends_with('\n') {
                return said;
            }
            assert!(begun.elapsed() < LIMIT, "it does not say {words:?}: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Its socket, as its log tells it.
    pub(crate) fn socket(&self) -> PathBuf {
        let said = self.said();
        let line = said.lines().find_map(|line| line.split_once("control socket ")).expect("it tells its socket");
        PathBuf::from(line.1.trim())
    }

    /// Runs `perigee ctl`.
    pub(crate) fn try_ctl(&self, arguments: &[&str]) -> Said {
        let mut command = self.bench.command(&["ctl"]);
        let output = command.args(arguments).env("XDG_RUNTIME_DIR", self.bench.path("runtime")).output();
        let output = output.expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Runs `perigee ctl`, which must go well, and gives what it printed.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let said = self.try_ctl(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}\nthe run: {}", said.out, said.err, self.said());
        said.out
    }

    /// What a request for that path is answered, whole.
    pub(crate) fn ctl_get(&self, path: &str) -> String {
        http(&self.socket(), request("GET", path, "").as_bytes())
    }

    /// Stops it by its server; its summary, and all that it has said.
    pub(crate) fn stop(self) -> (Value, String) {
        let answer = http(&self.socket(), request("POST", "/v1/stop", "").as_bytes());
        assert_eq!(status_of(&answer), 202, "{answer}");
        self.end()
    }

    /// Stops it by a signal.
    pub(crate) fn signal(self) -> (Value, String) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(sent.expect("kill").success());
        self.end()
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn end(mut self) -> (Value, String) {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        let code = loop {
            match child.try_wait().expect("a child") {
                Some(status) => break status.code(),
                None if begun.elapsed() > LIMIT => {
                    let _ = child.kill();
                    panic!("it does not end: {}", self.said());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert_eq!(code, Some(0), "{}", self.said());
        let summary = serde_json::from_str(&self.bench.read(&self.json)).expect("its summary");
        (summary, self.said())
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a child");
        child.wait().expect("a child");
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A request that ends its connection.
pub(crate) fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: p\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// What is answered to these bytes on a connection of their own.
pub(crate) fn http(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    // The server may have said no and hung up before it had read all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut part) {
        answer.extend(&part[..n]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status code of an answer; 0 where there is none.
pub(crate) fn status_of(answer: &str) -> u32 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}
