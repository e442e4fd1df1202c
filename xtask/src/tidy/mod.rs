//! `./x tidy`: what compilers and linters do not check. Each file here is one rule; one more is in abi.rs.

mod dependencies;
mod evidence;
mod length;
mod links;
mod readmes;
mod unsafe_code;
mod words;

use crate::command::Repository;
use crate::{abi, files, modules};
use anyhow::{Result, bail};

/// What a rule found.
#[derive(Debug, PartialEq)]
enum Finding {
    /// Fails the check.
    Error(String),
    /// Is shown, and lets it pass.
    Warning(String),
}

/// Applies every rule; fails when one found an error.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    let files = files::under(repository, "")?;
    let mut findings = unsafe_code::check(&files);
    findings.extend(length::check(&files));
    findings.extend(words::check(&files));
    findings.extend(readmes::check(&files));
    findings.extend(evidence::check(&files));
    findings.extend(links::check(repository, &files));
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
