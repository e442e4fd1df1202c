//! Errors as the page's script sees them: the form that the control socket's have.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use perigee_runtime::text;
use serde_json::json;

/// An answer that says what was refused, and what to do about it.
pub(super) fn problem(status: StatusCode, error: &str, hint: &str) -> Response {
    (status, Json(json!({ "error": text::lines(error), "where": "the page's server", "hint": hint }))).into_response()
}
