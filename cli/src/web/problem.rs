//! Errors as the page's script sees them: the form that the control socket's have.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use perigee_runtime::text;
use serde_json::json;

/// Why a request was refused, and what to do about it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: String,
    hint: &'static str,
}

impl Problem {
    /// With a hint that may be empty, where the error says it.
    pub(super) fn new(status: StatusCode, error: &str, hint: &'static str) -> Self {
        Self { status, error: text::lines(error), hint }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "where": "the page's server", "hint": self.hint });
        (self.status, Json(body)).into_response()
    }
}
