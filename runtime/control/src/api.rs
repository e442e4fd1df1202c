//! What all requests share.

use super::CTL_AGENT;
use super::handlers::metrics;
use super::problem::Problem;
use super::routes::ROUTES;
use super::wire::ControlStatus;
use super::worker::Worker;
use super::{LogFilter, ModuleEntry, Observer, Target};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use perigee_core::lock;
use perigee_report::Snapshot;
use perigee_report::Swaps;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Largest body of a request that brings modules, and of others: a mailbox is no larger.
const MAX_UPLOAD: usize = 64 << 20;
const MAX_BODY: usize = 1 << 20;
/// Uploads under way at a time.
const UPLOADS: usize = 2;
/// A request's body must be there after so long.
const BODY_TIME: Duration = Duration::from_secs(10);
/// A snapshot that is not older than this serves whoever asks: however many do, lcores are asked fifty times a second.
const FRESH: Duration = Duration::from_millis(20);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: i32,
}

/// How often what has happened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) busy: AtomicU64,
}

/// What all requests share.
pub(super) struct Api {
    pub(super) name: String,
    /// `None` once the server is closed.
    inside: Mutex<Option<Inside>>,
    pub(super) log: Option<Arc<dyn LogFilter>>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    latest: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    /// As they were when none was under way.
    swaps: Mutex<Arc<Swaps>>,
    uploads: Semaphore,
    pub(super) places: Arc<Semaphore>,
    /// For those who are turned away.
    pub(super) farewells: Arc<Semaphore>,
    pub(super) stop: AtomicBool,
    /// Whether the server closes: who serves a connection that speaks no HTTP any more looks for itself.
    pub(super) closed: watch::Receiver<bool>,
    pub(super) counts: Counts,
}

/// Who beside the run hears of requests.
pub(super) struct Listeners {
    pub(super) log: Option<Arc<dyn LogFilter>>,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

/// The run, and the threads that ask it.
#[derive(Clone)]
pub(super) struct Inside {
    pub(super) target: Arc<dyn Target>,
    pub(super) look: Worker,
    pub(super) change: Worker,
}

impl Api {
    pub(super) fn new(
        name: String,
        target: Arc<dyn Target>,
        (look, change): (Worker, Worker),
        Listeners { log, observer }: Listeners,
        (places, closed): (usize, watch::Receiver<bool>),
    ) -> Self {
        Self {
            name,
            inside: Mutex::new(Some(Inside { target, look, change })),
            log,
            observer,
            latest: Mutex::new(None),
            swaps: Mutex::default(),
            uploads: Semaphore::new(UPLOADS),
            places: Arc::new(Semaphore::new(places)),
            farewells: Arc::new(Semaphore::new(places)),
            stop: AtomicBool::new(false),
            closed,
            counts: Counts::default(),
        }
    }

    /// Gives up the run. Requests that have asked it already get their answers.
    pub(super) fn release(&self) {
        lock(&self.inside).take();
    }

    pub(super) fn inside(&self) -> Result<Inside, Problem> {
        let inside = lock(&self.inside).clone();
        inside.ok_or_else(|| Problem::busy("the server is about to stop"))
    }

    /// Counters that are fresh, or nearly so.
    pub(super) async fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>, Problem> {
        let Inside { target, look, .. } = self.inside()?;
        let (api, asked) = (Arc::clone(self), Instant::now());
        let job = move || {
            let mut latest = lock(&api.latest);
            match &*latest {
                // One that was begun after this was asked serves as well: where an lcore takes seconds to answer, all who
                // have come meanwhile share the next answer.
                Some((begun, snapshot)) if *begun >= asked || begun.elapsed() < FRESH => Arc::clone(snapshot),
                _ => {
                    let begun = Instant::now();
                    let snapshot = Arc::new(target.snapshot());
                    *latest = Some((begun, Arc::clone(&snapshot)));
                    snapshot
                }
            }
        };
        look.run(job).await
    }

    /// The swaps so far.
    pub(super) async fn swaps(self: &Arc<Self>) -> Result<Arc<Swaps>, Problem> {
        let Inside { target, look, .. } = self.inside()?;
        let api = Arc::clone(self);
        let job = move || {
            let mut known = lock(&api.swaps);
            if let Some(swaps) = target.swaps() {
                *known = Arc::new(swaps);
            }
            Arc::clone(&known)
        };
        look.run(job).await
    }

    /// The modules as configured now.
    pub(super) async fn modules(&self) -> Result<Vec<ModuleEntry>, Problem> {
        let Inside { target, look, .. } = self.inside()?;
        look.run(move || target.modules()).await
    }

    /// Refuses the name of a module that is not there.
    pub(super) async fn known(&self, module: &str) -> Result<(), Problem> {
        let modules = self.modules().await?;
        if modules.iter().any(|entry| entry.name == module) {
            return Ok(());
        }
        let names = modules.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ");
        let place = format!("module {module:?}");
        Err(Problem::new(StatusCode::NOT_FOUND, place, "there is no such module").hint(format!("modules: {names}")))
    }

    pub(super) fn control(&self) -> ControlStatus {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Counts { connections, requests, refused, busy } = &self.counts;
        ControlStatus {
            connections: count(connections),
            requests: count(requests),
            refused: count(refused),
            busy: count(busy),
        }
    }
}

/// All routes.
pub(super) fn router(api: Arc<Api>) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.served)()));
    finish(routes, api)
}

/// The one route of the TCP port.
pub(super) fn metrics_router(api: Arc<Api>) -> Router {
    finish(Router::new().route("/metrics", get(metrics)), api)
}

fn finish(routes: Router<Arc<Api>>, api: Arc<Api>) -> Router {
    routes
        .fallback(async |request: Request| {
            let path = request.uri().path().chars().take(80).collect::<String>();
            Problem::new(StatusCode::NOT_FOUND, path, "there is no such path")
                .hint("docs/control.md has a table of all")
        })
        .method_not_allowed_fallback(async |request: Request| {
            let place = format!("{} {}", request.method(), request.uri().path());
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, place, "this path has another method")
                .hint("docs/control.md has a table of all")
        })
        // A body has been read within our own bounds before a handler sees it; axum's (2 MiB for all) would come on top.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&api), bounded))
        .layer(from_fn_with_state(Arc::clone(&api), told))
        .with_state(api)
}

/// Counts requests, and tells the log who has changed what.
async fn told(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    api.counts.requests.fetch_add(1, Ordering::Relaxed);
    let peer = request.extensions().get::<Peer>().copied();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if method != Method::GET {
        let (uid, pid) = peer.map_or((u32::MAX, 0), |peer| (peer.uid, peer.pid));
        tracing::info!(uid, pid, %method, path, status = response.status().as_u16(), "control request");
    }
    response
}

/// Refuses a `ctl` of another version, and reads a body within bounds of size and time, before anything is done about it.
async fn bounded(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if let Err(problem) = same_version(&request) {
        return problem.into_response();
    }
    match read_body(&api, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// After an upgrade the program on the disk is another one than the process: what the two mean by a configuration may differ.
/// Clients that are no `perigee ctl` name their version in the path.
fn same_version(request: &Request) -> Result<(), Problem> {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let theirs = agent.filter(|agent| *agent != CTL_AGENT).and_then(|agent| agent.strip_prefix("perigee-ctl/"));
    let Some(theirs) = theirs else { return Ok(()) };
    let (ours, process) = (env!("CARGO_PKG_VERSION"), std::process::id());
    let what = format!("it is perigee {ours}, and this ctl is {theirs}: nothing was asked or done");
    Err(Problem::new(StatusCode::CONFLICT, format!("process {process}"), what).hint(format!(
        "restart the run to have the other version; until then ask as root: /proc/{process}/exe ctl ..."
    )))
}

async fn read_body(api: &Api, request: Request) -> Result<Request, Problem> {
    let path = request.uri().path();
    if request.uri().query().is_some() {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, path, "no path takes a query").hint("leave out the ? and the rest")
        );
    }
    let is_upload = request.method() == Method::POST && (path.ends_with("/swap") || path.starts_with("/v1/config/"));
    let limit = if is_upload { MAX_UPLOAD } else { MAX_BODY };
    let too_large = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, path, format!("the body has more than {limit} bytes"));
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if said.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large);
    }
    let late =
        Problem::new(StatusCode::REQUEST_TIMEOUT, path, format!("no whole body within {} s", BODY_TIME.as_secs()));
    // What large bodies take of memory is bounded together, not for each.
    let place = is_upload.then(|| api.uploads.try_acquire()).transpose();
    let _place = place.map_err(|_| Problem::busy("other uploads are under way"))?;
    let (parts, body) = request.into_parts();
    let body = timeout(BODY_TIME, to_bytes(body, limit)).await.map_err(|_| late)?;
    let body = body.map_err(|error| {
        let is_limit = std::error::Error::source(&error).is_some_and(|e| e.is::<http_body_util::LengthLimitError>());
        if is_limit {
            too_large
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "body", "the body is broken off or no HTTP")
        }
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}
