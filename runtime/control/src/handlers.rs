//! What each request does.

use super::api::{Api, Inside};
use super::metrics::{self, Format, Moment};
use super::problem::Problem;
use super::wire::{
    Answer, Answers, ConfigRequest, Differences, LogLevel, ModuleAnswer, Restarted, Status, Stopping, StreamRequest,
    SwapRequest, bytes_of,
};
use super::{LogFilter, ModuleEntry, Observer};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perigee_config::Action;
use perigee_load::Upload;
use perigee_report::text;
use perigee_report::{ApplyReport, Distribution, Graph, PaceStats, SwapReport};
use perigee_runtime::{StreamChange as Change, SwapOptions};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longest filter of the log.
const MAX_FILTER: usize = 1024;

/// Reads JSON, whatever the client calls it.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("body, line {}, column {}", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, place, error.to_string()).hint("docs/control.md says what belongs there")
    })
}

pub(super) type Name = Result<Path<String>, axum::extract::rejection::PathRejection>;

pub(super) fn name_of(name: Name) -> Result<String, Problem> {
    let wrong =
        |e: axum::extract::rejection::PathRejection| Problem::new(StatusCode::BAD_REQUEST, "path", e.body_text());
    name.map(|Path(name)| name).map_err(wrong)
}

pub(super) async fn status(State(api): State<Arc<Api>>) -> Result<Json<Status>, Problem> {
    let snapshot = api.snapshot().await?;
    let failed = snapshot.modules.iter().filter_map(|module| {
        let why = module.failed.as_ref()?;
        Some(format!("module {:?} in chain {:?} on lcore {}: {why}", module.name, module.chain, module.lcore))
    });
    Ok(Json(Status {
        name: api.name.clone(),
        state: if api.stop.load(Ordering::Relaxed) { "stopping" } else { "running" },
        version: env!("CARGO_PKG_VERSION"),
        abi: perigee_abi::ABI_VERSION,
        pid: std::process::id(),
        elapsed_ns: snapshot.elapsed_ns,
        ports: snapshot.ports.len(),
        chains: snapshot.chains.len(),
        instances: snapshot.modules.len(),
        failed: failed.collect(),
        ticker_worst_gap_ns: snapshot.ticker_worst_gap_ns,
        control: api.control(),
    }))
}

pub(super) async fn stats(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    Ok(Json(&*api.snapshot().await?).into_response())
}

pub(super) async fn module_answers(api: &Arc<Api>) -> Result<Vec<ModuleAnswer>, Problem> {
    let (entries, snapshot) = (api.modules().await?, api.snapshot().await?);
    let answer = |entry: ModuleEntry| {
        let instances = snapshot.modules.iter().filter(|module| module.name == entry.name).cloned().collect();
        ModuleAnswer { entry, instances }
    };
    Ok(entries.into_iter().map(answer).collect())
}

pub(super) async fn modules(State(api): State<Arc<Api>>) -> Result<Json<Vec<ModuleAnswer>>, Problem> {
    Ok(Json(module_answers(&api).await?))
}

pub(super) async fn module(State(api): State<Arc<Api>>, name: Name) -> Result<Json<ModuleAnswer>, Problem> {
    let name = name_of(name)?;
    api.known(&name).await?;
    let found = module_answers(&api).await?.into_iter().find(|answer| answer.entry.name == name);
    found.map(Json).ok_or_else(|| Problem::busy("the configuration has just changed"))
}

pub(super) async fn message(State(api): State<Arc<Api>>, name: Name, body: Bytes) -> Result<Json<Answers>, Problem> {
    let name = name_of(name)?;
    api.known(&name).await?;
    let Inside { target, change, .. } = api.inside()?;
    let answers = change.run(move || target.message(&name, &body)).await??;
    let answer = |bytes: Vec<u8>| {
        let base64 = STANDARD.encode(&bytes);
        Answer { base64, text: String::from_utf8(bytes).ok().filter(|text| text::is_plain(text)) }
    };
    Ok(Json(Answers { answers: answers.into_iter().map(answer).collect() }))
}

pub(super) async fn restart(State(api): State<Arc<Api>>, name: Name) -> Result<Json<Restarted>, Problem> {
    let name = name_of(name)?;
    api.known(&name).await?;
    let Inside { target, change, .. } = api.inside()?;
    Ok(Json(Restarted { instances: change.run(move || target.restart(&name)).await?? }))
}

pub(super) async fn streams(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    Ok(Json(&api.snapshot().await?.streams).into_response())
}

pub(super) async fn stream(State(api): State<Arc<Api>>, name: Name, body: Bytes) -> Result<Json<PaceStats>, Problem> {
    let name = name_of(name)?;
    let change = match json(&body)? {
        StreamRequest { rate, pattern: Some(pattern), paused: None } => Change::Pattern(Box::new(pattern), rate),
        StreamRequest { rate: Some(rate), pattern: None, paused: None } => Change::Rate(rate),
        StreamRequest { rate: None, pattern: None, paused: Some(paused) } => {
            if paused {
                Change::Pause
            } else {
                Change::Resume
            }
        }
        _ => {
            let problem =
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body", "`paused` alone, or `rate`, `pattern` or both");
            return Err(problem.hint("{\"rate\": \"1 Mpps\"}, {\"pattern\": \"poisson\"} or {\"paused\": true}"));
        }
    };
    let known = api.snapshot().await?.streams.iter().map(|stream| stream.name.clone()).collect::<Vec<_>>();
    if !known.contains(&name) {
        let problem = Problem::new(StatusCode::NOT_FOUND, format!("stream {name:?}"), "there is no such stream");
        return Err(problem.hint(format!("streams: {}", known.join(", "))));
    }
    let Inside { target, change: worker, .. } = api.inside()?;
    Ok(Json(worker.run(move || target.change_stream(&name, change)).await??))
}

pub(super) async fn latency(State(api): State<Arc<Api>>, name: Name) -> Result<Json<Distribution>, Problem> {
    let name = name_of(name)?;
    let Inside { target, look, .. } = api.inside()?;
    let place = format!("stream {name:?}");
    let found = look.run(move || target.latency(&name)).await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, place, "no latency is measured of a stream of this name");
    found.map(Json).ok_or_else(|| missing().hint("`probes` of a stream measures it; GET /v1/streams has the names"))
}

pub(super) async fn graph(State(api): State<Arc<Api>>) -> Result<Json<Graph>, Problem> {
    let Inside { target, look, .. } = api.inside()?;
    Ok(Json(look.run(move || target.graph()).await?))
}

pub(super) async fn swap(State(api): State<Arc<Api>>, name: Name, body: Bytes) -> Result<Json<SwapReport>, Problem> {
    let name = name_of(name)?;
    let SwapRequest { module, signature, config, grace, fresh } = json(&body)?;
    drop(body);
    let upload = Upload { bytes: bytes_of(&module, "module")?, signature };
    api.known(&name).await?;
    let mut options = SwapOptions::default();
    (options.config, options.fresh) = (config, fresh);
    options.grace = grace.unwrap_or(options.grace);
    let Inside { target, change, .. } = api.inside()?;
    Ok(Json(change.run(move || target.swap(&name, upload, &options)).await??))
}

pub(super) async fn diff(State(api): State<Arc<Api>>, body: Bytes) -> Result<Json<Differences>, Problem> {
    let (config, files) = json::<ConfigRequest>(&body)?.read()?;
    let Inside { target, change, .. } = api.inside()?;
    let actions = change.run(move || target.diff(&config, &files)).await??;
    let restart = actions.iter().filter(|action| matches!(action, Action::Restart { .. }));
    let restart = restart.map(ToString::to_string).collect();
    Ok(Json(Differences { actions: actions.iter().map(ToString::to_string).collect(), restart }))
}

pub(super) async fn apply(State(api): State<Arc<Api>>, body: Bytes) -> Result<Json<ApplyReport>, Problem> {
    let (config, files) = json::<ConfigRequest>(&body)?.read()?;
    drop(body);
    let Inside { target, change, .. } = api.inside()?;
    let observer = api.observer.clone();
    let apply = move || {
        let _told = Told::begin(observer);
        target.apply(&config, &files)
    };
    let report = change.run(apply).await??;
    if report.restart.is_empty() {
        return Ok(Json(report));
    }
    let text = format!("nothing was done, since this cannot be done while packets flow: {}", report.restart.join("; "));
    Err(Problem::new(StatusCode::CONFLICT, "config", text).hint("restart the run, or leave these as they are"))
}

/// An observer that knows of a change, until dropped: also where the change panics.
struct Told(Option<Arc<dyn Observer>>);

impl Told {
    fn begin(observer: Option<Arc<dyn Observer>>) -> Self {
        observer.iter().for_each(|observer| observer.applying());
        Self(observer)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.iter().for_each(|observer| observer.applied());
    }
}

pub(super) async fn swaps(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    Ok(Json(&*api.swaps().await?).into_response())
}

fn log(api: &Api) -> Result<&Arc<dyn LogFilter>, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "log-level", "this process does not let its log be filtered");
    api.log.as_ref().ok_or_else(missing)
}

pub(super) async fn log_level(State(api): State<Arc<Api>>) -> Result<Json<LogLevel>, Problem> {
    Ok(Json(LogLevel { filter: log(&api)?.get() }))
}

pub(super) async fn set_log_level(State(api): State<Arc<Api>>, body: Bytes) -> Result<Json<LogLevel>, Problem> {
    let LogLevel { filter } = json(&body)?;
    let wrong = |what: String| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "filter", what)
            .hint("error, warn, info, debug, trace, or pairs like perigee=debug, separated by commas")
    };
    if filter.len() > MAX_FILTER {
        return Err(wrong(format!("{} bytes, at most {MAX_FILTER} are taken", filter.len())));
    }
    let log = log(&api)?;
    log.set(&filter).map_err(wrong)?;
    Ok(Json(LogLevel { filter: log.get() }))
}

pub(super) async fn stop(State(api): State<Arc<Api>>) -> Response {
    api.stop.store(true, Ordering::Relaxed);
    (StatusCode::ACCEPTED, Json(Stopping { state: "stopping" })).into_response()
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi()).into_response()
}

pub(super) async fn metrics(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Problem> {
    let snapshot = api.snapshot().await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let format = Format::wanted(accept);
    let moment = Moment { snapshot, name: api.name.clone(), control: api.control(), swaps: api.swaps().await? };
    let text = metrics::text(moment, format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}
