//! `./x package`: what operators install. Its texts are in packaging/: the package's control files, the unit, drop-ins for each
//! kind of port. packaging/README.md says which is which.

mod deb;
mod image;
mod system;
mod trial;

use crate::command::Repository;
use crate::setup;
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;

/// The version of all our crates.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What can be made.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The Debian package
    Deb,
    /// The image for containers, with the package in it
    Image,
    /// Install, start, swap, reload, upgrade, remove, purge: all of it in systems of its own
    Trial,
}

/// Makes these parts; without any the package and the image.
pub(crate) fn run(repository: &Repository, parts: &[Part]) -> Result<()> {
    setup::packaging(repository)?;
    let package = deb::build(repository)?;
    let is_tried = parts.contains(&Part::Trial);
    if is_tried || parts.is_empty() || parts.contains(&Part::Image) {
        image::build(repository, &package)?;
    }
    if is_tried { trial::run(repository, &package) } else { Ok(()) }
}

/// Where all of it goes.
fn folder(repository: &Repository) -> PathBuf {
    repository.target().join("package")
}
