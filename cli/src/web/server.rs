//! Accepts browsers, and bounds what each may cost.

use super::events::Stream;
use super::routes::{Shared, router};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Connections served at a time; those beyond are told so and closed.
const CONNECTIONS: usize = 64;
/// A request's head must be there after so long; also how long a connection may rest between requests.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A connection takes no further request after so long, unless events go over it, and is cut off later, whatever it still does.
const LIFE: Duration = Duration::from_secs(60);
const LAST_REQUEST: Duration = Duration::from_secs(130);
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// How long those who are turned away may take to hear it.
const FAREWELL: Duration = Duration::from_millis(500);

/// What those are told.
const BUSY: &str = r#"{"error":"too many connections","where":"connection","hint":"try again in a moment"}"#;

/// A browser's connection, as what goes over it sees it.
#[derive(Clone, Default)]
pub(super) struct Link(Arc<Inside>);

#[derive(Default)]
struct Inside {
    cut: Arc<Notify>,
    has_events: AtomicBool,
}

impl Link {
    /// Events go over it from now on; `None` where too many look on already.
    pub(super) fn join(&self, shared: &Shared) -> Option<Stream> {
        let stream = shared.hub.join(Arc::clone(&self.0.cut))?;
        self.0.has_events.store(true, Ordering::Relaxed);
        Some(stream)
    }
}

/// Serves whoever comes.
pub(super) async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let (routes, places) = (router(shared), Arc::new(Semaphore::new(CONNECTIONS)));
    // Those who are turned away are bounded as well.
    let farewells = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely the process has no file descriptor left. Trying again at once would only take the CPU from others.
                tracing::warn!("a browser's connection could not be accepted: {error}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => drop(tokio::spawn(connection(stream, routes.clone(), place))),
            Err(_) => turn_away(stream, &farewells),
        }
    }
}

async fn connection(stream: TcpStream, routes: Router, place: OwnedSemaphorePermit) {
    // Events are small, and each is meant for now; without it they come a little later.
    let _ = stream.set_nodelay(true);
    let link = Link::default();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .half_close(true)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes.layer(Extension(link.clone()))));
    let mut connection = std::pin::pin!(connection);
    let cut = link.0.cut.notified();
    let mut cut = std::pin::pin!(cut);
    // What goes wrong on a connection is the client's loss; what it asked for was answered or not.
    tokio::select! {
        _ = connection.as_mut() => return drop(place),
        () = cut.as_mut() => return drop(place),
        () = sleep(LIFE) => {}
    }
    let has_events = link.0.has_events.load(Ordering::Relaxed);
    if !has_events {
        connection.as_mut().graceful_shutdown();
    }
    let limit = async { if has_events { std::future::pending().await } else { sleep(LAST_REQUEST).await } };
    tokio::select! {
        _ = connection => {}
        () = cut => {}
        () = limit => {}
    }
    drop(place);
}

fn turn_away(mut stream: TcpStream, farewells: &Arc<Semaphore>) {
    let Ok(place) = Arc::clone(farewells).try_acquire_owned() else { return };
    let head = "content-type: application/json\r\nconnection: close\r\nretry-after: 1";
    let answer = format!("HTTP/1.1 503 Service Unavailable\r\n{head}\r\ncontent-length: {}\r\n\r\n{BUSY}", BUSY.len());
    tokio::spawn(timeout(FAREWELL, async move {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        drop(place);
        Ok::<_, std::io::Error>(())
    }));
}
