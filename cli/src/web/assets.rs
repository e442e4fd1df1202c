//! The files of the page, in the program itself: the process that serves them opens none.

/// One of them.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) bytes: &'static [u8],
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

macro_rules! own {
    ($path:literal, $kind:expr, $file:literal) => {
        Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("assets/", $file)) }
    };
}

/// Ours.
pub(super) const ASSETS: &[Asset] = &[
    own!("/", "text/html; charset=utf-8", "index.html"),
    own!("/style.css", CSS, "style.css"),
    own!("/app.js", JS, "app.js"),
    own!("/model.js", JS, "model.js"),
    own!("/format.js", JS, "format.js"),
    own!("/table.js", JS, "table.js"),
    own!("/curves.js", JS, "curves.js"),
    own!("/graph.js", JS, "graph.js"),
    own!("/pages.js", JS, "pages.js"),
    own!("/stream.js", JS, "stream.js"),
    own!("/control.js", JS, "control.js"),
    own!("/log.js", JS, "log.js"),
    own!("/icon.svg", "image/svg+xml", "icon.svg"),
];

// `VENDOR` and `HAS_CURVES`: what `./x setup` has fetched, and whether it was there when this was built.
include!(concat!(env!("OUT_DIR"), "/vendor.rs"));
