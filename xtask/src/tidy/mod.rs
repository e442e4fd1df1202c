//! `./x tidy`: what compilers and linters do not check. Each file here is one rule; one more is in abi.rs.

mod clocks;
mod dependencies;
mod doctests;
mod evidence;
mod floors;
mod length;
mod links;
mod listings;
mod readmes;
mod unsafe_code;
mod words;

use crate::command::Repository;
use crate::files::File;
use crate::{HELP, abi, files, modules};
use anyhow::{Context, Result, bail};
use std::fs;

/// What a rule found.
#[derive(Debug, PartialEq)]
enum Finding {
    /// Fails the check.
    Error(String),
    /// Is shown, and lets it pass.
    Warning(String),
}

/// Writes anew what pages and files repeat from others.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    listings::bless(repository)?;
    fs::write(repository.path(HELP), crate::help()).with_context(|| format!("cannot write {HELP}"))
}

/// What `./x help` shows is what there is.
fn help(files: &[File]) -> Option<Finding> {
    let is_right = files.iter().any(|file| file.path == HELP && file.text == crate::help());
    (!is_right).then(|| Finding::Error(format!("{HELP} is not what the commands are; ./x tidy --bless writes it anew")))
}

/// Applies every rule; fails when one found an error.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    let files = files::under(repository, "")?;
    let mut findings = unsafe_code::check(&files);
    findings.extend(length::check(&files));
    findings.extend(words::check(&files));
    findings.extend(readmes::check(&files));
    findings.extend(clocks::check(&files));
    findings.extend(floors::check(&files));
    findings.extend(doctests::check(&files));
    findings.extend(evidence::check(&files));
    findings.extend(links::check(repository, &files));
    findings.extend(listings::check(&files));
    findings.extend(help(&files));
    findings.extend(dependencies::check(&modules::metadata(repository)?, &repository.path("")));
    findings.extend(abi::problem(repository)?.map(Finding::Error));

    let mut errors = 0;
    for finding in &findings {
        match finding {
            Finding::Error(text) => {
                errors += 1;
                println!("error: {text}");
            }
            Finding::Warning(text) => println!("warning: {text}"),
        }
    }
    if errors > 0 {
        bail!("{errors} to mend");
    }
    println!("{} files are tidy", files.len());
    Ok(())
}
