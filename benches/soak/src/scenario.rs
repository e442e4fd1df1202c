//! What a scenario is, what it is given and what it tells.

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Something that must hold, tried so many times.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What people call it on the command line: one word.
    pub name: &'static str,
    /// What is done, and what must hold: one line.
    pub about: &'static str,
    /// What `quick` and `full` count.
    pub unit: &'static str,
    /// How many with `--quick`: a minute or so on two cores.
    pub quick: u64,
    /// How many else.
    pub full: u64,
    /// Does it. Whatever does not hold is an error; a panic or a signal is one too.
    pub run: fn(&Task) -> Result<Report>,
}

/// What a scenario is given.
#[derive(Clone, Debug)]
pub struct Task {
    /// How many.
    pub size: u64,
    /// Where random numbers begin: another each time, unless the command line says.
    pub seed: u64,
    /// The repository's root.
    pub root: PathBuf,
}

/// What a scenario tells.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many were done.
    pub done: u64,
    /// Figures by name; the unit is the name's last part, as in `stop_p99_us`.
    pub figures: Map<String, Value>,
}

impl Report {
    /// A report of so many, without figures yet.
    #[must_use]
    pub fn new(done: u64) -> Self {
        Self { done, figures: Map::new() }
    }

    /// With one more figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }
}

impl Task {
    /// A task in this repository.
    ///
    /// # Errors
    /// Neither the program nor the working directory lies in one.
    pub fn new(size: u64, seed: u64) -> Result<Self> {
        Ok(Self { size, seed, root: root()? })
    }

    /// A module that `./x build-modules` has built.
    #[must_use]
    pub fn module(&self, name: &str) -> PathBuf {
        self.root.join("target/modules").join(format!("{name}.wasm"))
    }

    /// A binary of the workspace, beside this one.
    ///
    /// # Errors
    /// It is not there.
    pub fn binary(&self, name: &str) -> Result<PathBuf> {
        let own = std::env::current_exe().context("where is this program?")?;
        let places = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
        let found = places.into_iter().find(|place| place.is_file());
        found.with_context(|| format!("{name} is not beside {}: cargo build --release --workspace", own.display()))
    }
}

/// The repository that this program was built in: asked at run time, for it can be moved.
fn root() -> Result<PathBuf> {
    let is_root = |folder: &&Path| folder.join("abi/ABI.lock").is_file();
    let (own, here) = (std::env::current_exe()?, std::env::current_dir()?);
    let root = own.ancestors().chain(here.ancestors()).find(is_root);
    root.map(Path::to_owned).context("neither this program nor the working directory lies in Perigee's repository")
}
