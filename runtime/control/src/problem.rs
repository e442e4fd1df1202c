//! Errors as clients see them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use perigee_report::Error;
use perigee_report::text;
use schemars::JsonSchema;
use serde::Serialize;

/// Why a request was not served: `{"error": ..., "where": ..., "hint": ...}` with a status code.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: String,
    /// What of the request or of the run it is about; empty where it is all of it.
    #[serde(rename = "where")]
    place: String,
    /// What to do about it; empty where the error says it.
    hint: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, place: impl Into<String>, error: impl Into<String>) -> Self {
        // What a client has sent comes back in some of them.
        let [error, place] = [error.into(), place.into()].map(|text: String| text::lines(&text));
        Self { status, error, place, hint: String::new() }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// More is asked than is served at a time.
    pub(super) fn busy(what: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "", what).hint("try again in a moment")
    }
}

/// What the runtime refuses: mostly something of what the client has sent.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let refused = StatusCode::UNPROCESSABLE_ENTITY;
        match error {
            Error::Config { .. } => Self::new(refused, "config", text),
            Error::Module { name, what } => Self::new(refused, format!("module {name:?}"), what),
            Error::File { path, .. } => Self::new(refused, path.display().to_string(), text),
            Error::Port { name, .. } => Self::new(refused, format!("port {name:?}"), text),
            Error::Lcore { lcore, what } => Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("lcore {lcore}"), what),
            Error::Swap { name, step, what } => {
                Self::new(refused, format!("module {name:?}, {step}"), what).hint("the module that was there goes on")
            }
            Error::Capture(what) => Self::new(refused, "capture", what),
            Error::Request(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "", text).hint("GET /v1/status tells more"),
            Error::Eal(_) | Error::Memory(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", text),
            #[allow(unreachable_patterns, reason = "kinds of error that are added later")]
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
