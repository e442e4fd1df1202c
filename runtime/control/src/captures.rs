//! Captures: a connection over which a client gets the memory that packets are copied into. The capture is as long as the connection.
//!
//! The request asks for an upgrade to `perigee-capture`. Behind the answer 101 the client sends a byte; it gets one line of JSON
//! that says what is where, and with its first byte a descriptor. Another byte, or the client's end, ends the capture; the server closes
//! when no lcore records any more.

use super::CAPTURE_PROTOCOL;
use super::api::Api;
use super::handlers::{Name, name_of};
use super::problem::Problem;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use perigee_runtime::{Capture, CaptureRequest, CaptureStatus, HistoryStatus};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// The client's first byte must be there after so long.
const READY_TIME: Duration = Duration::from_secs(5);
/// Longest request: filters are long.
const MAX_REQUEST: usize = 1 << 20;

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<CaptureStatus>>, Problem> {
    let inside = api.inside()?;
    let target = inside.target;
    Ok(Json(inside.look.run(move || target.captures()).await?))
}

/// What the run remembers.
pub(super) async fn histories(State(api): State<Arc<Api>>) -> Result<Json<Vec<HistoryStatus>>, Problem> {
    let inside = api.inside()?;
    let target = inside.target;
    Ok(Json(inside.look.run(move || target.histories()).await?))
}

/// A history, for one more reader: handed over as a capture is, but it ends with the run alone.
pub(super) async fn history(
    State(api): State<Arc<Api>>,
    name: Name,
    mut request: Request,
) -> Result<Response, Problem> {
    let name = name_of(name)?;
    let upgrade = upgrade_of(&mut request)?;
    let (place, inside) = (place(&api)?, api.inside()?);
    let who = format!("history {name:?}");
    let found = inside.look.run(move || inside.target.history(&name)).await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, who, "there is no such history");
    let history = found.ok_or_else(|| missing().hint("GET /v1/histories has their names"))??;
    Ok(switch(&api, upgrade, history, place))
}

pub(super) async fn begin(State(api): State<Arc<Api>>, mut request: Request) -> Result<Response, Problem> {
    let upgrade = upgrade_of(&mut request)?;
    let body = to_bytes(request.into_body(), MAX_REQUEST).await;
    let body = body.map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "body", e.to_string()))?;
    let wanted: CaptureRequest = super::handlers::json(&body)?;
    let (place, inside) = (place(&api)?, api.inside()?);
    let capture = inside.change.run(move || inside.target.capture(&wanted)).await??;
    Ok(switch(&api, upgrade, capture, place))
}

/// The connection, once it has become one on which a capture is handed over.
fn upgrade_of(request: &mut Request) -> Result<OnUpgrade, Problem> {
    let asked = request.headers().get(header::UPGRADE).is_some_and(|to| to.as_bytes() == CAPTURE_PROTOCOL.as_bytes());
    let upgrade = hyper::upgrade::on(request);
    if !asked {
        let what = format!("a capture is handed over on a connection that becomes {CAPTURE_PROTOCOL}");
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade", what)
            .hint("perigee capture does that; docs/control.md says how others do"));
    }
    Ok(upgrade)
}

/// One of the places that connections have.
fn place(api: &Api) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&api.places).try_acquire_owned().map_err(|_| Problem::busy("too many connections"))
}

/// The answer, behind which a capture is handed over.
fn switch(api: &Arc<Api>, upgrade: OnUpgrade, capture: Capture, place: OwnedSemaphorePermit) -> Response {
    let api = Arc::clone(api);
    tokio::spawn(async move {
        hand_over(&api, upgrade, capture).await;
        drop(place);
    });
    let mut answer = Body::empty().into_response();
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(CAPTURE_PROTOCOL));
    answer
}

/// Gives the client what it asked for, and ends the capture when it has gone.
async fn hand_over(api: &Arc<Api>, upgrade: OnUpgrade, capture: Capture) {
    let mut closed = api.closed.clone();
    let served = async {
        let stream = upgrade.await.ok().and_then(stream)?;
        // What goes wrong on the way is the client's loss: its capture ends.
        serve(stream, &capture).await.ok()
    };
    let stream = tokio::select! {
        stream = served => stream,
        _ = closed.wait_for(|closed| *closed) => return capture.leave_to_run(),
    };
    // Lcores are waited for on another thread, where that takes work.
    if let Ok(inside) = api.inside() {
        let _ = inside.change.run(move || drop(capture)).await;
    }
    drop(stream);
}

fn stream(upgraded: Upgraded) -> Option<UnixStream> {
    upgraded.downcast::<TokioIo<UnixStream>>().ok().map(|parts| parts.io.into_inner())
}

/// Until the client has had enough.
async fn serve(mut stream: UnixStream, capture: &Capture) -> io::Result<UnixStream> {
    let mut byte = [0];
    if timeout(READY_TIME, stream.read(&mut byte)).await?? == 0 {
        return Ok(stream);
    }
    let mut line = serde_json::to_vec(capture.info())?;
    line.push(b'\n');
    let descriptor = capture.descriptor();
    let sent = stream.async_io(Interest::WRITABLE, || send(&stream, &line, descriptor)).await?;
    stream.write_all(&line[sent..]).await?;
    let _ = stream.read(&mut byte).await?;
    Ok(stream)
}

/// Sends bytes, and with the first of them a descriptor.
fn send(stream: &UnixStream, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}
