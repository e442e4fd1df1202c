//! What can be asked. Whatever it is, it goes through [`guard`] first.

use super::access::Access;
use super::assets::{ASSETS, Asset, HAS_CURVES, VENDOR};
use super::events::Hub;
use super::problem::Problem;
use super::server::Link;
use crate::client::Upstream;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest body; of one that brings a module, longest that the control socket takes.
const BODY: usize = 64 << 10;
const UPLOAD: usize = 64 << 20;
/// A body must be there after so long.
const BODY_TIME: Duration = Duration::from_secs(10);
const UPLOAD_TIME: Duration = Duration::from_secs(60);
/// What brings a module holds its memory: one at a time.
static UPLOADS: Semaphore = Semaphore::const_new(1);

/// What a form of another page cannot send.
const OURS: &str = "x-perigee";

/// What is said to whoever has no cookie.
const UNKNOWN: &str = "nobody knows who asks";

/// What is asked of the run as it came, behind `/api`.
const LOOKS: [&str; 6] = ["status", "stats", "modules", "streams", "swaps", "graph"];

/// What goes with each answer. Nothing of others is loaded, nothing in the page's own text is run, nobody shows it in a frame,
/// and text never becomes markup.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
];

/// What all requests share.
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) hub: Hub,
    pub(super) run: Upstream,
    /// Whether the run may be changed.
    pub(super) control: bool,
}

/// All routes.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/session", get(session).post(enter).delete(leave))
        .route("/events", get(events))
        .route("/api/{*path}", get(look).post(change))
        .fallback(asset)
        .method_not_allowed_fallback(async || other_method())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(shared), guard))
        .with_state(Arc::clone(shared))
}

/// Refuses what comes from elsewhere, or without the cookie, or changes what may not be changed.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match check(&shared, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(shared: &Shared, request: &Request) -> Result<(), Problem> {
    let refuse = |status, error: &str, hint| Err(Problem::new(status, error, hint));
    shared.access.check_place(request.headers())?;
    if request.uri().query().is_some() {
        return refuse(StatusCode::BAD_REQUEST, "no path takes a query", "leave out the ? and the rest");
    }
    let path = request.uri().path();
    if !path.starts_with("/api/") && path != "/events" {
        return Ok(());
    }
    if !shared.access.is_known(request.headers()) {
        return refuse(
            StatusCode::UNAUTHORIZED,
            UNKNOWN,
            "open the page with the address that was printed, token and all",
        );
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    if !shared.control {
        let hint = "--control, or web_control = true in [run], lets it change the run";
        return refuse(StatusCode::FORBIDDEN, "this page only looks on", hint);
    }
    if request.headers().get(OURS).is_none_or(|value| value != "1") {
        return refuse(StatusCode::FORBIDDEN, "no page of ours asks", "what changes the run has a header x-perigee: 1");
    }
    Ok(())
}

/// What is said where a path has other methods, and where there is no such path.
fn other_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has another method", "")
}

fn no_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such path", "docs/web.md has a table of all")
}

/// Files of the page, which anybody may have: they hold nothing of the run.
async fn asset(request: Request) -> Result<Response, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(other_method());
    }
    let found = ASSETS.iter().chain(VENDOR).find(|asset| asset.path == request.uri().path());
    let Asset { kind, bytes, .. } = found.ok_or_else(no_path)?;
    Ok(([(header::CONTENT_TYPE, *kind)], *bytes).into_response())
}

/// What the page is told of its server.
async fn session(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    if !shared.access.is_known(request.headers()) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, UNKNOWN, ""));
    }
    let told = json!({
        "control": shared.control,
        "curves": HAS_CURVES,
        "version": env!("CARGO_PKG_VERSION"),
        "wrong_tokens": shared.access.wrong(),
    });
    Ok(Json(told).into_response())
}

/// What whoever comes first sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
}

async fn enter(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let body = read(request, BODY, BODY_TIME).await?;
    let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, "the body is not {\"token\": …}", "");
    let Token { token } = serde_json::from_slice(&body).map_err(wrong)?;
    let cookie = shared.access.enter(&token).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

async fn leave(State(shared): State<Arc<Shared>>) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, shared.access.farewell())]).into_response()
}

async fn events(State(shared): State<Arc<Shared>>, Extension(link): Extension<Link>) -> Result<Response, Problem> {
    let full = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many look on", "close one of the pages");
    let stream = link.join(&shared).ok_or_else(full)?;
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::new(stream)).into_response())
}

/// Whether the path is one of the run's that the page looks at.
fn is_look(path: &str) -> bool {
    let name = path.strip_prefix("/v1/").unwrap_or_default();
    let of_stream = name.strip_prefix("streams/").and_then(|rest| rest.strip_suffix("/latency"));
    LOOKS.contains(&name) || of_stream.is_some_and(is_name)
}

/// Whether the path is one of the run's by which the page changes it, and if so, whether it brings a module.
fn is_change(path: &str) -> Option<bool> {
    let name = path.strip_prefix("/v1/").unwrap_or_default();
    let module = |end| name.strip_prefix("modules/").and_then(|rest| rest.strip_suffix(end)).is_some_and(is_name);
    if module("/swap") {
        return Some(true);
    }
    let stream = name.strip_prefix("streams/").is_some_and(is_name);
    (stream || module("/restart")).then_some(false)
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && !part.contains('/')
}

async fn look(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let path = inner(&request);
    if !is_look(path) {
        return Err(no_path());
    }
    answer(shared.run.look(path).await)
}

async fn change(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let path = inner(&request).to_owned();
    let is_upload = is_change(&path).ok_or_else(no_path)?;
    let busy =
        |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "another module is on its way", "try again in a moment");
    let _place = is_upload.then(|| UPLOADS.try_acquire()).transpose().map_err(busy)?;
    let (limit, time) = if is_upload { (UPLOAD, UPLOAD_TIME) } else { (BODY, BODY_TIME) };
    let body = read(request, limit, time).await?;
    answer(shared.run.change(&path, body).await)
}

/// The path behind `/api`, as it came.
fn inner(request: &Request) -> &str {
    request.uri().path().strip_prefix("/api").unwrap_or_default()
}

fn answer(answer: anyhow::Result<(StatusCode, Bytes)>) -> Result<Response, Problem> {
    let silent = |error| Problem::new(StatusCode::BAD_GATEWAY, &format!("{error:#}"), "has the run ended?");
    let (status, body) = answer.map_err(silent)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A whole body, within its bounds.
async fn read(request: Request, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body has more than {limit} bytes"), "");
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if said.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "no whole body in time", "");
    let body = timeout(time, to_bytes(request.into_body(), limit)).await.map_err(late)?;
    body.map_err(|error| {
        let is_limit = std::error::Error::source(&error).is_some_and(|e| e.is::<http_body_util::LengthLimitError>());
        if is_limit { too_large() } else { Problem::new(StatusCode::BAD_REQUEST, "the body is broken off", "") }
    })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_what_is_listed_reaches_the_run() {
        for path in ["/v1/stats", "/v1/graph", "/v1/streams/a%2Fb/latency"] {
            assert!(is_look(path), "{path}");
        }
        for path in
            ["", "/v1/", "/v1/stop", "/v1/log-level", "/v1/metrics", "/v1/streams//latency", "/v1/stats/", "/v2/stats"]
        {
            assert!(!is_look(path), "{path}");
        }
        let of = |path| is_change(path);
        assert_eq!(
            (of("/v1/streams/a"), of("/v1/modules/m/restart"), of("/v1/modules/m/swap")),
            (Some(false), Some(false), Some(true))
        );
        for path in ["/v1/stop", "/v1/streams/", "/v1/streams/a/latency", "/v1/modules/m/message", "/v1/config/apply"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
