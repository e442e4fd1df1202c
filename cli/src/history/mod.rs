//! What a run remembers of its packets (`[[history]]`): looked back at by `perigee history`, and watched by `perigee trigger`, which writes
//! what was before a moment as well as what came after it. Both are processes of the operator, who may only read the run's memory.
//!
//! - `tape.rs`: a history as its reader has it. `query.rs`: the command that looks back.
//! - `trigger.rs`: the command that waits. `work.rs`: how. `watch.rs`, `module.rs`: what it waits for. `dumps.rs`: what it writes.
//! - `standing.rs`: what a run waits for by itself (`[[trigger]]`), in processes of its own: `writer.rs`.

mod dumps;
mod module;
mod query;
mod standing;
mod tape;
mod trigger;
mod watch;
mod work;
mod writer;

pub(crate) use query::{HistoryArgs, history};
pub(crate) use standing::Standing as Triggers;
pub(crate) use trigger::{TriggerArgs, trigger};
pub(crate) use writer::writer;
