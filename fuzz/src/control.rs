//! A connection to the control server: whatever a client sends, from the first byte of HTTP to JSON.

use perigee_control::{InProcess, LogFilter, ModuleEntry, Settings, Target};
use perigee_runtime::config::{Action, Config};
use perigee_runtime::load::Upload;
use perigee_runtime::{
    ApplyReport, ChainStats, Distribution, Error, Graph, ModuleStats, PaceStats, Snapshot, StreamChange as Change,
    SwapOptions, SwapReport, Swaps,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A run that is always the same and answers at once.
struct Fake;

impl Target for Fake {
    fn snapshot(&self) -> Snapshot {
        let chain =
            ChainStats { name: "c".into(), dropped: [("verdict".to_owned(), 3)].into(), ..ChainStats::default() };
        let counters = [("a \"quoted\" name\n".to_owned(), 7)].into();
        let module = ModuleStats { name: "m".into(), chain: "c".into(), counters, ..ModuleStats::default() };
        Snapshot { chains: vec![chain], modules: vec![module], ..Snapshot::default() }
    }

    fn modules(&self) -> Vec<ModuleEntry> {
        vec![ModuleEntry { name: "m".into(), file: "m.wasm".into(), ..ModuleEntry::default() }]
    }

    fn message(&self, _module: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(vec![bytes.to_vec()])
    }

    fn restart(&self, module: &str) -> Result<usize, Error> {
        Ok(module.len())
    }

    fn change_stream(&self, stream: &str, _: Change) -> Result<PaceStats, Error> {
        Err(Error::Request(format!("there is no stream {stream:?}")))
    }

    fn graph(&self) -> Graph {
        Graph::default()
    }

    fn latency(&self, stream: &str) -> Option<Distribution> {
        (stream == "s").then(Distribution::default)
    }

    fn swap(&self, module: &str, upload: Upload, _options: &SwapOptions) -> Result<SwapReport, Error> {
        if upload.bytes.starts_with(b"\0asm") {
            return Ok(SwapReport::default());
        }
        let what = "is no module".to_owned();
        Err(Error::Swap { name: module.to_owned(), step: "load", what })
    }

    fn diff(&self, new: &Config, _files: &BTreeMap<String, Upload>) -> Result<Vec<Action>, Error> {
        Ok(Config::default().diff(new))
    }

    fn apply(&self, new: &Config, _files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error> {
        let restart = Config::default().diff(new).iter().map(ToString::to_string).collect();
        Ok(ApplyReport { restart, ..ApplyReport::default() })
    }

    fn swaps(&self) -> Option<Swaps> {
        Some(Swaps::default())
    }
}

/// A log whose filters are words.
struct FakeLog(Mutex<String>);

impl LogFilter for FakeLog {
    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, filter: &str) -> Result<(), String> {
        if !filter.chars().all(char::is_alphanumeric) {
            return Err(format!("{filter:?} is no word"));
        }
        filter.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// Sends bytes on a connection. Nothing panics; each answer is HTTP, its body is what its head says, no request fails
/// inside, and the server serves the next client.
pub fn check(bytes: &[u8]) {
    static SERVER: OnceLock<Mutex<InProcess>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let log: Arc<dyn LogFilter> = Arc::new(FakeLog(Mutex::new("warn".into())));
        let settings = Settings { log: Some(log), ..Settings::new("fuzz") };
        Mutex::new(InProcess::start(settings, Arc::new(Fake)).expect("threads can be started"))
    });
    let server = server.lock().unwrap_or_else(PoisonError::into_inner);
    answers(&server.answer(bytes));
    let next = server.answer(b"GET /v1/status HTTP/1.1\r\nhost: p\r\n\r\n");
    assert!(next.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&next));
}

/// Looks at all answers of a connection.
fn answers(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // A client that speaks HTTP/1.0 is answered in it.
        let version = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "));
        assert!(version.is_some(), "no answer: {text:?}");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no end: {text:?}"));
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let code = head[9..12].parse::<u16>().unwrap_or_else(|_| panic!("no code: {text:?}"));
        assert!(code != 500 && (100..600).contains(&code), "{text:?}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        bytes = &bytes[end + 4..];
        // The answer to HEAD says how long a body would be, and has none.
        if bytes.is_empty() || bytes.starts_with(b"HTTP/1.") {
            continue;
        }
        let length = length.unwrap_or(0);
        assert!(length <= bytes.len(), "cut short: {text:?}");
        let (body, rest) = bytes.split_at(length);
        let is_json = head.contains("content-type: application/json");
        assert!(!is_json || body.starts_with(b"{") || body.starts_with(b"["), "{text:?}");
        bytes = rest;
    }
}
