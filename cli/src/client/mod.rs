//! Finds the socket of a run, and speaks with it: what `perigee ctl` and `perigee top` share.

mod requests;
mod show;
mod upload;
mod upstream;

pub(crate) use requests::{GRACE, Request, Swap};
pub(crate) use show::{filter, modules, stats, status, streams};
pub(crate) use upstream::Upstream;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use perigee_control::{CTL_AGENT, default_directories, is_alive};
use perigee_runtime::{Snapshot, text};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

/// How long an answer may take: a change of the run compiles modules.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run's control server.
pub(crate) struct Client {
    path: PathBuf,
    runtime: Runtime,
    patience: Duration,
}

/// What is told where the numbers of an answer cannot be read.
pub(crate) const OTHER_VERSION: &str = "the server's numbers are of another version";

impl Client {
    /// The server at that socket, or that a run of that name has; without either the only one of this user.
    pub(crate) fn find(socket: Option<&Path>) -> Result<Self> {
        Self::at(socket_of(socket)?)
    }

    /// The server at that socket.
    pub(crate) fn at(path: PathBuf) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("a client's runtime")?;
        Ok(Self { path, runtime, patience: PATIENCE })
    }

    /// The same, for who does not wait so long for an answer.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where the server's socket is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All counters.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        serde_json::from_value(self.get("/v1/stats")?).context(OTHER_VERSION)
    }

    /// The sockets of all runs that this user can ask.
    pub(crate) fn runs() -> Vec<PathBuf> {
        running(&default_directories())
    }

    /// What `GET` answers.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.send("GET", path, Vec::new())
    }

    /// What a request answers, as JSON.
    pub(crate) fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Value> {
        let answer = self.exchange(method, path, body)?;
        serde_json::from_slice(&answer).with_context(|| format!("{}: the answer is no JSON", self.path.display()))
    }

    /// What `GET` answers, as text.
    pub(crate) fn text(&self, path: &str) -> Result<String> {
        Ok(text::lines(&String::from_utf8_lossy(&self.exchange("GET", path, Vec::new())?)))
    }

    fn exchange(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Bytes> {
        let where_it_is = self.path.display();
        self.runtime.block_on(async {
            let stream = UnixStream::connect(&self.path).await.map_err(|error| unreachable(&self.path, &error))?;
            check_owner(&stream).with_context(|| format!("{where_it_is}"))?;
            let exchanged = tokio::time::timeout(self.patience, exchange(stream, method, path, body)).await;
            let late = || Late(format!("{where_it_is}: no answer within {} s", self.patience.as_secs()));
            let (is_success, answer) = exchanged.map_err(|_| late())?.with_context(|| format!("{where_it_is}"))?;
            if is_success { Ok(answer) } else { Err(refusal(&answer)) }
        })
    }

    /// Asks for a connection that speaks another protocol from then on, and gives it.
    pub(crate) fn upgrade(&self, path: &str, protocol: &str, body: Vec<u8>) -> Result<std::os::unix::net::UnixStream> {
        let where_it_is = self.path.display();
        let stream = self.runtime.block_on(async {
            let stream = UnixStream::connect(&self.path).await.map_err(|error| unreachable(&self.path, &error))?;
            check_owner(&stream).with_context(|| format!("{where_it_is}"))?;
            let upgraded = tokio::time::timeout(PATIENCE, upgrade(stream, path, protocol, body)).await;
            upgraded.map_err(|_| anyhow!("{where_it_is}: no answer within {} s", PATIENCE.as_secs()))?
        })?;
        let _in_runtime = self.runtime.enter();
        let stream = stream.into_std().context("a connection")?;
        stream.set_nonblocking(false).context("a connection")?;
        Ok(stream)
    }
}

/// The socket at that path, or that a run of that name has; without either that of the only run of this user.
pub(crate) fn socket_of(socket: Option<&Path>) -> Result<PathBuf> {
    match socket {
        None => only_one(&default_directories()),
        Some(name) if !name.as_os_str().to_string_lossy().contains('/') && !name.exists() => {
            let in_each = default_directories().into_iter().map(|path| path.join(format!("{}.sock", name.display())));
            let paths: Vec<PathBuf> = in_each.collect();
            Ok(paths.iter().find(|path| path.exists()).unwrap_or(&paths[0]).clone())
        }
        Some(path) => Ok(path.to_owned()),
    }
}

/// Why nobody can be asked at a socket.
pub(crate) fn unreachable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            anyhow!("there is no socket {path}; runs that can be asked: {}", list(&running(&default_directories())))
        }
        std::io::ErrorKind::ConnectionRefused => {
            anyhow!("nobody answers at {path}: the process that made it has ended")
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!("{path} belongs to another user: ask as that user, or as root")
        }
        _ => anyhow!("{path}: {error}"),
    }
}

/// A server that has not answered in time.
#[derive(Debug)]
pub(crate) struct Late(String);

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Late {}

/// What is sent may be secret, and what is answered is believed: neither goes to or comes from somebody else's process.
fn check_owner(stream: &UnixStream) -> Result<()> {
    let own = std::fs::metadata("/proc/self").context("this process")?.uid();
    let theirs = stream.peer_cred().context("the server's user")?.uid();
    if theirs == own || theirs == 0 || own == 0 {
        return Ok(());
    }
    bail!("the process that answers belongs to user {theirs}, not to this one ({own}) or root")
}

async fn exchange(stream: UnixStream, method: &str, path: &str, body: Vec<u8>) -> Result<(bool, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request =
        hyper::Request::builder().method(method).uri(path).header("host", "perigee").header("user-agent", CTL_AGENT);
    let request = request.body(Full::new(Bytes::from(body)))?;
    // The connection ends with the answer, or the answer with the connection: its own error tells no more.
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let is_success = answer.status().is_success();
    let body = answer.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((is_success, body))
}

/// As [`exchange`], with a server that goes on in another protocol.
async fn upgrade(stream: UnixStream, path: &str, protocol: &str, body: Vec<u8>) -> Result<UnixStream> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request =
        hyper::Request::builder().method("POST").uri(path).header("host", "perigee").header("user-agent", CTL_AGENT);
    let request = request.header("connection", "upgrade").header("upgrade", protocol);
    let request = request.body(Full::new(Bytes::from(body)))?;
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await?;
    if answer.status() != hyper::StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(&answer.into_body().collect().await?.to_bytes()));
    }
    let upgraded = hyper::upgrade::on(answer).await?;
    let parts = upgraded.downcast::<TokioIo<UnixStream>>().map_err(|_| anyhow!("it is no connection to a socket"))?;
    Ok(parts.io.into_inner())
}

/// Why a request was refused, as the server says it.
pub(crate) fn refusal(answer: &[u8]) -> anyhow::Error {
    let told: Value = serde_json::from_slice(answer).unwrap_or_default();
    let part = |key: &str| told[key].as_str().filter(|text| !text.is_empty());
    let Some(error) = part("error") else {
        return anyhow!("refused: {}", text::line_of_bytes(answer, text::WORDS));
    };
    let place = part("where").map(|place| format!("{place}: ")).unwrap_or_default();
    let hint = part("hint").map(|hint| format!("; {hint}")).unwrap_or_default();
    anyhow!("{}", text::lines(&format!("{place}{error}{hint}")))
}

/// The sockets in directories at which somebody answers.
fn running(directories: &[PathBuf]) -> Vec<PathBuf> {
    let entries = directories.iter().filter_map(|path| std::fs::read_dir(path).ok()).flatten().filter_map(Result::ok);
    let sockets = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sock"));
    let mut alive: Vec<PathBuf> = sockets.filter(|path| is_alive(path)).collect();
    alive.sort();
    alive
}

fn list(sockets: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let names = sockets.iter().filter_map(name).collect::<Vec<_>>();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The one run that can be asked: of one's own session, or where there is none, of the system's.
fn only_one(directories: &[PathBuf]) -> Result<PathBuf> {
    let by_directory = directories.iter().map(|directory| running(std::slice::from_ref(directory)));
    let mut sockets = by_directory.into_iter().find(|sockets| !sockets.is_empty()).unwrap_or_default();
    match sockets.len() {
        1 => Ok(sockets.remove(0)),
        0 => {
            let looked_in = directories.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
            bail!("no run of this user can be asked (no socket answers in {looked_in}); name one with --socket")
        }
        many => bail!("{many} runs can be asked: {}; name one with --socket", list(&sockets)),
    }
}

/// A name as a part of a path.
pub(crate) fn encode(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let encoded = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(encoded).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_become_parts_of_paths() {
        assert_eq!(encode("l2-forward_1.0~"), "l2-forward_1.0~");
        assert_eq!(encode("a/b ü?"), "a%2Fb%20%C3%BC%3F");
    }

    #[test]
    fn a_refusal_says_where_what_and_how_to_mend_it() {
        let answer = br#"{"error":"there is no such module","where":"module \"x\"","hint":"modules: a, b"}"#;
        assert_eq!(refusal(answer).to_string(), "module \"x\": there is no such module; modules: a, b");
        assert_eq!(refusal(b"Bad").to_string(), "refused: Bad");
    }
}
