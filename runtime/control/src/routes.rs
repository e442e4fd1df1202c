//! The routes: one table, from which requests are served and described. docs/control.md has them for people.

use super::api::Api;
use super::captures;
use super::handlers::{
    apply, diff, graph, latency, log_level, message, metrics, module, modules, openapi, restart, set_log_level, stats,
    status, stop, stream, streams, swap, swaps,
};
use super::wire::{
    Answers, ConfigRequest, Differences, LogLevel, ModuleAnswer, Restarted, Status, Stopping, StreamRequest,
    SwapRequest,
};
use axum::routing::{MethodRouter, get, post, put};
use perigee_report::{ApplyReport, Distribution, Graph, PaceStats, Snapshot, SwapReport, Swaps};
use perigee_runtime::{CaptureRequest, CaptureStatus, HistoryStatus};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::sync::Arc;

/// A request that is served.
pub(super) struct Route {
    /// `get`, `post` or `put`.
    pub(super) method: &'static str,
    /// Its path, with `{name}` for a name.
    pub(super) path: &'static str,
    /// What programs call it.
    pub(super) id: &'static str,
    /// What it does, in a line.
    pub(super) about: &'static str,
    pub(super) body: Content,
    pub(super) answer: Content,
    /// The code of an answer that is none of a problem.
    pub(super) code: u16,
    /// Who serves it.
    pub(super) served: fn() -> MethodRouter<Arc<Api>>,
}

/// What a request or an answer has in it.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Nothing.
    Nothing,
    /// JSON of a type.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Any bytes.
    Bytes,
    /// Text.
    Text,
}

const fn json<T: JsonSchema>() -> Content {
    Content::Json(|generator| generator.subschema_for::<T>())
}

const fn asks(path: &'static str, id: &'static str, about: &'static str, answer: Content, served: Served) -> Route {
    Route { method: "get", path, id, about, body: Content::Nothing, answer, code: 200, served }
}

const fn posts(path: &'static str, id: &'static str, about: &'static str, served: Served) -> Route {
    Route { method: "post", path, id, about, body: Content::Nothing, answer: Content::Nothing, code: 200, served }
}

impl Route {
    const fn with(self, body: Content, answer: Content) -> Self {
        Self { body, answer, ..self }
    }
}

type Served = fn() -> MethodRouter<Arc<Api>>;

/// All of them.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    asks("/v1/status", "status", "What runs, since when, and what has failed", json::<Status>(), || get(status)),
    asks("/v1/stats", "stats", "All counters", json::<Snapshot>(), || get(stats)),
    asks("/v1/modules", "modules", "The modules and their instances", json::<Vec<ModuleAnswer>>(), || get(modules)),
    asks("/v1/modules/{name}", "module", "A module and its instances", json::<ModuleAnswer>(), || get(module)),
    posts("/v1/modules/{name}/message", "message", "Sends a message to all instances of a module", || post(message))
        .with(Content::Bytes, json::<Answers>()),
    posts("/v1/modules/{name}/restart", "restart", "Makes new instances in the place of those that have failed", || post(restart))
        .with(Content::Nothing, json::<Restarted>()),
    posts("/v1/modules/{name}/swap", "swap", "Replaces a module while packets flow", || post(swap))
        .with(json::<SwapRequest>(), json::<SwapReport>()),
    asks("/v1/streams", "streams", "The streams: their rates, and what became of them", json::<Vec<PaceStats>>(), || get(streams)),
    posts("/v1/streams/{name}", "stream", "Gives a stream another rate or pattern, or has it pause or go on", || post(stream))
        .with(json::<StreamRequest>(), json::<PaceStats>()),
    asks("/v1/streams/{name}/latency", "latency", "How a stream's latencies are distributed", json::<Distribution>(), || get(latency)),
    asks("/v1/graph", "graph", "Ports, chains and rings, and who hands packets to whom", json::<Graph>(), || get(graph)),
    asks("/v1/swaps", "swaps", "The swaps so far", json::<Swaps>(), || get(swaps)),
    posts("/v1/config/diff", "diff", "What differs between what runs and a configuration", || post(diff))
        .with(json::<ConfigRequest>(), json::<Differences>()),
    posts("/v1/config/apply", "apply", "Applies a changed configuration: all of its differences, or none", || post(apply))
        .with(json::<ConfigRequest>(), json::<ApplyReport>()),
    asks("/v1/captures", "captures", "The captures under way", json::<Vec<CaptureStatus>>(), || get(captures::list)),
    Route { code: 101, ..posts("/v1/captures", "capture", "Captures packets, on a connection that becomes perigee-capture", || post(captures::begin)) }
        .with(json::<CaptureRequest>(), Content::Nothing),
    asks("/v1/histories", "histories", "What the run remembers of its packets", json::<Vec<HistoryStatus>>(), || get(captures::histories)),
    Route { code: 101, ..posts("/v1/histories/{name}", "history", "A history, on a connection that becomes perigee-capture", || post(captures::history)) },
    asks("/v1/log-level", "log_level", "The filter of the log", json::<LogLevel>(), || get(log_level)),
    Route { method: "put", ..posts("/v1/log-level", "set_log_level", "Sets the filter of the log", || put(set_log_level)) }
        .with(json::<LogLevel>(), json::<LogLevel>()),
    Route { code: 202, ..posts("/v1/stop", "stop", "Stops the run, as a signal does", || post(stop)) }
        .with(Content::Nothing, json::<Stopping>()),
    asks("/v1/metrics", "metrics", "Metrics for Prometheus", Content::Text, || get(metrics)),
    asks("/v1/openapi.json", "openapi", "This description", json::<std::collections::BTreeMap<String, serde_json::Value>>(), || get(openapi)),
];
