//! `perigee ctl`: asks a running `perigee` through its control socket.

mod args;
pub(crate) mod client;
mod show;
mod upload;

pub(crate) use args::CtlArgs;

use crate::output;
use crate::paced::pattern_of;
use crate::read::content;
use anyhow::{Context, Result, bail};
use args::{Hold, Verb};
use client::Client;
use perigee_runtime::{Snapshot, text};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long `stop` waits for the process to end: longer than the longest stop.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often `stats --watch` shows numbers.
const PERIOD: Duration = Duration::from_secs(1);

/// `perigee ctl`.
pub(crate) fn ctl(args: &CtlArgs) -> Result<ExitCode> {
    let client = Client::find(args.socket.as_deref())?;
    let is_json = args.json;
    match &args.verb {
        Verb::Status => tell(&client.get("/v1/status")?, is_json, show::status),
        Verb::Stats { watch: true } => watch(&client, is_json),
        Verb::Stats { watch: false } => tell(&client.get("/v1/stats")?, is_json, show::stats),
        Verb::Modules => tell(&client.get("/v1/modules")?, is_json, show::modules),
        Verb::Message { module, message } => {
            let bytes = content(message)?;
            let path = format!("/v1/modules/{}/message", client::encode(module));
            tell(&client.send("POST", &path, bytes)?, is_json, show::answers)
        }
        Verb::Restart { module } => {
            let path = format!("/v1/modules/{}/restart", client::encode(module));
            tell(&client.send("POST", &path, Vec::new())?, is_json, show::restarted)
        }
        Verb::Streams => tell(&client.get("/v1/streams")?, is_json, show::streams),
        Verb::Rate { stream, rate } => change(&client, stream, &json!({ "rate": rate.to_string() }), is_json),
        Verb::Pattern { stream, pattern, rate } => {
            let mut what = json!({ "pattern": pattern_of(pattern) });
            if let Some(rate) = rate {
                what["rate"] = rate.to_string().into();
            }
            change(&client, stream, &what, is_json)
        }
        Verb::Stream { what, stream } => change(&client, stream, &json!({ "paused": *what == Hold::Pause }), is_json),
        Verb::Swap { module, .. } => {
            let path = format!("/v1/modules/{}/swap", client::encode(module));
            tell(&client.send("POST", &path, upload::swap(&args.verb)?)?, is_json, show::swap)
        }
        Verb::Diff { file } => {
            tell(&client.send("POST", "/v1/config/diff", upload::config(file)?)?, is_json, show::diff)
        }
        Verb::Apply { file } => {
            tell(&client.send("POST", "/v1/config/apply", upload::config(file)?)?, is_json, show::apply)
        }
        Verb::LogLevel { filter: None } => tell(&client.get("/v1/log-level")?, is_json, show::filter),
        Verb::LogLevel { filter: Some(filter) } => tell(
            &client.send("PUT", "/v1/log-level", json!({ "filter": filter }).to_string().into())?,
            is_json,
            show::filter,
        ),
        Verb::Metrics => output::result(&client.text("/v1/metrics")?),
        Verb::Stop { no_wait } => stop(&client, *no_wait),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Changes a stream, and shows how it stands.
fn change(client: &Client, stream: &str, what: &Value, is_json: bool) -> Result<()> {
    let path = format!("/v1/streams/{}", client::encode(stream));
    tell(&client.send("POST", &path, what.to_string().into())?, is_json, show::stream)
}

/// Shows an answer: as it came, or as text for people.
fn tell(answer: &Value, is_json: bool, show: fn(&Value) -> Result<String>) -> Result<()> {
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
        let now: Snapshot =
            serde_json::from_value(answer.clone()).context("the server's numbers are of another version")?;
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
    client.send("POST", "/v1/stop", Vec::new())?;
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
