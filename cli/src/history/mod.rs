//! What a run remembers of its packets (`[[history]]`): looked back at by `perigee history`, and watched by `perigee trigger`, which writes
//! what was before a moment as well as what came after it. Both are processes of the operator, who may only read the run's memory.
//!
//! - `tape.rs`: a history as its reader has it. `query.rs`: the command that looks back.
//! - `trigger.rs`: the command that waits. `watch.rs`, `module.rs`: what it waits for. `dumps.rs`: what it writes.

mod dumps;
mod module;
mod query;
mod tape;
mod trigger;
mod watch;

pub(crate) use query::{HistoryArgs, history};
pub(crate) use trigger::{TriggerArgs, trigger};
