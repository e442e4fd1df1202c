//! A thread that does, one after the other, what the thread that speaks with clients must not wait for.

use super::problem::Problem;
use axum::http::StatusCode;
use perigee_jail as jail;
use perigee_wasm::engine::THREAD_STACK;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Where jobs are handed in. The thread ends with the last of them.
#[derive(Clone)]
pub(super) struct Worker {
    jobs: SyncSender<Job>,
    patience: Duration,
}

impl Worker {
    /// Starts the thread; `waiting` jobs may wait, and whoever has handed one in waits for `patience`.
    pub(super) fn start(name: &str, waiting: usize, patience: Duration) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = sync_channel(waiting);
        // Instances are made and asked on it: their stack is this thread's.
        let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(THREAD_STACK);
        // It makes instances, as the thread does that starts a run.
        let thread = jail::spawn(thread, jail::Kind::Control, || (), move |()| work(&queue))?;
        Ok((Self { jobs, patience }, thread))
    }

    /// Has a job done.
    pub(super) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        // The asker may have gone; then nobody wants the answer.
        let job: Job = Box::new(move || drop(reply.send(job())));
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Problem::busy("too many requests of this kind are waiting"),
            TrySendError::Disconnected(_) => Problem::busy("the server is about to stop"),
        })?;
        match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "", "the request failed inside")
                .hint("this is a bug in Perigee; its log has the place")),
            Err(_) => {
                let text = format!("no answer within {} s", self.patience.as_secs());
                Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "", text)
                    .hint("an lcore may be stuck in a module: GET /v1/status tells more"))
            }
        }
    }
}

fn work(queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        // The hook has reported it; whoever asked sees that there is no answer.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}
