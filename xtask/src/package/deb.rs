//! The Debian package: what was built is laid out, and debhelper makes a package of it.

use super::{VERSION, folder};
use crate::command::{self, Repository};
use crate::{files, modules, start, steps, web};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Plug-ins of DPDK without which no port of ours starts, and those of virtual ports. Drivers of cards are recommended by
/// packaging/debian/control.
const PLUGINS: [&str; 10] = [
    "bus_pci",
    "bus_vdev",
    "mempool_ring",
    "net_af_packet",
    "net_af_xdp",
    "net_memif",
    "net_null",
    "net_pcap",
    "net_ring",
    "net_tap",
];

/// A shell, and the file that holds its completions.
const SHELLS: [(&str, &str); 3] = [("bash", "perigee"), ("zsh", "_perigee"), ("fish", "perigee.fish")];

/// Makes the package; where it is.
pub(super) fn build(repository: &Repository) -> Result<PathBuf> {
    web::setup(repository)?;
    modules::build(repository)?;
    let perigee = start::build(repository, "perigee")?;
    let built = folder(repository).join("build");
    if built.exists() {
        fs::remove_dir_all(&built).with_context(|| format!("cannot remove {}", built.display()))?;
    }
    lay_out(repository, &perigee, &built)?;
    let write = |name: &str, text: String| {
        fs::write(built.join(name), text).with_context(|| format!("cannot write {name} in {}", built.display()))
    };
    write("debian/changelog", changelog(&date(repository)?))?;
    write("drivers", drivers(repository)?.join(", "))?;
    let mut build = repository.command("dpkg-buildpackage");
    build.args(["--build=binary", "--no-sign", "--no-check-builddeps"]).current_dir(&built);
    command::run(&mut build)?;
    let package = folder(repository).join(format!("perigee_{VERSION}_amd64.deb"));
    println!("{}", package.display());
    Ok(package)
}

/// Everything that packaging/debian/perigee.install and its neighbours name.
fn lay_out(repository: &Repository, perigee: &Path, built: &Path) -> Result<()> {
    for folder in ["modules", "man", "completions"] {
        fs::create_dir_all(built.join(folder)).with_context(|| format!("cannot make {}", built.display()))?;
    }
    let packaging =
        ["debian", "ports", "example.toml", "huge-pages.conf"].map(|name| Path::new("packaging").join(name));
    let mut copy = repository.command("cp");
    command::run(copy.arg("-r").args(packaging).arg("docs").arg(perigee).arg(built))?;
    // Beside debian/ it would be taken for the package's own changelog.
    command::run(repository.command("cp").arg("CHANGELOG.md").arg(built.join("docs")))?;
    for module in steps::folders(&repository.path("modules"))? {
        let name = Path::new(module.file_name().unwrap_or_default()).with_extension("wasm");
        files::place(&repository.target().join("modules").join(&name), &built.join("modules").join(&name))?;
    }
    command::run(repository.command(perigee).arg("man-pages").arg(built.join("man")))?;
    for (shell, file) in SHELLS {
        let script = command::output(repository.command(perigee).args(["completions", shell]))?;
        let file = built.join("completions").join(file);
        fs::write(&file, script).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// When the source was last changed, so that the same source makes the same package.
fn date(repository: &Repository) -> Result<String> {
    let committed = command::output(repository.command("git").args(["log", "-1", "--format=%cD"]));
    // A source without its history.
    let date = committed.or_else(|_| command::output(repository.command("date").arg("-R")))?;
    Ok(date.trim().to_owned())
}

/// What dpkg wants to know; what has changed is in CHANGELOG.md, which is in the package too.
fn changelog(date: &str) -> String {
    format!(
        "perigee ({VERSION}) unstable; urgency=medium\n\n  * What a user notices is in CHANGELOG.md.\n\n \
         -- The Perigee contributors <perigee@packages.invalid>  {date}\n"
    )
}

/// The packages of DPDK's plug-ins here, which have the number of its interface in their names.
fn drivers(repository: &Repository) -> Result<Vec<String>> {
    let package = |plugin: &&str| {
        let pattern = format!("*/dpdk/pmds-*/librte_{plugin}.so.*");
        let found = command::output(repository.command("dpkg-query").arg("--search").arg(&pattern))
            .with_context(|| format!("no package has {pattern}: this package depends on the system's DPDK"))?;
        package_of(&found).with_context(|| format!("dpkg-query says of {pattern}: {found}"))
    };
    PLUGINS.iter().map(package).collect()
}

/// The one package in lines of `PACKAGE:ARCHITECTURE: FILE`.
fn package_of(found: &str) -> Result<String> {
    let mut names: Vec<&str> = found.lines().filter_map(|line| line.split(':').next()).collect();
    names.dedup();
    match names[..] {
        [name] if !name.is_empty() => Ok(name.to_owned()),
        _ => bail!("one package was expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_in_one_package() {
        let line = "librte-net-tap23:amd64: /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_tap.so.23";
        assert_eq!(package_of(&format!("{line}\n{line}.0\n")).unwrap(), "librte-net-tap23");
        assert!(package_of("").is_err());
        assert!(package_of(&format!("{line}\nother: /x\n")).is_err());
    }

    #[test]
    fn the_changelog_has_the_form_that_dpkg_reads() {
        let text = changelog("Sat, 28 Nov 2026 21:19:09 +0000");
        assert!(text.starts_with(&format!("perigee ({VERSION}) unstable;")), "{text}");
        assert!(text.ends_with("<perigee@packages.invalid>  Sat, 28 Nov 2026 21:19:09 +0000\n"), "{text}");
    }
}
