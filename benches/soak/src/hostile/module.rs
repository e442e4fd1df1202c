//! A hostile module as the catalogue describes it.

use serde::Deserialize;

/// A hostile module: what it does, and what must become of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hostile {
    /// Its name, the only one of that name.
    pub name: String,
    /// What it does.
    pub abuse: String,
    /// The threat: T1 to T23 of the threat model.
    pub threat: String,
    /// Its whole text, instead of the parts below.
    pub module: Option<String>,
    /// A built module of `target/modules`, instead of text; its configuration says which abuse.
    pub file: Option<String>,
    /// Imports beside those of the host.
    pub imports: String,
    /// Functions and the like.
    pub items: String,
    /// What it does for each packet, with its descriptor in `$d` and its number in `$i`; by default: Next.
    pub each: Option<String>,
    /// What it does once in each batch, after that.
    pub once: String,
    /// It is the source of its chain: `generate` in place of `process`.
    pub generates: bool,
    /// The items define the callback.
    pub own_callback: bool,
    /// Spare rooms that it asks for.
    pub spares: u32,
    /// Pages of its memory, where that is not [`super::PAGES`].
    pub pages: u32,
    /// Keys of its `[[module]]` in the configuration.
    pub config: String,
    /// Keys of its `[module.grants]`, beside those that all have.
    pub grants: String,
    /// It writes into rooms of others in its trust domain, so what these send is anything: it is in a run with its like.
    pub scribbles: bool,
    /// Calls that the harness makes: message, save, restore.
    pub ask: Option<Ask>,
    /// Batches that it lives through at least, where it lives.
    pub batches: Option<u64>,

    /// It is not started, and the error has this text.
    pub refused: Option<String>,
    /// It fails, and the reason has this text.
    pub fault: Option<String>,
    /// The class of its fault.
    pub class: Option<String>,
    /// Counters of its chain that rise: causes of drops, `bad_outputs`, `tx_time_ignored`, `created`, `log_lost`.
    pub counts: Vec<String>,
    /// The answer to `ask` is an error with this text.
    pub answer: Option<String>,
    /// It does no harm, and lives on.
    pub lives: bool,
}

/// What the harness asks of a module while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// `Run::message` with four bytes.
    Message,
    /// `Run::save`.
    Save,
    /// `Run::restore` with four bytes.
    Restore,
}
