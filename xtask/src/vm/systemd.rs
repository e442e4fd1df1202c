//! A guest with a root of its own and systemd as process 1: for what is installed, with its units.

use super::fetch::Bed;
use super::guest::{Accel, Guest, Outcome, Root};
use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const UNIT: &str = "etc/systemd/system/bed.service";
const WANTED: &str = "etc/systemd/system/multi-user.target.wants/bed.service";

/// Puts a unit into a tree of Debian's (with the package systemd) that runs a shell script once the system is up, and then
/// switches the machine off. What the script prints is what [`boot`] gives back. The host's tree is below /mnt, read-only.
pub(crate) fn prepare(bed: &Bed, tree: &Path, script: &str) -> Result<()> {
    let modprobe = bed.tool("modprobe");
    let kernel = bed.folder.join("kernel");
    // What udev would load, it does not find: the tree needs no kernel. A module is loaded by `bed-modprobe NAME`.
    let modprobe = format!("#!/bin/sh\nexec /mnt{} -d /mnt{} \"$@\"\n", modprobe.display(), kernel.display());
    let unit = "[Unit]\nDescription=The job\nAfter=multi-user.target\n\n\
                [Service]\nType=oneshot\nTimeoutStartSec=infinity\nStandardOutput=file:/dev/ttyS1\nStandardError=inherit\n\
                ExecStartPre=/bin/mount -t 9p -o trans=virtio,version=9p2000.L,ro host /mnt\n\
                ExecStart=/bin/sh /usr/local/sbin/bed-job\nExecStopPost=/bin/systemctl poweroff --force\n";
    for (path, text) in
        [("usr/local/sbin/bed-modprobe", modprobe.as_str()), ("usr/local/sbin/bed-job", script), (UNIT, unit)]
    {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap_or(tree)).context("cannot make a folder in the guest's tree")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    command::run(Command::new("chmod").arg("755").arg(tree.join("usr/local/sbin/bed-modprobe")))?;
    let wanted = tree.join(WANTED);
    fs::create_dir_all(wanted.parent().unwrap_or(tree)).context("cannot make a folder in the guest's tree")?;
    let _ = fs::remove_file(&wanted);
    symlink(Path::new("/").join(UNIT), &wanted).context("cannot enable the job's unit")
}

/// Makes an image with ext4 on it from a tree. Files keep the owner that they have for whoever calls this: as root, or in a user
/// namespace in which the tree was made, root's files are root's.
pub(crate) fn image(tree: &Path, image: &Path, size_mib: u32) -> Result<()> {
    let _ = fs::remove_file(image);
    let mut make = Command::new("/usr/sbin/mke2fs");
    make.args(["-q", "-t", "ext4", "-m", "0", "-d"]).arg(tree).arg(image).arg(format!("{size_mib}M"));
    command::run(&mut make).context("mke2fs (package e2fsprogs) cannot make the image")
}

/// Boots an image on a machine with an IOMMU and one network card, 0000:00:04.0; `each` sees each line of the script's.
pub(crate) fn boot(bed: &Bed, accel: Accel, image: &Path, limit: Duration, each: impl Fn(&str)) -> Result<Outcome> {
    let devices = [
        ("-device", "intel-iommu,intremap=on,caching-mode=on,aw-bits=39"),
        ("-netdev", "hubport,id=card,hubid=0"),
        ("-device", "e1000e,netdev=card,addr=0x4,romfile="),
    ];
    let guest = Guest {
        folder: bed.folder.join("guests/systemd"),
        machine: "q35".to_owned(),
        memory: 2048,
        // systemd's own messages are among the console's last lines.
        append: "intel_iommu=on systemd.show_status=1 systemd.log_target=console".to_owned(),
        devices: devices.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect(),
        root: Root::Image(image.to_owned()),
        init: "/sbin/init".to_owned(),
        wrapper: None,
        limit,
    };
    guest.run(bed, accel, each)
}
