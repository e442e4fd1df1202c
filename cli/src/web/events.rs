//! What happens, as server-sent events: the run is asked once for all who look on, and those who do not read are cut off.

use super::routes::Shared;
use axum::http::StatusCode;
use hyper::body::{Body, Bytes, Frame};
use perigee_runtime::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

/// Clients that look on at a time.
const STREAMS: usize = 16;
/// Events that may wait for a client. One that has not taken so many is cut off.
const WAITING: usize = 8;
/// How long clients get to take the last event.
const FAREWELL: Duration = Duration::from_millis(200);

/// Those who look on, and what they were told last.
#[derive(Default)]
pub(super) struct Hub {
    inside: Mutex<Inside>,
    /// Somebody has come.
    wanted: Notify,
}

#[derive(Default)]
struct Inside {
    clients: Vec<Client>,
    /// The latest event of each kind, for those who come.
    latest: BTreeMap<&'static str, Bytes>,
}

struct Client {
    events: mpsc::Sender<Bytes>,
    /// Ends the client's connection.
    cut: Arc<Notify>,
}

/// The body of an answer that goes on.
pub(super) struct Stream(mpsc::Receiver<Bytes>);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Hub {
    /// A stream for a client, which begins with what the others have heard already; `None` where too many look on. `cut` ends
    /// the client's connection.
    pub(super) fn join(&self, cut: Arc<Notify>) -> Option<Stream> {
        let mut inside = self.inside();
        inside.clients.retain(|client| !client.events.is_closed());
        if inside.clients.len() >= STREAMS {
            return None;
        }
        let (events, stream) = mpsc::channel(WAITING);
        for event in inside.latest.values() {
            // There are fewer kinds than places.
            let _ = events.try_send(event.clone());
        }
        inside.clients.push(Client { events, cut });
        self.wanted.notify_one();
        Some(Stream(stream))
    }

    /// How many look on.
    pub(super) fn clients(&self) -> usize {
        self.inside().clients.iter().filter(|client| !client.events.is_closed()).count()
    }

    /// Tells all who look on.
    fn tell(&self, kind: &'static str, data: &[u8]) {
        let event = event(kind, data);
        let mut inside = self.inside();
        inside.clients.retain(|client| match client.events.try_send(event.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::info!("a browser that does not read is cut off");
                client.cut.notify_one();
                false
            }
        });
        inside.latest.insert(kind, event);
    }

    /// What was said of this kind holds no more.
    fn forget(&self, kind: &str) {
        self.inside().latest.remove(kind);
    }

    /// Says that it is over, and gives clients a moment to hear it.
    pub(super) async fn end(&self) {
        self.tell("end", b"{}");
        let clients = std::mem::take(&mut self.inside().clients);
        if !clients.is_empty() {
            drop(clients);
            tokio::time::sleep(FAREWELL).await;
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event in the form of the standard; data of several lines has the field several times.
fn event(kind: &str, data: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(data.len() + 64);
    text.extend_from_slice(format!("event: {kind}\n").as_bytes());
    for line in data.split(|byte| *byte == b'\n') {
        text.extend_from_slice(b"data: ");
        text.extend(line.iter().copied().filter(|byte| *byte != b'\r'));
        text.push(b'\n');
    }
    text.push(b'\n');
    text.into()
}

/// What is remembered from one look to the next.
#[derive(Default)]
struct Seen {
    /// Time of the run at the last look: where it falls, there is another run.
    elapsed_ns: Option<u64>,
    swaps: Bytes,
    /// Since when the run does not answer.
    gone: Option<Instant>,
}

/// Asks the run so often, as long as somebody looks on.
pub(super) async fn poll(shared: &Shared, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    loop {
        if shared.hub.clients() == 0 {
            // What was said meanwhile is old for whoever comes next.
            shared.hub.wanted.notified().await;
            ticks.reset_immediately();
        }
        ticks.tick().await;
        look(shared, &mut seen).await;
    }
}

async fn look(shared: &Shared, seen: &mut Seen) {
    let hub = &shared.hub;
    let answer = shared.run.look("/v1/stats").await;
    let told = match answer {
        Ok((StatusCode::OK, stats)) => {
            let elapsed_ns = elapsed(&stats);
            let is_new = seen.elapsed_ns.is_none_or(|before| elapsed_ns < before) || seen.gone.is_some();
            if is_new && let Ok((StatusCode::OK, status)) = shared.run.look("/v1/status").await {
                hub.forget("gone");
                hub.tell("status", &status);
            }
            (seen.elapsed_ns, seen.gone) = (Some(elapsed_ns), None);
            hub.tell("stats", &stats);
            None
        }
        Ok((_, answer)) => Some(crate::client::refusal(&answer).to_string()),
        Err(error) => Some(format!("{error:#}")),
    };
    if let Some(error) = told {
        let since = seen.gone.get_or_insert_with(Instant::now).elapsed();
        let data: Value = json!({ "error": text::lines(&error), "seconds": since.as_secs() });
        return hub.tell("gone", data.to_string().as_bytes());
    }
    if let Ok((StatusCode::OK, swaps)) = shared.run.look("/v1/swaps").await
        && swaps != seen.swaps
    {
        hub.tell("swaps", &swaps);
        seen.swaps = swaps;
    }
}

/// The time of the run in its counters.
fn elapsed(stats: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Elapsed {
        elapsed_ns: u64,
    }
    serde_json::from_slice(stats).map_or(0, |Elapsed { elapsed_ns }| elapsed_ns)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_event_is_one_whatever_its_data_is() {
        assert_eq!(event("stats", b"{}"), "event: stats\ndata: {}\n\n");
        assert_eq!(event("a", b"1\r\n\n2"), "event: a\ndata: 1\ndata: \ndata: 2\n\n");
    }

    #[test]
    fn who_does_not_read_is_cut_off_and_others_are_not() {
        let hub = Hub::default();
        let [slow, quick] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let (_stream, mut read) = (hub.join(Arc::clone(&slow)).unwrap(), hub.join(quick).unwrap());
        for n in 0..=WAITING {
            hub.tell("stats", n.to_string().as_bytes());
            assert_eq!(read.0.try_recv().unwrap(), format!("event: stats\ndata: {n}\n\n"));
        }
        assert_eq!(hub.clients(), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(slow.notified());
    }

    #[test]
    fn whoever_comes_hears_the_latest_and_too_many_do_not_come() {
        let hub = Hub::default();
        hub.tell("stats", b"1");
        hub.tell("stats", b"2");
        let streams: Vec<_> = (0..STREAMS).map(|_| hub.join(Arc::default()).unwrap()).collect();
        assert!(hub.join(Arc::default()).is_none());
        let mut one = streams.into_iter().next().unwrap();
        assert_eq!(one.0.try_recv().unwrap(), "event: stats\ndata: 2\n\n");
        // The others have gone with their streams.
        assert!(hub.join(Arc::default()).is_some());
    }
}
