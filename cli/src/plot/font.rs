//! The font of pictures. It comes with the program: which ones a machine has, and where, differs, and a server has none.

use anyhow::Result;
use plotters::style::{FontStyle, register_font};
use std::sync::OnceLock;

/// DejaVu Sans, Latin, Greek and Cyrillic letters (`font/LICENSE`).
const SANS: &[u8] = include_bytes!("font/dejavu-sans.ttf");

/// What pictures call it. In SVG the viewer has one by this name.
pub(super) const NAME: &str = "sans-serif";

/// Makes it known to plotters, once.
pub(super) fn register() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        [FontStyle::Normal, FontStyle::Bold].into_iter().all(|style| register_font(NAME, style, SANS).is_ok())
    });
    anyhow::ensure!(*done, "the program's own font cannot be read, which is a bug in Perigee");
    Ok(())
}
