//! `perigee ctl`: asks a running `perigee` through its control socket.

mod args;
mod router;

pub(crate) use args::CtlArgs;

use crate::client::{self, Client, Request, Swap};
use crate::output;
use crate::paced::pattern_of;
use crate::read::content;
use anyhow::{Context, Result, bail};
use args::{Hold, Verb};
use perigee_runtime::{Snapshot, text};
use serde_json::Value;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long `stop` waits for the process to end: longer than the longest stop.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often `stats --watch` shows numbers.
const PERIOD: Duration = Duration::from_secs(1);

/// `perigee ctl`.
pub(crate) fn ctl(args: CtlArgs) -> Result<ExitCode> {
    let client = Client::find(args.socket.as_deref())?;
    answer(&client, args.verb, args.json).map(|()| ExitCode::SUCCESS)
}

fn answer(client: &Client, verb: Verb, is_json: bool) -> Result<()> {
    let request = match verb {
        Verb::Status => return tell(&client.get("/v1/status")?, is_json, client::status),
        Verb::Stats { watch: true } => return watch(client, is_json),
        Verb::Stats { watch: false } => return tell(&client.get("/v1/stats")?, is_json, client::stats),
        Verb::Modules => return tell(&client.get("/v1/modules")?, is_json, client::modules),
        Verb::Streams => return tell(&client.get("/v1/streams")?, is_json, client::streams),
        Verb::LogLevel { filter: None } => return tell(&client.get("/v1/log-level")?, is_json, client::filter),
        Verb::Metrics => return output::result(&client.text("/v1/metrics")?),
        Verb::Routes { module, of } => return router::routes(client, &module, of.as_deref(), is_json),
        Verb::Neighbours { module } => return router::neighbours(client, &module, is_json),
        Verb::Stop { no_wait } => return stop(client, no_wait),
        Verb::LogLevel { filter: Some(filter) } => Request::LogLevel(filter),
        Verb::Message { module, message } => Request::Message { module, bytes: content(&message)? },
        Verb::Restart { module } => Request::Restart { module },
        Verb::Rate { stream, rate } => Request::Rate { stream, rate },
        Verb::Pattern { stream, pattern, rate } => Request::Pattern { stream, pattern: pattern_of(&pattern), rate },
        Verb::Stream { what, stream } => Request::Hold { stream, paused: what == Hold::Pause },
        Verb::Swap { module, file, config, grace, fresh } => {
            Request::Swap { module, swap: Swap { file, config, grace, fresh } }
        }
        Verb::Diff { file } => Request::Diff(file),
        Verb::Apply { file } => Request::Apply(file),
    };
    tell(&request.send(client)?, is_json, |answer| request.show(answer))
}

/// Shows an answer: as it came, or as text for people.
fn tell(answer: &Value, is_json: bool, show: impl Fn(&Value) -> Result<String>) -> Result<()> {
    output::result(&if is_json { text::json(&format!("{answer:#}\n")) } else { text::lines(&show(answer)?) })
}

/// Numbers once a second, until the run ends.
fn watch(client: &Client, is_json: bool) -> Result<()> {
    let mut last: Option<Snapshot> = None;
    loop {
        let next = Instant::now() + PERIOD;
        let Ok(answer) = client.get("/v1/stats") else {
            // It answered before, so the run has ended.
            return if last.is_some() { Ok(()) } else { client.get("/v1/stats").map(drop) };
        };
        let now: Snapshot = serde_json::from_value(answer.clone()).context(client::OTHER_VERSION)?;
        if is_json {
            output::result(&text::json(&format!("{answer}\n")))?;
        } else if let Some(last) = &last {
            output::result(&text::lines(&crate::live::lines(last, &now)))?;
        }
        last = Some(now);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn stop(client: &Client, no_wait: bool) -> Result<()> {
    let pid = client.get("/v1/status")?["pid"].as_u64().context("the server does not tell its process's number")?;
    Request::Stop.send(client)?;
    if no_wait {
        return output::result("asked to stop\n");
    }
    let asked = Instant::now();
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    while is_running(&process) {
        if asked.elapsed() > STOP_LIMIT {
            bail!("process {pid} was asked to stop {} s ago and still runs", STOP_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    output::result("stopped\n")
}

/// Whether a process does anything yet: one that has ended stays visible until its parent has taken notice.
fn is_running(process: &std::path::Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The state is the first word behind the name, which stands in parentheses.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
