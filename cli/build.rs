//! Takes in what others have written for the page of `perigee web`, where it is there: without it the page shows tables in the
//! place of curves.
//!
//! Has the linker compress the debug information of the command: with it the file has a third of its size, and backtraces are
//! as readable. Split debug information (`split-debuginfo`) would leave line tables and names, which are most of it, where they are.

use std::fmt::Write as _;
use std::path::Path;

/// What `./x setup` puts into `src/web/vendor`, where the page's server has it, and as what.
const VENDOR: [(&str, &str, &str); 3] = [
    ("uPlot.iife.min.js", "/vendor/uplot.js", "text/javascript; charset=utf-8"),
    ("uPlot.min.css", "/vendor/uplot.css", "text/css; charset=utf-8"),
    ("LICENSE", "/vendor/licence.txt", "text/plain; charset=utf-8"),
];

fn main() {
    vendor();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
}

/// Writes the table of these files. All of them are there, or none is taken.
fn vendor() {
    // The folder is in the repository, so that it can be looked at whether anything has come into it.
    println!("cargo:rerun-if-changed=src/web/vendor");
    let home = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let folder = Path::new(&home).join("src/web/vendor");
    let is_there = VENDOR.iter().all(|(file, ..)| folder.join(file).is_file());
    let mut text = format!("pub(super) const HAS_CURVES: bool = {is_there};\npub(super) const VENDOR: &[Asset] = &[\n");
    for (file, path, kind) in VENDOR.iter().filter(|_| is_there) {
        let file = folder.join(file);
        let _ = writeln!(text, "    Asset {{ path: {path:?}, kind: {kind:?}, bytes: include_bytes!({file:?}) }},");
    }
    text += "];\n";
    let to = Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()).join("vendor.rs");
    if let Err(error) = std::fs::write(&to, text) {
        println!("cargo:error={}: {error}", to.display());
    }
}
