//! Whole systems in a folder or an archive, from the packages of the system that this runs on.

use super::folder;
use crate::command::{self, Repository};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What of each package is left out of a system that is looked at by no person.
const LEFT_OUT: [&str; 2] = ["/usr/share/man/*", "/usr/share/locale/*"];

/// Makes a system of these packages, besides what every one has, in `target`: a folder, or an archive by its ending. Where
/// `package` is given, ours is among them. `variant` is mmdebstrap's.
pub(super) fn make(
    repository: &Repository,
    variant: &str,
    packages: &[&str],
    package: Option<&Path>,
    target: &Path,
) -> Result<()> {
    let mut sources = sources(repository)?;
    if let Some(package) = package {
        sources.push_str(&offer(repository, package)?);
    }
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let mut make = repository.command("mmdebstrap");
    make.arg(format!("--variant={variant}")).arg(format!("--include={}", packages.join(",")));
    // Whichever of the distribution's keys the sources are signed with.
    make.arg("--keyring=/usr/share/keyrings").args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    let list = folder(repository).join("sources.list");
    fs::write(&list, sources).with_context(|| format!("cannot write {}", list.display()))?;
    make.arg(suite.context("/etc/os-release names no VERSION_CODENAME")?).arg(target).arg(&list);
    command::run(&mut make)
}

/// The system's own sources of packages, a line for each.
fn sources(repository: &Repository) -> Result<String> {
    let format = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let mut targets = repository.command("apt-get");
    targets.args(["indextargets", "--format", format, "Created-By: Packages"]);
    Ok(one_each(&command::output(&mut targets)?))
}

fn one_each(lines: &str) -> String {
    let lines: BTreeSet<&str> = lines.lines().collect();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Makes our package one that apt finds; the line of its source.
fn offer(repository: &Repository, package: &Path) -> Result<String> {
    let offered = folder(repository).join("offered");
    fs::create_dir_all(&offered).with_context(|| format!("cannot make {}", offered.display()))?;
    let name = package.file_name().context("the package has no name")?;
    fs::copy(package, offered.join(name)).with_context(|| format!("cannot copy {}", package.display()))?;
    let index = command::output(repository.command("dpkg-scanpackages").arg(".").current_dir(&offered))?;
    fs::write(offered.join("Packages"), index).context("cannot write the index of packages")?;
    Ok(format!("deb [trusted=yes] copy:{} ./\n", offered.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_once() {
        let line = "deb http://deb.debian.org/debian bookworm main";
        let other = "deb http://deb.debian.org/debian bookworm-updates main";
        assert_eq!(one_each(&format!("{other}\n{line}\n{other}\n")), format!("{line}\n{other}\n"));
    }
}
