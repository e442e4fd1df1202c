//! `--profile DIR`: what the lcores were at, as a flame graph, folded stacks, a table and a map for `perf`.
//!
//! - `folder.rs`: the files, opened before the jail, in a folder that is nobody else's.
//! - `table.rs`: what the summary says of it.

mod folder;
mod table;

use anyhow::{Context, Result};
use folder::{Folder, Sink};
use inferno::flamegraph;
use perigee_runtime::Snapshot;
use perigee_runtime::profile::{Profile, Profiler};
use std::path::Path;
use std::sync::Arc;

/// A profile that is being made, and where it goes.
pub(crate) struct Profiled {
    profiler: Arc<Profiler>,
    graph: Sink,
    stacks: Sink,
    functions: Sink,
    perf_map: Sink,
    jitdump: Sink,
}

impl Profiled {
    /// Makes the folder and its files: before the jail. From here on modules that are loaded are known to it.
    ///
    /// # Errors
    /// The folder is a link, or not this user's alone, or cannot be written to.
    pub(crate) fn open(folder: &Path, hz: u32) -> Result<Self> {
        let (folder, process, profiler) = (Folder::open(folder)?, std::process::id(), Profiler::new(hz));
        let jitdump = folder.file(&format!("jit-{process}.dump"))?;
        if let Err(e) = profiler.show_to_perf(&jitdump.file) {
            tracing::warn!(
                "--profile: perf will not find {}: {e}; all else of the profile is as ever",
                jitdump.path.display()
            );
        }
        Ok(Self {
            graph: folder.file("flame.svg")?,
            stacks: folder.file("stacks.folded")?,
            functions: folder.file("functions.txt")?,
            perf_map: folder.file(&format!("perf-{process}.map"))?,
            jitdump,
            profiler: Arc::new(profiler),
        })
    }

    /// Who samples.
    pub(crate) fn profiler(&self) -> Arc<Profiler> {
        Arc::clone(&self.profiler)
    }

    /// Writes what came of it: the run has ended. Returns what the summary says.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write(self, last: &Snapshot) -> Result<String> {
        let profile = self.profiler.result();
        let folded = profile.folded();
        self.stacks.write(folded.as_bytes())?;
        self.functions.write(table::functions(&profile, usize::MAX).as_bytes())?;
        self.perf_map.write(profile.perf_map.as_bytes())?;
        self.jitdump.write(&profile.jitdump)?;
        let told = table::text(&profile, last, &self.graph.path);
        self.graph.write(&graph(&profile, &folded)?)?;
        Ok(told)
    }
}

/// The flame graph: SVG, which a browser lets one zoom and search.
fn graph(profile: &Profile, folded: &str) -> Result<Vec<u8>> {
    let mut options = flamegraph::Options::default();
    "perigee: what the lcores were at".clone_into(&mut options.title);
    options.subtitle = Some(format!("{} samples a second of each lcore", profile.hz));
    "samples".clone_into(&mut options.count_name);
    options.deterministic = true;
    let mut svg = Vec::new();
    // Without a sample there is nothing to draw, and no graph is drawn.
    let nothing = "no samples 1".to_owned();
    let folded = if folded.is_empty() { &nothing } else { folded };
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg).context("the flame graph")?;
    Ok(svg)
}
