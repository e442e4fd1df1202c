//! The image for containers: a small system with the package in it, as a layer of an OCI image. No daemon has a part in it, and
//! no container is started.

use super::{VERSION, folder, system};
use crate::command::{self, Repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What the package needs where no systemd is, and drivers of cards.
const PACKAGES: [&str; 5] =
    ["perigee", "systemd-standalone-sysusers", "systemd-standalone-tmpfiles", "librte-meta-net", "librte-meta-bus"];

/// Makes the image as an OCI layout in target/package/image, and as an archive beside it; the layout.
pub(super) fn build(repository: &Repository, package: &Path) -> Result<PathBuf> {
    let layout = layout(repository);
    let system = folder(repository).join("image.tar");
    system::make(repository, "essential", &PACKAGES, Some(package), &system)?;
    if layout.exists() {
        fs::remove_dir_all(&layout).with_context(|| format!("cannot remove {}", layout.display()))?;
    }
    let umoci = |arguments: &[&str]| command::run(repository.command("umoci").args(arguments));
    let (path, named) = (layout.display().to_string(), format!("{}:{VERSION}", layout.display()));
    umoci(&["init", "--layout", &path])?;
    umoci(&["new", "--image", &named])?;
    umoci(&["raw", "add-layer", "--image", &named, &system.display().to_string()])?;
    umoci(&[
        "config",
        "--image",
        &named,
        "--config.user=perigee",
        "--config.entrypoint=/usr/bin/perigee",
        "--config.cmd=run",
        "--config.cmd=/etc/perigee/example.toml",
        "--config.env=XDG_STATE_HOME=/var/lib",
        "--config.env=XDG_CACHE_HOME=/var/lib/perigee/cache",
        &format!("--config.label=org.opencontainers.image.version={VERSION}"),
        "--config.label=org.opencontainers.image.licenses=MIT OR Apache-2.0",
    ])?;
    umoci(&["gc", "--layout", &path])?;
    let archive = folder(repository).join(format!("perigee_{VERSION}_amd64.oci.tar"));
    command::run(repository.command("tar").arg("-C").arg(&layout).arg("-cf").arg(&archive).arg("."))?;
    fs::remove_file(&system).with_context(|| format!("cannot remove {}", system.display()))?;
    println!("{}", archive.display());
    Ok(layout)
}

/// Where the image lies unpacked in its parts.
pub(super) fn layout(repository: &Repository) -> PathBuf {
    folder(repository).join("image")
}
