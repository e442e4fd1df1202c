//! Asks the run by its control socket, as `perigee ctl` does, without blocking.

use super::{refusal, unreachable};
use anyhow::{Context, Result, anyhow, bail};
use axum::http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use perigee_control::CTL_AGENT;
use perigee_runtime::config::user::effective_user;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long a look may take, and a change: modules are compiled for it.
const LOOK: Duration = Duration::from_secs(10);
const CHANGE: Duration = Duration::from_secs(120);
/// Longest answer that is taken.
const LONGEST: usize = 64 << 20;

/// A run's control socket.
pub(crate) struct Upstream {
    path: PathBuf,
    /// Whose process this is, asked before the jail.
    user: u32,
}

impl Upstream {
    /// The socket at that path.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, user: effective_user() }
    }

    /// Refuses a socket at which no run of this version answers. Called before the jail: it looks for others.
    pub(crate) async fn check(&self) -> Result<()> {
        UnixStream::connect(&self.path).await.map_err(|error| unreachable(&self.path, &error))?;
        let (status, answer) = self.look("/v1/status").await?;
        if status.is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }

    /// What `GET` answers.
    pub(crate) async fn look(&self, path: &str) -> Result<(StatusCode, Bytes)> {
        self.ask("GET", path, Bytes::new(), LOOK).await
    }

    /// What `POST` answers.
    pub(crate) async fn change(&self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        self.ask("POST", path, body, CHANGE).await
    }

    async fn ask(&self, method: &str, path: &str, body: Bytes, patience: Duration) -> Result<(StatusCode, Bytes)> {
        let asked = tokio::time::timeout(patience, self.exchange(method, path, body)).await;
        asked.map_err(|_| anyhow!("{}: no answer within {} s", self.path.display(), patience.as_secs()))?
    }

    /// Why nobody answers, as far as the jail lets that be seen.
    fn silent(&self, error: &std::io::Error) -> anyhow::Error {
        let path = self.path.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                anyhow!("nobody answers at {path}: the run has ended")
            }
            _ => anyhow!("{path}: {error}"),
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.silent(&error))?;
        let theirs = stream.peer_cred().context("the server's user")?.uid();
        if theirs != self.user && theirs != 0 && self.user != 0 {
            bail!("{}: the process that answers belongs to user {theirs}", self.path.display());
        }
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder().method(method).uri(path).header("host", "perigee");
        let request = request.header("user-agent", CTL_AGENT).body(Full::new(body))?;
        // The connection ends with the answer, or the answer with the connection: its own error tells no more.
        let connection = Aborted(tokio::spawn(connection));
        let answer = sender.send_request(request).await.with_context(|| self.path.display().to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        drop(connection);
        Ok((status, body.map_err(|error| anyhow!("{}: {error}", self.path.display()))?.to_bytes()))
    }
}

/// A task that does not outlive whoever waits for it: also where the patience is over.
struct Aborted<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Aborted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
