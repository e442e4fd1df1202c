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
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders(Vec<Arc<ArrayQueue<Command>>>);

impl Orders {
    pub(crate) fn new(queues: impl Iterator<Item = Arc<ArrayQueue<Command>>>) -> Self {
        Self(queues.collect())
    }

    /// How many lcores there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives an order.
    ///
    /// # Errors
    /// The order, where the lcore has too many that wait; [`full`] says so.
    pub(crate) fn push(&self, lcore: usize, order: Command) -> Result<(), Command> {
        match self.0.get(lcore) {
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
        answer.recv_timeout(PATIENCE).map_err(|_| silent(lcore))
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

/// What an lcore says to a switch; `None` where it did not come to it, and will not.
pub(crate) fn outcome<T>(ticket: &Ticket, answer: &Receiver<T>) -> Option<T> {
    match answer.recv_timeout(PATIENCE) {
        Ok(switched) => Some(switched),
        Err(_) if ticket.take() => None,
        // It has begun: a module may take its time to save.
        Err(_) => answer.recv_timeout(SWITCH_PATIENCE).ok(),
    }
}
