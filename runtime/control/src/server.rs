//! The thread that speaks with clients: accepts them, checks who they are, and bounds what they may cost.

use super::api::{Api, Listeners, Peer, metrics_router, router};
use super::socket::{Listener, SocketFile};
use super::worker::Worker;
use super::{LogFilter, Observer, Target};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use perigee_jail as jail;
use perigee_report::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// Connections served at a time; those beyond are told so and closed. On the socket, and for metrics.
const CONNECTIONS: usize = 256;
const SCRAPES: usize = 16;
/// A request's head must be there after so long; also how long a connection may rest between requests.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A connection takes no further request after so long, and is cut off later, whatever it still does.
const LIFE: Duration = Duration::from_secs(60);
const LAST_REQUEST: Duration = Duration::from_secs(120);
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// How long a look at the run may take: each lcore may use two seconds.
const LOOK: Duration = Duration::from_secs(10);
/// How long a change may take: modules are compiled for it.
const CHANGE: Duration = Duration::from_secs(110);
/// Changes that may wait for the one under way.
const CHANGES: usize = 4;
/// How long answers under way may take when the server is closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// Status, error and hint for those who are turned away.
const FORBIDDEN: (&str, &str, &str) =
    ("403 Forbidden", "the socket belongs to another user", "ask as its owner, or as root");
const BUSY: (&str, &str, &str) = ("503 Service Unavailable", "too many connections", "try again in a moment");

/// What a server is started with.
#[derive(Default)]
pub struct Settings {
    /// What the run is called in answers.
    pub name: String,
    /// Where requests come in.
    pub socket: Option<Listener>,
    /// Where metrics are read over TCP: `GET /metrics`, and nothing else. Whoever can connect may read them.
    pub metrics: Option<TcpListener>,
    /// How the log's filter is seen and changed; without it `log-level` is refused.
    pub log: Option<Arc<dyn LogFilter>>,
    /// Who is told of changed configurations.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    /// A server without ways in.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// A running server.
pub struct Server {
    api: Arc<Api>,
    closing: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    file: Option<SocketFile>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Server {
    /// Whether a client has asked the run to stop. What becomes of that is the caller's business.
    #[must_use]
    pub fn stop_asked(&self) -> bool {
        self.api.stop.load(Ordering::Relaxed)
    }

    /// Ends the server: a change under way comes to its end, answers get half a second to leave, and afterwards nothing of
    /// the server has a share of the run any more. The socket's file is removed when the answer is dropped: after the
    /// run's end, so that who waits for it has waited for all.
    #[must_use]
    pub fn close(mut self) -> Option<SocketFile> {
        self.end();
        self.file.take()
    }

    fn end(&mut self) {
        self.closing.send_replace(true);
        self.api.release();
        for thread in self.threads.drain(..) {
            // A panic was reported by its hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a server in front of `target`.
///
/// # Errors
/// A thread that cannot be started.
pub fn serve(settings: Settings, target: Arc<dyn Target>) -> Result<Server, Error> {
    let refuse = |e: std::io::Error| Error::Request(format!("control server: {e}"));
    let (look, looking) = Worker::start("perigee-look", CONNECTIONS + SCRAPES, LOOK).map_err(refuse)?;
    let (change, changing) = Worker::start("perigee-change", CHANGES, CHANGE).map_err(refuse)?;
    let told = Listeners { log: settings.log, observer: settings.observer };
    let (closing, closed) = watch::channel(false);
    let api = Arc::new(Api::new(settings.name, target, (look, change), told, (CONNECTIONS, closed.clone())));
    let (socket, owner, file) = match settings.socket {
        Some(Listener { socket, file, owner }) => (Some(socket), owner, Some(file)),
        None => (None, 0, None),
    };
    let doors = Doors { socket, owner, metrics: settings.metrics, closed };
    let thread = std::thread::Builder::new().name("perigee-api".to_owned());
    let shared = Arc::clone(&api);
    let speaking = jail::spawn(thread, jail::Kind::Api, || (), move |()| speak(doors, &shared)).map_err(refuse)?;
    Ok(Server { api, closing, threads: vec![speaking, looking, changing], file })
}

/// Where clients come in.
struct Doors {
    socket: Option<std::os::unix::net::UnixListener>,
    owner: u32,
    metrics: Option<TcpListener>,
    closed: watch::Receiver<bool>,
}

fn speak(doors: Doors, api: &Arc<Api>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            let (mut closed, last) = (doors.closed.clone(), doors.closed.clone());
            let sockets = local(doors.socket, doors.owner, api, last.clone());
            let scrapes = scrapes(doors.metrics, api, last);
            tokio::select! {
                () = async { tokio::join!(sockets, scrapes); } => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
            // Connections end by themselves when they see the same; this is for those that do not read.
            let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
            let _ = timeout(FAREWELL, api.places.acquire_many(all)).await;
        }),
        Err(error) => tracing::error!("the control server does not start: {error}"),
    }
}

/// Accepts clients on the Unix socket.
async fn local(
    socket: Option<std::os::unix::net::UnixListener>,
    owner: u32,
    api: &Arc<Api>,
    closed: watch::Receiver<bool>,
) {
    let Some(socket) = socket else { return };
    let socket = match tokio::net::UnixListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!("the control socket cannot be read: {error}"),
    };
    let (routes, places) = (router(Arc::clone(api)), Arc::clone(&api.places));
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                out_of_breath(&error).await;
                continue;
            }
        };
        let peer = stream.peer_cred().ok().map(|c| Peer { uid: c.uid(), pid: c.pid().unwrap_or(0) });
        let Some(peer) = peer.filter(|peer| peer.uid == owner || peer.uid == 0) else {
            let uid = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.uid.to_string());
            api.counts.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a connection of user {uid} to the control socket was refused");
            turn_away(stream, api, FORBIDDEN);
            continue;
        };
        admit(stream, &places, routes.clone().layer(Extension(peer)), api, closed.clone());
    }
}

/// Accepts clients that read metrics over TCP.
async fn scrapes(metrics: Option<TcpListener>, api: &Arc<Api>, closed: watch::Receiver<bool>) {
    let Some(metrics) = metrics else { return };
    let ready = metrics.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(metrics));
    let metrics = match ready {
        Ok(metrics) => metrics,
        Err(error) => return tracing::error!("metrics cannot be read: {error}"),
    };
    let (routes, places) = (metrics_router(Arc::clone(api)), Arc::new(Semaphore::new(SCRAPES)));
    loop {
        match metrics.accept().await {
            Ok((stream, _)) => admit(stream, &places, routes.clone(), api, closed.clone()),
            Err(error) => out_of_breath(&error).await,
        }
    }
}

/// Most likely the process has no file descriptor left. Trying again at once would only take the CPU from others.
async fn out_of_breath(error: &std::io::Error) {
    tracing::warn!("a connection could not be accepted: {error}");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Gives a client one of the places, or tells it that there is none.
fn admit<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    places: &Arc<Semaphore>,
    routes: Router,
    api: &Arc<Api>,
    closed: watch::Receiver<bool>,
) {
    api.counts.connections.fetch_add(1, Ordering::Relaxed);
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        api.counts.busy.fetch_add(1, Ordering::Relaxed);
        return turn_away(stream, api, BUSY);
    };
    tokio::spawn(connection(stream, routes, place, closed));
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    routes: Router,
    place: OwnedSemaphorePermit,
    mut closed: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        // A client that has said all it had to say may close its half at once.
        .half_close(true)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // What goes wrong on a connection is the client's loss; what it asked for was answered or not.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = async { tokio::select! {
            _ = tokio::time::sleep(LIFE) => {}
            _ = closed.wait_for(|closed| *closed) => {}
        } } => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(LAST_REQUEST, connection).await;
        }
    }
    drop(place);
}

/// Answers without having understood the question. What the client still sends is read and forgotten for a while: who
/// writes to a connection that is closed may never see the answer.
fn turn_away<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut stream: S,
    api: &Api,
    (status, error, hint): (&'static str, &'static str, &'static str),
) {
    // Beyond so many at a time they are told, and not waited for.
    let place = Arc::clone(&api.farewells).try_acquire_owned();
    let body = format!("{{\"error\":\"{error}\",\"where\":\"connection\",\"hint\":\"{hint}\"}}");
    let length = body.len();
    let head = "content-type: application/json\r\nconnection: close\r\nretry-after: 1";
    let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    tokio::spawn(timeout(FAREWELL, async move {
        let mut forgotten = [0; 4096];
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        while place.is_ok() && stream.read(&mut forgotten).await? != 0 {}
        Ok::<_, std::io::Error>(())
    }));
}

/// A server without a socket: bytes of a connection in, bytes of its answers out. For tests and fuzzing.
#[doc(hidden)]
pub struct InProcess {
    routes: Router,
    runtime: tokio::runtime::Runtime,
}

impl InProcess {
    /// Starts it, with its threads.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(settings: Settings, target: Arc<dyn Target>) -> std::io::Result<Self> {
        let (look, _) = Worker::start("perigee-look", CONNECTIONS, LOOK)?;
        let (change, _) = Worker::start("perigee-change", CHANGES, CHANGE)?;
        let told = Listeners { log: settings.log, observer: settings.observer };
        // Nobody closes it: a connection ends with its client.
        let api = Api::new(settings.name, target, (look, change), told, (CONNECTIONS, watch::channel(false).1));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { routes: router(Arc::new(api)), runtime })
    }

    /// What a client reads that sends these bytes and then no more.
    #[must_use]
    pub fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(bytes.len().max(1 << 20));
            let peer = Peer { uid: 0, pid: 0 };
            let Ok(place) = Arc::new(Semaphore::new(1)).try_acquire_owned() else { return Vec::new() };
            let (_open, closed) = watch::channel(false);
            let served = tokio::spawn(connection(server, self.routes.clone().layer(Extension(peer)), place, closed));
            let mut answer = Vec::new();
            // The server may have hung up before it had read all.
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            let _ = client.read_to_end(&mut answer).await;
            let _ = served.await;
            answer
        })
    }
}
