//! Orders to the lcores, which look for them between two bursts.

use crossbeam_queue::ArrayQueue;
use perigee_datapath::orders::Command;
use perigee_datapath::switch::Ticket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long an lcore may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than an instance may take to save, and another to restore.
pub(crate) const SWITCH_PATIENCE: Duration = Duration::from_secs(30);

/// The lcores' queues, by number.
#[derive(Clone, Default)]
pub(crate) struct Orders {
    queues: Vec<Arc<ArrayQueue<Command>>>,
    serve: Option<Serve>,
}

/// Lets an lcore look at its orders, where it has no thread of its own that does.
pub(crate) type Serve = Arc<dyn Fn(usize) + Send + Sync>;

/// How often an lcore is asked to look before it counts as silent: it does one thing at a time.
const LOOKS: usize = 100_000;

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orders").field("queues", &self.queues).finish_non_exhaustive()
    }
}

impl Orders {
    pub(crate) fn new(queues: impl Iterator<Item = Arc<ArrayQueue<Command>>>) -> Self {
        Self { queues: queues.collect(), serve: None }
    }

    /// The lcores have no threads: whoever waits for one lets it look.
    pub(crate) fn served_by(self, serve: Serve) -> Self {
        Self { serve: Some(serve), ..self }
    }

    /// How many lcores there are.
    pub(crate) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Gives an order.
    ///
    /// # Errors
    /// The order, where the lcore has too many that wait; [`full`] says so.
    pub(crate) fn push(&self, lcore: usize, order: Command) -> Result<(), Command> {
        match self.queues.get(lcore) {
            Some(queue) => queue.push(order),
            None => Err(order),
        }
    }

    /// Gives an order and waits for the answer.
    ///
    /// # Errors
    /// The text says that the lcore has too many orders waiting, or does not answer.
    pub(crate) fn ask<T>(&self, lcore: usize, order: impl FnOnce(Sender<T>) -> Command) -> Result<T, String> {
        let (reply, answer) = channel();
        self.push(lcore, order(reply)).map_err(|_| full(lcore))?;
        self.wait(lcore, &answer, PATIENCE).ok_or_else(|| silent(lcore))
    }

    /// What an lcore says to a switch; `None` where it did not come to it, and will not.
    pub(crate) fn outcome<T>(&self, lcore: usize, ticket: &Ticket, answer: &Receiver<T>) -> Option<T> {
        match self.wait(lcore, answer, PATIENCE) {
            Some(switched) => Some(switched),
            None if ticket.take() => None,
            // It has begun: a module may take its time to save.
            None => answer.recv_timeout(SWITCH_PATIENCE).ok(),
        }
    }

    /// Gives lcores time for what they do between answers.
    pub(crate) fn rest(&self, time: Duration) {
        if self.serve.is_none() {
            std::thread::sleep(time);
        }
    }

    fn wait<T>(&self, lcore: usize, answer: &Receiver<T>, patience: Duration) -> Option<T> {
        let Some(serve) = &self.serve else { return answer.recv_timeout(patience).ok() };
        let look = |_| {
            serve(lcore);
            answer.try_recv().ok()
        };
        (0..LOOKS).find_map(look)
    }
}

/// An order finds no place in an lcore's queue.
pub(crate) fn full(lcore: usize) -> String {
    format!("lcore number {lcore} has too many requests waiting")
}

/// An lcore does not answer.
pub(crate) fn silent(lcore: usize) -> String {
    format!("lcore number {lcore} does not answer")
}
