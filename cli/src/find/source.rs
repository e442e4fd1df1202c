//! Which files are searched, and in which order: that of their first packets.

use crate::dissect::told;
use anyhow::{Context, Error, Result};
use perigee_pcap::file::Reader;
use perigee_runtime::text;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// What the names of captures end with.
const ENDS: [&str; 3] = ["pcapng", "pcap", "cap"];

/// A file.
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// As it is shown.
    pub(super) name: String,
    /// The time of its first packet.
    first: Option<i128>,
}

/// All files, in order, and what is wrong with those that cannot be read.
pub(super) fn all(from: &[PathBuf]) -> Result<(Vec<Source>, Vec<Error>)> {
    // Each once, however often it is named.
    let mut paths = BTreeMap::new();
    for path in from {
        let cannot = || format!("cannot read {}", text::line(&path.display(), text::WORDS));
        let metadata = fs::metadata(path).with_context(cannot)?;
        let found = if metadata.is_dir() { folder(path).with_context(cannot)? } else { vec![path.clone()] };
        for path in found {
            paths.entry(path.canonicalize().with_context(cannot)?).or_insert(path);
        }
    }
    let (mut sources, mut failed) = (Vec::new(), Vec::new());
    for path in paths.into_values() {
        match Source::of(path) {
            Ok(source) => sources.push(source),
            Err(error) => failed.push(error),
        }
    }
    sources.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
    Ok((sources, failed))
}

fn folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| ENDS.iter().any(|known| end == *known)) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

impl Source {
    fn of(path: PathBuf) -> Result<Self> {
        let name = text::line(&path.display(), text::WORDS);
        let (file, metadata) = open(&path, &name)?;
        let mut reader =
            Reader::new(BufReader::new(file), metadata.len(), &name).map_err(|fault| told(&name, &fault))?;
        // What is wrong with it is told when it is searched.
        let first = reader.next_record().ok().flatten().and_then(|record| record.time);
        Ok(Self { path, name, first })
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<(File, Metadata)> {
        open(&self.path, &self.name)
    }
}

fn open(path: &Path, name: &str) -> Result<(File, Metadata)> {
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let metadata = file.metadata().with_context(|| format!("cannot read {name}"))?;
    if !metadata.is_file() {
        anyhow::bail!("{name}: is no file; `perigee dissect -` reads what comes by a pipe");
    }
    Ok((file, metadata))
}
