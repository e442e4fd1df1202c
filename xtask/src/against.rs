//! A build of an older revision for the benchmark to take turns with: a worktree under target/against, built once and kept.

use crate::command::{self, Repository};
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The option of `./x bench`.
const OPTION: &str = "--against";
/// What is compared with where no revision is named: the last one before the benchmark became a suite and its works were made fast.
const FIRST: &str = "5e983ea";
/// A benchmark that ends within a minute, and whose start builds all that the others need as well: what it takes differs from revision to
/// revision, and each knows its own.
const TRIAL: [&str; 4] = ["bench", "--quick", "--only", "stages"];

/// Arguments for the benchmark: behind `--against` stands the folder of a build instead of a revision.
pub(crate) fn resolve(repository: &Repository, args: &[OsString]) -> Result<Vec<OsString>> {
    let Some((args, revision)) = taken(args) else { return Ok(args.to_owned()) };
    let folder = build(repository, &revision).with_context(|| format!("{OPTION} {revision}"))?;
    Ok([vec![OPTION.into(), folder.into()], args].concat())
}

/// What else there is, and the revision that the option names.
fn taken(args: &[OsString]) -> Option<(Vec<OsString>, String)> {
    let named = |arg: &OsString| Some(arg.to_str()?.strip_prefix(OPTION)?.strip_prefix('=')?.to_owned());
    let at = args.iter().position(|arg| arg == OPTION || named(arg).is_some())?;
    let mut rest = args.to_owned();
    let option = rest.remove(at);
    if let Some(revision) = named(&option) {
        return Some((rest, revision));
    }
    let follows = rest.get(at).and_then(|next| next.to_str()).is_some_and(|next| !next.starts_with('-'));
    let revision = if follows { rest.remove(at).to_string_lossy().into_owned() } else { FIRST.to_owned() };
    Some((rest, revision))
}

/// The folder in which a revision is built.
fn build(repository: &Repository, revision: &str) -> Result<PathBuf> {
    let mut git = repository.command("git");
    git.args(["rev-parse", "--verify", "--quiet", "--short=12", &format!("{revision}^{{commit}}")]);
    let hash = command::output(&mut git).context(
        "there is no such commit here; a clone that has not all of them gets them by: git fetch --unshallow",
    )?;
    // Where this workspace builds to does not matter: the other one has a target folder of its own.
    let folder = repository.path("target/against").join(hash.trim());
    worktree(repository, &folder, hash.trim())?;
    if !folder.join("target/release/perigee-bench").is_file() {
        println!("building {} in {}, which takes as long as a first build", hash.trim(), folder.display());
        let mut x = repository.command("./x");
        x.current_dir(&folder).args(TRIAL).env_remove("CARGO_TARGET_DIR");
        // What cargo and rustup have said of this workspace, the other one finds for itself.
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "RUSTUP_TOOLCHAIN", "RUSTC"] {
            x.env_remove(name);
        }
        command::run(&mut x)?;
    }
    Ok(folder)
}

fn worktree(repository: &Repository, folder: &Path, hash: &str) -> Result<()> {
    if folder.join("x").is_file() {
        return Ok(());
    }
    fs::create_dir_all(repository.path("target/against"))?;
    // One that was removed by hand is still known to git.
    command::run(repository.command("git").args(["worktree", "prune"]))?;
    command::run(repository.command("git").args(["worktree", "add", "--quiet", "--detach"]).arg(folder).arg(hash))?;
    ensure!(folder.join("benches/Cargo.toml").is_file(), "{hash} has no benchmark");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(args: &[&str]) -> Option<(Vec<OsString>, String)> {
        taken(&args.iter().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn the_revision_is_found_wherever_the_option_stands() {
        let rest = vec!["--only".into(), "works".into()];
        for args in [
            &["--against", "v1", "--only", "works"][..],
            &["--only", "works", "--against", "v1"],
            &["--only", "works", "--against=v1"],
        ] {
            assert_eq!(split(args), Some((rest.clone(), "v1".to_owned())), "{args:?}");
        }
        for args in [&["--against", "--only", "works"][..], &["--only", "works", "--against"]] {
            assert_eq!(split(args), Some((rest.clone(), FIRST.to_owned())), "{args:?}");
        }
        assert_eq!(split(&["--only", "works"]), None);
    }
}
